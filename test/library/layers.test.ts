// Activations, gates, layers that draw random numbers, and initializers.
import { describe, expect, test } from 'vitest'
import { lower } from '../../compiler/compile.ts'
import { builds, Instance } from '../codegen/module.ts'
import { programOf } from '../elaborate/elaborated.ts'
import {
  closeTo,
  fill,
  inTraining,
  type Params,
  type Reference,
  sumOver,
  tryOut,
  varied,
} from './trial.ts'

const C = 6
const rowsOf = (x: ArrayLike<number>): number[][] =>
  fill([x.length / C], (r) => r).map((r) => fill([C], (k) => x[r * C + k]!))

describe('activations', () => {
  const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))
  const cases: Readonly<Record<string, (x: number) => number>> = {
    selu: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * (Math.exp(x) - 1)),
    mish: (x) => x * Math.tanh(Math.log(1 + Math.exp(x))),
    softsign: (x) => x / (1 + Math.abs(x)),
    relu6: (x) => Math.min(Math.max(x, 0), 6),
    hard_sigmoid: (x) => Math.min(Math.max((x + 3) / 6, 0), 1),
    hard_swish: (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6,
    hard_tanh: (x) => Math.min(Math.max(x, -1), 1),
  }
  const x = varied(3 * C).map((v) => 7 * v)
  for (const [call, f] of Object.entries(cases)) {
    test(call, () => tryOut({ call, input: [C], x, reference: (values) => [...values].map(f) }))
  }
  const erf = (z: number): number => {
    let [sum, term] = [z, z]
    for (let n = 1; n < 60; n++) {
      term *= (-z * z) / n
      sum += term / (2 * n + 1)
    }
    return (2 / Math.sqrt(Math.PI)) * sum
  }
  const gates: Readonly<Record<string, (x: number) => number>> = {
    glu: sigmoid,
    geglu: (x) => (x * (1 + erf(x / Math.SQRT2))) / 2,
    swiglu: (x) => x * sigmoid(x),
  }
  for (const [call, gate] of Object.entries(gates)) {
    const reference: Reference = (values) =>
      rowsOf(values).flatMap((row) => [0, 1, 2].map((h) => row[h]! * gate(row[h + 3]!)))
    test(call, () => tryOut({ call, input: [C], reference }))
  }
  test('prelu', () => {
    const slope = (params: Params, k: number): number => params('prelu_1.a')[k % C]!
    const reference: Reference = (values, params) =>
      [...values].map((v, k) => (v > 0 ? v : slope(params, k) * v))
    tryOut({ call: 'prelu', input: [C], reference })
  })
  test('maxout', () => {
    const reference: Reference = (values, params) => {
      const [W, b] = [params('maxout_1.W'), params('maxout_1.b')]
      return fill([3, 4], (n, o) => {
        const pieces = fill([3], (p) => {
          const products = sumOver([C], (i) => values[n * C + i]! * W[(i * 4 + o) * 3 + p]!)
          return b[o * 3 + p]! + products
        })
        return Math.max(...pieces)
      })
    }
    tryOut({ call: 'maxout(4, 3)', input: [C], reference })
  })
})

describe('random in training, the identity otherwise', () => {
  /** What a train step and a prediction make of ones. */
  function both(call: string, shape: readonly number[]): readonly [number[], number[]] {
    const { trained, predicted } = inTraining(
      call,
      shape,
      fill(shape, () => 1),
    )
    return [[...trained], [...predicted]]
  }
  /** The values of each group of elements that should be alike. */
  function groups(values: readonly number[], keyOf: (k: number) => number): number[][] {
    const found = new Map<number, Set<number>>()
    values.forEach((v, k) => {
      found.set(keyOf(k), (found.get(keyOf(k)) ?? new Set()).add(v))
    })
    return [...found.values()].map((set) => [...set])
  }
  const cases: readonly (readonly [call: string, shape: number[], keyOf: (k: number) => number])[] =
    [
      ['spatial_dropout(0.25)', [10, 3, 4, 20], (k) => Math.floor(k / 240) * 20 + (k % 20)],
      ['spatial_dropout1d(0.25)', [10, 3, 20], (k) => Math.floor(k / 60) * 20 + (k % 20)],
      ['drop_path(0.25)', [200, 3, 2], (k) => Math.floor(k / 6)],
    ]
  for (const [call, shape, keyOf] of cases) {
    test(call, () => {
      const [trained, predicted] = both(call, shape)
      expect(predicted.every((v) => v === 1)).toBe(true)
      const kept = groups(trained, keyOf)
      expect(kept.every((values) => values.length === 1)).toBe(true)
      expect(kept.every(([v]) => v === 0 || Math.abs(v! - 4 / 3) < 1e-6)).toBe(true)
      const share = kept.filter(([v]) => v === 0).length / kept.length
      expect(share).toBeGreaterThan(0.15)
      expect(share).toBeLessThan(0.35)
    })
  }
  const deviation = (values: readonly number[]): readonly [number, number] => {
    const mean = values.reduce((a, b) => a + b, 0) / values.length
    return [mean, Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length)]
  }
  test('gaussian_noise', () => {
    const [trained, predicted] = both('gaussian_noise(0.5)', [40, 50])
    expect(predicted.every((v) => v === 1)).toBe(true)
    const [mean, spread] = deviation(trained)
    expect(Math.abs(mean - 1)).toBeLessThan(0.04)
    expect(Math.abs(spread - 0.5)).toBeLessThan(0.03)
  })
  test('gaussian_sample: the deviations asked for, and gradients to both', () => {
    const [trained] = both('gaussian_sample(x * log(9))', [40, 50])
    const [mean, spread] = deviation(trained)
    expect(Math.abs(mean - 1)).toBeLessThan(0.25)
    expect(Math.abs(spread - 3)).toBeLessThan(0.2)
    tryOut({
      call: 'sampled',
      input: [C],
      prelude: 'fn sampled(x: [..]) = gaussian_sample(x, 2 * x)',
    })
  })
})

describe('initializers', () => {
  /** The parameter as the compiled module makes it. */
  function made(initial: string, I: number, O: number): Float32Array {
    const program = programOf(`
net f(x: [1, ${I}]) -> [1, ${O}] {
  param W: [${I}, ${O}] = ${initial}
  y[n, o] = sum[i](x[n, i] * W[i, o])
}
predict p(x: [1, ${I}]) { f(x) }`)
    const instance = new Instance(lower(program), builds[0]!)
    instance.call('init', 5)
    return Float32Array.from(instance.view(instance.manifest.params[0]!))
  }
  const sizes: readonly (readonly [number, number])[] = [
    [1, 1],
    [5, 5],
    [3, 7],
    [7, 3],
    [48, 48],
    [16, 64],
    [64, 20],
  ]
  for (const [I, O] of sizes) {
    test(`orthogonal(${I}, ${O})`, () => {
      const W = made(`orthogonal(${I}, ${O}, gain = 2)`, I, O)
      // The smaller side is orthonormal.
      const [n, m] = I <= O ? [I, O] : [O, I]
      const element = (a: number, b: number): number => (I <= O ? W[a * O + b]! : W[b * O + a]!)
      for (let a = 0; a < n; a++) {
        for (let b = 0; b < n; b++) {
          const product = sumOver([m], (k) => element(a, k) * element(b, k))
          expect(Math.abs(product - (a === b ? 4 : 0))).toBeLessThan(2e-5)
        }
      }
      expect(new Set(W).size).toBe(W.length)
    })
  }
  test('truncated_normal', () => {
    const W = [...made('truncated_normal(1, 0.5)', 50, 60)]
    expect(Math.min(...W)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...W)).toBeLessThanOrEqual(2)
    const mean = W.reduce((a, b) => a + b, 0) / W.length
    const spread = Math.sqrt(W.reduce((a, b) => a + (b - mean) ** 2, 0) / W.length)
    expect(Math.abs(mean - 1)).toBeLessThan(0.03)
    // Of the standard normal distribution cut off at ±2: 0.8796.
    expect(Math.abs(spread / 0.5 - 0.8796)).toBeLessThan(0.03)
  })
  test('identity', () => {
    closeTo(made('identity(2, 3)', 2, 3), [1, 0, 0, 0, 1, 0], 'identity')
  })
})
