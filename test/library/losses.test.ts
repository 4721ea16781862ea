// Losses against their formulas, with their gradients. `f` gives what is compared, x being shifted by a parameter.
import { describe, expect, test } from 'vitest'
import { differentiate } from '../../compiler/differentiate/index.ts'
import { createState, run } from '../../compiler/ir/evaluate.ts'
import { diagnosticsOf, programOf } from '../elaborate/elaborated.ts'
import { closeTo, type Reference, type Trial, tryOut, varied } from './trial.ts'

const [T, C] = [4, 5]
const rowsOf = (x: ArrayLike<number>, width: number): number[][] =>
  Array.from({ length: x.length / width }, (_, r) =>
    Array.from({ length: width }, (_, k) => x[r * width + k]!),
  )
const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
const mean = (values: readonly number[]): number => total(values) / values.length

/** log Σ exp of a row less each of its elements: the cost of each label. */
const costs = (row: readonly number[]): number[] => {
  const all = Math.log(total(row.map((v) => Math.exp(v))))
  return row.map((v) => all - v)
}

const label = [0, 4, 2, 2, 1, 0, 3, 4, 2, 1, 1, 0]
const weights = varied(12, 5).map((v) => Math.fround(Math.abs(v)))
weights[3] = 0

describe('cross_entropy', () => {
  const classWeights = [0.5, 2, 1, 0, 3]
  const form =
    (smoothing: number, weightOf: (row: number) => number): Reference =>
    (x) => {
      const rows = rowsOf(x, C).map(costs)
      const each = rows.map((c, r) => (1 - smoothing) * c[label[r]!]! + smoothing * mean(c))
      const w = rows.map((_, r) => weightOf(r))
      return [total(each.map((v, r) => v * w[r]!)) / total(w)]
    }
  const prelude = `fn by_class() -> [5] { w[c: 5] = where(c == 0, 0.5, where(c == 1, 2, where(c == 3, 0, where(c == 4, 3, 1)))) }`
  const cases: Readonly<Record<string, Reference>> = {
    'cross_entropy(label)': form(0, () => 1),
    'cross_entropy(label, smoothing = 0.1)': form(0.1, () => 1),
    'cross_entropy(label, ignore = 2)': form(0, (r) => Number(label[r] !== 2)),
    'cross_entropy(label, weights = w)': form(0, (r) => weights[r]!),
    'cross_entropy(label, class_weights = by_class())': form(0, (r) => classWeights[label[r]!]!),
    'cross_entropy(label, w, by_class(), 0.2, ignore = 1)': form(0.2, (r) =>
      label[r] === 1 ? 0 : weights[r]! * classWeights[label[r]!]!,
    ),
  }
  const shared = {
    input: [T, C],
    prelude,
    extra: 'label: int[batch, 4], w: [batch, 4]',
    extraValues: { label, w: weights },
  }
  for (const [call, reference] of Object.entries(cases)) {
    test(call, () => tryOut({ ...shared, call, reference }))
  }
  test('labels that the program sets to -1 do not count; if none is left the loss is 0', () => {
    const program = programOf(`
predict p(x: [3, 5], label: int[3], on: int[3]) {
  out = cross_entropy(x, where(on > 0, label, -1))
}`)
    const loss = (on: number[]): number => {
      const inputs = { x: varied(15), label: [1, 4, 0], on }
      return run(program, 'p', createState(program), { inputs }).outputs.out![0]!
    }
    const rows = rowsOf(varied(15), C).map(costs)
    closeTo([loss([1, 0, 1]), loss([0, 0, 0])], [mean([rows[0]![1]!, rows[2]![0]!]), 0], 'loss')
  })
  test('plain labels cost no weights: the gradient is softmax - onehot', () => {
    const text = `
dim batch <= 4
net f(x: [batch, 5]) { param b: [5] = 0; y[n, c] = x[n, c] + b[c] }
train t(x: [batch, 5], label: int[batch]) {
  minimize cross_entropy(f(x), label)
  using sgd(1.0)
}`
    const program = differentiate.run(programOf(text))
    expect(diagnosticsOf(text)).toEqual([])
    const state = createState(program)
    run(program, 't', state, { inputs: { x: varied(20), label: [0, 1, 2, 2] } })
    const expected = [0, 1, 2, 3, 4].map((c) =>
      mean(
        rowsOf(varied(20), C).map((row, r) => {
          const share = Math.exp(row[c]!) / total(row.map((v) => Math.exp(v)))
          return Number([0, 1, 2, 2][r] === c) - share
        }),
      ),
    )
    closeTo(state.tensors.get('f.b')!, expected, 'step')
  })
  test('a label outside is refused where it is an input', () => {
    const program = programOf(
      'predict p(x: [3, 5], label: int[3]) { out = cross_entropy(x, label) }',
    )
    const input = program.entries.flatMap((e) => e.tensors).find((t) => t.name === 'label')
    expect(input?.range).toBe(5)
  })
})

describe('losses of logits and labels', () => {
  const shared = { input: [T, C], extra: 'label: int[batch, 4]', extraValues: { label } }
  const each = (f: (cost: number, row: readonly number[], label: number) => number): Reference => {
    return (x) => [mean(rowsOf(x, C).map((row, r) => f(costs(row)[label[r]!]!, row, label[r]!)))]
  }
  const cases: Readonly<Record<string, Reference>> = {
    'focal(label)': each((c) => (1 - Math.exp(-c)) ** 2 * c),
    'focal(label, focus = 0.5)': each((c) => (1 - Math.exp(-c)) ** 0.5 * c),
    'multi_hinge(label, margin = 0.5)': each(
      (_, row, k) =>
        total(row.map((v, c) => (c === k ? 0 : Math.max(0, 0.5 - row[k]! + v)))) / (C - 1),
    ),
  }
  for (const [call, reference] of Object.entries(cases)) {
    test(call, () => tryOut({ ...shared, call, reference }))
  }
})

describe('losses of values and targets', () => {
  const target = varied(12, 9).map((v) => Math.fround(Math.abs(v)))
  const shared: Omit<Trial, 'call'> = {
    input: [T],
    extra: 'target: [batch, 4]',
    extraValues: { target },
  }
  const each = (f: (x: number, y: number) => number): Reference => {
    return (x) => [mean([...x].map((v, k) => f(v, target[k]!)))]
  }
  const cases: Readonly<Record<string, Reference>> = {
    'log_cosh(target)': each((x, y) => Math.log(Math.cosh(x - y))),
    'quantile(target, 0.2)': each((x, y) => (y > x ? 0.2 * (y - x) : 0.8 * (x - y))),
    'poisson(target)': each((x, y) => Math.exp(x) - y * x),
    'gaussian_nll(target, target * target)': each(
      (x, y) => 0.5 * (Math.log(2 * Math.PI) + y + (y * y - x) ** 2 / Math.exp(y)),
    ),
    'weighted_mean(target)': (x) => [total([...x].map((v, k) => v * target[k]!)) / total(target)],
    'wasserstein(target)': (x) => [mean(target) - mean([...x])],
  }
  for (const [call, reference] of Object.entries(cases)) {
    test(call, () => tryOut({ ...shared, call, reference }))
  }
  test('log_cosh far out', () => {
    const program = programOf('predict p(x: [2]) { out = log_cosh(x, 0 * x) }')
    const { outputs } = run(program, 'p', createState(program), { inputs: { x: [500, -500] } })
    closeTo(outputs.out!, [500 - Math.log(2)], 'log_cosh')
  })
})

describe('losses of vectors', () => {
  const other = varied(12 * C, 4).map((v) => Math.fround(v))
  const third = varied(12 * C, 6).map((v) => Math.fround(v))
  const same = Array.from({ length: 12 }, (_, k) => Number(k % 3 === 0))
  const shared: Omit<Trial, 'call'> = {
    input: [T, C],
    extra: 'b: [batch, 4, 5], c: [batch, 4, 5], same: [batch, 4]',
    extraValues: { b: other, c: third, same },
  }
  const dot = (a: readonly number[], b: readonly number[]): number =>
    total(a.map((v, k) => v * b[k]!))
  const squared = (a: readonly number[], b: readonly number[]): number =>
    total(a.map((v, k) => (v - b[k]!) ** 2))
  const each =
    (
      f: (a: readonly number[], b: readonly number[], c: readonly number[], same: number) => number,
    ): Reference =>
    (x) => {
      const [as, bs, cs] = [x, other, third].map((v) => rowsOf(v, C))
      return [mean(as!.map((a, r) => f(a, bs![r]!, cs![r]!, same[r]!)))]
    }
  const cosine = (a: readonly number[], b: readonly number[]): number =>
    dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
  const cases: Readonly<Record<string, Reference>> = {
    'cosine_embedding(b, same, margin = 0.1)': each((a, b, _, s) =>
      s === 1 ? 1 - cosine(a, b) : Math.max(0, cosine(a, b) - 0.1),
    ),
    'contrastive(b, same, margin = 2)': each((a, b, _, s) =>
      s === 1 ? squared(a, b) : Math.max(0, 2 - Math.sqrt(squared(a, b))) ** 2,
    ),
    'triplet(b, c, margin = 0.5)': each((a, b, c) =>
      Math.max(0, squared(a, b) - squared(a, c) + 0.5),
    ),
    'gaussian_kl(b)': each((a, b) =>
      total(a.map((v, k) => 0.5 * (Math.exp(b[k]!) + v * v - 1 - b[k]!))),
    ),
    'dice(b * b)': each((a, b) => {
      const t = b.map((v) => v * v)
      return 1 - (2 * dot(a, t) + 1e-6) / (total(a) + total(t) + 1e-6)
    }),
    'cosine_similarity(b)': (x) => {
      const [as, bs] = [rowsOf(x, C), rowsOf(other, C)]
      return as.map((a, r) => cosine(a, bs[r]!))
    },
    log_sum_exp: (x) => rowsOf(x, C).map((a) => Math.log(total(a.map((v) => Math.exp(v))))),
  }
  const x = varied(12 * C).map((v) => Math.abs(v) + 0.1)
  for (const [call, reference] of Object.entries(cases)) {
    test(call, () =>
      tryOut({ ...shared, call, reference, ...(call.startsWith('dice') ? { x } : {}) }),
    )
  }
  test('cosine_similarity with a row of zeros is 0', () => {
    const program = programOf('predict p(a: [2, 2], b: [2, 2]) { out = cosine_similarity(a, b) }')
    const inputs = { a: [0, 0, 3, 4], b: [1, 2, 4, 3] }
    const { outputs } = run(program, 'p', createState(program), { inputs })
    closeTo(outputs.out!, [0, 0.96], 'cosine')
  })
})

test('regularizers', () => {
  const program = programOf(
    `
net f(x: [2, 2]) { x |> dense(2) }
predict p(x: [2, 2]) {
  y = f(x)
  (elastic = elastic_net(f, share = 0.25), square = orthogonality(x), y)
}`.replace(
      '(elastic = elastic_net(f, share = 0.25), square = orthogonality(x), y)',
      `elastic = elastic_net(f, share = 0.25)
  square = orthogonality(x)
  (elastic, square, y)`,
    ),
  )
  const state = createState(program)
  state.tensors.get('f.dense_1.W')!.set([1, -2, 0.5, 0])
  state.tensors.get('f.dense_1.b')!.set([0, 3])
  const { outputs } = run(program, 'p', state, { inputs: { x: [1, 2, 0, 1] } })
  const [l1, l2] = [6.5, 14.25]
  closeTo(outputs.elastic!, [0.25 * l1 + 0.75 * l2], 'elastic_net')
  closeTo(outputs.square!, [2 * 2 * 2 + 4 * 4], 'orthogonality')
})
