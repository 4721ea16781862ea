/** What each pass makes of small programs: before, after, and what it must leave alone. */
import { describe, expect, test } from 'vitest'
import { parseProgram } from '../../compiler/ir/parse.ts'
import { printProgram } from '../../compiler/ir/print.ts'
import { verify } from '../../compiler/ir/verify.ts'
import { cse } from '../../compiler/passes/cse.ts'
import { dce } from '../../compiler/passes/dce.ts'
import { factors } from '../../compiler/passes/factors.ts'
import { inline } from '../../compiler/passes/inline.ts'
import { masks } from '../../compiler/passes/masks.ts'
import type { Pass } from '../../compiler/passes/pass.ts'

/** The equations after the pass. The last one of the text defines the output `y`. */
function after(pass: Pass, text: string): string[] {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
  const temps = lines.flatMap((line) => {
    const header = /^(\w+)\[([^\]]*)\] =/.exec(line)
    if (!header) return []
    const extents = header[2]!.split(',').map((part) => part.split(':')[1]?.trim() ?? '')
    return [`temp ${header[1]}: f32[${extents.filter(Boolean).join(', ')}]`]
  })
  const program = parseProgram(
    [
      'program "passes"',
      'dim batch <= 8',
      'param w: f32[5]',
      'hyper lr: f32[] = 0.5',
      'entry predict p(x, ids) -> y = y {',
      'input x: f32[batch, 5]',
      'input ids: i32[batch] range 5',
      ...temps,
      'stage {',
      ...lines,
      '}',
      '}',
      '',
    ].join('\n'),
  )
  verify(program, 'parse')
  const result = pass.run(program)
  verify(result, pass.name)
  return printProgram(result)
    .split('\n')
    .filter((line) => /^ {4}\S.* =/.test(line))
    .map((line) => line.trim())
}

describe('cse', () => {
  test('equal equations, whatever their indices are called', () => {
    const equations = after(
      cse,
      `a[n: batch] = sum[i: 5](x[n, i])
       b[m: batch] = sum[j: 5](x[m, j])
       y[n: batch] = a[n] * b[n]`,
    )
    expect(equations).toEqual(['a[n: batch] = sum[i: 5](x[n, i])', 'y[n: batch] = a[n] * a[n]'])
  })
  test('a reduction written twice in bodies gets an equation', () => {
    const equations = after(
      cse,
      `a[n: batch, i: 5] = x[n, i] / sum[j: 5](exp(x[n, j]))
       y[n: batch] = a[n, 0] + sum[j: 5](exp(x[n, j]))`,
    )
    expect(equations).toEqual([
      'a_sum[n: batch] = sum[j: 5](exp(x[n, j]))',
      'a[n: batch, i: 5] = x[n, i] / a_sum[n]',
      'y[n: batch] = a[n, 0] + a_sum[n]',
    ])
  })
  test('unequal extents, guards and operators stay apart', () => {
    const equations = after(
      cse,
      `a[n: batch] = sum[i: 5](x[n, i])
       b[n: batch] = sum[i: 4](x[n, i])
       c[n: batch] = max[i: 5](x[n, i])
       d[n: batch] = sum[i: 5](x?[n, i - 1])
       y[n: batch] = a[n] * b[n] * c[n] * d[n]`,
    )
    expect(equations.length).toBe(5)
  })
  test('an output keeps its own equation', () => {
    const equations = after(
      cse,
      `a[n: batch] = sum[i: 5](x[n, i])
       b[n: batch] = a[n] * 2.0
       y[n: batch] = sum[i: 5](x[n, i])`,
    )
    expect(equations).toContain('y[n: batch] = a[n]')
  })
})

describe('inline', () => {
  test('an elementwise value into its only reader', () => {
    const equations = after(
      inline,
      `h[n: batch, i: 5] = x[n, i] * w[i]
       y[n: batch, i: 5] = exp(h[n, i]) + 1.0`,
    )
    expect(equations).toEqual(['y[n: batch, i: 5] = exp(x[n, i] * w[i]) + 1.0'])
  })
  test('a copy with other dims goes into its reader, and what it copies stays', () => {
    const equations = after(
      inline,
      `h[n: batch, i: 4] = exp(x[n, i])
       c[n: batch, i: 2, j: 2] = h[n, 2 * i + j]
       f[n: batch, k: 4] = c[n, k / 2, k % 2]
       y[n: batch] = sum[k: 4](f[n, k] * w[k])`,
    )
    expect(equations).toEqual([
      'c[n: batch, i: 2, j: 2] = exp(x[n, 2 * i + j])',
      'y[n: batch] = sum[k: 4](c[n, k / 2, k % 2] * w[k])',
    ])
  })
  test('into a sum over its own elements', () => {
    const equations = after(
      inline,
      `h[n: batch, i: 5] = x[n, i] * w[i]
       y[n: batch] = sum[i: 5](exp(h[n, i]))`,
    )
    expect(equations).toEqual(['y[n: batch] = sum[i: 5](exp(x[n, i] * w[i]))'])
  })
  test('never where it would be computed more often', () => {
    const equations = after(
      inline,
      `h[i: 5] = exp(w[i])
       y[n: batch] = sum[i: 5](x[n, i] * h[i])`,
    )
    expect(equations.length).toBe(2)
  })
  test('not where two read it, save a copy or a constant', () => {
    const equations = after(
      inline,
      `h[i: 5] = exp(w[i])
       c[n: batch, i: 5] = x[n, i]
       k[n: batch] = 2.0 * lr[]
       y[n: batch, i: 5] = h[i] * c[n, i] * k[n] + c[n, 0] / k[n] + h[4 - i]`,
    )
    expect(equations[0]).toBe('h[i: 5] = exp(w[i])')
    expect(equations.length).toBe(2)
  })
  test('a mask is computed again, not stored', () => {
    const equations = after(
      inline,
      `m[n: batch, i: 5] = where(random#1(n * 5 + i) < 0.5, 1.0, 0.0)
       a[n: batch, i: 5] = m[n, i] * exp(x[n, i])
       y[n: batch, i: 5] = m[n, i] * a[n, i] + a[n, 4 - i]`,
    )
    expect(equations.length).toBe(2)
    expect(equations.join()).not.toContain('m[')
  })
  test('nor a reduction, nor through a guard, nor at data', () => {
    const equations = after(
      inline,
      `s[n: batch] = sum[i: 5](x[n, i])
       g[i: 5] = w[i] + 1.0
       d[i: 5] = w[i] + 2.0
       y[n: batch, i: 5] = s[n] + g?[i - 1] + d[ids[n]]`,
    )
    expect(equations.length).toBe(4)
  })
})

describe('dce', () => {
  test('what no output needs', () => {
    const equations = after(
      dce,
      `a[n: batch] = sum[i: 5](x[n, i])
       b[n: batch] = a[n] * 2.0
       c[n: batch] = x[n, 0]
       y[n: batch] = c[n]`,
    )
    expect(equations).toEqual(['c[n: batch] = x[n, 0]', 'y[n: batch] = c[n]'])
  })
})

describe('masks', () => {
  test('a test in a sum of products goes to the factor that has its indices', () => {
    const equations = after(
      masks,
      `s[i: 9, j: 9] = w[i % 5] * w[j % 5]
       y[j: 9, e: 16] = sum[i: 9](where(j <= i, w[e % 5] * s[i, j], 0.0)) * 0.5`,
    )
    expect(equations).toEqual([
      's[i: 9, j: 9] = w[i % 5] * w[j % 5]',
      's_masked[i: 9, j: 9] = where(j <= i, s[i, j], 0.0)',
      'y[j: 9, e: 16] = sum[i: 9](w[e % 5] * s_masked[i, j]) * 0.5',
    ])
  })
  test('not where another factor is computed, where no factor has all indices, or where nothing is saved', () => {
    for (const body of [
      'sum[i: 9](where(j <= i, s[i, j] / w[e % 5], 0.0))',
      'sum[i: 9](where(e <= i, w[e % 5] * s[i, j], 0.0))',
      'sum[i: 9](where(j <= i, s[i, j], 0.0)) + w[e % 5]',
      'sum[i: 9](where(j <= i, w[e % 5] * s[i, j], 1.0))',
    ]) {
      const text = `s[i: 9, j: 9] = w[i % 5] * w[j % 5]\ny[j: 9, e: 16] = ${body}`
      expect(after(masks, text)).toEqual(text.split('\n'))
    }
  })
})

describe('factors', () => {
  test('what shares a function with an equation before is computed beside it', () => {
    const equations = after(
      factors,
      `a[n: batch, i: 5] = x[n, i] * erf(0.5 * x[n, i])
       s[n: batch] = sum[i: 5](a[n, i])
       y[b: batch, c: 5] = s[b] * (erf(0.5 * x[b, c]) + x[b, c] * exp(x[b, c]))`,
    )
    expect(equations).toEqual([
      'a[n: batch, i: 5] = x[n, i] * erf(0.5 * x[n, i])',
      'a_factor[n: batch, i: 5] = erf(0.5 * x[n, i]) + x[n, i] * exp(x[n, i])',
      's[n: batch] = sum[i: 5](a[n, i])',
      'y[b: batch, c: 5] = s[b] * a_factor[b, c]',
    ])
  })
  test.each([
    ['of other elements', `y[n: batch, i: 5] = s[n] * exp(x[n, 4 - i])`],
    ['of another argument', `y[n: batch, i: 5] = s[n] * exp(2.0 * x[n, i])`],
    ['in a sum', `y[n: batch] = s[n] + sum[i: 5](exp(x[n, i]))`],
    ['with nothing else', `y[n: batch, i: 5] = 2.0 * exp(x[n, i]) - x[n, i]`],
  ])('but not one %s', (_, text) => {
    const before = `a[n: batch, i: 5] = exp(x[n, i])\ns[n: batch] = sum[i: 5](a[n, i])\n${text}`
    expect(after(factors, before)).toEqual(before.split('\n'))
  })
  test('of what reads later tensors too, the part that does not', () => {
    const equations = after(
      factors,
      `a[n: batch, i: 5] = exp(x[n, i])
       s[n: batch] = sum[i: 5](a[n, i])
       y[n: batch, i: 5] = s[n] * sin(s[n] + 2.0 * exp(x[n, i]))`,
    )
    expect(equations).toEqual([
      'a[n: batch, i: 5] = exp(x[n, i])',
      'a_factor[n: batch, i: 5] = 2.0 * exp(x[n, i])',
      's[n: batch] = sum[i: 5](a[n, i])',
      'y[n: batch, i: 5] = s[n] * sin(s[n] + a_factor[n, i])',
    ])
  })
})
