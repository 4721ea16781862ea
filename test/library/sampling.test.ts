// Drawing classes: what can be drawn and how often, against probabilities worked out from the definitions.
import { describe, expect, test } from 'vitest'
import { createState, run } from '../../compiler/ir/evaluate.ts'
import { builds, Instance } from '../codegen/module.ts'
import { programOf } from '../support/program.ts'

const rows = 2000
const logits = [0.5, 2, -1, 1.2, 2, -3, 0.1]

interface Options {
  readonly temperature: number
  readonly top_k: number
  readonly top_p: number
}

/** Sorted by probability, cut after k and after the mass p, and normalised: by the words of the papers. */
function distribution({ temperature, top_k, top_p }: Options): number[] {
  const e = logits.map((z) => Math.exp(z / temperature))
  const order = logits.map((_, v) => v).sort((a, b) => e[b]! - e[a]! || a - b)
  const left = top_k > 0 ? order.slice(0, top_k) : order
  const total = left.reduce((s, v) => s + e[v]!, 0)
  const kept: number[] = []
  let mass = 0
  for (const v of left) {
    if (kept.length > 0 && mass >= top_p) break
    kept.push(v)
    mass += e[v]! / total
  }
  const all = kept.reduce((s, v) => s + e[v]!, 0)
  return logits.map((_, v) => (kept.includes(v) ? e[v]! / all : 0))
}

const program = programOf(`
dim batch <= ${rows}
predict p(x: [batch, ${logits.length}], temperature: [], top_k: int[], top_p: []) {
  id = sample(x, temperature, top_k, top_p)
}
predict plain(x: [batch, ${logits.length}]) { sample(x) }
predict one(x: [${logits.length}]) { sample(x, top_k = 2) }
predict best(x: [2, 3, 2]) { greedy(x) }
`)
const instance = new Instance(program, builds[0]!)
instance.init(1)
const x = Array.from({ length: rows }, () => logits).flat()

/** How often each class was drawn. */
function frequencies(name: string, inputs: Readonly<Record<string, readonly number[]>>): number[] {
  const entry = instance.manifest.entries.find((e) => e.name === name)!
  for (const spec of entry.inputs) instance.view(spec).set(inputs[spec.name]!)
  const counts = logits.map(() => 0)
  const calls = 5
  for (let k = 0; k < calls; k++) {
    instance.call(name, rows)
    for (const v of instance.view(entry.outputs[0]!)) counts[v]! += 1
  }
  return counts.map((n) => n / (calls * rows))
}

/** Within four standard deviations of 10,000 draws; what cannot be drawn is never drawn. */
function expectClose(actual: readonly number[], expected: readonly number[]): void {
  for (const [v, p] of expected.entries()) {
    if (p === 0) expect(actual[v], `class ${v}`).toBe(0)
    const deviation = Math.sqrt((p * (1 - p)) / (5 * rows))
    expect(Math.abs(actual[v]! - p), `class ${v}, p = ${p}`).toBeLessThanOrEqual(4 * deviation)
  }
}

describe('sample', () => {
  const cases: readonly Options[] = [
    { temperature: 1, top_k: 0, top_p: 1 },
    { temperature: 0.5, top_k: 0, top_p: 1 },
    { temperature: 3, top_k: 0, top_p: 1 },
    // Of two equally probable ones the first counts as more so.
    { temperature: 1, top_k: 1, top_p: 1 },
    { temperature: 1, top_k: 3, top_p: 1 },
    { temperature: 1, top_k: 99, top_p: 1 },
    { temperature: 1, top_k: 0, top_p: 0.5 },
    { temperature: 1, top_k: 0, top_p: 0.9 },
    { temperature: 1, top_k: 0, top_p: 0.01 },
    { temperature: 2, top_k: 4, top_p: 0.8 },
  ]
  test.each(cases)('temperature $temperature, top_k $top_k, top_p $top_p', (options) => {
    const { temperature, top_k, top_p } = options
    const inputs = { x, temperature: [temperature], top_k: [top_k], top_p: [top_p] }
    expectClose(frequencies('p', inputs), distribution(options))
  })

  test('by default from the probabilities of softmax', () => {
    expectClose(frequencies('plain', { x }), distribution({ temperature: 1, top_k: 0, top_p: 1 }))
  })

  test('at temperature 0, and with extreme logits, the most probable', () => {
    const zero = { temperature: [0], top_k: [0], top_p: [1] }
    expect(frequencies('p', { x, ...zero })[1]).toBe(1)
    const extreme = Array.from({ length: rows }, () => [-1e4, 3, 1e4, 0, -1e4, 9e3, 0]).flat()
    const one = { temperature: [1], top_k: [0], top_p: [1] }
    expect(frequencies('p', { x: extreme, ...one })[2]).toBe(1)
  })

  test('without leading dims, and greedy', () => {
    const state = createState(program)
    run(program, 'init', state, { seed: 2 })
    const drawn = new Set<number>()
    for (let k = 0; k < 20; k++) {
      drawn.add(run(program, 'one', state, { inputs: { x: logits } }).outputs.out![0]!)
    }
    expect([...drawn].sort()).toEqual([1, 4])
    const values = { inputs: { x: [1, 2, 3, 3, 5, 4, -1, -2, 0, 0, 7, 8] } }
    expect([...run(program, 'best', state, values).outputs.out!]).toEqual([1, 0, 0, 0, 0, 1])
  })
})
