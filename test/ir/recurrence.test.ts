import { describe, expect, test } from 'vitest'
import { parseProgram } from '../../compiler/ir/parse.ts'
import { flatten, order, type Step, Unordered } from '../../compiler/ir/recurrence.ts'
import type { Equation } from '../../compiler/ir/types.ts'

/** The equations of one stage; every tensor is declared by what is in `shapes`. */
function equations(declarations: string, text: string): readonly Equation[] {
  const program = parseProgram(`program "t" dim batch <= 4
    entry predict p(x) -> y = y { ${declarations} stage { ${text} } }`)
  return program.entries[0]!.stages[0]!.equations
}

/** `up t: 5 (h_prev h) y`: loops by time index and extent. */
function show(steps: readonly Step[]): string {
  return steps
    .map((s) => {
      if (s.kind === 'equation') return s.equation.target
      const times = [...new Set(s.time.values())].join('|')
      return `${s.down ? 'down' : 'up'} ${times}: ${s.extent.size} (${show(s.steps)})`
    })
    .join(' ')
}

const sequence = 'input x: f32[batch, 5, 3] input w: f32[3, 3] temp u: f32[batch, 5, 3] '
const carried = 'temp p: f32[batch, 5, 3] temp h: f32[batch, 5, 3] temp y: f32[batch, 5]'

describe('order', () => {
  test('equations without cycles keep their order', () => {
    const all = equations(
      'input x: f32[3] temp a: f32[3] temp b: f32[3] temp y: f32[3]',
      'a[i: 3] = x[i] b[i: 3] = x[i] + 1.0 y[i: 3] = b[i] * a[i]',
    )
    expect(show(order(all))).toBe('a b y')
  })

  test('a carry is a loop upwards; what does not depend on it stands before and after', () => {
    const all = equations(
      sequence + carried,
      `p[n: batch, t: 5, k: 3] = h?[n, t - 1, k]
       y[n: batch, t: 5] = sum[k: 3](h[n, t, k])
       h[n: batch, s: 5, j: 3] = tanh(u[n, s, j] + sum[k: 3](p[n, s, k] * w[k, j]))
       u[n: batch, t: 5, j: 3] = sum[i: 3](x[n, t, i] * w[i, j])`,
    )
    expect(show(order(all))).toBe('u up t|s: 5 (p h) y')
    expect(flatten(order(all)).map((e) => e.target)).toEqual(['u', 'p', 'h', 'y'])
  })

  test('reads at t + 1 make a loop downwards', () => {
    const all = equations('input x: f32[5] temp y: f32[5]', 'y[t: 5] = x[t] + 0.5 * y?[t + 1]')
    expect(show(order(all))).toBe('down t: 5 (y)')
  })

  test('a loop in a loop, over two indices of the same tensors', () => {
    const all = equations(
      'input x: f32[5, 4] temp q: f32[5, 4] temp y: f32[5, 4]',
      `q[t: 5, s: 4] = y?[t - 1, 3 - s] + x[t, s]
       y[t: 5, s: 4] = q[t, s] + y?[t, s - 1]`,
    )
    expect(show(order(all))).toBe('up t: 5 (q up s: 4 (y))')
  })

  test('two carries that do not meet are two loops', () => {
    const all = equations(
      'input x: f32[5] temp a: f32[5] temp b: f32[5] temp y: f32[5]',
      `a[t: 5] = x[t] + a?[t - 1]
       b[t: 5] = a[t] + b?[t + 1]
       y[t: 5] = a[t] + b[t]`,
    )
    expect(show(order(all))).toBe('up t: 5 (a) down t: 5 (b) y')
  })

  test('cycles that no index orders are refused by name', () => {
    for (const text of [
      'y[t: 5] = x[t] + y[t]',
      'y[t: 5] = x[t] + y?[t - 1] + y?[t + 1]',
      'y[t: 5] = x[t] + y[4 - t]',
      'y[t: 5] = x[t] + sum[s: 5](y[s])',
    ]) {
      const all = equations('input x: f32[5] temp y: f32[5]', text)
      expect(() => order(all)).toThrow(Unordered)
      expect(() => order(all)).toThrow('y')
    }
  })

  test('a bounded dim is no time', () => {
    const all = equations(
      'input x: f32[batch] temp y: f32[batch]',
      'y[n: batch] = x[n] + y?[n - 1]',
    )
    expect(() => order(all)).toThrow(Unordered)
  })
})
