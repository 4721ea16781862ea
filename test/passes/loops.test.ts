/** Passes over equations that read each other in a loop. */
import { expect, test } from 'vitest'
import { createState, run } from '../../compiler/ir/evaluate.ts'
import { parseProgram } from '../../compiler/ir/parse.ts'
import { printProgram } from '../../compiler/ir/print.ts'
import { verify } from '../../compiler/ir/verify.ts'
import { cse } from '../../compiler/passes/cse.ts'
import { dce } from '../../compiler/passes/dce.ts'
import { inline } from '../../compiler/passes/inline.ts'
import type { Pass } from '../../compiler/passes/pass.ts'
import { simplify } from '../../compiler/passes/simplify.ts'

/** The equations after the passes, whose result is that before them. `y` is the output. */
function after(passes: readonly Pass[], text: string): string[] {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
  const temps = lines.map((line) => {
    const [, name, indices] = /^(\w+)\[([^\]]*)\]/.exec(line)!
    const extents = indices!.split(',').map((part) => part.split(':')[1]?.trim() ?? '')
    return `temp ${name}: f32[${extents.filter(Boolean).join(', ')}]`
  })
  const program = parseProgram(
    `program "loops" param W: f32[3, 3] entry predict p(x) -> y = y { input x: f32[4, 3] ${temps.join('\n')}
    stage { ${lines.join('\n')} } }`,
  )
  verify(program, 'parse')
  let result = program
  for (const pass of passes) {
    result = pass.run(result)
    verify(result, pass.name)
  }
  const values = [program, result].map((p) => {
    const state = createState(p)
    state.tensors.get('W')!.set([0.5, -0.25, 1, 0.75, 0.5, -1, 0.25, 0.125, -0.5])
    const x = Array.from({ length: 12 }, (_, k) => ((k * 5) % 7) / 4 - 0.5)
    return run(p, 'p', state, { inputs: { x } }).outputs.y!
  })
  values[0]!.forEach((value, k) => {
    expect(values[1]![k]).toBeCloseTo(value, 12)
  })
  return printProgram(result)
    .split('\n')
    .filter((line) => /^ {4}\S.* =/.test(line))
    .map((line) => line.trim())
}

test('dce drops a whole loop, keeps what only a loop reads, and the order', () => {
  const equations = after(
    [dce],
    `u[t: 4, j: 3] = x[t, j] * 2.0
     a_prev[t: 4, j: 3] = a?[t - 1, j]
     b_prev[t: 4, j: 3] = b?[t - 1, j]
     a[t: 4, j: 3] = a_prev[t, j] + u[t, j]
     b[t: 4, j: 3] = b_prev[t, j] + 1.0
     y[j: 3] = a[3, j]`,
  )
  expect(equations.map((line) => line.split('[')[0])).toEqual(['u', 'a_prev', 'a', 'y'])
})

test('cse shares what turns out equal only behind a reader earlier in the list', () => {
  const equations = after(
    [cse],
    `a_prev[t: 4, j: 3] = a?[t - 1, j]
     b_prev[t: 4, j: 3] = b?[t - 1, j]
     a[t: 4, j: 3] = 0.5 * a_prev[t, j] + x[t, j]
     b[t: 4, j: 3] = 0.5 * a_prev[t, j] + x[t, j]
     y[t: 4, j: 3] = a[t, j] * b_prev[t, j]`,
  )
  expect(equations).toEqual([
    'a_prev[t: 4, j: 3] = a?[t - 1, j]',
    'a[t: 4, j: 3] = 0.5 * a_prev[t, j] + x[t, j]',
    'y[t: 4, j: 3] = a[t, j] * a_prev[t, j]',
  ])
})

test('cse gives a sum written twice in a loop an equation in the loop', () => {
  const equations = after(
    [cse],
    `h_prev[t: 4, k: 3] = h?[t - 1, k]
     g[t: 4, j: 3] = sigmoid(sum[k: 3](h_prev[t, k] * W[k, j]))
     h[t: 4, j: 3] = x[t, j] + g[t, j] * sum[k: 3](h_prev[t, k] * W[k, j])
     y[j: 3] = h[3, j]`,
  )
  expect(equations).toEqual([
    'h_prev[t: 4, k: 3] = h?[t - 1, k]',
    'g_sum[t: 4, j: 3] = sum[k: 3](h_prev[t, k] * W[k, j])',
    'g[t: 4, j: 3] = sigmoid(g_sum[t, j])',
    'h[t: 4, j: 3] = x[t, j] + g[t, j] * g_sum[t, j]',
    'y[j: 3] = h[3, j]',
  ])
})

test('inline takes chains together within one step, and never around the loop', () => {
  const equations = after(
    [inline],
    `a[t: 4, j: 3] = x[t, j] * 2.0
     h_prev[t: 4, j: 3] = h?[t - 1, j]
     b[t: 4, j: 3] = 0.5 * h_prev[t, j]
     h[t: 4, j: 3] = tanh(a[t, j] + b[t, j])
     y[t: 4, j: 3] = h[t, j]`,
  )
  expect(equations).toEqual([
    'h[t: 4, j: 3] = tanh(2.0 * x[t, j] + 0.5 * h?[t - 1, j])',
    'y[t: 4, j: 3] = h[t, j]',
  ])
})

test('inline leaves the carried value out of a product', () => {
  const text = `h_prev[t: 4, k: 3] = h?[t - 1, k]
     s[t: 4] = sum[k: 3](h_prev[t, k] * x[t, k])
     h[t: 4, k: 3] = tanh(s[t] + x[t, k])
     y[t: 4, j: 3] = h[t, j]`
  expect(after([inline], text)).toContain('h_prev[t: 4, k: 3] = h?[t - 1, k]')
})

test('a loop of one equation that reads itself alone is not taken for unused', () => {
  const equations = after(
    [simplify, cse, inline, dce],
    `a[t: 4] = 0.5 * a?[t - 1] + x[t, 0]
     y[j: 3] = a[3] + x[0, j]`,
  )
  expect(equations).toHaveLength(2)
})
