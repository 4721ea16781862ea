/**
 * The printed gradient: it parses and elaborates without a word, computes the same numbers as the differentiated
 * program, and for mnist.net it is the text a person would write.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { analyze } from '../../compiler/compile.ts'
import { differentiate } from '../../compiler/differentiate/index.ts'
import { createState, prepare } from '../../compiler/ir/evaluate.ts'
import type { Extent, Program, Tensor } from '../../compiler/ir/types.ts'
import { gradientTargets, gradientText } from '../../compiler/notation/net.ts'
import { renderAll } from '../../compiler/support/render.ts'
import { small, programOf as smallProgram } from '../models/small.ts'
import { randoms } from './check.ts'

const root = join(import.meta.dirname, '../..')
const cases = join(root, 'test/cases/gradient')

function programOf(text: string, file: string): Program {
  const { program, diagnostics } = analyze(text, { file })
  if (!program) throw new Error(`${renderAll(diagnostics)}\n${text}`)
  return program
}

const volume = (shape: readonly Extent[]): number => shape.reduce((n, x) => n * x.size, 1)

const trainEntries = (program: Program): string[] =>
  program.entries.filter((e) => e.kind === 'train').map((e) => e.name)

function drawn(t: Tensor, next: () => number): number {
  if (t.dtype === 'f32') return next() * 1.6 - 0.8
  return t.dtype === 'i32' ? Math.floor(next() * (t.range ?? 3)) : -Math.floor(next() * 2)
}

/**
 * Both programs run from the same values; every gradient agrees to the last digits of a double or, where the text has
 * constants like 0.3989423 or 0.00001, which are shown in single precision, to those of a float.
 */
function compare(program: Program): void {
  const counts = Object.fromEntries(program.dims.map((d) => [d.name, Math.min(3, d.max)]))
  for (const name of trainEntries(program)) {
    const goals = program.entries.find((e) => e.name === name)!.stages.filter((s) => s.objective)
    const printed = gradientText(program, name, {})
    const tolerance = /\d\.\d{5,}/.test(printed) ? 2 ** -24 : 1e-12
    const { program: again, diagnostics } = analyze(printed, { file: 'gradient.net' })
    expect(renderAll(diagnostics.filter((d) => d.severity === 'error'))).toBe('')
    const derived = withoutUpdates(differentiate.run(program))
    const entry = derived.entries.find((e) => e.name === name)!
    goals.forEach((stage, k) => {
      const goal = stage.objective!
      const block = again!.entries.filter((e) => e.kind === 'predict')[k]!
      const outputs = [goal.loss, ...goal.gradients.map((g) => g.gradient)]
      const actual = runPrinted(again!, block.name, derived, name, counts)
      const state = filled(derived, name)
      const run = prepare(derived, name, state.state, { inputs: state.inputs, counts, seed: 5 })
      run.begin()
      for (let s = 0; s < entry.stages.length; s++) run.runStage(s)
      outputs.forEach((tensor, at) => {
        const expected = run.memory.buffers.get(tensor)!
        const values = Object.values(actual)[at]!
        expected.subarray(0, values.length).forEach((value, i) => {
          const error = Math.abs(value - values[i]!) / Math.max(1, Math.abs(value))
          if (!(error < tolerance))
            throw new Error(`${tensor}[${i}]: ${values[i]}, not ${value}\n${printed}`)
        })
      })
    })
  }
}

/** Each printed gradient is of the parameters as given, also that of a later step. */
function withoutUpdates(program: Program): Program {
  const entries = program.entries.map((entry) => ({
    ...entry,
    stages: entry.stages.map((stage) => ({ ...stage, updates: [] })),
  }))
  return { ...program, entries }
}

/** A state and inputs of the training program from a fixed seed, by the names of its tensors. */
function filled(program: Program, entryName: string) {
  const next = randoms(3)
  const state = createState(program)
  for (const t of program.tensors) {
    if (t.role !== 'param') continue
    const values = state.tensors.get(t.name)!
    for (let k = 0; k < values.length; k++) values[k] = drawn(t, next)
  }
  const entry = program.entries.find((e) => e.name === entryName)!
  const inputs: Record<string, number[]> = {}
  for (const name of entry.inputs) {
    const t = entry.tensors.find((x) => x.name === name)!
    inputs[name] = Array.from({ length: volume(t.shape) }, () => drawn(t, next))
  }
  return { state, inputs }
}

function runPrinted(
  program: Program,
  block: string,
  source: Program,
  train: string,
  counts: Readonly<Record<string, number>>,
): Readonly<Record<string, Float64Array>> {
  const { state, inputs } = filled(source, train)
  const entry = program.entries.find((e) => e.name === block)!
  const given: Record<string, ArrayLike<number>> = {}
  for (const name of entry.inputs) {
    given[name] = inputs[name] ?? valuesEndingIn(name, state.tensors)
  }
  const own = createState(program)
  // The step that the training program computes in is its first.
  own.tensors.get('step')?.fill(1)
  // A predict block draws from a stream of its own: make it that of the training.
  if (entry.stream) {
    own.tensors.get(entry.stream.step)!.fill(1)
    own.tensors.get(entry.stream.seed)!.fill(5)
  }
  const run = prepare(program, block, own, { inputs: given, counts, seed: 5 })
  run.begin()
  run.runStage(0)
  return run.result().outputs
}

/** `dense_1_W` is the parameter whose path ends in it. */
function valuesEndingIn(name: string, tensors: ReadonlyMap<string, Float64Array>): Float64Array {
  const found = [...tensors].filter(([full]) => {
    const path = full.replaceAll('.', '_')
    return path === name || path.endsWith(`_${name}`)
  })
  const best = found.sort(([a], [b]) => a.length - b.length)[0]
  if (!best) throw new Error(`no tensor for ${name}`)
  return best[1]
}

describe('every model', () => {
  test.each(Object.keys(small))('%s', (name) => compare(smallProgram(name)))
})

describe('programs with every kind of layer', () => {
  const files = readdirSync(cases).filter((f) => f.endsWith('.net'))
  test.each(files)('%s', (file) => {
    compare(programOf(readFileSync(join(cases, file), 'utf8'), file))
  })
})

test('a recurrence and its reversed adjoint are scans', async () => {
  const program = programOf(
    `dim batch <= 4
net remember(x: [batch, 9, 3]) -> [batch, 2] { x |> rnn(8) |> last |> dense(2) }
train fit(x: [batch, 9, 3], y: [batch, 2]) {
  minimize mse(remember(x), y)
  using sgd(0.1)
}
`,
    'remember.net',
  )
  await expect(gradientText(program, 'fit', {})).toMatchFileSnapshot(join(cases, 'rnn.txt'))
})

const mnist = (): Program =>
  programOf(readFileSync(join(root, 'models/mnist.net'), 'utf8'), 'models/mnist.net')

describe('mnist.net', () => {
  test('reads as a derivation by hand', async () => {
    const [name] = trainEntries(mnist())
    const text = gradientText(mnist(), name!, {})
    await expect(text).toMatchFileSnapshot(join(cases, 'mnist.txt'))
  })
  test('one parameter asked for leaves the way to it', () => {
    const [name] = trainEntries(mnist())
    const text = gradientText(mnist(), name!, { wrt: ['dense_3.W'] })
    expect(text).toContain('(loss, d_dense_3_W)')
    expect(text).not.toContain('d_relu_1')
  })
  test('what can be asked for', () => {
    const [name] = trainEntries(mnist())
    const targets = gradientTargets(mnist(), name!)
    expect(targets?.losses).toEqual(['loss'])
    expect(targets?.params).toContain('classify.dense_1.W')
    expect(gradientTargets(mnist(), 'nothing')).toBeUndefined()
  })
})
