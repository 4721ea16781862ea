/**
 * Gradients against central differences in double precision. In: a program before and after differentiation, a train
 * entry and the values to run it with. Out: one report per compared element; `expectGradients` throws with the worst.
 *
 * The differences are taken on the forward equations of the program before, so nothing that differentiation made is
 * trusted. Each is Richardson-extrapolated over a sequence of steps and comes with an estimate of its own error; the
 * values of `stopgrad` are held still. A stage is differentiated as it stands: what earlier stages computed is constant.
 */
import {
  compileEquations,
  createMemory,
  createState,
  prepare,
  runEquations,
  type State,
} from '../../compiler/ir/evaluate.ts'
import { dependencies } from '../../compiler/ir/traverse.ts'
import type { Entry, Equation, Program, Stage } from '../../compiler/ir/types.ts'

export interface GradientCheck {
  readonly before: Program
  readonly after: Program
  readonly entry: string
  readonly inputs: Readonly<Record<string, ArrayLike<number>>>
  readonly counts?: Readonly<Record<string, number>>
  readonly seed?: number
  /** Start values by tensor; other persistent tensors start as `createState` has them. */
  readonly persistent?: Readonly<Record<string, ArrayLike<number>>>
  /** Most elements compared of each parameter, spread evenly; all when undefined. */
  readonly samples?: number
}

export interface GradientReport {
  readonly stage: number
  readonly param: string
  readonly element: number
  /** The central difference. */
  readonly expected: number
  readonly actual: number
  /** The difference of both over the larger, or over a floor that rounding of the loss sets. */
  readonly error: number
}

export function checkGradients(check: GradientCheck): GradientReport[] {
  const { before, after, entry: entryName } = check
  const options = {
    inputs: check.inputs,
    ...(check.counts ? { counts: check.counts } : {}),
    seed: check.seed ?? 1,
  }
  const state = createState(after)
  for (const [name, values] of Object.entries(check.persistent ?? {})) {
    state.tensors.get(name)!.set(values)
  }
  const derived = prepare(after, entryName, state, options)
  const original = entryOf(before, entryName)
  const memory = createMemory(before, original, state, options)
  for (const name of original.inputs) memory.buffers.get(name)!.set(check.inputs[name]!)
  derived.begin()
  const reports: GradientReport[] = []
  original.stages.forEach((stage, k) => {
    if (stage.objective) {
      runEquations(derived.entry.stages[k]!.equations, derived.memory)
      const loss = compileEquations(needed(stage, stage.objective.loss), memory)
      const cell = memory.buffers.get(stage.objective.loss)!
      const { tape } = memory
      tape.mode = 'record'
      tape.values = []
      loss()
      tape.mode = 'replay'
      const evaluate = (): number => {
        tape.next = 0
        loss()
        return cell[0]!
      }
      for (const { param, gradient } of stage.objective.gradients) {
        const actual = derived.memory.buffers.get(gradient)
        if (!actual) throw new Error(`gradient ${gradient} is gone after differentiation`)
        reports.push(...compare(k, param, state, actual, evaluate, check.samples))
      }
      tape.mode = 'off'
    }
    runEquations(stage.equations, memory)
    derived.runStage(k)
  })
  return reports
}

/** Throws unless every element agrees to `tolerance`, relative. Returns the number compared. */
export function expectGradients(check: GradientCheck, tolerance = 1e-6): number {
  const reports = checkGradients(check)
  const worst = reports.reduce<GradientReport | undefined>(
    (a, b) => (a && !(b.error > a.error || Number.isNaN(b.error)) ? a : b),
    undefined,
  )
  if (worst && !(worst.error <= tolerance)) {
    const { stage, param, element, expected, actual, error } = worst
    throw new Error(
      `stage ${stage}: d loss / d ${param}[${element}] is ${actual}, ` +
        `the central difference ${expected} (error ${error.toExponential(2)})`,
    )
  }
  return reports.length
}

function entryOf(program: Program, name: string): Entry {
  const entry = program.entries.find((e) => e.name === name)
  if (!entry) throw new Error(`no entry ${name}`)
  return entry
}

/** The equations of a stage that its loss depends on. */
function needed(stage: Stage, loss: string): Equation[] {
  const names = dependencies(stage.equations, [loss])
  return stage.equations.filter((equation) => names.has(equation.target))
}

function compare(
  stage: number,
  param: string,
  state: State,
  actual: Float64Array,
  evaluate: () => number,
  samples: number | undefined,
): GradientReport[] {
  const values = state.tensors.get(param)!
  const scale = Math.max(Math.abs(evaluate()), 1)
  const stride = samples === undefined ? 1 : Math.max(1, Math.floor(values.length / samples))
  const reports: GradientReport[] = []
  for (let k = 0; k < values.length; k += stride) {
    const x = values[k]!
    const expected = derivative(
      (h) => {
        values[k] = x + h
        const y = evaluate()
        values[k] = x
        return y
      },
      Math.max(1, Math.abs(x)) * 0.02,
    )
    const given = actual[k]!
    const size = Math.max(Math.abs(expected), Math.abs(given), 1e-5 * scale)
    const error = Math.abs(expected - given) / size
    reports.push({ stage, param, element: k, expected, actual: given, error })
  }
  evaluate()
  return reports
}

/** f'(0) by Ridders' method: central differences with halved steps, extrapolated; the most settled value wins. */
export function derivative(f: (h: number) => number, start: number): number {
  const rows = 9
  let previous: number[] = []
  let best = Number.NaN
  let bestError = Number.POSITIVE_INFINITY
  for (let k = 0; k < rows; k++) {
    const h = start / 2 ** k
    const row = [(f(h) - f(-h)) / (2 * h)]
    for (let j = 1; j <= k; j++) {
      const factor = 4 ** j
      row.push((factor * row[j - 1]! - previous[j - 1]!) / (factor - 1))
      const error = Math.max(Math.abs(row[j]! - row[j - 1]!), Math.abs(row[j]! - previous[j - 1]!))
      if (error < bestError) {
        bestError = error
        best = row[j]!
      }
    }
    if (bestError === 0) return best
    previous = row
  }
  return best
}
