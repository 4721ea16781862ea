/**
 * What an optimizer keeps from step to step never holds subnormal numbers, which are slow on every machine: an average
 * that fades reaches 0. What is not finite stays as it is.
 */
import { expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'

const text = `net f(x: [4, 3]) -> [4, 1] { x |> dense(1) }
train fit(x: [4, 3], y: [4, 1]) { minimize mse(f(x), y) using adam() }`

test.each(['simd', 'relaxed'] as const)('averages that fade reach 0, in %s', (target) => {
  const { wasm, manifest } = compile(text, { targets: [target] }).modules![target]!
  const module = new WebAssembly.Module(wasm as BufferSource)
  const { exports } = new WebAssembly.Instance(module, {})
  const { buffer } = exports.memory as WebAssembly.Memory
  const call = (name: string, ...args: number[]): void =>
    (exports[name] as (...args: number[]) => void)(...args)
  const averages = manifest.state.map(
    ({ offset, shape }) =>
      new Float32Array(
        buffer,
        offset,
        shape.reduce((a, b) => a * b, 1),
      ),
  )
  expect(averages.map((v) => v.length)).toEqual([3, 3, 1, 1])
  call('init', 1)
  // All inputs are 0: the weights have no gradient.
  averages[0]!.set([2 ** -125, 2 ** -149, -(2 ** -126)])
  averages[1]!.set([2 ** -130, Number.NaN, Number.POSITIVE_INFINITY])
  call('fit')
  expect([...averages[0]!]).toEqual([expect.closeTo(0.9 * 2 ** -125, 40), 0, 0])
  expect(averages[0]![0]).not.toBe(0)
  expect([...averages[1]!]).toEqual([0, Number.NaN, Number.POSITIVE_INFINITY])
})
