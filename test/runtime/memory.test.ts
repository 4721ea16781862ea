/** A training step allocates nothing: the heap stands still while it runs ten thousand times. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
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
