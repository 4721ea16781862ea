/** The derivative of every scalar function, in and out of its corners, against central differences. */
import { describe, expect, test } from 'vitest'
import { binaryRules, unaryRules } from '../../compiler/differentiate/scalar-rules.ts'
import { simplify } from '../../compiler/passes/simplify.ts'
import { checkGradients, equationsOf } from './check.ts'

/** Text of each function over reads a, b of parameters in a range where it is smooth. */
const smooth: readonly [name: string, text: string, range: readonly [number, number]][] = [
  ['neg', '-a', [-2, 2]],
  ['abs', 'abs(a)', [0.2, 2]],
  ['sign', 'sign(a) * a', [0.2, 2]],
  ['sqrt', 'sqrt(a)', [0.2, 3]],
  ['exp', 'exp(a)', [-2, 2]],
  ['log', 'log(a)', [0.2, 3]],
  ['tanh', 'tanh(a)', [-2, 2]],
  ['sigmoid', 'sigmoid(a)', [-3, 3]],
  ['erf', 'erf(a)', [-2, 2]],
  ['sin', 'sin(a)', [-3, 3]],
  ['cos', 'cos(a)', [-3, 3]],
  ['floor', 'floor(a) * a', [0.1, 0.9]],
  ['ceil', 'ceil(a) * a', [0.1, 0.9]],
  ['not', 'where(not(a > 9.0), a, 0.0)', [0.1, 0.9]],
  ['add', 'a + b', [-2, 2]],
  ['sub', 'a - b', [-2, 2]],
  ['mul', 'a * b', [-2, 2]],
  ['div', 'a / b', [0.5, 2]],
  ['mod', '(a + 3.0) % b', [0.7, 0.9]],
  ['pow', 'pow(a, b)', [0.3, 2]],
  ['min', 'min(a, b)', [-2, 2]],
  ['max', 'max(a, b)', [-2, 2]],
  ['lt', 'where(a < b, a * a, b)', [-2, 2]],
  ['le', 'where(a <= b, a * a, b)', [-2, 2]],
  ['gt', 'where(a > b, a * a, b)', [-2, 2]],
  ['ge', 'where(a >= b, a * a, b)', [-2, 2]],
  ['eq', 'where(a == b, a * a, b)', [-2, 2]],
  ['ne', 'where(a != b, a * a, b)', [-2, 2]],
  ['and', 'where(a > 0.0 and b > 0.0, a * b, b)', [-2, 2]],
  ['or', 'where(a > 0.0 or b > 0.0, a * b, a)', [-2, 2]],
]

test('every function has a case', () => {
  const names = new Set(smooth.map(([name]) => name))
  for (const op of [...Object.keys(unaryRules), ...Object.keys(binaryRules)]) {
    expect(names, op).toContain(op)
  }
})

const reads = (text: string): string => text.replace(/\b[ab]\b/g, (name) => `${name}[i]`)

describe.each(smooth)('%s', (_name, text, range) => {
  test('as a whole body', () => {
    checkGradients(
      `
      param a: f32[4]
      param b: f32[4]
      y[i: 4] = ${reads(text)}
      loss[] = sum[i: 4](y[i] * y[i])`,
      { range, passes: [simplify] },
    )
  })
  test('inside a larger body', () => {
    checkGradients(
      `
      param a: f32[4]
      param b: f32[4]
      loss[] = sum[i: 4](b[i] * (${reads(text)}) + sin(${reads(text)}))`,
      { range },
    )
  })
})

describe('constant exponents', () => {
  test.each(['0.0', '1.0', '2.0', '3.0', '0.5', '-1.0', '-2.5'])('x^%s', (exponent) => {
    checkGradients(
      `
      param a: f32[3]
      loss[] = sum[i: 3](pow(a[i], ${exponent}) * a[i])`,
      { range: [0.4, 2], passes: [simplify] },
    )
  })
  test('a base of 0', () => {
    checkGradients(
      `
      param a: f32[3]
      loss[] = sum[i: 3](pow(a[i], 2.0))`,
      { range: [0, 0] },
    )
  })
})

describe('the derivative of a value is written with it', () => {
  test.each([
    ['tanh(x[i])', 'd_x[i: 3] = d_h[i] * (1.0 - h[i] * h[i])'],
    ['exp(x[i])', 'd_x[i: 3] = d_h[i] * h[i]'],
    ['sigmoid(x[i])', 'd_x[i: 3] = d_h[i] * (h[i] * (1.0 - h[i]))'],
    ['sqrt(x[i])', 'd_x[i: 3] = d_h[i] / (2.0 * h[i])'],
    ['max(x[i], 0.0)', 'd_x[i: 3] = where(x[i] > 0.0, d_h[i], 0.0)'],
    ['pow(x[i], 2.0)', 'd_x[i: 3] = 2.0 * d_h[i] * x[i]'],
    ['x[i] / 4.0', 'd_x[i: 3] = d_h[i] / 4.0'],
  ])('%s', (body, expected) => {
    const program = checkGradients(
      `
      param x: f32[3]
      h[i: 3] = ${body}
      loss[] = sum[i: 3](sin(h[i]))`,
      { range: [0.3, 1.5], passes: [simplify] },
    )
    expect(equationsOf(program)).toContain(expected)
  })
})

test('nothing flows through stopgrad, comparisons, integers and random numbers', () => {
  const equations = equationsOf(
    checkGradients(
      `
      input c: f32[3]
      param x: f32[3]
      k: i32[i: 3] = i32(c[i])
      loss[] = sum[i: 3](x[i] * stopgrad(c[i] * c[i]) + f32(k[i]) * random#1(i) * x[i])`,
      { passes: [simplify] },
    ),
  )
  expect(equations.some((line) => line.startsWith('d_x'))).toBe(true)
})

test('stopgrad of a parameter stops', () => {
  const text = `
      param x: f32[3]
      loss[] = sum[i: 3](stopgrad(x[i]) + 2.0)`
  expect(() => checkGradients(text)).toThrow('d_x[0] is 0, central differences give 0.99999')
})
