/** netc/runtime/threads in Node: the same bits for any number of threads, and notices where there is only one. */
import { afterEach, describe, expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import { load as loadAlone } from '../../runtime/index.ts'
import { load, open, type ThreadedModel } from '../../runtime/threads/index.ts'
import { optionsOf, textOf } from '../models/small.ts'

const opened: { close: () => void }[] = []
afterEach(() => {
  for (const model of opened.splice(0)) model.close()
})

const built = (text: string, options: object = {}): Uint8Array<ArrayBuffer> =>
  compile(text, { file: 'threads.net', ...options, targets: ['simd'] }).modules!.simd!
    .wasm as Uint8Array<ArrayBuffer>

async function threaded(wasm: Uint8Array<ArrayBuffer>, threads: number): Promise<ThreadedModel> {
  const notice = (text: string): void => {
    throw new Error(text)
  }
  const model = await load({ threads: wasm }, { threads, notice })
  opened.push(model)
  return model
}

const mlp = `dim batch <= 9
net f(x: [batch, 21]) -> [batch, 5] { x |> dense(19) |> tanh |> dropout(0.2) |> dense(5) }
train t(x: [batch, 21], label: int[batch]) {
  minimize cross_entropy(f(x), label) using adam(1e-2)
}
predict p(x: [batch, 21]) { y = softmax(f(x)) }`

const models: readonly (readonly [string, string, object])[] = [
  ['an mlp', mlp, {}],
  ...['cnn', 'lstm', 'gpt'].map(
    (name) => [`models/${name}.net`, textOf(name), optionsOf(name)] as const,
  ),
]

/** The checkpoint after some steps. */
function trained(model: Awaited<ReturnType<typeof loadAlone>>): Uint8Array {
  model.init(3)
  const spec = model.manifest.entries.find((entry) => entry.kind === 'train')!
  const entry = model.entry(spec.name)
  const counts = spec.counts.map((dim) => model.manifest.dims.find((d) => d.name === dim)!.max)
  for (let step = 0; step < 6; step++) {
    for (const input of spec.inputs) {
      const view = entry.inputs[input.name]!
      for (let k = 0; k < view.length; k++) {
        view[k] =
          input.dtype === 'f32'
            ? ((step + k * 7919) % 256) / 128 - 1
            : (step + k * 7919) % (input.range ?? 2)
      }
    }
    entry.run(...counts.map((n) => Math.max(1, n - step)))
    expect(entry.outputs.loss![0]).toBeLessThan(100)
  }
  return model.save({ training: true })
}

test.each(models)('%s: the same bits with 1, 2, 3 and 8 threads', async (_, text, options) => {
  const expected = trained(await loadAlone(built(text, options)))
  const shared = built(text, { ...options, threads: { least: 0 } })
  for (const threads of [1, 2, 3, 8]) {
    const model = await threaded(shared, threads)
    expect(model.threads).toBe(threads)
    expect(trained(model)).toEqual(expected)
    model.close()
    expect(model.threads).toBe(1)
    expect(trained(model)).toEqual(expected)
  }
})

test('a loss that is not finite ends the step in all threads, and the training goes on', async () => {
  const model = await threaded(built(mlp, { threads: { least: 0 } }), 3)
  model.init(1)
  const before = model.save({ training: true })
  const x = new Float32Array(9 * 21).fill(0.5)
  const label = new Int32Array(9)
  const bad = x.map((v, k) => (k === 40 ? Number.NaN : v))
  expect(() => model.train.t!({ x: bad, label })).toThrow(/is NaN/)
  expect(model.save({ training: true })).toEqual(before)
  expect(model.train.t!({ x, label }).loss).toBeGreaterThan(0)
  expect(model.step).toBe(1)
})

describe('one thread, and a word why', () => {
  const told = async (options: object, asked: object): Promise<readonly [number, string[]]> => {
    const notices: string[] = []
    const notice = (text: string): void => void notices.push(text)
    const model = await load({ threads: built(mlp, options) }, { ...asked, notice })
    opened.push(model)
    return [model.threads, notices]
  }
  test('a small model, by the estimate of the compiler', async () => {
    expect(await told({ threads: true }, { threads: 4 })).toEqual([
      1,
      ['netc: one thread: the model is so small that more would make it slower'],
    ])
    expect(await told({ threads: true }, {})).toEqual([1, []])
  })
  test('a module that was compiled without', async () => {
    expect(await told({}, { threads: 2 })).toEqual([
      1,
      ['netc: one thread: this module was compiled without --threads'],
    ])
  })
})

test('a large model is worth threads by the estimate', () => {
  const text = `dim batch <= 64
net f(x: [batch, 784]) -> [batch, 10] { x |> dense(512) |> relu |> dense(512) |> relu |> dense(10) }
train t(x: [batch, 784], label: int[batch]) { minimize cross_entropy(f(x), label) using adam() }`
  const { manifest } = compile(text, { targets: ['simd'], threads: true }).modules!.simd!
  expect(manifest.threads!.most).toBeGreaterThanOrEqual(4)
})

test('a model in a worker trains to the same bits', async () => {
  const plain = await loadAlone(built(mlp))
  plain.init(5)
  const wasm = built(mlp, { threads: { least: 0 } })
  const model = await open({ threads: wasm }, { threads: 2 })
  opened.push(model)
  expect(model.threads).toBe(2)
  await model.init(5)
  const x = Float32Array.from({ length: 30 * 21 }, (_, k) => Math.sin(k))
  const label = Int32Array.from({ length: 30 }, (_, k) => k % 5)
  const options = { epochs: 2, seed: 1 }
  const epochs: number[] = []
  for await (const report of model.fit('t', { x, label }, options)) epochs.push(report.epoch)
  for await (const _ of plain.fit('t', { x, label }, options));
  expect(new Set(epochs)).toEqual(new Set([1, 2]))
  expect(await model.step()).toBe(plain.step)
  expect(await model.save({ training: true })).toEqual(plain.save({ training: true }))
  expect((await model.predict.p!({ x })).y).toEqual(plain.predict.p!({ x }).y)
  await expect(model.train.t!({ x })).rejects.toMatchObject({
    name: 'NetcError',
    code: 'feed-missing',
  })
  model.close()
  await expect(model.step()).rejects.toThrow('the model was closed')
})
