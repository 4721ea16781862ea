/** A training step allocates nothing: the heap stands still while it runs ten thousand times. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { compile } from '../../compiler/index.ts'
import { load } from '../../runtime/index.ts'
import { lineModule } from './fixture.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const model = await load((await lineModule()) as Uint8Array<ArrayBuffer>)
const feeds = { x: Float32Array.of(0, 1, 2, 3), y: Float32Array.of(0, 3, 6, 9) }

test('the raw entry, without any collection', () => {
  model.init(8)
  const { run, inputs, outputs } = model.entry('reg')
  const memory = inputs.x!.buffer
  const steps = (): number => {
    for (let k = 0; k < 10_000; k++) {
      inputs.x!.set(feeds.x)
      inputs.y!.set(feeds.y)
      run(4)
    }
    return outputs.loss![0]!
  }
  steps()
  collect()
  const before = process.memoryUsage().heapUsed
  expect(steps()).toBeLessThan(1e-3)
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(100_000)
  expect(model.entry('reg').inputs.x!.buffer).toBe(memory)
})

test('train and fit, after a collection', async () => {
  model.init(8)
  const steps = async (): Promise<void> => {
    for (let k = 0; k < 10_000; k++) model.train.reg!(feeds)
    for await (const _ of model.fit('reg', feeds, { batch: 1, epochs: 2500 }));
  }
  await steps()
  collect()
  const before = process.memoryUsage().heapUsed
  await steps()
  collect()
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(100_000)
})

test('a compiled model with dropout, Adam and a schedule', async () => {
  const { modules, diagnostics } = compile(`dim batch <= 32
net guess(x: [batch, 2]) -> [batch, 3] {
  x |> dense(16) |> relu |> dropout(0.1) |> dense(3)
}
train points(x: [batch, 2], y: int[batch]) {
  z = guess(x)
  minimize cross_entropy(z, y)
  using adam(lr = cosine(0.01, 20000))
  report accuracy(z, y)
}
`)
  expect(diagnostics).toEqual([])
  const compiled = await load(modules!.simd!.wasm as Uint8Array<ArrayBuffer>)
  compiled.init(1)
  const { run, inputs, outputs } = compiled.entry('points')
  const { buffer } = inputs.x!
  const { byteLength } = buffer
  const x = Float32Array.from({ length: 64 }, (_, k) => Math.sin(k))
  const y = Int32Array.from({ length: 32 }, (_, k) => k % 3)
  const steps = (): number => {
    for (let k = 0; k < 10_000; k++) {
      inputs.x!.set(x)
      inputs.y!.set(y)
      run(32)
    }
    return outputs.loss![0]!
  }
  steps()
  collect()
  const before = process.memoryUsage().heapUsed
  expect(Number.isFinite(steps())).toBe(true)
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(100_000)
  expect(compiled.step).toBe(20_000)
  expect([compiled.entry('points').inputs.x!.buffer, buffer.byteLength]).toEqual([
    buffer,
    byteLength,
  ])
})
