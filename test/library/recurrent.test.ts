// Recurrent layers against plain loops over rows and steps; their gradients and their compiled code (trial.ts).
import { describe, expect, test } from 'vitest'
import { createState, run } from '../../compiler/ir/evaluate.ts'
import { programOf } from '../elaborate/elaborated.ts'
import { closeTo, type Params, tryOut, varied } from './trial.ts'

const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v))

type Vector = readonly number[]

/** row · M for a packed matrix [row.length, columns]. */
const times = (row: ArrayLike<number>, M: ArrayLike<number>, columns: number): number[] =>
  Array.from({ length: columns }, (_, j) => {
    let sum = 0
    for (let k = 0; k < row.length; k++) sum += row[k]! * M[k * columns + j]!
    return sum
  })

const plus = (a: Vector, b: ArrayLike<number>): number[] => a.map((v, k) => v + b[k]!)

/** One step: what is remembered before, (h, c) or h alone, and the input → after. */
type Step = (x: Vector, state: readonly Vector[]) => readonly Vector[]

const matrices = (of: Params, name: string) => ({
  W: of(`${name}.W`),
  U: of(`${name}.U`),
  b: of(`${name}.b`),
})

const rnn = (of: Params, name: string): Step => {
  const { W, U, b } = matrices(of, name)
  return (x, [h]) => [plus(plus(times(x, W, b.length), times(h!, U, b.length)), b).map(Math.tanh)]
}

const lstm = (of: Params, name: string): Step => {
  const { W, U, b } = matrices(of, name)
  const H = b.length / 4
  return (x, [h, c]) => {
    const z = plus(plus(times(x, W, 4 * H), times(h!, U, 4 * H)), b)
    const after = c!.map(
      (v, j) => sigmoid(z[H + j]!) * v + sigmoid(z[j]!) * Math.tanh(z[2 * H + j]!),
    )
    return [after.map((v, j) => sigmoid(z[3 * H + j]!) * Math.tanh(v)), after]
  }
}

const gru = (of: Params, name: string): Step => {
  const { W, U, b } = matrices(of, name)
  const V = of(`${name}.V`)
  const H = b.length / 3
  return (x, [h]) => {
    const u = plus(times(x, W, 3 * H), b)
    const gates = plus(u.slice(0, 2 * H), times(h!, U, 2 * H)).map(sigmoid)
    const reset = h!.map((v, j) => gates[H + j]! * v)
    const candidate = plus(u.slice(2 * H), times(reset, V, H)).map(Math.tanh)
    return [h!.map((v, j) => gates[j]! * v + (1 - gates[j]!) * candidate[j]!)]
  }
}

interface Run {
  readonly down?: boolean
  /** Per row; all steps count where left out. */
  readonly lengths?: Vector
  /** Of state k, what it is at first in row n. */
  readonly first?: (n: number, k: number) => Vector
  /** Which of the states is given out. */
  readonly out?: number
}

/** x [N, T, I] → [N][T] vectors. */
function unroll(
  step: Step,
  x: ArrayLike<number>,
  [N, T, I, H]: readonly [number, number, number, number],
  { down = false, lengths, first, out = 0 }: Run = {},
): Vector[][] {
  return Array.from({ length: N }, (_, n) => {
    const all: Vector[] = new Array(T)
    let state: readonly Vector[] = [0, 1].map((k) => first?.(n, k) ?? new Array<number>(H).fill(0))
    for (let k = 0; k < T; k++) {
      const t = down ? T - 1 - k : k
      const row = Array.from({ length: I }, (_, i) => x[(n * T + t) * I + i]!)
      if (lengths === undefined || t < lengths[n]!) state = step(row, state)
      all[t] = state[out]!
    }
    return all
  })
}

const packed = (rows: readonly (readonly Vector[])[]): number[] => rows.flat(2)

const size = [3, 5, 2, 3] as const
const input = [5, 2]
const lengths = { extra: 'length: int[batch]', extraValues: { length: [5, 2, 1] } }

describe.each([
  ['rnn', rnn],
  ['lstm', lstm],
  ['gru', gru],
] as const)('%s', (name, make) => {
  const cases: readonly (readonly [args: string, run: Run])[] = [
    ['3', {}],
    ['3, down = true', { down: true }],
    ['3, lengths = length', { lengths: [5, 2, 1] }],
    ['3, lengths = length, down = true', { lengths: [5, 2, 1], down: true }],
    ['3, h0 = full([batch, 3], 0.5)', { first: (_, k) => new Array(3).fill(k === 0 ? 0.5 : 0) }],
  ]
  for (const [args, options] of cases) {
    test(`${name}(${args})`, () => {
      tryOut({
        call: `${name}(${args})`,
        input,
        reference: (x, of) => packed(unroll(make(of, `${name}_1`), x, size, options)),
        ...(args.includes('length') ? lengths : {}),
      })
    })
  }

  test('a cell in a scan is the layer', () => {
    const isLstm = name === 'lstm'
    const carried = isLstm ? 'h: [batch, 3] = 0, c: [batch, 3] = 0' : 'h: [batch, 3] = 0'
    const one = isLstm ? "(h', c') = lstm_cell(now, h, c)" : `h' = ${name}_cell(now, h)`
    const program = programOf(`
      dim batch <= 3
      net f(x: [batch, 5, 2]) -> [batch, 5, 3] {
        scan t in 5 with ${carried} {
          now[n, i] = x[n, t, i]
          ${one}
          yield h'
        }
      }
      predict p(x: [batch, 5, 2]) { out = f(x) }`)
    const state = createState(program)
    const params = [...state.tensors.keys()].filter((k) => k.startsWith('f.'))
    for (const [salt, k] of params.entries()) {
      const values = state.tensors.get(k)!
      values.set(varied(values.length, salt))
    }
    const x = varied(30)
    const { outputs } = run(program, 'p', state, { inputs: { x } })
    const owner = params[0]!.slice(0, params[0]!.lastIndexOf('.'))
    const of: Params = (p) => state.tensors.get(`${owner}${p}`)!
    closeTo(outputs.out!, packed(unroll(make(of, ''), x, size)), name)
  })
})

test('an LSTM goes on where another call of it has ended', () => {
  const program = programOf(`
    dim batch <= 3
    net f(x: [N, T, I], h: [N, 3], c: [N, 3]) { lstm_states(x, 3, h, c) }
    fn part(x: [N, T, I], from, S: dim) -> [N, S, I] { y[n, t, i] = x[n, t + from, i] }
    predict p(x: [batch, 5, 2]) {
      zero = full([batch, 3], 0)
      (whole, _) = f(x, zero, zero)
      (h, c) = f(part(x, 0, 2), zero, zero)
      (rest, _c) = f(part(x, 2, 3), last(h), last(c))
      (whole, h, rest)
    }`)
  const state = createState(program)
  run(program, 'init', state, {})
  const { outputs } = run(program, 'p', state, { inputs: { x: varied(30) } })
  const of = (name: string, t: number, n: number, steps: number): number[] =>
    Array.from({ length: 3 }, (_, j) => outputs[name]![(n * steps + t) * 3 + j]!)
  for (const n of [0, 1, 2]) {
    for (let t = 0; t < 5; t++) {
      const part = t < 2 ? of('h', t, n, 2) : of('rest', t - 2, n, 3)
      closeTo(part, of('whole', t, n, 5), `step ${t} of row ${n}`)
    }
  }
})

test('both directions side by side, of padded rows', () => {
  for (const [name, make] of [
    ['lstm', lstm],
    ['gru', gru],
  ] as const) {
    tryOut({
      call: `bidirectional_${name}(3, length)`,
      input,
      reference: (x, of) => {
        const own = `bidirectional_${name}_1`
        const options = { lengths: [5, 2, 1] }
        const a = unroll(make(of, `${own}.forward`), x, size, options)
        const b = unroll(make(of, `${own}.backward`), x, size, { ...options, down: true })
        return a.flatMap((rows, n) => rows.flatMap((v, t) => [...v, ...b[n]![t]!]))
      },
      ...lengths,
    })
  }
})

test('three above each other', () => {
  for (const [name, make] of [
    ['lstm', lstm],
    ['gru', gru],
  ] as const) {
    tryOut({
      call: `stacked_${name}(3, depth = 3)`,
      input,
      reference: (x, of) => {
        const own = `stacked_${name}_1`
        const first = packed(unroll(make(of, `${own}.h`), x, size))
        const second = packed(unroll(make(of, `${own}.h_2`), first, [3, 5, 3, 3]))
        return packed(unroll(make(of, `${own}.h_3`), second, [3, 5, 3, 3]))
      },
    })
  }
})

test('the last step, and the steps turned round', () => {
  const at = (x: ArrayLike<number>, n: number, t: number): number[] =>
    [0, 1].map((i) => x[(n * 5 + t) * 2 + i]!)
  const rows = [0, 1, 2]
  tryOut({ call: 'last', input, reference: (x) => rows.flatMap((n) => at(x, n, 4)) })
  tryOut({
    call: 'last(length)',
    input,
    reference: (x, _, { length }) => rows.flatMap((n) => at(x, n, length![n]! - 1)),
    ...lengths,
  })
  tryOut({
    call: 'reverse_steps(length)',
    input,
    reference: (x, _, { length }) =>
      rows.flatMap((n) =>
        [0, 1, 2, 3, 4].flatMap((t) => at(x, n, t < length![n]! ? length![n]! - 1 - t : t)),
      ),
    ...lengths,
  })
  tryOut({
    call: 'reverse_steps',
    input,
    reference: (x) => rows.flatMap((n) => [4, 3, 2, 1, 0].flatMap((t) => at(x, n, t))),
  })
})

test('an LSTM remembers at first: its forget gates are open', () => {
  const program = programOf(`
    dim batch <= 2
    net f(x: [batch, 3, 2]) -> [batch, 3, 2] { x |> lstm(2) }
    predict p(x: [batch, 3, 2]) { f(x) }`)
  const state = createState(program)
  run(program, 'init', state, {})
  expect([...state.tensors.get('f.lstm_1.b')!]).toEqual([0, 0, 1, 1, 0, 0, 0, 0])
})
