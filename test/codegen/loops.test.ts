import { describe, expect, test } from 'vitest'
import { parseProgram } from '../../compiler/ir/parse.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { randomValues } from '../support/arbitrary.ts'
import { buildName, builds, Instance, moduleOf } from './module.ts'

const tolerance = { ulps: 200, scale: 'tensor' } as const

/** One predict entry over the inputs declared. */
function program(declarations: string, equations: string, dims = 'dim batch <= 7'): Program {
  const inputs = [...declarations.matchAll(/input (\w+)/g)].map((m) => m[1])
  return parseProgram(`program "t" ${dims} step step: i32[] seed seed: i32[]
    entry predict p(${inputs.join(', ')}) -> y = y { ${declarations} stage { ${equations} } }`)
}

function compare(made: Program, counts: readonly number[] = [7, 1, 5]): void {
  for (const build of builds) {
    const instance = new Instance(made, build)
    for (const [k, batch] of counts.entries()) {
      instance.compare('p', randomValues(made, 'p', k).inputs, { batch }, tolerance)
    }
  }
}

/** A layer with a carry, `u` before it, over `steps` steps. */
const recurrent = (steps: number, width: number): Program =>
  program(
    `input x: f32[batch, ${steps}, 3] input w: f32[3, ${width}] input v: f32[${width}, ${width}]
     temp b: f32[batch, ${steps}, ${width}] temp h: f32[batch, ${steps}, ${width}] temp y: f32[batch, ${steps}]`,
    `b[n: batch, t: ${steps}, k: ${width}] = h?[n, t - 1, k]
     h[n: batch, t: ${steps}, j: ${width}] = tanh(sum[i: 3](x[n, t, i] * w[i, j]) + 0.3 * sum[k: ${width}](b[n, t, k] * v[k, j]))
     y[n: batch, t: ${steps}] = sum[k: ${width}](h[n, t, k])`,
  )

describe('a loop over time', () => {
  test.each([
    [1, 1],
    [2, 3],
    [5, 4],
    [4, 17],
  ])('a recurrent layer of %i steps and width %i', (steps, width) => {
    compare(recurrent(steps, width))
  })

  test('downwards, with a start that is not 0', () => {
    compare(
      program(
        'input x: f32[batch, 5, 6] input s: f32[6] temp b: f32[batch, 5, 6] temp h: f32[batch, 5, 6] temp y: f32[batch, 6]',
        `b[n: batch, t: 5, k: 6] = where(t == 4, s[k], h?[n, t + 1, k])
         h[n: batch, t: 5, k: 6] = x[n, t, k] + 0.5 * b[n, t, 5 - k]
         y[n: batch, k: 6] = h[n, 0, k]`,
      ),
    )
  })

  test('without a batch, and one number a step', () => {
    compare(
      program(
        'input x: f32[9] temp b: f32[9] temp y: f32[9]',
        'b[t: 9] = y?[t - 1] y[t: 9] = x[t] + 0.9 * b[t] + f32(t)',
      ),
    )
  })

  test('two steps back, both times of a tensor in one kernel', () => {
    compare(
      program(
        'input x: f32[batch, 8, 5] temp y: f32[batch, 8, 5]',
        'y[n: batch, t: 8, k: 5] = x[n, t, k] + 0.5 * y?[n, t - 1, k] - 0.25 * y?[n, t - 2, 4 - k]',
      ),
    )
  })

  test('a loop in a loop', () => {
    compare(
      program(
        `input x: f32[batch, 4, 3, 5] temp b: f32[batch, 4, 5] temp o: f32[batch, 4, 5]
         temp c: f32[batch, 4, 3, 5] temp h: f32[batch, 4, 3, 5] temp y: f32[batch, 4, 5]`,
        `b[n: batch, t: 4, k: 5] = o?[n, t - 1, k]
         c[n: batch, t: 4, s: 3, k: 5] = where(s == 0, b[n, t, k], h?[n, t, s - 1, k])
         h[n: batch, t: 4, s: 3, k: 5] = tanh(x[n, t, s, k] + c[n, t, s, 4 - k])
         o[n: batch, t: 4, k: 5] = h[n, t, 2, k] + 0.1 * max[s: 3](h[n, t, s, k])
         y[n: batch, t: 4, k: 5] = o[n, t, k]`,
      ),
    )
  })

  test('reductions, rows and positions from data inside', () => {
    compare(
      program(
        `input x: f32[batch, 6, 5] input i: i32[batch, 6] temp b: f32[batch, 6, 5] temp e: f32[batch, 6, 5]
         temp h: f32[batch, 6, 5] temp a: i32[batch, 6] temp y: f32[batch, 6, 5]`,
        `b[n: batch, t: 6, k: 5] = h?[n, t - 1, k]
         e[n: batch, t: 6, k: 5] = exp(b[n, t, k] - max[j: 5](b[n, t, j]))
         a[n: batch, t: 6] = argmax[k: 5](x[n, t, k] + b[n, t, k])
         h[n: batch, t: 6, k: 5] = e[n, t, k] / sum[j: 5](e[n, t, j]) + x[n, t, a[n, t]] * b[n, t, i[n, t]]
         y[n: batch, t: 6, k: 5] = h[n, t, k]`,
      ),
    )
  })

  test('a scatter inside', () => {
    compare(
      program(
        `input x: f32[6, 5] input i: i32[6, 5] temp b: f32[6, 4] temp s: f32[6, 4] temp y: f32[6, 4]`,
        `b[t: 6, k: 4] = y?[t - 1, k]
         scatter [t: 6, j: 5] s[t, i[t, j]] += x[t, j] + b[t, 3]
         y[t: 6, k: 4] = 0.5 * (s[t, k] + b[t, k])`,
      ),
    )
  })
})

describe('code', () => {
  test('does not grow with the number of steps', () => {
    const [short, long] = [40, 400].map((steps) => moduleOf(recurrent(steps, 16), builds[0]!).wasm)
    expect(long!.length).toBeLessThan(short!.length + 100)
  })

  test.each(builds.map((b) => [buildName(b), b] as const))('is valid: %s', (_, build) => {
    expect(WebAssembly.validate(moduleOf(recurrent(5, 8), build).wasm as BufferSource)).toBe(true)
  })
})

describe('memory', () => {
  const peak = (made: Program): number => moduleOf(made, builds[0]!).manifest.entries[0]!.peak

  test('what a step makes for itself is kept for one step, what is carried or read later for all', () => {
    // The gate z is used in its own step only; h is carried.
    const gated = (steps: number): Program =>
      program(
        `input x: f32[${steps}, 16] input v: f32[16, 16] temp b: f32[${steps}, 16] temp z: f32[${steps}, 16]
         temp h: f32[${steps}, 16] temp y: f32[16]`,
        `b[t: ${steps}, k: 16] = h?[t - 1, k]
         z[t: ${steps}, j: 16] = sum[k: 16](b[t, k] * v[k, j])
         h[t: ${steps}, j: 16] = x[t, j] + z[t, 15 - j]
         y[k: 16] = h[${steps - 1}, k]`,
      )
    compare(gated(6))
    const perStep = (peak(gated(100)) - peak(gated(50))) / 50
    expect(perStep).toBe(64)
  })

  test.each([
    ['up', '-', 9],
    ['down', '+', 0],
  ])('a running sum, %s, that is read at its end has the place of one step', (_, step, end) => {
    const running = (later: string): Program =>
      program(
        'input x: f32[batch, 10, 6] temp s: f32[batch, 10, 6] temp y: f32[batch, 6]',
        `s[n: batch, t: 10, k: 6] = s?[n, t ${step} 1, k] + x[n, t, k] * x[n, t, 5 - k]
         y[n: batch, k: 6] = ${later}`,
      )
    const made = running(`s[n, ${end}, k]`)
    compare(made)
    compare(running('s[n, 4, k]'))
    expect(peak(made)).toBeLessThan(peak(running('s[n, 4, k]')) / 5)
  })
})
