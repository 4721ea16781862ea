// What a module compiled with `monitor` reports, against the parameters before and after a step and loops over rows.
import { expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import { renderAll } from '../../compiler/support/render.ts'
import { load } from '../../runtime/index.ts'
import { Doctor, type Health, healthOf, withoutMonitor } from '../../runtime/training/index.ts'

const text = `
dim batch <= 6
net f(x: [batch, 3]) -> [batch, 2] {
  x |> dense(5) |> relu |> dense(4) |> tanh |> dense(3) |> sigmoid |> dense(2)
}
train t(x: [batch, 3], y: [batch, 2]) {
  minimize mse(f(x), y)
  using sgd(0.5) with clip_value(0.25)
}
predict hidden(x: [batch, 3]) { f(x) }`

async function newModel(monitor: boolean) {
  const { modules, diagnostics } = compile(text, { targets: ['simd'], verify: true, monitor })
  if (!modules) throw new Error(renderAll(diagnostics))
  const model = await load(modules.simd!.wasm as Uint8Array<ArrayBuffer>)
  model.init(2)
  return model
}

const rows = 5
const feeds = {
  x: Float32Array.from({ length: rows * 3 }, (_, k) => 9 * Math.cos(3 * k)),
  y: Float32Array.from({ length: rows * 2 }, (_, k) => Math.sin(k)),
}
const squares = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((s, v) => s + v * v, 0)

test('norms and shares are those of the step', async () => {
  const model = await newModel(true)
  const params = model.params
  // One unit of the relu can never be above 0.
  params['f.dense_1.b']!.fill(-1e3, 2, 3)
  const before = Object.fromEntries(Object.entries(params).map(([name, v]) => [name, [...v]]))
  const layer = (name: string, x: number[][], act: (v: number) => number): number[][] => {
    const b = before[`f.${name}.b`]!
    const W = before[`f.${name}.W`]!
    return x.map((row) =>
      b.map((_, o) => act(row.reduce((s, v, i) => s + v * W[i * b.length + o]!, b[o]!))),
    )
  }
  const x = Array.from({ length: rows }, (_, n) => [...feeds.x.slice(n * 3, n * 3 + 3)])
  const h = layer('dense_1', x, (v) => Math.max(v, 0))
  const t = layer('dense_2', h, Math.tanh)
  const s = layer('dense_3', t, (v) => 1 / (1 + Math.exp(-v)))
  const metrics = model.train.t!(feeds)
  expect(healthOf(metrics).parameters.map((p) => p.name)).toEqual(Object.keys(before))
  const dead = [0, 1, 2, 3, 4].filter((u) => h.every((row) => row[u] === 0)).length
  const share = (all: number[], test: (v: number) => boolean) =>
    all.filter(test).length / all.length
  expect(dead).toBeGreaterThan(0)
  expect(metrics['monitor.dead.f.relu_1']).toBeCloseTo(dead / 5, 6)
  const saturated = share(t.flat(), (v) => Math.abs(v) > 0.99)
  expect(saturated).toBeGreaterThan(0)
  expect(saturated).toBeLessThan(1)
  expect(metrics['monitor.saturated.f.tanh_1']).toBeCloseTo(saturated, 6)
  const low = share(s.flat(), (v) => v < 0.01 || v > 0.99)
  expect(metrics['monitor.saturated.f.sigmoid_1']).toBeCloseTo(low, 6)
  let clipped = 0
  for (const [name, start] of Object.entries(before)) {
    const moved = [...params[name]!].map((v, k) => v - start[k]!)
    const near = (metric: string, value: number): void => {
      const actual = metrics[`monitor.${metric}.${name}`]!
      expect(Math.abs(actual - value), `${metric} of ${name}`).toBeLessThan(1e-3 * value + 1e-9)
    }
    near('weight', squares(start))
    near('update', squares(moved))
    // Without clipping a step is half the gradient.
    if (moved.some((v) => Math.abs(v) > 0.1249)) clipped++
    else near('gradient', squares(moved) / 0.25)
  }
  expect(clipped).toBeLessThan(8)
})

test('training and evaluation are the same with it', async () => {
  const [plain, watched] = [await newModel(false), await newModel(true)]
  const results = [plain, watched].map((model) => {
    model.train.t!(feeds)
    return model.train.t!(feeds)
  })
  expect(withoutMonitor(results[1]!)).toEqual(results[0])
  expect([...watched.params['f.dense_1.W']!]).toEqual([...plain.params['f.dense_1.W']!])
  expect(watched.eval.t!(feeds)).toEqual(plain.eval.t!(feeds))
})

const healthy: Health = {
  parameters: [
    { name: 'a.W', weight: 4, gradient: 0.5, update: 0.004, ratio: 1e-3 },
    { name: 'a.b', weight: 0.01, gradient: 0.1, update: 0.01, ratio: 1 },
    { name: 'z.W', weight: 4, gradient: 0.2, update: 0.004, ratio: 1e-3 },
  ],
  activations: [
    { name: 'relu_1', kind: 'dead', share: 0.2 },
    { name: 'tanh_1', kind: 'saturated', share: 0.2 },
  ],
}

test('what is wrong is said once, in plain words', () => {
  const doctor = () =>
    new Doctor([
      { name: 'a.W', shape: [100, 100] },
      { name: 'a.b', shape: [100] },
      { name: 'z.W', shape: [100, 100] },
    ])
  expect(doctor().see(healthy)).toEqual([])
  const with_ = (change: object, k = 0): Health => ({
    ...healthy,
    parameters: healthy.parameters.map((p, j) => (j === k ? { ...p, ...change } : p)),
  })
  const once = doctor()
  const said = once.see(with_({ gradient: 4321 }))
  expect(said).toEqual([
    'exploding gradients: that of a.W has norm 4300; add `with clip_norm(1.0)` or lower the learning rate',
    "vanishing gradients: a value of z.W gets 0.000046 of the largest one's; add normalization or skip connections, or use relu instead of tanh or sigmoid",
  ])
  expect(once.see(with_({ gradient: 4321 }))).toEqual([])
  expect(doctor().see(with_({ ratio: 0.3 }, 2))).toEqual([
    'large steps: each changes z.W by 30 % of its size; lower the learning rate',
  ])
  const sick = {
    ...healthy,
    activations: healthy.activations.map((a) => ({ ...a, share: 0.75 })),
  }
  expect(
    doctor()
      .see(sick)
      .map((w) => w.split(':')[0]),
  ).toEqual(['dead units', 'saturation'])
})

test('norms are roots of the means of squares', () => {
  const { parameters, activations } = healthOf({
    loss: 1,
    'monitor.weight.f.W': 4,
    'monitor.gradient.f.W': 9,
    'monitor.update.f.W': 0.04,
    'monitor.dead.f.relu_1': 0.5,
  })
  expect(parameters).toEqual([{ name: 'f.W', weight: 2, gradient: 3, update: 0.2, ratio: 0.1 }])
  expect(activations).toEqual([{ name: 'f.relu_1', kind: 'dead', share: 0.5 }])
})
