// Running state and averaged weights: what the language says about them, through the f64 evaluator.
import { describe, expect, test } from 'vitest'
import { lower } from '../../compiler/compile.ts'
import { createState, run, type State } from '../../compiler/ir/evaluate.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { checkGradients } from '../support/gradients.ts'
import { programOf as elaboratedOf } from './elaborated.ts'

const programOf = (text: string): Program => lower(elaboratedOf(text), { verify: true })

type Inputs = Readonly<Record<string, readonly number[]>>

const close = (actual: readonly number[], expected: readonly number[], digits: number): void => {
  expect(actual.length).toBe(expected.length)
  for (const [k, x] of actual.entries()) expect(x).toBeCloseTo(expected[k]!, digits)
}

class Runner {
  readonly program: Program
  readonly state: State

  constructor(text: string, seed = 1) {
    this.program = programOf(text)
    this.state = createState(this.program)
    run(this.program, 'init', this.state, { seed })
  }

  call(entry: string, inputs: Inputs = {}, counts?: Readonly<Record<string, number>>) {
    const options = counts ? { inputs, counts } : { inputs }
    const { outputs } = run(this.program, entry, this.state, options)
    return Object.fromEntries(Object.entries(outputs).map(([name, values]) => [name, [...values]]))
  }

  get(name: string): number[] {
    const values = this.state.tensors.get(name)
    if (values === undefined) throw new Error(`no ${name} in ${[...this.state.tensors.keys()]}`)
    return [...values]
  }
}

const counting = `
layer counted(x: [N]) -> [N] {
  state seen: int[] = 10
  seen' = seen + 1
  y[n] = x[n] + float(seen)
}
net f(x: [2]) -> [2] { counted(x) }
`

describe('state of predict blocks', () => {
  const total = `predict p(x: [2]) {
    state total: [2] = 0, calls: int[] = 0
    total' = total + x
    calls' = calls + 1
    (total, total', calls')
  }`

  test('the name is the value before the call, the prime the one after it', () => {
    const r = new Runner(total)
    expect(Object.values(r.call('p', { x: [1, 2] }))).toEqual([[0, 0], [1, 2], [1]])
    expect(Object.values(r.call('p', { x: [10, 20] }))).toEqual([[1, 2], [11, 22], [2]])
    expect(r.get('p.total')).toEqual([11, 22])
  })

  test('its reset entry gives the start values again, random ones too', () => {
    const r = new Runner(`
      net f(x: [3]) -> [3] { dense(x, 3) }
      train t(x: [3]) {
        minimize sum(f(x))
        using sgd
      }
      predict p(x: [3]) {
        state h: [3] = normal()
        h' = h * 2 + x
      }`)
    const start = r.get('p.h')
    expect(new Set(start).size).toBe(3)
    r.call('t', { x: [1, 1, 1] })
    r.call('p', { x: [1, 1, 1] })
    expect(r.get('p.h')).not.toEqual(start)
    const step = r.get('step')
    r.call('p_reset')
    expect(r.get('p.h')).toEqual(start)
    expect(r.get('step')).toEqual(step)
  })

  test('uses in one call see each other in order', () => {
    const r = new Runner(`${counting}predict p(x: [2]) { f(f(x)) }`)
    expect(r.call('p', { x: [0, 0] }).out).toEqual([21, 21])
    expect(r.get('f.counted_1.seen')).toEqual([12])
    expect(r.call('p', { x: [0, 0] }).out).toEqual([25, 25])
  })

  test('a key-value cache fills position by position, and only where its path is taken', () => {
    const r = new Runner(`
      layer cached(x: [D], pos: int[], T: dim) -> [T, D] {
        param scale: [D] = 2
        state cache: [T, D] = -1
        cache'[t, d] = where(t == pos, scale[d] * x[d], cache[t, d])
      }
      net g(x: [2], pos: int[]) -> [2] {
        if training { x * 3 } else {
          k = cached(x, pos, 3)
          y[d] = sum[t](k[t, d])
        }
      }
      train t(x: [2]) {
        minimize sum(dense_of(x))
        using sgd
      }
      net dense_of(x: [2]) -> [2] { g(dense(x, 2), 0) }
      predict next(x: [2]) {
        state pos: int[] = 0
        pos' = pos + 1
        y = g(x, pos)
      }`)
    r.call('next', { x: [1, 2] })
    expect(r.get('g.k.cache')).toEqual([2, 4, -1, -1, -1, -1])
    expect(r.call('next', { x: [5, 6] }).y).toEqual([2 + 10 - 1, 4 + 12 - 1])
    r.call('t', { x: [1, 1] })
    r.call('t_eval', { x: [1, 1] })
    expect(r.get('g.k.cache')).toEqual([2, 4, 10, 12, -1, -1])
  })
})

describe('state in training', () => {
  test('train entries update it, their evaluation reads it', () => {
    const r = new Runner(`${counting}
      net g(x: [2]) -> [2] {
        param w: [2] = 1
        w * x
      }
      train t(x: [2]) {
        y = f(g(x))
        minimize sum(y)
        using sgd(0.0)
      }`)
    expect(r.call('t', { x: [1, 2] }).loss).toEqual([23])
    expect(r.call('t_eval', { x: [1, 2] }).loss).toEqual([25])
    expect(r.call('t_eval', { x: [1, 2] }).loss).toEqual([25])
    expect(r.get('f.counted_1.seen')).toEqual([11])
  })

  test('each step of a block sees what the one before assigned', () => {
    const step = `step {
        minimize sum(f(g(x)))
        over g
        using sgd(0.0)
      }`
    const r = new Runner(`${counting}
      net g(x: [2]) -> [2] {
        param w: [2] = 1
        w * x
      }
      train t(x: [2]) {
        ${step}
        ${step}
      }`)
    expect(r.call('t', { x: [0, 0] })).toEqual({ loss: [20], loss_2: [22] })
    expect(r.get('f.counted_1.seen')).toEqual([12])
  })

  test('no gradient passes through a state that is read, and the next value carries its own', () => {
    const text = (used: string): string => `
      net f(x: []) -> [] {
        param w: [] = 3
        state h: [] = 5
        h' = w * w * h
        ${used}
      }
      train t(x: []) {
        y = f(x)
        minimize y + f(x)
        using sgd(1.0)
      }`
    // Read, the second use has the first one's value, as a constant: d(w h0 + w h1) / dw = h0 + h1.
    const reads = new Runner(text('w * h'))
    reads.call('t', { x: [0] })
    expect(reads.get('f.w')).toEqual([3 - (5 + 9 * 5)])
    // h1 = w² h0, h2 = w² h1 with h1 constant: 2 w h0 + 2 w h1.
    const next = new Runner(text("h'"))
    next.call('t', { x: [0] })
    expect(next.get('f.w')).toEqual([3 - (2 * 3 * 5 + 2 * 3 * 45)])
  })

  test('state of a train block, and parameter sets without states', () => {
    const r = new Runner(`${counting}
      net g(x: [2]) -> [2] {
        param w: [2] = 1
        state idle: [2] = 7
        w * f(x) + idle
      }
      train t(x: [2]) {
        state best: [] = 100
        loss = sum(g(x)) + l2(g)
        best' = min(best, stopgrad(loss))
        minimize loss
        using sgd(0.0)
        report best'
      }`)
    expect(r.call('t', { x: [0, 0] })).toEqual({ loss: [36], best: [36] })
    expect(r.get('t.best')).toEqual([36])
    expect(r.call('t', { x: [5, 5] }).best).toEqual([36])
    expect(r.get('g.idle')).toEqual([7, 7])
  })

  test('a temporary of a training entry does not take the name of a state that only prediction has', () => {
    const r = new Runner(`
      net f(x: [2]) -> [2] {
        param w: [2] = 1
        if training {
          k = w * x + 1
          sum_of = k * 2
          sum_of + k
        } else {
          state k: [2] = 0
          k' = w * x
          k + x
        }
      }
      predict p(x: [2]) { f(x) }
      train t(x: [2]) {
        minimize sum(f(x))
        using sgd(0.0)
      }`)
    expect(r.call('t', { x: [1, 2] }).loss).toEqual([15])
    expect(r.call('p', { x: [1, 2] }).out).toEqual([1, 2])
    expect(r.get('f.k')).toEqual([1, 2])
  })
})

describe('random numbers in predict blocks', () => {
  const text = `
    net f(x: [3]) -> [3] { x |> dense(3) |> dropout(0.5) }
    train t(x: [3]) {
      minimize sum(f(x))
      using sgd(0.1)
    }
    predict draw() { random([4]) }
    predict two(x: [3]) { f(x) + normal([3]) }`

  test('each call draws others, the same ones again after a reset', () => {
    const r = new Runner(text)
    const calls = [r.call('draw'), r.call('draw'), r.call('draw')].map((o) => o.out!)
    expect(new Set(calls.flat()).size).toBe(12)
    r.call('draw_reset')
    expect(r.call('draw').out).toEqual(calls[0])
    r.state.tensors.get('draw.seed')![0] = 99
    expect(r.call('draw').out).not.toEqual(calls[1])
    expect(new Runner(text).call('draw').out).toEqual(calls[0])
    expect(new Runner(text, 2).call('draw').out).not.toEqual(calls[0])
  })

  test('training draws what it would draw without them', () => {
    const [a, b] = [new Runner(text), new Runner(text)]
    b.call('draw')
    b.call('two', { x: [1, 2, 3] })
    for (const r of [a, b]) r.call('t', { x: [1, 2, 3] })
    b.call('draw')
    for (const r of [a, b]) r.call('t', { x: [1, 2, 3] })
    expect(b.get('f.dense_1.W')).toEqual(a.get('f.dense_1.W'))
    expect(b.get('step')).toEqual([2])
  })
})

describe('batch_norm', () => {
  const text = `
    dim batch <= 4
    net f(x: [batch, 2, 3]) -> [batch, 2, 3] { x |> dense(3) |> batch_norm(momentum = 0.25) |> tanh }
    train t(x: [batch, 2, 3], y: [batch, 2, 3]) {
      minimize mse(f(x), y)
      using sgd(0.0)
    }
    predict p(x: [batch, 2, 3]) { f(x) }`
  const values = (n: number, seed: number): number[] =>
    Array.from({ length: n }, (_, k) => Math.sin(seed + 1.7 * k) + 0.1 * k)

  test('the statistics of the batch in training, the running ones elsewhere', () => {
    const r = new Runner(text)
    r.state.tensors.get('f.batch_norm_1.scale')!.set([1, 2, 0.5])
    r.state.tensors.get('f.batch_norm_1.shift')!.set([0, 0.3, -0.2])
    const w = r.get('f.dense_1.W')
    const mean = [0, 0, 0]
    const variance = [1, 1, 1]
    // Partial batches, so that the count is that of the rows there are.
    for (const rows of [3, 2]) {
      const x = values(rows * 6, rows)
      const y = values(rows * 6, 9)
      const h = Array.from({ length: rows * 2 }, (_, n) =>
        [0, 1, 2].map((o) => [0, 1, 2].reduce((s, i) => s + x[n * 3 + i]! * w[i * 3 + o]!, 0)),
      )
      const m = [0, 1, 2].map((c) => h.reduce((s, row) => s + row[c]!, 0) / h.length)
      const v = [0, 1, 2].map((c) => h.reduce((s, row) => s + (row[c]! - m[c]!) ** 2, 0) / h.length)
      const out = (row: readonly number[], c: number): number =>
        Math.tanh(
          ([1, 2, 0.5][c]! * (row[c]! - m[c]!)) / Math.sqrt(v[c]! + 1e-5) + [0, 0.3, -0.2][c]!,
        )
      const loss = h.flatMap((row, n) => [0, 1, 2].map((c) => (out(row, c) - y[n * 3 + c]!) ** 2))
      const got = r.call('t', { x, y }, { batch: rows }).loss![0]!
      expect(got).toBeCloseTo(loss.reduce((a, b) => a + b) / loss.length, 6)
      for (const c of [0, 1, 2]) {
        mean[c]! += 0.25 * (m[c]! - mean[c]!)
        variance[c]! += 0.25 * ((v[c]! * h.length) / (h.length - 1) - variance[c]!)
      }
    }
    close(r.get('f.batch_norm_1.running_mean'), mean, 7)
    close(r.get('f.batch_norm_1.running_variance'), variance, 7)
    const x = values(6, 4)
    const { out } = r.call('p', { x }, { batch: 1 })
    out!.forEach((value, k) => {
      const c = k % 3
      const n = Math.floor(k / 3)
      const h = [0, 1, 2].reduce((s, i) => s + x[n * 3 + i]! * w[i * 3 + c]!, 0)
      const z = ((h - mean[c]!) * [1, 2, 0.5][c]!) / Math.sqrt(variance[c]! + 1e-5)
      expect(value).toBeCloseTo(Math.tanh(z + [0, 0.3, -0.2][c]!), 6)
    })
  })

  test('the gradient goes through the statistics of the batch', () => {
    const before = elaboratedOf(text)
    const after = lower(before, { after: 'differentiate' })
    const persistent = {
      'f.dense_1.W': values(9, 1),
      'f.dense_1.b': values(3, 2),
      'f.batch_norm_1.scale': values(3, 3),
      'f.batch_norm_1.shift': values(3, 4),
    }
    const inputs = { x: values(24, 5), y: values(24, 6) }
    const counts = { batch: 3 }
    const reports = checkGradients({ before, after, entry: 't', inputs, counts, persistent })
    expect(new Set(reports.map((r) => r.param)).size).toBe(4)
    expect(Math.max(...reports.map((r) => r.error))).toBeLessThan(1e-6)
    // A shift before the normalisation is taken out again by it.
    const bias = reports.filter((r) => r.param === 'f.dense_1.b')
    for (const r of bias) expect(Math.abs(r.actual)).toBeLessThan(1e-12)
  })
})

describe('averaged weights', () => {
  const text = (clause: string): string => `
    net f(x: [2]) -> [2] {
      param w: [2] = 1
      w * x
    }
    predict p(x: [2]) { f(x) }
    train t(x: [2]) {
      minimize sum(f(x)) + 0.5 * l2(f)
      ${clause}
    }`

  test('follow the parameters, and are what evaluation and prediction use', () => {
    const r = new Runner(text('using sgd(0.5) average 0.25'))
    let w = [1, 1]
    let average = [1, 1]
    for (let step = 1; step <= 4; step++) {
      const x = [step, -1]
      r.call('t', { x })
      w = w.map((v, k) => v - 0.5 * (x[k]! + v))
      const d = Math.min(0.25, (1 + step) / (10 + step))
      average = average.map((v, k) => d * v + (1 - d) * w[k]!)
      close(r.get('f.w'), w, 7)
      close(r.get('f.w.average'), average, 7)
    }
    const { out } = r.call('p', { x: [1, 10] })
    close(out!, [average[0]!, average[1]! * 10], 6)
    const loss = average[0]! + average[1]! + 0.5 * (average[0]! ** 2 + average[1]! ** 2)
    expect(r.call('t_eval', { x: [1, 1] }).loss![0]).toBeCloseTo(loss, 6)
  })

  test('start at the parameters', () => {
    const r = new Runner(text('using sgd(0.5)\naverage 0.9').replace('= 1', '= normal()'))
    expect(r.get('f.w.average')).toEqual(r.get('f.w'))
  })

  test('move with the updates of accumulated gradients', () => {
    const r = new Runner(text('using sgd(0.5) every 2\naverage 0.9'))
    r.call('t', { x: [1, 1] })
    expect(r.get('f.w.average')).toEqual([1, 1])
    r.call('t', { x: [1, 1] })
    expect(r.get('f.w')).toEqual([0, 0])
    // The first update: min(0.9, 2 / 11).
    for (const v of r.get('f.w.average')) expect(v).toBeCloseTo(2 / 11, 6)
  })
})
