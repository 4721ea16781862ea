// Embeddings, positions, attention and transformer blocks: against plain loops or by what they must not see.
import { describe, expect, test } from 'vitest'
import { createState, run } from '../../compiler/ir/evaluate.ts'
import { diagnosticsOf, programOf } from '../elaborate/elaborated.ts'
import { at, closeTo, fill, type Params, type Reference, sumOver, tryOut, varied } from './trial.ts'

const softmax = (row: readonly number[]): number[] => {
  const most = Math.max(...row)
  const e = row.map((v) => Math.exp(v - most))
  return e.map((v) => v / e.reduce((a, b) => a + b, 0))
}

interface Sizes {
  readonly T: number
  readonly S: number
  readonly H: number
  readonly G: number
  readonly D: number
}

type Sees = (n: number, t: number, s: number) => boolean

/** [3, T, H, D] from queries [3, T, H, D], keys and values [3, S, G, D], all packed. */
function attention(
  q: ArrayLike<number>,
  k: ArrayLike<number>,
  v: ArrayLike<number>,
  { T, S, H, G, D }: Sizes,
  sees: Sees,
): number[] {
  const group = (h: number): number => Math.floor(h / (H / G))
  return fill([3, T, H, D], (n, t, h, e) => {
    const scores = fill([S], (s) => {
      if (!sees(n, t, s)) return -Infinity
      const product = sumOver(
        [D],
        (d) => at(q, [3, T, H, D], n, t, h, d) * at(k, [3, S, G, D], n, s, group(h), d),
      )
      return product / Math.sqrt(D)
    })
    const weights = softmax(scores)
    return sumOver([S], (s) => weights[s]! * at(v, [3, S, G, D], n, s, group(h), e))
  })
}

describe('attention', () => {
  const all = { T: 4, S: 4, H: 4, G: 2, D: 3 }
  const q = (x: ArrayLike<number>) => x
  const part = (x: ArrayLike<number>, from: number): number[] =>
    fill([3, 4, 2, 3], (n, t, g, d) => at(x, [3, 4, 8, 3], n, t, from + g, d))
  const queries = (x: ArrayLike<number>): number[] =>
    fill([3, 4, 4, 3], (n, t, h, d) => at(x, [3, 4, 8, 3], n, t, h, d))
  const prelude = `
fn part(x: [N, T, A, D], from, H: dim) -> [N, T, H, D] { y[n, t, h, d] = x[n, t, h + from, d] }
fn mix(x: [N, T, A, D], causal = false, lengths: int[N] = T) = attention(part(x, 0, 4), part(x, 4, 2), part(x, 6, 2), causal, lengths)
`
  const input = [4, 8, 3]
  const lengths = { length: [4, 2, 1] }
  const cases: readonly (readonly [call: string, sees: Sees, extra?: boolean])[] = [
    ['mix', () => true],
    ['mix(causal = true)', (_, t, s) => s <= t],
    ['mix(lengths = length)', (n, _, s) => s < lengths.length[n]!, true],
    ['mix(true, length)', (n, t, s) => s < lengths.length[n]! && s <= t, true],
  ]
  for (const [call, sees, hasLengths] of cases) {
    test(`four heads on two groups of keys: ${call}`, () => {
      const reference: Reference = (x) =>
        attention(queries(q(x)), part(x, 4), part(x, 6), all, sees)
      const extra = hasLengths ? { extra: 'length: int[batch]', extraValues: lengths } : {}
      tryOut({ call, input, prelude, reference, ...extra })
    })
  }
  test('one row that sees nothing gives finite numbers', () => {
    const extra = { extra: 'length: int[batch]', extraValues: { length: [0, 4, 0] } }
    tryOut({ call: 'mix(lengths = length)', input, prelude, ...extra })
  })
  test('fewer queries than keys stand at the end', () => {
    const own = { T: 2, S: 4, H: 2, G: 2, D: 3 }
    tryOut({
      call: 'late',
      input: [4, 2, 3],
      prelude: `
fn last(x: [N, T, H, D]) -> [N, 2, H, D] { y[n, t, h, d] = x[n, t + T - 2, h, d] }
fn late(x: [N, T, H, D]) = attention(last(x), x, x, true)`,
      reference: (x) => {
        const late = fill([3, 2, 2, 3], (n, t, h, d) => at(x, [3, 4, 2, 3], n, t + 2, h, d))
        return attention(late, x, x, own, (_, t, s) => s <= t + 2)
      },
    })
  })
})

/** x·W + b of rows of I numbers. */
function dense(x: ArrayLike<number>, I: number, params: Params, name: string): number[] {
  const [W, b] = [params(`${name}.W`), params(`${name}.b`)]
  const O = b.length
  return fill(
    [x.length / I, O],
    (n, o) => b[o]! + sumOver([I], (i) => x[n * I + i]! * W[i * O + o]!),
  )
}

describe('layers of attention', () => {
  const [T, C, H, G] = [4, 6, 3, 1]
  const D = C / H
  /** Pairs (i, i + D/2) of each head as complex numbers, times exp(i·t·base^(-2i / D)). */
  const turned = (x: readonly number[], heads: number, depth: number): number[] =>
    fill([3, T, heads, depth], (n, t, h, d) => {
      const half = depth / 2
      const i = d % half
      const angle = t * 10000 ** ((-2 * i) / depth)
      const [re, im] = [i, i + half].map((k) => at(x, [3, T, heads, depth], n, t, h, k))
      const [c, s] = [Math.cos(angle), Math.sin(angle)]
      return d < half ? re! * c - im! * s : re! * s + im! * c
    })
  const selfAttention =
    (groups: number, rotary: boolean, sees: Sees): Reference =>
    (x, params) => {
      const own = (name: string) => dense(x, C, params, `self_attention_1.${name}`)
      const turn = (values: number[], heads: number) => (rotary ? turned(values, heads, D) : values)
      const sizes = { T, S: T, H, G: groups, D }
      const mixed = attention(turn(own('q'), H), turn(own('k'), groups), own('v'), sizes, sees)
      return dense(mixed, C, params, 'self_attention_1.o')
    }
  test('self_attention', () => {
    const reference = selfAttention(H, false, () => true)
    tryOut({ call: `self_attention(${H})`, input: [T, C], reference })
  })
  test('self_attention, causal, rotary, one group', () => {
    const reference = selfAttention(G, true, (_, t, s) => s <= t)
    const call = `self_attention(${H}, ${G}, causal = true, rotary = true)`
    tryOut({ call, input: [T, C], reference })
  })
  test('rotary_positions keeps lengths, and products depend on the distance', () => {
    tryOut({
      call: 'rotary_positions',
      input: [T, 2, 6],
      reference: (x) => turned([...x], 2, 6),
    })
    const same = fill([3, T, 1, 6], (_n, _t, _h, d) => varied(6)[d]!)
    const y = turned(same, 1, 6)
    const product = (t: number, s: number): number =>
      sumOver([6], (d) => at(y, [3, T, 1, 6], 0, t, 0, d) * at(y, [3, T, 1, 6], 0, s, 0, d))
    closeTo([product(1, 0), product(3, 1)], [product(3, 2), product(2, 0)], 'products')
  })
  test('cross_attention', () => {
    const lengths = [2, 1, 2]
    tryOut({
      call: `ask(length)`,
      input: [T, C],
      prelude: `
layer ask(x: [N, T, C], length: int[N]) -> [N, T, C] {
  memory[n, s: 2, c: 5] = x[n, s + 1, c + 0]
  cross_attention(x, memory, ${H}, lengths = length)
}`,
      extra: 'length: int[batch]',
      extraValues: { length: lengths },
      reference: (x, params) => {
        const memory = fill([3, 2, 5], (n, s, c) => at(x, [3, T, C], n, s + 1, c))
        const name = 'ask_1.cross_attention_1'
        const q = dense(x, C, params, `${name}.q`)
        const [k, v] = ['k', 'v'].map((part) => dense(memory, 5, params, `${name}.${part}`))
        const sees: Sees = (n, _, s) => s < lengths[n]!
        const mixed = attention(q, k!, v!, { T, S: 2, H, G: H, D }, sees)
        return dense(mixed, C, params, `${name}.o`)
      },
    })
  })
})

test('sizes that do not fit are refused', () => {
  const refused = (call: string): string[] => {
    const shape = '[2, 4, 8]'
    const text = `net f(x: ${shape}) { x |> ${call} }\npredict p(x: ${shape}) { f(x) }`
    return diagnosticsOf(text).map((d) => `${d.code} ${d.label}`)
  }
  expect(refused('self_attention(3)')).toEqual(['NET3002 no whole `D` makes `heads * D` 8'])
  expect(refused('self_attention(2, groups = 3)')).toEqual(['NET3002 no whole `R` makes `G * R` 2'])
  const turned = 'NET3002 no whole `P` makes `2 * P` 1'
  expect(refused('self_attention(8, rotary = true)')).toEqual([turned, turned])
})

describe('embeddings and positions', () => {
  test('embedding: rows of the table, and a gradient that adds up', () => {
    const ids = [3, 0, 3, 1, 3, 3, 2, 0, 1, 4, 4, 4]
    tryOut({
      call: 'with_words(ids)',
      input: [4, 3],
      prelude: `
layer with_words(x: [N, T, C], ids: int[N, T]) -> [N, T, C] {
  words = embedding(ids, 5, C)
  y[n, t, c] = x[n, t, c] * words[n, t, c]
}`,
      extra: 'ids: int[batch, 4]',
      extraValues: { ids },
      reference: (x, params) =>
        [...x].map(
          (v, k) => v * params('with_words_1.words.table')[ids[Math.floor(k / 3)]! * 3 + (k % 3)]!,
        ),
    })
  })
  test('sinusoidal_positions', () => {
    tryOut({
      call: 'sinusoidal_positions',
      input: [5, 6],
      reference: (x) =>
        [...x].map((v, k) => {
          const [t, c] = [Math.floor(k / 6) % 5, k % 6]
          const angle = t / 10000 ** ((2 * Math.floor(c / 2)) / 6)
          return v + (c % 2 === 0 ? Math.sin(angle) : Math.cos(angle))
        }),
    })
  })
  test('learned_positions', () => {
    tryOut({
      call: 'learned_positions',
      input: [5, 3],
      reference: (x, params) => [...x].map((v, k) => v + params('learned_positions_1.P')[k % 15]!),
    })
  })
  test('lengths_of', () => {
    const program = programOf('predict p(ids: int[3, 4]) { out = lengths_of(ids, pad = 9) }')
    const ids = [1, 2, 9, 9, 3, 3, 3, 3, 9, 9, 9, 9]
    const { outputs } = run(program, 'p', createState(program), { inputs: { ids } })
    expect([...outputs.out!]).toEqual([2, 4, 0])
  })
})

describe('transformer blocks', () => {
  const input = [4, 6]
  test('gradients, and compiled as evaluated', () => {
    tryOut({ call: 'encoder_block(3)', input })
    tryOut({
      call: 'encoder_block(2, 5, rotary = false, lengths = length)',
      input,
      extra: 'length: int[batch]',
      extraValues: { length: [1, 4, 3] },
    })
    tryOut({ call: 'decoder_block(3, hidden = 7, groups = 1, rotary = true)', input })
    tryOut({
      call: 'read',
      input,
      prelude: `
layer read(x: [N, T, C]) -> [N, T, C] {
  memory[n, s: 3, c] = x[n, s + 1, c] * 2
  cross_decoder_block(x, memory, 2)
}`,
    })
  })

  /** The output for x and for x changed at one position. */
  function change(call: string, position: number, length = 4): (readonly number[])[] {
    const program = programOf(`
net f(x: [1, 4, 6], length: int[1]) { x |> ${call} }
predict p(x: [1, 4, 6], length: int[1]) { out = f(x, length) }`)
    const state = createState(program)
    run(program, 'init', state, { seed: 3 })
    const before = varied(24)
    const after = before.map((v, k) => (Math.floor(k / 6) === position ? -v : v))
    return [before, after].map((x) => [
      ...run(program, 'p', state, { inputs: { x, length: [length] } }).outputs.out!,
    ])
  }
  const positionsThatDiffer = ([a, b]: (readonly number[])[]): number[] =>
    [0, 1, 2, 3].filter((t) => a!.slice(6 * t, 6 * t + 6).some((v, k) => v !== b![6 * t + k]))

  test('a decoder block sees nothing that comes later', () => {
    expect(positionsThatDiffer(change('decoder_block(2)', 2))).toEqual([2, 3])
    expect(positionsThatDiffer(change('decoder_block(2, rotary = false)', 0))).toEqual([0, 1, 2, 3])
  })
  test('an encoder block sees all that is not padding', () => {
    expect(positionsThatDiffer(change('encoder_block(2, lengths = length)', 2))).toEqual([
      0, 1, 2, 3,
    ])
    expect(positionsThatDiffer(change('encoder_block(2, lengths = length)', 2, 2))).toEqual([2])
  })
  test('dropout in a block drops in training alone', () => {
    const program = programOf(`
net f(x: [1, 4, 6]) { x |> decoder_block(2, rate = 0.5) }
train t(x: [1, 4, 6]) {
  minimize mean(f(x) * f(x))
  using sgd(0.0)
}
predict p(x: [1, 4, 6]) { y = f(x); out = mean(y * y) }`)
    const state = createState(program)
    run(program, 'init', state, { seed: 3 })
    const loss = (entry: string): number => {
      const { outputs } = run(program, entry, state, { inputs: { x: varied(24) } })
      return (outputs.loss ?? outputs.out)![0]!
    }
    expect(loss('t_eval')).toBe(loss('p'))
    expect(Math.abs(loss('t') - loss('p'))).toBeGreaterThan(1e-3)
  })
})
