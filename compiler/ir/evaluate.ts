/**
 * The reference evaluator: runs a program's entries in double precision, one equation after the other (those of a
 * loop together, one time after the other), by the definitions of types.ts. In: a program, its state, inputs and counts. Out: outputs and every intermediate; the
 * state is changed by the updates. Plain and slow, the oracle that tests compare compiled code and gradients with.
 *
 * Every tensor is a `Float64Array` packed row-major for its maximum extents; loops run the actual counts, so rows
 * beyond a count stay 0. i32 is exact with wrapping, bool is 0 or -1. Integer division by 0 gives 0.
 */
import { InternalError } from '../support/diagnostic.ts'
import { compileOffset, compileScalar, Frame, type Memory, type Tape } from './closures.ts'
import { flatten, type Loop, order, type Step } from './recurrence.ts'
import { boundIndices } from './traverse.ts'
import type {
  Entry,
  Equation,
  Extent,
  Index,
  Program,
  Scalar,
  Stage,
  Stream,
  Tensor,
} from './types.ts'

export type { Memory, Tape } from './closures.ts'

/** The persistent tensors by name. */
export interface State {
  readonly tensors: ReadonlyMap<string, Float64Array>
}

export interface RunOptions {
  /** Values by input name: the rows that there are, or the whole packed tensor. */
  readonly inputs?: Readonly<Record<string, ArrayLike<number>>>
  /** Actual counts of bounded dims; their maximum when left out. */
  readonly counts?: Readonly<Record<string, number>>
  /** Written to the seed cell before the entry runs. */
  readonly seed?: number
}

export interface RunResult {
  /** By the caller's names, cut to the actual count of a bounded outermost dimension. */
  readonly outputs: Readonly<Record<string, Float64Array>>
  /** Every tensor of the entry, packed for maximum extents. */
  readonly temps: ReadonlyMap<string, Float64Array>
}

export const elementCount = (shape: readonly Extent[]): number =>
  shape.reduce((n, extent) => n * extent.size, 1)

/** All zeros, hyper-parameters at their start values. */
export function createState(program: Program): State {
  const tensors = new Map<string, Float64Array>()
  for (const t of program.tensors) {
    tensors.set(t.name, new Float64Array(elementCount(t.shape)).fill(t.initial ?? 0))
  }
  return { tensors }
}

/** Runs an entry once. `init` sets the step to 0, a train entry counts it up before it computes. */
export function run(
  program: Program,
  entryName: string,
  state: State,
  options: RunOptions = {},
): RunResult {
  const prepared = prepare(program, entryName, state, options)
  prepared.begin()
  for (let k = 0; k < prepared.entry.stages.length; k++) prepared.runStage(k)
  return prepared.result()
}

/** An entry bound to buffers, stage by stage. */
export interface Prepared {
  readonly entry: Entry
  readonly memory: Memory
  /** Sets the program's seed and step cells for this run. */
  begin(): void
  /** The equations of a stage and then its updates. */
  runStage(stage: number): void
  result(): RunResult
}

export function prepare(
  program: Program,
  entryName: string,
  state: State,
  options: RunOptions = {},
): Prepared {
  const entry = program.entries.find((e) => e.name === entryName)
  if (!entry) throw new InternalError(`no entry ${entryName}`)
  const memory = createMemory(program, entry, state, options)
  writeInputs(entry, memory, options.inputs ?? {})
  const { seed, step } = cellsOf(program, state)
  return {
    entry,
    memory,
    begin() {
      if (options.seed !== undefined) seed[0] = options.seed | 0
      if (entry.kind === 'init') step[0] = 0
      if (entry.kind === 'train') step[0]! += 1
    },
    runStage(k) {
      const stage = entry.stages[k]!
      runEquations(stage.equations, memory)
      applyUpdates(stage, memory)
    },
    result: () => ({
      outputs: Object.fromEntries(entry.outputs.map((o) => [o.name, actualRows(o.tensor, memory)])),
      temps: new Map(entry.tensors.map((t) => [t.name, memory.buffers.get(t.name)!])),
    }),
  }
}

/** Fresh buffers for the entry's own tensors beside the state's. */
export function createMemory(
  program: Program,
  entry: Entry,
  state: State,
  options: Pick<RunOptions, 'counts'> = {},
): Memory {
  const tensors = new Map<string, Tensor>()
  const buffers = new Map(state.tensors)
  for (const t of program.tensors) tensors.set(t.name, t)
  for (const t of entry.tensors) {
    tensors.set(t.name, t)
    buffers.set(t.name, new Float64Array(elementCount(t.shape)))
  }
  const counts: Record<string, number> = {}
  for (const dim of program.dims) {
    const count = options.counts?.[dim.name] ?? dim.max
    if (!(count >= 1 && count <= dim.max)) {
      throw new InternalError(`count ${count} of ${dim.name} is not in 1..${dim.max}`)
    }
    counts[dim.name] = count
  }
  if (entry.kind === 'reset') {
    const step = program.tensors.find((t) => t.role === 'step')
    if (step) buffers.set(step.name, new Float64Array(1))
  }
  const tape: Tape = { mode: 'off', values: [], next: 0 }
  const { seed, step } = cellsOf(program, { tensors: buffers }, entry.stream)
  return { tensors, buffers, counts, seed, step, tape }
}

/** The cells that random numbers are drawn from: those of the program, or of an entry's own stream. */
function cellsOf(program: Program, state: State, stream?: Stream) {
  const cell = (role: 'seed' | 'step'): Float64Array => {
    const name = stream?.[role] ?? program.tensors.find((t) => t.role === role)?.name
    return (name === undefined ? undefined : state.tensors.get(name)) ?? new Float64Array(1)
  }
  return { seed: cell('seed'), step: cell('step') }
}

function writeInputs(
  entry: Entry,
  memory: Memory,
  inputs: Readonly<Record<string, ArrayLike<number>>>,
): void {
  for (const name of entry.inputs) {
    const values = inputs[name]
    const buffer = memory.buffers.get(name)
    if (!values || !buffer) throw new InternalError(`no values for input ${name}`)
    if (values.length > buffer.length) {
      throw new InternalError(`${values.length} values for ${buffer.length} of input ${name}`)
    }
    buffer.set(values)
    if (memory.tensors.get(name)?.dtype === 'bool') {
      buffer.forEach((v, k) => {
        buffer[k] = v !== 0 ? -1 : 0
      })
    }
  }
}

/** All together: every value is taken before any target changes. */
function applyUpdates(stage: Stage, memory: Memory): void {
  const values = stage.updates.map(({ value }) => memory.buffers.get(value)!.slice())
  stage.updates.forEach(({ target }, k) => {
    memory.buffers.get(target)!.set(values[k]!)
  })
}

function actualRows(name: string, memory: Memory): Float64Array {
  const buffer = memory.buffers.get(name)!
  const [outer, ...inner] = memory.tensors.get(name)!.shape
  if (outer?.bound === undefined) return buffer.slice()
  return buffer.slice(0, (memory.counts[outer.bound] ?? outer.size) * elementCount(inner))
}

export function runEquations(equations: readonly Equation[], memory: Memory): void {
  compileEquations(equations, memory)()
}

/** The equations as one function, to run many times over changing buffers. */
export function compileEquations(equations: readonly Equation[], memory: Memory): () => void {
  const runs = order(equations).map((step) => {
    const targets = flatten([step]).flatMap((eq) => (eq.at ? [memory.buffers.get(eq.target)!] : []))
    const compute = compileStep(step, [], memory)
    return () => {
      for (const target of targets) target.fill(0)
      compute()
    }
  })
  return () => {
    for (const runOne of runs) runOne()
  }
}

/** A loop around an equation, and the time it is at. */
interface Around {
  readonly loop: Loop
  now: number
}

function compileStep(step: Step, around: readonly Around[], memory: Memory): () => void {
  if (step.kind === 'equation') return compileEquation(step.equation, around, memory)
  const here: Around = { loop: step, now: 0 }
  const inside = step.steps.map((inner) => compileStep(inner, [...around, here], memory))
  const { down, extent } = step
  return () => {
    for (let k = 0; k < extent.size; k++) {
      here.now = down ? extent.size - 1 - k : k
      for (const runOne of inside) runOne()
    }
  }
}

/** Over all of its domain, save the indices that are the time of a loop around. A scatter adds to what is there. */
function compileEquation(
  equation: Equation,
  around: readonly Around[],
  memory: Memory,
): () => void {
  const { outs, at, body } = equation
  const scalars: readonly Scalar[] = [body, ...(at ?? [])]
  const indices: Index[] = [...outs, ...scalars.flatMap(boundIndices)]
  const frame = new Frame(memory, indices)
  const target = frame.buffer(equation.target)
  const positions = at ?? outs.map((i): Scalar => ({ kind: 'index', name: i.name }))
  const offset = compileOffset(frame, frame.shape(equation.target), positions, false)
  const value = compileScalar(frame, body)
  const times = around.map((a) => ({ a, name: a.loop.time.get(equation.target)! }))
  const domain = outs.filter((i) => !times.some((time) => time.name === i.name))
  const slots = times.map(({ a, name }) => ({ a, slot: frame.slot(name) }))
  const wrap = memory.tensors.get(equation.target)?.dtype === 'i32'
  const loop = frame.loop(domain, () => {
    const k = offset()
    if (at === undefined) {
      target[k] = value()
    } else {
      const sum = target[k]! + value()
      target[k] = wrap ? sum | 0 : sum
    }
  })
  return () => {
    for (const { a, slot } of slots) frame.values[slot] = a.now
    loop()
  }
}
