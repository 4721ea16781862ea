/**
 * Every simplification rule by itself: an example of what it makes of what, and the proof that both have the same
 * value for random contents of the tensors. A rule without an example fails.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createState, run } from '../../compiler/ir/evaluate.ts'
import { parseProgram } from '../../compiler/ir/parse.ts'
import { printScalar } from '../../compiler/ir/print.ts'
import type { Program, Scalar } from '../../compiler/ir/types.ts'
import { verify } from '../../compiler/ir/verify.ts'
import { rules, simplifyScalar, tensorsOf } from '../../compiler/passes/simplify.ts'

/** Rule, element of y[i: 4] (or a bool or i32 result), what the rule makes of it. */
const examples: readonly (readonly [rule: string, before: string, after: string])[] = [
  ['where(c, x, x) -> x', 'where(a[i] > 0.0, b[i], b[i])', 'b[i]'],
  [
    'where(not c, a, b) -> where(c, b, a)',
    'where(not(a[i] > 0.0), a[i], b[i])',
    'where(a[i] > 0.0, b[i], a[i])',
  ],
  [
    'where(c, where(c, a, b), d) -> where(c, a, d)',
    'where(a[i] > 0.0, where(a[i] > 0.0, a[i], b[i]), 2.0)',
    'where(a[i] > 0.0, a[i], 2.0)',
  ],
  [
    'where(c, where(d, a, 0), 0) -> where(c and d, a, 0)',
    'where(a[i] > 0.0, where(b[i] > 0.0, a[i], 0.0), 0.0)',
    'where(a[i] > 0.0 and b[i] > 0.0, a[i], 0.0)',
  ],
  ['where(c, 1, 0) of booleans -> c', 'f32(where(a[i] > 0.0, true, false))', 'f32(a[i] > 0.0)'],
  ['x?[i] -> x[i] in range, 0 when never', 'a?[i] + a?[i + 9] + a?[i - 1]', 'a[i] + a?[i - 1]'],
  ['float(c) -> where(c, 1, 0)', 'f32(a[i] > 0.0)', 'where(a[i] > 0.0, 1.0, 0.0)'],
  ['cast of an index -> f32 constant where it is one', 'f32(i / 9)', '0.0'],
  ['i + 1 - i -> 1', 'f32(i + k[i] + 3 - i)', 'f32(k[i] + 3)'],
  [
    '(m*a + b) / m -> a, (m*a + b) % m -> b where b in [0, m)',
    'f32((8 * k[i] + i) % 8 + (8 * k[i] + i) / 8)',
    'f32(i + k[i])',
  ],
  [
    'm * (x / m) + x % m -> x',
    'f32(3 * ((k[i] + i) / 3) + 1 + (k[i] + i) % 3)',
    'f32(k[i] + i + 1)',
  ],
  ['(x / a) / b -> x / (a*b)', 'f32(k[i] / 2 / 3)', 'f32(k[i] / 6)'],
  ['i < 10 -> true where i in [0, 10)', 'where(i < 10, a[i], b[i])', 'a[i]'],
  [
    'true and b -> b, false and b -> false, …',
    'where((a[i] > 0.0 and true) and (b[i] > 0.0 or false), a[i], b[i])',
    'where(a[i] > 0.0 and b[i] > 0.0, a[i], b[i])',
  ],
  ['not not b -> b', 'where(not(not(a[i] > 0.0)), a[i], b[i])', 'where(a[i] > 0.0, a[i], b[i])'],
  ['min(i, 9) -> i, max(i, 0) -> i where i in [0, 9]', 'f32(min(max(k[i], 0), 4))', 'f32(k[i])'],
  [
    'max(float(n), c) -> float(n) where the count n is not below c',
    'max(f32(count(m)) * 2.0, 0.5) + max(a[i], 1.0)',
    'f32(count(m)) * 2.0 + max(a[i], 1.0)',
  ],
  ['random >= 0 -> true', 'where(random#1(i) >= 0.0, a[i], b[i])', 'a[i]'],
  ['--x -> x', '-(-(a[i]))', 'a[i]'],
  ['-(a - b) -> b - a', '-(a[i] - b[i])', 'b[i] - a[i]'],
  ['x * 0 -> 0', 'a[i] * 0.0 + 0.0 * b[i]', '0.0'],
  ['0 / x -> 0', '0.0 / (a[i] * a[i] + 1.0)', '0.0'],
  ['a + -b -> a - b', 'a[i] + -b[i]', 'a[i] - b[i]'],
  ['a - -b -> a + b', 'a[i] - -b[i]', 'a[i] + b[i]'],
  ['a + -c*b -> a - c*b', 'a[i] + -2.0 * b[i]', 'a[i] - 2.0 * b[i]'],
  [
    'a + where(c, -b, 0) -> a - where(c, b, 0)',
    'a[i] + where(a[i] > 0.0, -b[i], 0.0)',
    'a[i] - where(a[i] > 0.0, b[i], 0.0)',
  ],
  [
    'where(c, a, b) + where(c, d, e) -> where(c, a + d, b + e)',
    'where(a[i] > 0.0, a[i], 0.0) + where(a[i] > 0.0, 0.0, b[i])',
    'where(a[i] > 0.0, a[i], b[i])',
  ],
  ['a + x + x -> a + 2*x', 'a[i] + b[i] + b[i]', 'a[i] + 2.0 * b[i]'],
  ['-a - b -> -(a + b)', '-(a[i]) - b[i]', '-(a[i] + b[i])'],
  [
    'where(c, a, 0) * b -> where(c, a * b, 0)',
    'where(a[i] > 0.0, a[i], 0.0) * b[i]',
    'where(a[i] > 0.0, a[i] * b[i], 0.0)',
  ],
  [
    '-where(c, a, 0) -> where(c, -a, 0)',
    '-where(a[i] > 0.0, a[i], 0.0)',
    'where(a[i] > 0.0, -a[i], 0.0)',
  ],
  [
    '2 * (a / 2) * (b / c) -> (a * b) / c',
    '2.0 * (a[i] / 2.0) * (b[i] / c[])',
    'a[i] * b[i] / c[]',
  ],
  ['-(-a * b) -> a * b', '-(-a[i] * b[i])', 'a[i] * b[i]'],
  [
    'a*x + b*x -> (a + b) * x',
    'a[i] / c[] - where(b[i] > 0.0, 1.0 / c[], 0.0)',
    '(a[i] - where(b[i] > 0.0, 1.0, 0.0)) / c[]',
  ],
  ['(a + 1) + 2 -> a + 3', 'a[i] + 1.0 - 3.0', 'a[i] - 2.0'],
  [
    'x^1 -> x, x^2 -> x*x, x^0.5 -> sqrt(x), x^-1 -> 1/x',
    'pow(a[i], 2.0) + pow(b[i], 1.0)',
    'a[i] * a[i] + b[i]',
  ],
  ['max(x, x) -> x', 'max(a[i], a[i])', 'a[i]'],
  ['sum[i: 1](f(i)) -> f(0)', 'sum[j: 1, l: 4](x[l, j])', 'sum[l: 4](x[l, 0])'],
  ['sum[i](0) -> 0', 'sum[j: 5](0.0)', '0.0'],
  [
    'sum[i](sum[j](e)) -> sum[i, j](e)',
    'sum[j: 5](sum[l: 4](x[l, j] * a[i]))',
    'sum[j: 5, l: 4](x[l, j] * a[i])',
  ],
  [
    'max[i](max[j](e)) -> max[i, j](e)',
    'max[j: 5](max[l: 4](x[l, j]))',
    'max[j: 5, l: 4](x[l, j])',
  ],
  [
    'sum[i](e) -> 10 * e, max[i](e) -> e, where e does not use i',
    'sum[j: 5](a[i]) + max[l: 4](b[i])',
    '5.0 * a[i] + b[i]',
  ],
  [
    'sum[i](where(i == k, f(i), 0)) -> f(k)',
    'sum[j: 5](where(j == k[i], x[i, j], 0.0)) + sum[l: 4](where(l + 1 == i, a[l], 0.0))',
    'x[i, k[i]] + where(i - 1 >= 0 and i - 1 < 4, a?[i - 1], 0.0)',
  ],
  [
    'sum[i](where(c, e, 0)) -> where(c, sum[i](e), 0)',
    'sum[j: 5](where(a[i] > 0.0 and x[i, j] > 0.0, x[i, j], 0.0))',
    'where(a[i] > 0.0, sum[j: 5](where(x[i, j] > 0.0, x[i, j], 0.0)), 0.0)',
  ],
  [
    'sum[i](c * e) -> c * sum[i](e)',
    'sum[j: 5](a[i] * x[i, j] / c[])',
    'a[i] * sum[j: 5](x[i, j]) / c[]',
  ],
  ['max[i](x + c) -> max[i](x) + c', 'max[j: 5](x[i, j] + a[i])', 'max[j: 5](x[i, j]) + a[i]'],
]

const program = (body: string): Program =>
  parseProgram(
    [
      'program "rules"',
      'dim m <= 3',
      'param a: f32[4]',
      'param b: f32[4]',
      'param c: f32[]',
      'param x: f32[4, 5]',
      'entry predict p(k) -> y = y {',
      'input k: i32[4] range 5',
      'temp y: f32[4]',
      'stage {',
      `y[i: 4] = ${body}`,
      '}',
      '}',
      '',
    ].join('\n'),
  )

const equationOf = (p: Program) => p.entries[0]!.stages[0]!.equations[0]!

function withBody(p: Program, body: Scalar): Program {
  const entry = p.entries[0]!
  const equations = [{ ...equationOf(p), body }]
  return { ...p, entries: [{ ...entry, stages: [{ ...entry.stages[0]!, equations }] }] }
}

/** Values that are exact in f32 and not 0, so that nothing is divided by 0. */
const number = fc.integer({ min: -64, max: 64 }).map((n) => (n === 0 ? 0.5 : n / 16))

const contents = fc.record({
  a: fc.array(number, { minLength: 4, maxLength: 4 }),
  b: fc.array(number, { minLength: 4, maxLength: 4 }),
  c: fc.array(number, { minLength: 1, maxLength: 1 }),
  x: fc.array(number, { minLength: 20, maxLength: 20 }),
  k: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 4, maxLength: 4 }),
})

function valuesOf(p: Program, given: Readonly<Record<string, number[]>>): Float64Array {
  const state = createState(p)
  for (const [name, tensor] of state.tensors) tensor.set(given[name] ?? [])
  return run(p, 'p', state, { inputs: { k: given.k! } }).outputs.y!
}

test('every rule has an example', () => {
  const known = new Set(examples.map(([rule]) => rule))
  expect(rules.map((r) => r.name).filter((name) => !known.has(name))).toEqual([])
})

describe.each(examples)('%s', (name, text, expected) => {
  const before = program(text)
  const rule = rules.filter((r) => r.name === name)
  const { outs, body } = equationOf(before)
  const tensor = tensorsOf(before, before.entries[0]!)
  const after = simplifyScalar(body, outs, tensor, rule)

  test('gives', () => {
    expect(printScalar(after)).toBe(printScalar(equationOf(program(expected)).body))
  })
  test('keeps the value', () => {
    const simpler = withBody(before, after)
    verify(simpler, name)
    fc.assert(
      fc.property(contents, (given) => {
        const left = valuesOf(before, given)
        const right = valuesOf(simpler, given)
        left.forEach((value, k) => {
          expect(Math.abs(value - right[k]!)).toBeLessThan(1e-9 * Math.max(1, Math.abs(value)))
        })
      }),
      { numRuns: 60 },
    )
  })
})
