// The standard library against numbers worked out by hand or by plain loops, through the f64 evaluator.
import { describe, expect, test } from 'vitest'
import { differentiate } from '../../compiler/differentiate/index.ts'
import { createState, run } from '../../compiler/ir/evaluate.ts'
import { programOf } from './elaborated.ts'

type Inputs = Readonly<Record<string, readonly number[]>>

/** The first output of `predict p`, with inputs of the given shapes. */
function value(params: string, body: string, inputs: Inputs): number[] {
  const program = programOf(`dim batch <= 2\npredict p(${params}) { out = ${body} }`)
  const { outputs } = run(program, 'p', createState(program), { inputs })
  return [...outputs.out!]
}

const close = (actual: readonly number[], expected: readonly number[]): void => {
  expect(actual.length).toBe(expected.length)
  actual.forEach((x, k) => {
    expect(Math.abs(x - expected[k]!)).toBeLessThan(2e-7 * Math.max(1, Math.abs(expected[k]!)))
  })
}

const xs = [-2, -0.5, 0, 0.3, 1.5, 4]
const x23 = { x: xs }

describe('activations', () => {
  const elementwise: Readonly<Record<string, (x: number) => number>> = {
    'relu(x)': (x) => Math.max(x, 0),
    'leaky_relu(x, 0.1)': (x) => (x > 0 ? x : 0.1 * x),
    'gelu_tanh(x)': (x) =>
      0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    'silu(x)': (x) => x / (1 + Math.exp(-x)),
    'elu(x, alpha = 0.5)': (x) => (x > 0 ? x : 0.5 * (Math.exp(x) - 1)),
    'softplus(x)': (x) => Math.log(1 + Math.exp(x)),
  }
  for (const [call, f] of Object.entries(elementwise)) {
    test(call, () => close(value('x: [batch, 3]', call, x23), xs.map(f)))
  }
  test('elu has the slope alpha at 0', () => {
    const program = differentiate.run(
      programOf(`
        net f() -> [3] {
          param w: [3] = 0
          w + 0
        }
        train t(x: [3]) {
          minimize sum(elu(f() + x, alpha = 0.5))
          using sgd(1.0)
        }
        predict p() { f() }
      `),
    )
    const state = createState(program)
    run(program, 't', state, { inputs: { x: [-1, 0, 1] } })
    const { outputs } = run(program, 'p', state, {})
    close([...outputs.out!], [-0.5 * Math.exp(-1), -0.5, -1])
  })
  test('gelu(x) at points of the error function', () => {
    const erf = 0.8427007929497149
    close(value('x: [batch, 1]', 'gelu(x)', { x: [Math.SQRT2, -Math.SQRT2] }), [
      0.5 * Math.SQRT2 * (1 + erf),
      -0.5 * Math.SQRT2 * (1 - erf),
    ])
  })
  const rows = [xs.slice(0, 3), xs.slice(3)]
  const softmax = rows.flatMap((row) => {
    const total = row.reduce((s, x) => s + Math.exp(x), 0)
    return row.map((x) => Math.exp(x) / total)
  })
  test('softmax', () => close(value('x: [batch, 3]', 'softmax(x)', x23), softmax))
  test('log_softmax', () =>
    close(value('x: [batch, 3]', 'log_softmax(x)', x23), softmax.map(Math.log)))
  test('softmax of large numbers', () =>
    close(value('x: [batch, 2]', 'softmax(x)', { x: [1000, 1000, -1000, 1000] }), [0.5, 0.5, 0, 1]))
})

describe('losses and metrics', () => {
  const ys = [1, 0, -1, 2, 1, 0.5]
  const both = { x: xs, y: ys }
  const pairs = 'x: [batch, 3], y: [batch, 3]'
  const mean = (f: (x: number, y: number) => number): number[] => [
    xs.reduce((s, x, k) => s + f(x, ys[k]!), 0) / 6,
  ]
  const cases: Readonly<Record<string, (x: number, y: number) => number>> = {
    'mse(x, y)': (x, y) => (x - y) ** 2,
    'mae(x, y)': (x, y) => Math.abs(x - y),
    'huber(x, y, delta = 1.5)': (x, y) => {
      const d = Math.abs(x - y)
      return d <= 1.5 ? 0.5 * d * d : 1.5 * (d - 0.75)
    },
    'hinge(x, y)': (x, y) => Math.max(0, 1 - x * y),
    'bce(x, y)': (x, y) => Math.log(1 + Math.exp(x)) - x * y,
    'bce(x, 1)': (x) => Math.log(1 + Math.exp(-x)),
  }
  for (const [call, f] of Object.entries(cases)) {
    test(call, () => close(value(pairs, call, both), mean(f)))
  }
  const labelled = { x: xs, label: [2, 0] }
  const logits = 'x: [batch, 3], label: int[batch]'
  test('cross_entropy', () => {
    const nll = (row: readonly number[], k: number): number =>
      Math.log(row.reduce((s, x) => s + Math.exp(x), 0)) - row[k]!
    const expected = (nll(xs.slice(0, 3), 2) + nll(xs.slice(3), 0)) / 2
    close(value(logits, 'cross_entropy(x, label)', labelled), [expected])
  })
  test('cross_entropy of a partial batch is the mean of its rows', () => {
    const program = programOf(
      `dim batch <= 2\npredict p(${logits}) { out = cross_entropy(x, label) }`,
    )
    const inputs = { x: xs.slice(0, 3), label: [2] }
    const { outputs } = run(program, 'p', createState(program), { inputs, counts: { batch: 1 } })
    const total = xs.slice(0, 3).reduce((s, x) => s + Math.exp(x), 0)
    close([...outputs.out!], [Math.log(total)])
  })
  test('accuracy', () => close(value(logits, 'accuracy(x, label)', labelled), [0.5]))
  test('top_k', () =>
    close(value(logits, 'top_k(x, label, k = 2)', { x: xs, label: [1, 0] }), [0.5]))
  test('kl', () => {
    const p = [0.5, 0.5, 0, 0.2, 0.3, 0.5]
    const q = [0.25, 0.25, 0.5, 0.2, 0.3, 0.5]
    close(value(pairs, 'kl(x, y)', { x: p, y: q }), [Math.log(2) / 2])
  })
  test('r2', () => {
    const target = ys.reduce((s, y) => s + y, 0) / 6
    const rest = ys.reduce((s, y, k) => s + (y - xs[k]!) ** 2, 0)
    const all = ys.reduce((s, y) => s + (y - target) ** 2, 0)
    close(value(pairs, 'r2(x, y)', both), [1 - rest / all])
    close(value(pairs, 'r2(x, y)', { x: xs, y: xs.map(() => 3) }), [0])
  })
})

describe('initializers', () => {
  const cells = (initial: string): Float64Array => {
    const program = programOf(`
dim batch <= 1
net f(x: [batch, 40]) -> [batch, 50] {
  param W: [40, 50] = ${initial}
  y[n, o] = sum[i](x[n, i] * W[i, o])
}
predict p(x: [batch, 40]) { f(x) }`)
    const state = createState(program)
    run(program, 'init', state, { seed: 7 })
    return state.tensors.get('f.W')!
  }
  const deviation = (all: Float64Array): number => {
    const mean = all.reduce((s, x) => s + x, 0) / all.length
    return Math.sqrt(all.reduce((s, x) => s + (x - mean) ** 2, 0) / all.length)
  }
  test('zeros and constant', () => {
    expect(cells('zeros()').every((x) => x === 0)).toBe(true)
    expect(cells('constant(0.5)').every((x) => x === 0.5)).toBe(true)
    expect(cells('0.25').every((x) => x === 0.25)).toBe(true)
  })
  const deviations: Readonly<Record<string, number>> = {
    'uniform(-1, 1)': Math.sqrt(1 / 3),
    'normal(0, 0.5)': 0.5,
    'glorot_uniform(40, 50)': Math.sqrt(2 / 90),
    'glorot_normal(40, 50)': Math.sqrt(2 / 90),
    'he_uniform(40)': Math.sqrt(2 / 40),
    'he_normal(40)': Math.sqrt(2 / 40),
    'lecun_uniform(40)': Math.sqrt(1 / 40),
    'lecun_normal(40)': Math.sqrt(1 / 40),
  }
  for (const [initial, expected] of Object.entries(deviations)) {
    test(initial, () => {
      const actual = deviation(cells(initial))
      expect(Math.abs(actual / expected - 1)).toBeLessThan(0.06)
    })
  }
})

test('dropout keeps the mean in training and is the identity otherwise', () => {
  const program = differentiate.run(
    programOf(`
dim n = 4000
net f(x: [n]) -> [n] {
  param w: [] = 1
  dropout(x * w, 0.25)
}
train t(x: [n]) {
  y = f(x)
  minimize mean(y)
  using sgd(0.0)
  report zeros = mean(float(y == 0)), again = max(y)
}
predict p(x: [n]) { out = f(x) }`),
  )
  const state = createState(program)
  run(program, 'init', state)
  const inputs = { x: new Float64Array(4000).fill(3) }
  const { outputs } = run(program, 't', state, { inputs })
  expect(outputs.zeros![0]).toBeGreaterThan(0.22)
  expect(outputs.zeros![0]).toBeLessThan(0.28)
  expect(outputs.loss![0]! / 3).toBeCloseTo((1 - outputs.zeros![0]!) / 0.75, 6)
  expect(outputs.again![0]).toBeCloseTo(4, 6)
  expect(run(program, 't_eval', state, { inputs }).outputs.loss![0]).toBe(3)
  expect(run(program, 'p', state, { inputs }).outputs.out!.every((v) => v === 3)).toBe(true)
})
