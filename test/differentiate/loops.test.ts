/**
 * Recurrences: the gradients through time against central differences, before and after the other passes, and the
 * equations of the backward loop where a person would write them down.
 */
import { describe, expect, test } from 'vitest'
import { order } from '../../compiler/ir/recurrence.ts'
import { cse } from '../../compiler/passes/cse.ts'
import { dce } from '../../compiler/passes/dce.ts'
import { inline } from '../../compiler/passes/inline.ts'
import { simplify } from '../../compiler/passes/simplify.ts'
import { checkGradients, equationsOf } from './check.ts'

type Options = Parameters<typeof checkGradients>[1]

const passes = [simplify, cse, inline, dce]

/** The equations after all passes. */
function gradient(text: string, options: Options = {}): string[] {
  checkGradients(text, options)
  return equationsOf(checkGradients(text, { passes, ...options }))
}

const backward = (equations: readonly string[]): string[] =>
  equations.filter((line) => /^(scatter .*\] )?d_/.test(line))

describe('recurrent layers', () => {
  test('rnn', () => {
    const equations = gradient(`
      dim batch <= 2
      input x: f32[batch, 5, 3]
      param Wx: f32[3, 4]
      param Wh: f32[4, 4]
      param b: f32[4]
      h_prev[n: batch, t: 5, k: 4] = h?[n, t - 1, k]
      h[n: batch, t: 5, j: 4] = tanh(sum[i: 3](x[n, t, i] * Wx[i, j]) + sum[k: 4](h_prev[n, t, k] * Wh[k, j]) + b[j])
      loss[] = sum[n: batch, t: 5, j: 4](h[n, t, j] * h[n, t, j])`)
    expect(backward(equations)).toEqual([
      'd_h_add[n: batch, t: 5, j: 4] = (2.0 * h[n, t, j] + d_h_prev?[n, t + 1, j]) * (1.0 - h[n, t, j] * h[n, t, j])',
      'd_h_prev[n: batch, t: 5, k: 4] = sum[j: 4](d_h_add[n, t, j] * Wh[k, j])',
      'd_Wx[i: 3, j: 4] = sum[n: batch, t: 5](x[n, t, i] * d_h_add[n, t, j])',
      'd_Wh[k: 4, j: 4] = sum[n: batch, t: 5](h_prev[n, t, k] * d_h_add[n, t, j])',
      'd_b[j: 4] = sum[n: batch, t: 5](d_h_add[n, t, j])',
    ])
  })

  test('lstm: no function is evaluated again on the way back, and no gate takes the place of another', () => {
    const equations = gradient(
      `
      dim batch <= 3
      input x: f32[batch, 5, 3]
      param Wx: f32[3, 16]
      param Wh: f32[4, 16]
      param b: f32[16]
      h_prev[n: batch, t: 5, k: 4] = h?[n, t - 1, k]
      c_prev[n: batch, t: 5, k: 4] = c?[n, t - 1, k]
      z[n: batch, t: 5, j: 16] = sum[i: 3](x[n, t, i] * Wx[i, j]) + sum[k: 4](h_prev[n, t, k] * Wh[k, j]) + b[j]
      c[n: batch, t: 5, j: 4] = sigmoid(z[n, t, j + 4]) * c_prev[n, t, j] + sigmoid(z[n, t, j]) * tanh(z[n, t, j + 8])
      h[n: batch, t: 5, j: 4] = sigmoid(z[n, t, j + 12]) * tanh(c[n, t, j])
      loss[] = sum[n: batch, t: 5, j: 4](h[n, t, j] * h[n, t, j]) / f32(count(batch))`,
      { counts: { batch: 2 } },
    )
    const back = backward(equations)
    expect(back.filter((line) => /sigmoid\(|tanh\(|exp\(/.test(line))).toEqual([])
    expect(back).toEqual([
      'd_h[n: batch, t: 5, j: 4] = 2.0 * h[n, t, j] / f32(count(batch)) + d_h_prev?[n, t + 1, j]',
      'd_c[n: batch, t: 5, j: 4] = h_sigmoid[n, t, j] * d_h[n, t, j] * (1.0 - h_tanh[n, t, j] * h_tanh[n, t, j]) + d_c_prev?[n, t + 1, j]',
      'd_z_part[n: batch, t: 5, j: 4] = d_h[n, t, j] * h_tanh[n, t, j] * (h_sigmoid[n, t, j] * (1.0 - h_sigmoid[n, t, j]))',
      'd_z_part2[n: batch, t: 5, j: 4] = c_sigmoid2[n, t, j] * d_c[n, t, j] * (1.0 - c_tanh[n, t, j] * c_tanh[n, t, j])',
      'd_z_part3[n: batch, t: 5, j: 4] = d_c[n, t, j] * c_tanh[n, t, j] * (c_sigmoid2[n, t, j] * (1.0 - c_sigmoid2[n, t, j]))',
      'd_z_part4[n: batch, t: 5, j: 4] = d_c[n, t, j] * c_prev[n, t, j] * (c_sigmoid[n, t, j] * (1.0 - c_sigmoid[n, t, j]))',
      'd_z[n: batch, t: 5, j: 16] = d_z_part?[n, t, j - 12] + d_z_part2?[n, t, j - 8] + d_z_part3?[n, t, j] + d_z_part4?[n, t, j - 4]',
      'd_c_prev[n: batch, t: 5, j: 4] = c_sigmoid[n, t, j] * d_c[n, t, j]',
      'd_h_prev[n: batch, t: 5, k: 4] = sum[j: 16](d_z[n, t, j] * Wh[k, j])',
      'd_Wx[i: 3, j: 16] = sum[n: batch, t: 5](x[n, t, i] * d_z[n, t, j])',
      'd_Wh[k: 4, j: 16] = sum[n: batch, t: 5](h_prev[n, t, k] * d_z[n, t, j])',
      'd_b[j: 16] = sum[n: batch, t: 5](d_z[n, t, j])',
    ])
  })

  test('gru', () => {
    const equations = gradient(`
      input x: f32[2, 4, 3]
      param Wx: f32[3, 12]
      param Wh: f32[4, 12]
      param b: f32[12]
      h_prev[n: 2, t: 4, k: 4] = h?[n, t - 1, k]
      a[n: 2, t: 4, j: 12] = sum[i: 3](x[n, t, i] * Wx[i, j]) + b[j]
      u[n: 2, t: 4, j: 12] = sum[k: 4](h_prev[n, t, k] * Wh[k, j])
      r[n: 2, t: 4, j: 4] = sigmoid(a[n, t, j] + u[n, t, j])
      z[n: 2, t: 4, j: 4] = sigmoid(a[n, t, j + 4] + u[n, t, j + 4])
      q[n: 2, t: 4, j: 4] = tanh(a[n, t, j + 8] + r[n, t, j] * u[n, t, j + 8])
      h[n: 2, t: 4, j: 4] = (1.0 - z[n, t, j]) * q[n, t, j] + z[n, t, j] * h_prev[n, t, j]
      loss[] = sum[n: 2, t: 4, j: 4](h[n, t, j] * h[n, t, j])`)
    expect(backward(equations).filter((line) => /sigmoid\(|tanh\(/.test(line))).toEqual([])
  })

  test('the gradient of the input comes out of the loop', () => {
    const text = `
      param x: f32[2, 4, 3]
      param Wx: f32[3, 2]
      param Wh: f32[2, 2]
      h_prev[n: 2, t: 4, k: 2] = h?[n, t - 1, k]
      xw[n: 2, t: 4, j: 2] = sum[i: 3](x[n, t, i] * Wx[i, j])
      h[n: 2, t: 4, j: 2] = tanh(xw[n, t, j] + sum[k: 2](h_prev[n, t, k] * Wh[k, j]))
      loss[] = sum[n: 2, t: 4, j: 2](h[n, t, j] * h[n, t, j])`
    gradient(text)
    const program = checkGradients(text, { passes })
    const steps = order(program.entries[0]!.stages[0]!.equations)
    const inLoops = steps.flatMap((s) => (s.kind === 'loop' ? [[...s.time.keys()].sort()] : []))
    expect(inLoops).toEqual([
      ['h', 'h_add', 'h_prev'],
      ['d_h_add', 'd_h_prev'],
    ])
    expect(steps.flatMap((s) => (s.kind === 'loop' ? s.down : []))).toEqual([false, true])
  })
})

describe('forms of recurrence', () => {
  test('a learned initial state, and only the last state used', () => {
    const equations = gradient(`
      param h0: f32[3]
      param W: f32[3, 3]
      h_prev[t: 5, k: 3] = where(t == 0, h0[k], h?[t - 1, k])
      h[t: 5, j: 3] = tanh(sum[k: 3](h_prev[t, k] * W[k, j]))
      loss[] = sum[j: 3](h[4, j] * h[4, j])`)
    expect(equations).toContain('d_h0[k: 3] = d_h_prev[0, k]')
  })

  test('from the last step to the first', () => {
    const equations = gradient(`
      input x: f32[2, 4, 3]
      param h0: f32[3]
      param W: f32[3, 3]
      h_prev[n: 2, t: 4, k: 3] = where(t == 3, h0[k], h?[n, t + 1, k])
      h[n: 2, t: 4, j: 3] = tanh(x[n, t, j] + sum[k: 3](h_prev[n, t, k] * W[k, j]))
      loss[] = sum[n: 2, t: 4, j: 3](h[n, t, j] * x[n, t, j])`)
    expect(equations).toContain('d_h0[k: 3] = sum[n: 2](d_h_prev[n, 3, k])')
  })

  test('in both directions, side by side', () => {
    gradient(`
      input x: f32[2, 4, 3]
      param A: f32[3, 3]
      param B: f32[3, 3]
      a_prev[n: 2, t: 4, k: 3] = a?[n, t - 1, k]
      a[n: 2, t: 4, j: 3] = tanh(x[n, t, j] + sum[k: 3](a_prev[n, t, k] * A[k, j]))
      b_prev[n: 2, t: 4, k: 3] = b?[n, t + 1, k]
      b[n: 2, t: 4, j: 3] = tanh(x[n, t, j] + sum[k: 3](b_prev[n, t, k] * B[k, j]))
      y[n: 2, t: 4, j: 6] = a?[n, t, j] + b?[n, t, j - 3]
      loss[] = sum[n: 2, t: 4, j: 6](y[n, t, j] * y[n, t, j] * f32(j + 1))`)
  })

  test('one on top of the other', () => {
    gradient(`
      input x: f32[4, 3]
      param A: f32[3, 3]
      param B: f32[3, 2]
      param C: f32[2, 2]
      a_prev[t: 4, k: 3] = a?[t - 1, k]
      a[t: 4, j: 3] = tanh(x[t, j] + sum[k: 3](a_prev[t, k] * A[k, j]))
      b_prev[t: 4, k: 2] = b?[t + 1, k]
      b[t: 4, j: 2] = tanh(sum[i: 3](a[t, i] * B[i, j]) + sum[k: 2](b_prev[t, k] * C[k, j]))
      loss[] = sum[t: 4, j: 2](b[t, j] * f32(t + 1))`)
  })

  test('nested: each outer step runs an inner loop from the outer value', () => {
    gradient(`
      param h0: f32[2]
      param W: f32[2, 2]
      param v: f32[4, 2]
      h_prev[t: 3, k: 2] = where(t == 0, h0[k], h?[t - 1, k])
      g_prev[t: 3, u: 4, k: 2] = where(u == 0, h_prev[t, k], g?[t, u - 1, k])
      g[t: 3, u: 4, j: 2] = tanh(sum[k: 2](g_prev[t, u, k] * W[k, j]) + v[u, j])
      h[t: 3, j: 2] = 0.5 * h_prev[t, j] + g[t, 3, j]
      loss[] = sum[t: 3, j: 2](h[t, j] * h[t, j])`)
  })

  test('carries of different shapes: a number, a vector, a matrix', () => {
    gradient(`
      input x: f32[4, 3]
      param K: f32[3, 2]
      param decay: f32[]
      s_prev[t: 4] = s?[t - 1]
      m_prev[t: 4, i: 2, j: 3] = m?[t - 1, i, j]
      k[t: 4, i: 2] = sum[a: 3](x[t, a] * K[a, i])
      m[t: 4, i: 2, j: 3] = decay[] * m_prev[t, i, j] + k[t, i] * x[t, j]
      o[t: 4, j: 3] = sum[i: 2](k[t, i] * m[t, i, j])
      s[t: 4] = 0.5 * s_prev[t] + sum[j: 3](o[t, j] * o[t, j]) * sigmoid(s_prev[t])
      loss[] = s[3]`)
  })

  test('padded sequences keep their state beyond the end', () => {
    gradient(
      `
      input x: f32[3, 5, 2]
      input length: i32[3] range 6
      param W: f32[2, 2]
      h_prev[n: 3, t: 5, k: 2] = h?[n, t - 1, k]
      h[n: 3, t: 5, j: 2] = where(t < length[n], tanh(x[n, t, j] + sum[k: 2](h_prev[n, t, k] * W[k, j])), h_prev[n, t, j])
      loss[] = sum[n: 3, j: 2](h[n, 4, j] * h[n, 4, j])`,
      { inputs: { length: [5, 2, 0] } },
    )
  })

  test('a maximum over time', () => {
    gradient(`
      input x: f32[2, 5, 3]
      param W: f32[3, 3]
      h_prev[n: 2, t: 5, k: 3] = h?[n, t - 1, k]
      h[n: 2, t: 5, j: 3] = tanh(x[n, t, j] + sum[k: 3](h_prev[n, t, k] * W[k, j]))
      m[n: 2, j: 3] = max[t: 5](h[n, t, j])
      loss[] = sum[n: 2, j: 3](m[n, j] * m[n, j])`)
  })

  test('a maximum and a product inside', () => {
    gradient(`
      input x: f32[4, 3]
      param W: f32[3, 3]
      h_prev[t: 4, k: 3] = where(t == 0, x[0, k], h?[t - 1, k])
      a[t: 4, j: 3] = max[k: 3](h_prev[t, k] * W[k, j])
      p[t: 4] = prod[k: 3](1.5 + h_prev[t, k])
      h[t: 4, j: 3] = tanh(a[t, j] + x[t, j] + 0.1 * p[t])
      loss[] = sum[t: 4, j: 3](h[t, j] * f32(j + 1))`)
  })

  test('attention to an encoded text at every step', () => {
    gradient(`
      input e: f32[2, 5, 3]
      param Q: f32[3, 3]
      param W: f32[3, 3]
      s_prev[n: 2, t: 4, k: 3] = where(t == 0, e[n, 4, k], s?[n, t - 1, k])
      q[n: 2, t: 4, k: 3] = sum[a: 3](s_prev[n, t, a] * Q[a, k])
      score[n: 2, t: 4, u: 5] = sum[k: 3](q[n, t, k] * e[n, u, k])
      top[n: 2, t: 4] = stopgrad(max[u: 5](score[n, t, u]))
      w[n: 2, t: 4, u: 5] = exp(score[n, t, u] - top[n, t])
      c[n: 2, t: 4, k: 3] = sum[u: 5](w[n, t, u] * e[n, u, k]) / sum[u2: 5](w[n, t, u2])
      s[n: 2, t: 4, j: 3] = tanh(sum[k: 3](c[n, t, k] * W[k, j]) + s_prev[n, t, j])
      loss[] = sum[n: 2, t: 4, j: 3](s[n, t, j] * s[n, t, j])`)
  })

  test('a carry that is read where data says', () => {
    const equations = gradient(
      `
      input k: i32[4] range 3
      param x: f32[4, 3]
      h_prev[t: 4, j: 3] = h?[t - 1, j]
      h[t: 4, j: 3] = tanh(x[t, j] + h_prev[t, k[t]] * h_prev[t, j])
      loss[] = sum[t: 4, j: 3](h[t, j] * h[t, j])`,
      { inputs: { k: [2, 0, 0, 1] } },
    )
    expect(backward(equations).join('\n')).toContain('where(j == k[t], ')
  })

  const many = (read: string): string => `
      input k: i32[4, 5] range 3
      param x: f32[4, 3]
      param v: f32[5]
      h_prev[t: 4, j: 3] = h?[t - 1, j]
      h[t: 4, j: 3] = tanh(x[t, j] + sum[u: 5](v[u] * ${read}) * h_prev[t, j])
      loss[] = sum[t: 4, j: 3](h[t, j] * h[t, j])`
  test.each([
    ['at this time', 'h_prev[t, k[t, u]]'],
    ['one step back', 'h?[t - 1, k[t, u]]'],
  ])(
    'a carry that is read in many places that data says, %s, is a scatter in the backward loop',
    (_, read) => {
      const equations = gradient(many(read))
      expect(backward(equations).filter((line) => line.startsWith('scatter'))).toHaveLength(1)
    },
  )

  test('rows of a table at positions that the loop computes', () => {
    gradient(`
      param E: f32[4, 3]
      param W: f32[3, 4]
      id_prev: i32[t: 5] = where(t == 0, 0, id?[t - 1])
      h_prev[t: 5, k: 3] = h?[t - 1, k]
      h[t: 5, k: 3] = tanh(E[id_prev[t], k] + 0.5 * h_prev[t, k])
      y[t: 5, v: 4] = sum[k: 3](h[t, k] * W[k, v])
      id: i32[t: 5] = argmax[v: 4](y[t, v] + f32((v + t) % 4))
      loss[] = sum[t: 5, v: 4](y[t, v] * y[t, v])`)
  })

  test('two steps back', () => {
    gradient(`
      input x: f32[6]
      param a: f32[]
      param b: f32[]
      h[t: 6] = tanh(x[t] + a[] * h?[t - 1] + b[] * h?[t - 2])
      loss[] = sum[t: 6](h[t] * h[t])`)
  })

  test('a derivative written by hand inside', () => {
    const equations = gradient(`
      param x: f32[4]
      h_prev[t: 4] = h?[t - 1]
      a[t: 4] = x[t] + 0.5 * h_prev[t]
      s[t: 4] = a[t] * a[t]
      h[t: 4] = sin(s[t])
      loss[] = sum[t: 4](h[t] * h[t])
      rule s = square(a) { cotangent temp ds: f32[4] temp da: f32[4] da[t: 4] = 2.0 * a[t] * ds[t] give (da) }`)
    expect(backward(equations).join('\n')).toContain('2.0 * a[t] * ')
  })

  test('a loop that the loss does not depend on stays out of the backward pass', () => {
    const equations = gradient(`
      param w: f32[]
      a[t: 4] = w[] + 0.5 * a?[t - 1]
      b[t: 4] = w[] * b?[t - 1] + 1.0
      loss[] = sum[t: 4](a[t] * a[t])`)
    expect(equations.join('\n')).not.toContain('d_b')
  })
})
