// Scans against plain loops, through the f64 evaluator: what the equations compute, not how they are written.
import { describe, expect, test } from 'vitest'
import { createState, run } from '../../compiler/ir/evaluate.ts'
import { verify } from '../../compiler/ir/verify.ts'
import { programOf } from './elaborated.ts'

type Inputs = Readonly<Record<string, readonly number[]>>
type Outputs = Readonly<Record<string, ArrayLike<number>>>

function outputsOf(
  text: string,
  inputs: Inputs,
  counts: Readonly<Record<string, number>> = {},
): Outputs {
  const program = programOf(text)
  verify(program, 'elaborate')
  return run(program, 'p', createState(program), { inputs, counts }).outputs
}

const close = (actual: ArrayLike<number> | undefined, expected: readonly number[]): void => {
  expect(actual?.length).toBe(expected.length)
  expected.forEach((x, k) => {
    expect(Math.abs(actual![k]! - x)).toBeLessThan(1e-6 * Math.max(1, Math.abs(x)))
  })
}

/** Numbers between -1 and 1 without a pattern. */
const numbers = (count: number, seed = 1): number[] =>
  Array.from({ length: count }, (_, k) => Math.sin((k + 1) * 12.9898 * seed))

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

/** [N, T, I] and [I, 4H], [H, 4H], [4H] to [N, T, H], gates in the order input, forget, cell, output. */
function lstm(
  x: number[],
  [n, t, i, h]: [number, number, number, number],
  w: number[],
  u: number[],
  b: number[],
) {
  const out: number[] = []
  for (let row = 0; row < n; row++) {
    let hidden = new Array<number>(h).fill(0)
    let cell = new Array<number>(h).fill(0)
    for (let time = 0; time < t; time++) {
      const z = b.map((bias, j) => {
        let sum = bias
        for (let k = 0; k < i; k++) sum += x[(row * t + time) * i + k]! * w[k * 4 * h + j]!
        for (let k = 0; k < h; k++) sum += hidden[k]! * u[k * 4 * h + j]!
        return sum
      })
      cell = cell.map((c, j) => sigmoid(z[h + j]!) * c + sigmoid(z[j]!) * Math.tanh(z[2 * h + j]!))
      hidden = cell.map((c, j) => sigmoid(z[3 * h + j]!) * Math.tanh(c))
      out.push(...hidden)
    }
  }
  return out
}

const cells = `
  fn cells(x: [N, T, I], W: [I, G], U: [H, G], b: [G]) -> [N, T, H] {
    scan t in T with h: [N, H] = 0, c: [N, H] = 0 {
      z[n, j] = sum[i](x[n, t, i] * W[i, j]) + sum[k](h[n, k] * U[k, j]) + b[j]
      c'[n, j] = sigmoid(z[n, H + j]) * c[n, j] + sigmoid(z[n, j]) * tanh(z[n, 2 * H + j])
      h'[n, j] = sigmoid(z[n, 3 * H + j]) * tanh(c'[n, j])
      yield h'
    }
  }`

test('an LSTM of several carries, with all rows or fewer', () => {
  const size: [number, number, number, number] = [3, 5, 2, 3]
  const [n, t, i, h] = size
  const inputs = {
    x: numbers(n * t * i),
    W: numbers(i * 4 * h, 2),
    U: numbers(h * 4 * h, 3),
    b: numbers(4 * h, 5),
  }
  const text = `dim batch <= 3${cells}
    predict p(x: [batch, 5, 2], W: [2, 12], U: [3, 12], b: [12]) { out = cells(x, W, U, b) }`
  close(outputsOf(text, inputs).out, lstm(inputs.x, size, inputs.W, inputs.U, inputs.b))
  const two = { ...inputs, x: inputs.x.slice(0, 2 * t * i) }
  const expected = lstm(two.x, [2, t, i, h], inputs.W, inputs.U, inputs.b)
  close(Array.from(outputsOf(text, two, { batch: 2 }).out!).slice(0, 2 * t * h), expected)
})

test('static rows give the same layout: the time is the second dim', () => {
  const x = numbers(2 * 4 * 3)
  const text = (rows: string): string => `dim batch <= 2
    predict p(x: [${rows}, 4, 3]) {
      out = scan t in 4 with h: [${rows}, 3] = 1 {
        h'[n, i] = 0.5 * h[n, i] + x[n, t, i]
        yield h'
      }
    }`
  const expected: number[] = []
  for (let n = 0; n < 2; n++) {
    let h = [1, 1, 1]
    for (let t = 0; t < 4; t++) {
      h = h.map((v, i) => 0.5 * v + x[(n * 4 + t) * 3 + i]!)
      expected.push(...h)
    }
  }
  close(outputsOf(text('batch'), { x }).out, expected)
  close(outputsOf(text('2'), { x }).out, expected)
})

test('downwards, with a first value, a count, a truth value and a number', () => {
  const x = numbers(6)
  const { a, k, on } = outputsOf(
    `predict p(x: [6], start: []) {
      (a, k, b) = scan t in 6 down with a = start, k = 10, on = true {
        a' = 0.5 * a + x[t]
        k' = k + t
        on' = on and x[t] < 0.9
        yield a', k', on'
      }
      on[t] = where(b[t], 1, 0)
      (a, k, on)
    }`,
    { x, start: [3] },
  )
  const expected: { a: number[]; k: number[]; on: number[] } = { a: [], k: [], on: [] }
  let [value, count, still] = [3, 10, true]
  for (let t = 5; t >= 0; t--) {
    value = 0.5 * value + x[t]!
    count += t
    still = still && x[t]! < 0.9
    expected.a.unshift(value)
    expected.k.unshift(count)
    expected.on.unshift(still ? 1 : 0)
  }
  close(a, expected.a)
  close(k, expected.k)
  close(on, expected.on)
  expect(new Set(expected.on).size).toBe(2)
})

test('a scan in a scan, in both directions, with what is carried passed in and out', () => {
  const x = numbers(3 * 4)
  const { last, rows } = outputsOf(
    `predict p(x: [3, 4]) {
      (last, rows) = scan i in 3 with outer = 0.25 {
        row = scan j in 4 down with inner = outer {
          inner' = tanh(inner + x[i, j] * float(i + 1))
          yield inner'
        }
        outer' = row[0] * 0.5
        yield outer', row
      }
      (last, rows)
    }`,
    { x },
  )
  const expected: { last: number[]; rows: number[] } = { last: [], rows: new Array(12).fill(0) }
  let outer = 0.25
  for (let i = 0; i < 3; i++) {
    let inner = outer
    for (let j = 3; j >= 0; j--) {
      inner = Math.tanh(inner + x[i * 4 + j]! * (i + 1))
      // [4] yielded over i: the time is the second dim.
      expected.rows[j * 3 + i] = inner
    }
    outer = inner * 0.5
    expected.last.push(outer)
  }
  close(last, expected.last)
  close(rows, expected.rows)
})

test('carries that swap, and one that is not read', () => {
  const { a, c } = outputsOf(
    `predict p(x: [5]) {
      (a, c) = scan t in 5 with a = 1.0, b = 2.0, c = 3.0 {
        a' = b
        b' = a
        c' = 4.0
        yield a', c + x[t]
      }
      (a, c)
    }`,
    { x: [0, 0, 0, 0, 0] },
  )
  close(a, [2, 1, 2, 1, 2])
  close(c, [3, 4, 4, 4, 4])
})

test('parameters exist once, and a layer called in the body is the same at every step', () => {
  const program = programOf(`dim batch <= 2
    net f(x: [batch, 4, 3]) -> [batch, 4, 2] {
      scan t in 4 with h: [batch, 2] = 0 {
        now[n, i] = x[n, t, i]
        h' = tanh(dense(now, 2) + dense(h, 2))
        yield h'
      }
    }
    predict p(x: [batch, 4, 3]) { out = f(x) }`)
  expect(program.tensors.filter((t) => t.role === 'param').map((t) => t.name)).toEqual([
    'f.dense_1.W',
    'f.dense_1.b',
    'f.dense_2.W',
    'f.dense_2.b',
  ])
})

describe('random numbers', () => {
  const draws = (body: string): number[] =>
    Array.from(outputsOf(`predict p(x: [2]) { out = ${body} }`, { x: [0, 0] }).out!)

  test('differ from step to step and from element to element', () => {
    const all = draws('scan t in 8 { yield random([4]) }')
    expect(new Set(all).size).toBe(32)
  })
  test('differ over nested steps', () => {
    const all = draws('scan t in 3 { inner = scan s in 5 { yield random([2]) }; yield inner }')
    expect(new Set(all).size).toBe(30)
  })
  test('drawn before the scan are the same at every step', () => {
    const all = draws('steps(random([4]))}\nfn steps(r: [4]) { scan t in 8 { yield r }')
    expect(new Set(all).size).toBe(4)
  })
})

test('a system of recurrence equations, written in any order', () => {
  const x = numbers(2 * 5 * 3)
  const { h, seen } = outputsOf(
    `dim batch <= 2
    predict p(x: [batch, 5, 3], at: int[batch, 5]) {
      scan t in 5 down {
        z[n: batch, t, j: 3] = x[n, t, j] + h[n, t, j]
        h[n: batch, t, j: 3] = sum[k: 3](z?[n, t + 1, k] * 0.5) + float(count[n, t])
        count[n: batch, t] = count?[n, t + 1] + where(x[n, t, 0] > 0, 1, 0)
        seen[n: batch, t, at[n, t]: 4] += z?[n, t + 1, 0]
      }
      (h, seen)
    }`,
    { x, at: [0, 1, 2, 3, 0, 1, 2, 3, 0, 1] },
  )
  const at = [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
  const expected = { h: new Array<number>(30).fill(0), seen: new Array<number>(40).fill(0) }
  for (let n = 0; n < 2; n++) {
    let z = [0, 0, 0]
    let count = 0
    for (let t = 4; t >= 0; t--) {
      const row = (n * 5 + t) * 3
      if (x[row]! > 0) count++
      expected.seen[(n * 5 + t) * 4 + at[n * 5 + t]!] = z[0]!
      const value = 0.5 * (z[0]! + z[1]! + z[2]!) + count
      for (let j = 0; j < 3; j++) expected.h[row + j] = value
      z = [0, 1, 2].map((j) => x[row + j]! + value)
    }
  }
  close(h, expected.h)
  close(seen, expected.seen)
})

test('what a step computes decides what the next reads: greedy decoding', () => {
  const [V, H, T] = [5, 3, 7]
  const inputs = { table: numbers(V * H), W: numbers(H * V, 5), start: [2] }
  const { tokens, best } = outputsOf(
    `fn squash(v, by) {
      scaled = v * by
      scaled / (1 + abs(scaled))
    }
    predict p(table: [5, 3], W: [3, 5], start: int[]) {
      (tokens, best) = scan t in 7 with token = start, h: [3] = 0 {
        h'[j] = squash(h[j] + table[token, j], 1 + 0.25 * float(t))
        scores[v] = sum[j](h'[j] * W[j, v])
        token' = argmax[v](softmax(scores)[v])
        yield token', max(softmax(scores))
      }
      (tokens, best)
    }`,
    inputs,
  )
  const expected: { tokens: number[]; best: number[] } = { tokens: [], best: [] }
  let token = 2
  let h = [0, 0, 0]
  for (let t = 0; t < T; t++) {
    h = h.map((v, j) => {
      const scaled = (v + inputs.table[token * H + j]!) * (1 + 0.25 * t)
      return scaled / (1 + Math.abs(scaled))
    })
    const scores = Array.from({ length: V }, (_, v) =>
      h.reduce((sum, value, j) => sum + value * inputs.W[j * V + v]!, 0),
    )
    const total = scores.reduce((sum, s) => sum + Math.exp(s), 0)
    token = scores.indexOf(Math.max(...scores))
    expected.tokens.push(token)
    expected.best.push(Math.exp(scores[token]!) / total)
  }
  close(tokens, expected.tokens)
  close(best, expected.best)
  expect(new Set(expected.tokens).size).toBeGreaterThan(2)
})

test('a first value of a parameter may itself be a scan', () => {
  const program = programOf(`
    fn powers(of) {
      p = scan t in 6 with v = 1.0 {
        v' = v * of
        yield v
      }
      p
    }
    net f(x: [6]) -> [6] {
      param w: [6] = powers(0.5)
      w * x
    }
    predict p(x: [6]) { f(x) }`)
  const state = createState(program)
  run(program, 'init', state, {})
  close(state.tensors.get('f.w'), [1, 0.5, 0.25, 0.125, 0.0625, 0.03125])
})
