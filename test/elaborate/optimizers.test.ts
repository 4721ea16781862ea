// Optimizers, schedules, parameter groups and accumulation against plain loops in double precision.
import { describe, expect, test } from 'vitest'
import { differentiate } from '../../compiler/differentiate/index.ts'
import { createState, run, type State } from '../../compiler/ir/evaluate.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { programOf } from './elaborated.ts'

/** Three steps of an optimizer on the loss g·w, whose gradient is always g. */
function steps(using: string, count = 3): number[] {
  const program: Program = differentiate.run(
    programOf(`
dim n = 1
net line(g: [n]) -> [n] {
  param w: [n] = 1
  g * w
}
train t(g: [n]) {
  minimize sum(line(g))
  using ${using}
}`),
  )
  const state = createState(program)
  run(program, 'init', state)
  return Array.from({ length: count }, (_, k) => {
    run(program, 't', state, { inputs: { g: [gradients[k]!] } })
    return state.tensors.get('line.w')![0]!
  })
}

const gradients = [0.5, -0.25, 2]

/** What a rule of one weight makes of the same gradients. */
function byHand(rule: (w: number, g: number, t: number, s: number[]) => number): number[] {
  const cells = [0, 0]
  let w = 1
  return gradients.map((g, k) => {
    w = rule(w, g, k + 1, cells)
    return w
  })
}

function adam(decay: number) {
  return (w: number, g: number, t: number, s: number[]): number => {
    s[0] = 0.9 * s[0]! + 0.1 * g
    s[1] = 0.999 * s[1]! + 0.001 * g * g
    const step = s[0]! / (1 - 0.9 ** t) / (Math.sqrt(s[1]! / (1 - 0.999 ** t)) + 1e-8)
    return w - 0.1 * (decay * w + step)
  }
}

describe('optimizers', () => {
  const near = (actual: readonly number[], expected: readonly number[]): void =>
    actual.forEach((x, k) => {
      expect(Math.abs(x - expected[k]!)).toBeLessThan(2e-5)
    })
  const cases: Readonly<Record<string, (w: number, g: number, t: number, s: number[]) => number>> =
    {
      'sgd(lr = 0.1)': (w, g) => w - 0.1 * g,
      'momentum(0.1)': (w, g, _, s) => {
        s[0] = 0.9 * s[0]! + g
        return w - 0.1 * s[0]
      },
      'nesterov(0.1)': (w, g, _, s) => {
        s[0] = 0.9 * s[0]! + g
        return w - 0.1 * (g + 0.9 * s[0])
      },
      'rmsprop(0.1)': (w, g, _, s) => {
        s[0] = 0.9 * s[0]! + 0.1 * g * g
        return w - (0.1 * g) / (Math.sqrt(s[0]) + 1e-8)
      },
      'adagrad(0.1)': (w, g, _, s) => {
        s[0]! += g * g
        return w - (0.1 * g) / (Math.sqrt(s[0]!) + 1e-10)
      },
      'adam(0.1)': adam(0),
      'adamw(0.1, decay = 0.2)': adam(0.2),
      'adamax(0.1)': (w, g, t, s) => {
        s[0] = 0.9 * s[0]! + 0.1 * g
        s[1] = Math.max(0.999 * s[1]!, Math.abs(g))
        return w - ((0.1 / (1 - 0.9 ** t)) * s[0]) / (s[1] + 1e-8)
      },
      // The second gradient is so much smaller than the first that v would fall.
      'amsgrad(0.1, b2 = 0.5)': (w, g, t, s) => {
        s[0] = 0.9 * s[0]! + 0.1 * g
        s[1] = 0.5 * s[1]! + 0.5 * g * g
        s[2] = Math.max(s[2] ?? 0, s[1])
        return w - (0.1 * s[0]) / (1 - 0.9 ** t) / (Math.sqrt(s[2] / (1 - 0.5 ** t)) + 1e-8)
      },
      'nadam(0.1)': (w, g, t, s) => {
        s[0] = 0.9 * s[0]! + 0.1 * g
        s[1] = 0.999 * s[1]! + 0.001 * g * g
        const ahead = (0.9 * s[0]) / (1 - 0.9 ** (t + 1)) + (0.1 * g) / (1 - 0.9 ** t)
        return w - (0.1 * ahead) / (Math.sqrt(s[1] / (1 - 0.999 ** t)) + 1e-8)
      },
      'adadelta(eps = 1e-2)': (w, g, _, s) => {
        s[0] = 0.9 * s[0]! + 0.1 * g * g
        const d = (g * Math.sqrt(s[1]! + 1e-2)) / Math.sqrt(s[0] + 1e-2)
        s[1] = 0.9 * s[1]! + 0.1 * d * d
        return w - d
      },
      'lion(0.1, decay = 0.5)': (w, g, _, s) => {
        const direction = Math.sign(0.9 * s[0]! + 0.1 * g)
        s[0] = 0.99 * s[0]! + 0.01 * g
        return w - 0.1 * (0.5 * w + direction)
      },
      // A vector is no matrix: AdamW.
      'muon(aux_lr = 0.1, decay = 0.2, b2 = 0.999)': adam(0.2),
      'sgd(0.1) with clip_value(0.3)': (w, g) => w - 0.1 * Math.max(-0.3, Math.min(0.3, g)),
      'sgd(0.1) with clip_norm(0.3)': (w, g) =>
        w - 0.1 * g * Math.min(1, 0.3 / (Math.abs(g) + 1e-6)),
      'sgd(lr = constant(0.1))': (w, g) => w - 0.1 * g,
      'sgd(lr = step_decay(0.1, 2, factor = 0.5))': (w, g, t) =>
        w - 0.1 * 0.5 ** Math.floor((t - 1) / 2) * g,
      'sgd(lr = cosine(0.1, 2))': (w, g, t) =>
        w - 0.05 * (1 + Math.cos(Math.PI * Math.min((t - 1) / 2, 1))) * g,
      'sgd(lr = exponential(0.1, 2, factor = 0.5))': (w, g, t) =>
        w - 0.1 * 0.5 ** ((t - 1) / 2) * g,
      'sgd(lr = polynomial(0.1, 4, power = 2, floor_lr = 0.01))': (w, g, t) =>
        w - (0.01 + 0.09 * (1 - Math.min((t - 1) / 4, 1)) ** 2) * g,
      'sgd(lr = linear(0.1, 3, warm = 2))': (w, g, t) => w - [0.05, 0.1, 0][t - 1]! * g,
      'sgd(lr = inverse_sqrt(0.1, warm = 2))': (w, g, t) =>
        w - [0.05, 0.1, 0.1 * Math.sqrt(2 / 3)][t - 1]! * g,
      // Up in the first of two parts: 0.1 / 4 at the start, 0.1 in the middle, 0.1 / 10 at the end.
      'sgd(lr = one_cycle(0.1, 3, warm = 0.5, start = 4, end = 10))': (w, g, t) =>
        w - [0.025, 0.1, 0.01][t - 1]! * g,
      'sgd(lr = warmup(constant(0.1), 4))': (w, g, t) => w - 0.1 * Math.min(t / 4, 1) * g,
    }
  for (const [using, rule] of Object.entries(cases)) {
    test(using, () => near(steps(using), byHand(rule)))
  }
})

test('one cycle and its neighbours over many steps', () => {
  const rates = (schedule: string, count: number): number[] => {
    const program = differentiate.run(
      programOf(`
net line(g: [1]) -> [1] {
  param w: [1] = 0
  g * w
}
train t(g: [1]) {
  minimize sum(line(g))
  using sgd(lr = ${schedule})
}`),
    )
    const state = createState(program)
    run(program, 'init', state)
    let before = 0
    return Array.from({ length: count }, () => {
      run(program, 't', state, { inputs: { g: [1] } })
      const w = state.tensors.get('line.w')![0]!
      const rate = before - w
      before = w
      return rate
    })
  }
  const cycle = rates('one_cycle(0.4, 11, warm = 0.4)', 13)
  const half = (from: number, to: number, t: number): number =>
    from + (to - from) * 0.5 * (1 - Math.cos(Math.PI * t))
  cycle.forEach((rate, k) => {
    const t = Math.min(k / 10, 1)
    const expected = t < 0.4 ? half(0.016, 0.4, t / 0.4) : half(0.4, 1.6e-6, (t - 0.4) / 0.6)
    expect(Math.abs(rate - expected)).toBeLessThan(1e-6)
  })
  expect(rates('linear(0.4, 6, warm = 2)', 8).map((r) => Math.round(r * 1e6) / 1e6)).toEqual([
    0.2, 0.4, 0.3, 0.2, 0.1, 0, 0, 0,
  ])
})

/** Singular values of Muon's update for a matrix, and the update itself, from loops. */
function newtonSchulz(g: readonly (readonly number[])[]): number[][] {
  const rows = g.length
  const columns = g[0]!.length
  const norm = Math.sqrt(g.flat().reduce((s, x) => s + x * x, 0)) + 1e-7
  let x = g.map((row) => row.map((v) => v / norm))
  const product = (a: number[][], b: number[][]): number[][] =>
    a.map((row) => b[0]!.map((_, j) => row.reduce((s, v, k) => s + v * b[k]![j]!, 0)))
  const transposed = (a: number[][]): number[][] => a[0]!.map((_, j) => a.map((row) => row[j]!))
  for (let k = 0; k < 5; k++) {
    const a = product(x, transposed(x))
    const ax = product(a, x)
    const aax = product(a, ax)
    x = x.map((row, i) => row.map((v, j) => 3.4445 * v - 4.775 * ax[i]![j]! + 2.0315 * aax[i]![j]!))
  }
  const scale = Math.sqrt(Math.max(1, columns / rows))
  return x.map((row) => row.map((v) => v * scale))
}

for (const [rows, columns] of [
  [3, 5],
  [5, 3],
  [1, 4],
] as const) {
  test(`muon on a matrix of ${rows} by ${columns}`, () => {
    const program = differentiate.run(
      programOf(`
net line(g: [${rows}, ${columns}]) -> [${rows}, ${columns}] {
  param w: [${rows}, ${columns}] = 1
  g * w
}
train t(g: [${rows}, ${columns}]) {
  minimize sum(line(g))
  using muon(0.1, decay = 0.5)
}`),
    )
    const state = createState(program)
    run(program, 'init', state)
    const m = Array.from({ length: rows }, () => new Array<number>(columns).fill(0))
    let w = m.map((row) => row.map(() => 1))
    for (let step = 1; step <= 3; step++) {
      const g = m.map((row, i) => row.map((_, j) => Math.sin(7 * i + 3 * j + step)))
      g.forEach((row, i) => {
        row.forEach((v, j) => {
          m[i]![j] = 0.95 * m[i]![j]! + v
        })
      })
      const direction = newtonSchulz(g.map((row, i) => row.map((v, j) => v + 0.95 * m[i]![j]!)))
      w = w.map((row, i) => row.map((v, j) => v - 0.1 * (0.5 * v + direction[i]![j]!)))
      run(program, 't', state, { inputs: { g: g.flat() } })
      const actual = [...state.tensors.get('line.w')!]
      w.flat().forEach((v, k) => {
        expect(Math.abs(actual[k]! - v)).toBeLessThan(2e-5)
      })
    }
  })
}

const groupsNet = `
dim batch <= 8
net f(x: [batch, 3]) -> [batch, 2] {
  x |> dense(4) |> tanh |> dense(2)
}`

/** The state after `init` and a call for each set of rows. */
function trained(using: string, calls: readonly (readonly number[])[], lossOf = 'mse'): State {
  const program = differentiate.run(
    programOf(`${groupsNet}
train t(x: [batch, 3], y: [batch, 2]) {
  minimize ${lossOf}(f(x), y)
  ${using}
}`),
  )
  const state = createState(program)
  run(program, 'init', state, { seed: 3 })
  for (const rows of calls) {
    const inputs = {
      x: rows.flatMap((r) => [0, 1, 2].map((k) => Math.sin(3 * r + k))),
      y: rows.flatMap((r) => [Math.cos(r), r / 10]),
    }
    run(program, 't', state, { inputs, counts: { batch: rows.length } })
  }
  return state
}

const differ = (a: State, b: State, name: string): number =>
  Math.max(...a.tensors.get(name)!.map((v, k) => Math.abs(v - b.tensors.get(name)![k]!)))

describe('parameter groups', () => {
  const weights = ['f.dense_1.W', 'f.dense_2.W']
  const biases = ['f.dense_1.b', 'f.dense_2.b']
  const rows = [[1, 2, 3]]
  test('a parameter takes the last clause that fits', () => {
    const both = trained('using sgd(0.1)\nusing sgd(0.3) for "*.b"', rows)
    const slow = trained('using sgd(0.1)', rows)
    const fast = trained('using sgd(0.3)', rows)
    for (const name of weights) expect(differ(both, slow, name)).toBe(0)
    for (const name of biases) expect(differ(both, fast, name)).toBe(0)
    expect(differ(slow, fast, 'f.dense_1.b')).toBeGreaterThan(1e-3)
    const three = trained(
      'using sgd(0.1)\nusing sgd(0.3) for "*.b", "f.dense_2.W"\nusing sgd(0.1) for "f.dense_2*"',
      rows,
    )
    for (const name of [...weights, 'f.dense_2.b']) expect(differ(three, slow, name)).toBe(0)
    expect(differ(three, fast, 'f.dense_1.b')).toBe(0)
  })
  test('no default is needed where patterns fit all', () => {
    const split = trained('using sgd(0.1) for "*.W"\nusing sgd(0.1) for "*.b"', rows)
    const one = trained('using sgd(0.1)', rows)
    for (const name of [...weights, ...biases]) expect(differ(split, one, name)).toBe(0)
  })
  test('each clause has cells of its own', () => {
    const state = trained('using adam(0.1)\nusing adam(0.3) for "*.b"', rows)
    const names = [...state.tensors.keys()]
    expect(names).toContain('t.lr')
    expect(names).toContain('t.lr_2')
    expect(names.filter((n) => n.endsWith('.m')).length).toBe(4)
  })
  test('what the default clause does to gradients holds for all parameters', () => {
    const split = trained('using sgd(0.5) with clip_norm(0.01)\nusing sgd(0.5) for "*.b"', rows)
    const one = trained('using sgd(0.5) with clip_norm(0.01)', rows)
    for (const name of [...weights, ...biases]) expect(differ(split, one, name)).toBe(0)
    const own = trained('using sgd(0.5)\nusing sgd(0.5) for "*.b" with clip_value(0)', rows)
    const start = trained('using sgd(0.5)', [])
    for (const name of biases) expect(differ(own, start, name)).toBe(0)
  })
})

describe('accumulation', () => {
  const names = ['f.dense_1.W', 'f.dense_1.b', 'f.dense_2.W', 'f.dense_2.b']
  const parts = [
    [1, 2],
    [3, 4],
    [5, 6],
    [7, 8],
  ]
  const turned = parts.map((part) => part.map((r) => r + 10))
  for (const optimizer of ['sgd(0.5)', 'adam(warmup(0.1, 3))', 'muon(0.1)']) {
    test(`${optimizer}: four calls are one of four times the rows`, () => {
      const small = trained(`using ${optimizer} with clip_norm(0.2) every 4`, [...parts, ...turned])
      const large = trained(`using ${optimizer} with clip_norm(0.2)`, [parts.flat(), turned.flat()])
      for (const name of names) expect(differ(small, large, name)).toBeLessThan(1e-6)
      expect(differ(small, trained(`using ${optimizer}`, []), names[0]!)).toBeGreaterThan(1e-3)
    })
  }
  test('between updates nothing changes but the sums', () => {
    const before = trained('using adam(0.1) every 3', parts.slice(0, 3))
    const after = trained('using adam(0.1) every 3', [...parts.slice(0, 3), [9], [8]])
    const changed = [...before.tensors.keys()].filter((name) => differ(before, after, name) > 0)
    expect(changed.sort()).toEqual(
      ['step', 't.every', ...names.map((name) => `t.${name}.sum`)].sort(),
    )
  })
  test('every 1 is every call', () => {
    const plain = trained('using adam(0.1)', parts)
    const every = trained('using adam(0.1) every 1', parts)
    expect([...every.tensors.keys()]).toEqual([...plain.tensors.keys()])
    for (const name of names) expect(differ(plain, every, name)).toBe(0)
  })
})
