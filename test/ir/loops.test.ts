/** Programs whose equations read each other a step apart: what is accepted, and what they compute. */
import { describe, expect, test } from 'vitest'
import { createState, type RunOptions, run } from '../../compiler/ir/evaluate.ts'
import { parseProgram } from '../../compiler/ir/parse.ts'
import { printProgram } from '../../compiler/ir/print.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { verify } from '../../compiler/ir/verify.ts'

/** One predict entry with the result `y`. */
function programOf(declarations: string, equations: string): Program {
  const inputs = [...declarations.matchAll(/input (\w+)/g)].map((m) => m[1])
  const program = parseProgram(`program "t" dim batch <= 4
    entry predict p(${inputs.join(', ')}) -> y = y { ${declarations} stage { ${equations} } }`)
  verify(program, 'test')
  return program
}

function evaluate(declarations: string, equations: string, options: RunOptions = {}): number[] {
  const program = programOf(declarations, equations)
  return [...run(program, 'p', createState(program), options).outputs.y!]
}

describe('values', () => {
  test('a running sum', () => {
    const y = evaluate('input x: f32[4] temp y: f32[4]', 'y[t: 4] = x[t] + y?[t - 1]', {
      inputs: { x: [1, 2, 3, 4] },
    })
    expect(y).toEqual([1, 3, 6, 10])
  })

  test('a running sum from the end', () => {
    const y = evaluate('input x: f32[4] temp y: f32[4]', 'y[t: 4] = x[t] + y?[t + 1]', {
      inputs: { x: [1, 2, 3, 4] },
    })
    expect(y).toEqual([10, 9, 7, 4])
  })

  test('two values that carry each other, and one after the loop', () => {
    const y = evaluate(
      'temp a: i32[8] temp b: i32[8] temp y: i32[8]',
      `a[t: 8] = where(t == 0, 1, b?[t - 1])
       b[s: 8] = a[s] + a?[s - 1]
       y[u: 8] = b[u] * 10 + a[u]`,
    )
    expect(y).toEqual([11, 21, 32, 53, 85, 138, 223, 361])
  })

  test('a matrix power by repeated products, for the rows that there are', () => {
    const y = evaluate(
      `input x: f32[batch, 2] input W: f32[2, 2]
       temp h_prev: f32[batch, 3, 2] temp h: f32[batch, 3, 2] temp y: f32[batch, 2]`,
      `h_prev[n: batch, t: 3, k: 2] = where(t == 0, x[n, k], h?[n, t - 1, k])
       h[n: batch, t: 3, j: 2] = sum[k: 2](h_prev[n, t, k] * W[k, j])
       y[n: batch, j: 2] = h[n, 2, j]`,
      { inputs: { x: [1, 0, 0, 1], W: [1, 1, 1, 0] }, counts: { batch: 2 } },
    )
    expect(y).toEqual([3, 2, 2, 1])
  })

  test('a loop in a loop, in opposite directions', () => {
    // Inside, g counts down from the outer value; outside, f adds up what the inner loop ends with.
    const y = evaluate(
      'temp f: i32[3] temp g: i32[3, 4] temp y: i32[3]',
      `f[t: 3] = g[t, 0] + 1
       g[t: 3, u: 4] = where(u == 3, f?[t - 1], g?[t, u + 1]) + u
       y[t: 3] = f[t]`,
    )
    expect(y).toEqual([7, 14, 21])
  })

  test('a scatter at the time of its loop', () => {
    // Counts of what has been seen, before each step.
    const y = evaluate(
      'input k: i32[4] range 3 temp seen: f32[4, 3] temp old: f32[4, 3] temp one: f32[4, 3] temp y: f32[4, 3]',
      `scatter [t: 4] one[t, k[t]] += 1.0 + old[t, 0]
       old[t: 4, c: 3] = seen?[t - 1, c]
       seen[t: 4, c: 3] = old[t, c] + one[t, c]
       y[t: 4, c: 3] = seen[t, c]`,
      { inputs: { k: [0, 1, 0, 2] } },
    )
    expect(y).toEqual([1, 0, 0, 1, 2, 0, 3, 2, 0, 3, 2, 4])
  })

  test('the order in the list of a loop does not matter, and each run starts anew', () => {
    const program = programOf(
      'input x: f32[3] temp a: f32[3] temp b: f32[3] temp y: f32[3]',
      'a[t: 3] = b[t] + x[t]  b[t: 3] = 2.0 * a?[t - 1]  y[t: 3] = a[t]',
    )
    const state = createState(program)
    const first = run(program, 'p', state, { inputs: { x: [1, 1, 1] } }).outputs.y!
    const second = run(program, 'p', state, { inputs: { x: [1, 0, 0] } }).outputs.y!
    expect([...first]).toEqual([1, 3, 7])
    expect([...second]).toEqual([1, 2, 4])
  })

  test('the text of a recurrence reads back as it was', () => {
    const program = programOf(
      'input x: f32[3] temp y: f32[3]',
      'y[t: 3] = x[t] * where(t == 0, 1.0, y?[t - 1])',
    )
    const text = printProgram(program)
    expect(printProgram(parseProgram(text))).toBe(text)
  })
})

describe('refused', () => {
  const refused = (declarations: string, equations: string, message: string): void => {
    expect(() => programOf(declarations, equations)).toThrow(message)
  }
  test('a cycle within one step', () => {
    refused(
      'temp a: f32[3] temp y: f32[3]',
      'a[t: 3] = y[t] + 1.0  y[t: 3] = a[t]',
      'no order for a, y, which read each other',
    )
  })
  test('a step back and a step on', () => {
    refused(
      'temp a: f32[3] temp y: f32[3]',
      'a[t: 3] = y?[t - 1]  y[t: 3] = a?[t + 1]',
      'no order for a, y',
    )
  })
  test('along a bounded dim', () => {
    refused('temp y: f32[batch]', 'y[n: batch] = y?[n - 1] + 1.0', 'no order for y')
  })
  test('at a time from data', () => {
    refused('input k: i32[3] range 3 temp y: f32[3]', 'y[t: 3] = y[k[t]] + 1.0', 'no order for y')
  })
})

test('what is not in a loop may stand in any order too', () => {
  const y = evaluate(
    'temp a: f32[3] temp y: f32[3]',
    'y[t: 3] = a[t]  a[t: 3] = where(t == 0, 0.0, a?[t - 1]) + 1.0',
  )
  expect(y).toEqual([1, 2, 3])
})
