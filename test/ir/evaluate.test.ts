import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createState, type RunOptions, run } from '../../compiler/ir/evaluate.ts'
import { parseProgram } from '../../compiler/ir/parse.ts'
import { uniform } from '../../compiler/ir/random.ts'
import { erf, pow, sigmoid, truncate } from '../../compiler/ir/special.ts'
import { verify } from '../../compiler/ir/verify.ts'
import { arbitraryProgram, programFromSeed, randomValues } from '../support/arbitrary.ts'
import { derivative } from '../support/gradients.ts'

/** Runs one predict entry made of tensor declarations and equations; `y` is what comes out. */
function evaluate(declarations: string, equations: string, options: RunOptions = {}): number[] {
  const inputs = [...declarations.matchAll(/input (\w+)/g)].map((m) => m[1])
  const program = parseProgram(`program "t" dim batch <= 4
    entry predict p(${inputs.join(', ')}) -> y = y { ${declarations} stage { ${equations} } }`)
  verify(program, 'test')
  return [...run(program, 'p', createState(program), options).outputs.y!]
}

describe('equations', () => {
  test('a product of matrices', () => {
    const y = evaluate(
      'input a: f32[2, 3] input b: f32[3, 2] temp y: f32[2, 2]',
      'y[i: 2, j: 2] = sum[k: 3](a[i, k] * b[k, j])',
      { inputs: { a: [1, 2, 3, 4, 5, 6], b: [1, 0, 0, 1, 1, 1] } },
    )
    expect(y).toEqual([4, 5, 10, 11])
  })

  test('only the rows that there are', () => {
    const y = evaluate(
      'input x: f32[batch] temp y: f32[batch]',
      'y[n: batch] = x[n] - sum[m: batch](x[m]) / f32(count(batch))',
      { inputs: { x: [1, 5] }, counts: { batch: 2 } },
    )
    expect(y).toEqual([-2, 2])
  })

  test('a guarded read is 0 outside, of what is there now', () => {
    const y = evaluate(
      'input x: f32[batch] temp y: f32[batch, 3]',
      'y[n: batch, r: 3] = x?[n + r - 1]',
      { inputs: { x: [1, 2, 7, 7] }, counts: { batch: 2 } },
    )
    expect(y).toEqual([0, 1, 2, 1, 2, 0])
  })

  test('a position from data is clamped', () => {
    const y = evaluate('input k: i32[4] input x: f32[3] temp y: f32[4]', 'y[i: 4] = x[k[i] - 5]', {
      inputs: { k: [0, 5, 7, 99], x: [1, 2, 3] },
    })
    expect(y).toEqual([1, 1, 3, 3])
  })

  test('a scatter adds where positions meet, onto zeros', () => {
    const y = evaluate('input k: i32[4] temp y: f32[3]', 'scatter [i: 4] y[k[i]] += f32(i) + 1.0', {
      inputs: { k: [0, 2, 2, 0] },
    })
    expect(y).toEqual([5, 0, 5])
  })

  test('random numbers are those of random.ts', () => {
    const program = parseProgram(`program "t" step step: i32[] seed seed: i32[] state s: f32[]
      entry init init() { stage { } }
      entry train t() -> y = y { temp y: f32[2] stage { y[i: 2] = random#7(i) } }`)
    const state = createState(program)
    run(program, 'init', state, { seed: 11 })
    run(program, 't', state)
    const { outputs } = run(program, 't', state)
    expect([...outputs.y!]).toEqual([uniform(11, 2, 7, 0), uniform(11, 2, 7, 1)])
    expect(state.tensors.get('step')![0]).toBe(2)
  })

  test('updates take effect together at the end of the stage', () => {
    const program = parseProgram(`program "t" state a: f32[] state b: f32[]
      entry init init() { temp one: f32[] temp two: f32[]
        stage { one[] = 1.0 two[] = 2.0 update a := one update b := two }
        stage { update a := b update b := a } }`)
    const state = createState(program)
    run(program, 'init', state)
    expect([state.tensors.get('a')![0], state.tensors.get('b')![0]]).toEqual([2, 1])
  })
})

describe('operators', () => {
  const one = (text: string, type = 'f32'): number =>
    evaluate(`temp y: ${type}[]`, `y[] = ${text}`)[0]!

  const cases: readonly (readonly [string, string, number])[] = [
    ['-7 / 2', 'i32', -4],
    ['7 / -2', 'i32', -4],
    ['-7 % 3', 'i32', 2],
    ['7 % -3', 'i32', -2],
    ['1 / 0', 'i32', 0],
    ['2147483647 + 1', 'i32', -2147483648],
    ['65536 * 65537', 'i32', 65536],
    ['i32(2.9) + i32(-2.9) * 10', 'i32', -18],
    ['i32(1e+20)', 'i32', 2147483647],
    ['i32(nan)', 'i32', 0],
    ['i32(1 < 2)', 'i32', 1],
    ['1 < 2', 'bool', -1],
    ['not(1 < 2) or 2 < 1', 'bool', 0],
    ['bool(0.5)', 'bool', -1],
    ['-5.5 % 2.0', 'f32', 0.5],
    ['max(nan, 0.0)', 'f32', Number.NaN],
    ['max(0.0, nan)', 'f32', 0],
    ['min(nan, 0.0)', 'f32', Number.NaN],
    ['sign(-2.5)', 'f32', -1],
    ['floor(-1.5) + ceil(1.2)', 'f32', 0],
    ['pow(1.0, nan)', 'f32', 1],
    ['where(1 == 2, 3.0, 4.0)', 'f32', 4],
    ['stopgrad(2.0)', 'f32', 2],
    ['prod[i: 4](f32(i) + 1.0)', 'f32', 24],
    ['max[i: 3](f32(i * (2 - i)))', 'f32', 1],
    ['sum[i: 3](max[j: 3](f32(i * j)))', 'f32', 6],
    ['argmax[i: 2, j: 3](f32(i + j) % 3.0)', 'i32', 2],
    ['argmin[i: 5](f32((i - 2) * (i - 3)))', 'i32', 2],
  ]
  for (const [text, type, value] of cases) {
    test(`${text} is ${value}`, () => expect(one(text, type)).toBe(value))
  }

  test('erf to the last digits', () => {
    const known = [
      [0.1, 0.1124629160182849],
      [0.5, 0.5204998778130465],
      [1, 0.8427007929497149],
      [2, 0.9953222650189527],
      [3, 0.9999779095030014],
      [5.5, 0.9999999999999927],
    ] as const
    for (const [x, y] of known) {
      expect(Math.abs(erf(x) - y)).toBeLessThanOrEqual(3e-16)
      expect(erf(-x)).toBe(-erf(x))
    }
    expect([erf(0), erf(-0), erf(7), erf(Number.NaN)]).toEqual([0, -0, 1, Number.NaN])
  })

  test('the tails of the others', () => {
    expect(sigmoid(-1000)).toBe(0)
    expect(sigmoid(-40)).toBeCloseTo(Math.exp(-40), 30)
    expect(pow(-1, Number.POSITIVE_INFINITY)).toBe(1)
    expect(truncate(-1e30)).toBe(-(2 ** 31))
  })
})

describe('random programs', () => {
  test('are verified, finite, and reproduced by their number', () => {
    fc.assert(
      fc.property(arbitraryProgram({ train: true }), fc.integer(), (program, seed) => {
        verify(program, 'arbitrary')
        const state = createState(program)
        run(program, 'init', state, { seed })
        const { outputs } = run(program, 'p', state, randomValues(program, 'p', seed))
        for (const values of Object.values(outputs))
          expect(values.every(Number.isFinite)).toBe(true)
      }),
      { numRuns: 200 },
    )
    expect(programFromSeed(7)).toEqual(programFromSeed(7))
  })
})

test('central differences reach the accuracy that gradients are held to', () => {
  const error = (f: (x: number) => number, at: number, slope: number): number =>
    Math.abs(derivative((h) => f(at + h), 0.02) / slope - 1)
  expect(error(Math.exp, 1, Math.E)).toBeLessThan(1e-11)
  expect(
    error((x) => Math.tanh(x) ** 3, 0.3, (3 * Math.tanh(0.3) ** 2) / Math.cosh(0.3) ** 2),
  ).toBeLessThan(1e-10)
  // A kink within the first steps' reach.
  expect(error((x) => Math.abs(x - 0.99) * x, 1, 1.01)).toBeLessThan(1e-9)
})
