// Running state in modules, all builds beside the evaluator, call after call.
import { describe, expect, test } from 'vitest'
import { programOf } from '../support/program.ts'
import { builds, Instance } from './module.ts'

// `least`: gradients that batch norm makes 0 are the rounding of terms of order 0.1, the more the less a batch varies.
const tolerance = { ulps: 256, scale: 'tensor', least: 0.05 } as const

const values = (n: number, seed: number): number[] =>
  Array.from({ length: n }, (_, k) => Math.sin(seed + 1.3 * k))

const text = `
dim batch <= 7
layer remember(x: [D], pos: int[], T: dim) -> [D] {
  param mix: [D, D] = glorot_uniform(D, D)
  state keys: [T, D] = 0.5, used: bool[T] = false
  keys'[t, d] = where(t == pos, sum[e](x[e] * mix[e, d]), keys[t, d])
  used'[t] = used[t] or t == pos
  y[d] = sum[t](where(used'[t], keys'[t, d], 0)) + keys[0, d]
}
net next(x: [5], pos: int[]) -> [5] { remember(x, pos, 6) }
net classify(x: [batch, 5]) -> [batch, 3] { x |> dense(9) |> batch_norm |> relu |> batch_norm |> dense(3) }
train t(x: [batch, 5], y: int[batch]) {
  minimize cross_entropy(classify(x), y)
  using momentum(0.1)
  average 0.9
}
predict class(x: [batch, 5]) { softmax(classify(x)) }
predict step(x: [5]) {
  state pos: int[] = 0
  pos' = pos + 1
  y = next(x, pos)
  (y, pos')
}
predict draw(logits: [batch, 11], temperature: []) {
  noise = random([3])
  id = sample(logits, temperature, top_k = 5)
  (id, noise)
}`

describe.each(builds)('$target, fuse: $fuse', (build) => {
  const instance = new Instance(programOf(text), build)

  test('batch norm and averages over steps of partial batches', () => {
    instance.init(3)
    for (const [k, batch] of [7, 4, 3, 5].entries()) {
      const y = Array.from({ length: batch }, (_, n) => (n * 2 + k) % 3)
      instance.compare('t', { x: values(batch * 5, k), y }, { batch }, tolerance)
      instance.follow()
    }
    instance.compare('t_eval', { x: values(20, 9), y: [0, 1, 2, 1] }, { batch: 4 }, tolerance)
    instance.compare('class', { x: values(30, 8) }, { batch: 6 }, tolerance)
  })

  test('a cache filled call by call, and its start again', () => {
    instance.init(4)
    for (const round of [0, 1]) {
      for (let k = 0; k < 4; k++)
        instance.compare('step', { x: values(5, k + round) }, {}, tolerance)
      instance.compare('step_reset', {}, {}, tolerance)
    }
    const { offset, ...spec } = instance.manifest.state.find((s) => s.name === 'step.pos')!
    expect(spec).toMatchObject({ dtype: 'i32', kept: 'calls', shape: [] })
    expect(instance.view({ offset, ...spec })[0]).toBe(0)
  })

  test('random numbers: others at each call', () => {
    instance.init(5)
    const entry = instance.manifest.entries.find((e) => e.name === 'draw')!
    const noise = instance.view(entry.outputs[1]!)
    const drawn = new Set<number>()
    for (let k = 0; k < 3; k++) {
      const feeds = { logits: values(44, k), temperature: [0.7] }
      instance.compare('draw', feeds, { batch: 4 }, tolerance)
      for (const x of noise) drawn.add(x)
    }
    expect(drawn.size).toBe(9)
  })
})

test('who keeps which state', () => {
  const { manifest } = new Instance(programOf(text), builds[0]!)
  const kept = Object.fromEntries(manifest.state.map((s) => [s.name, s.kept]))
  expect(kept).toMatchObject({
    'classify.batch_norm_1.running_mean': 'weights',
    'classify.dense_1.W.average': 'weights',
    't.classify.dense_1.W.v': 'training',
    'next.remember_1.keys': 'calls',
    'step.pos': 'calls',
    'draw.seed': 'calls',
    'draw.calls': 'calls',
  })
  const entry = (name: string) => manifest.entries.find((e) => e.name === name)!
  const carried = ['next.remember_1.keys', 'next.remember_1.used', 'step.pos']
  expect([...entry('step').carries!].sort()).toEqual(carried)
  expect(entry('draw').carries).toBeUndefined()
  expect(entry('step_reset')).toMatchObject({ kind: 'reset', of: 'step', counts: [], outputs: [] })
  const { offset } = manifest.state.find((s) => s.name === 'draw.seed')!
  expect(entry('draw_reset').outputs).toMatchObject([{ name: 'seed', offset }])
})

test('a loss that is not finite leaves the state of layers as it was', () => {
  const instance = new Instance(programOf(text), builds[0]!)
  instance.init(3)
  const spec = (name: string) => instance.persistent.find((s) => s.name === name)!
  const names = [
    'classify.batch_norm_1.running_mean',
    'classify.batch_norm_2.running_variance',
    'classify.dense_2.b.average',
  ]
  const before = names.map((name) => [...instance.view(spec(name))])
  const entry = instance.manifest.entries.find((e) => e.name === 't')!
  instance.view(entry.inputs[0]!).fill(Number.NaN)
  instance.call('t', 3)
  expect(names.map((name) => [...instance.view(spec(name))])).toEqual(before)
  instance.view(entry.inputs[0]!).set(values(15, 1))
  instance.call('t', 3)
  names.forEach((name, k) => {
    expect([...instance.view(spec(name))]).not.toEqual(before[k])
  })
})
