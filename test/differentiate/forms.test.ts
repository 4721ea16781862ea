/** Every form of equation against central differences, and the structure of its adjoint where that matters. */
import { describe, expect, test } from 'vitest'
import { dce } from '../../compiler/passes/dce.ts'
import { simplify } from '../../compiler/passes/simplify.ts'
import { checkGradients, equationsOf } from './check.ts'

const passes = [simplify, dce]

const gradient = (text: string, options: Parameters<typeof checkGradients>[1] = {}): string[] =>
  equationsOf(checkGradients(text, { passes, ...options }))

/** The equation that defines a tensor. */
const of = (equations: readonly string[], name: string): string | undefined =>
  equations.find((line) => line.startsWith(`${name}[`) || line.includes(` ${name}[`))

describe('contractions', () => {
  test('a dense layer', () => {
    const equations = gradient(`
      input x: f32[5, 3]
      param W: f32[3, 4]
      param b: f32[4]
      y[n: 5, o: 4] = sum[i: 3](x[n, i] * W[i, o]) + b[o]
      loss[] = sum[n: 5, o: 4](y[n, o] * y[n, o])`)
    expect(of(equations, 'd_W')).toBe('d_W[i: 3, o: 4] = sum[n: 5](x[n, i] * d_y[n, o])')
    expect(of(equations, 'd_b')).toBe('d_b[o: 4] = sum[n: 5](d_y[n, o])')
    expect(of(equations, 'd_y')).toBe('d_y[n: 5, o: 4] = 2.0 * y[n, o]')
  })
  test('both operands are parameters', () => {
    gradient(`
      param A: f32[2, 3]
      param B: f32[3, 4]
      y[n: 2, o: 4] = sum[i: 3](A[n, i] * B[i, o])
      loss[] = sum[n: 2, o: 4](sin(y[n, o]))`)
  })
  test('a bilinear form', () => {
    gradient(`
      input x: f32[4]
      param A: f32[4, 4]
      param v: f32[4]
      loss[] = sum[i: 4, j: 4](v[i] * A[i, j] * x[j] * v[j])`)
  })
  test('a layer with its nonlinearity in one equation', () => {
    const equations = gradient(`
      input x: f32[5, 3]
      param W: f32[3, 4]
      param b: f32[4]
      y[n: 5, o: 4] = tanh(sum[i: 3](x[n, i] * W[i, o]) + b[o])
      loss[] = sum[n: 5, o: 4](y[n, o] * y[n, o])`)
    expect(equations.filter((line) => line.includes('tanh(')).length).toBe(1)
  })
})

describe('convolutions', () => {
  test('same padding', () => {
    const equations = gradient(`
      param x: f32[2, 5, 2]
      param F: f32[3, 2, 3]
      y[n: 2, h: 5, k: 3] = sum[r: 3, c: 2](x?[n, h + r - 1, c] * F[r, c, k])
      loss[] = sum[n: 2, h: 5, k: 3](y[n, h, k] * y[n, h, k])`)
    expect(equations.some((line) => line.startsWith('scatter'))).toBe(false)
    expect(of(equations, 'd_x')).toBe(
      'd_x[n: 2, h: 5, c: 2] = sum[k: 3, r: 3](d_y?[n, h - r + 1, k] * F[r, c, k])',
    )
  })
  test('valid', () => {
    const equations = gradient(`
      param x: f32[7]
      param F: f32[3]
      y[h: 5] = sum[r: 3](x[h + r] * F[r])
      loss[] = sum[h: 5](y[h] * y[h] * y[h])`)
    expect(equations.some((line) => line.startsWith('scatter'))).toBe(false)
  })
  test('strided', () => {
    const equations = gradient(`
      param x: f32[9, 2]
      param F: f32[3, 2]
      y[h: 4] = sum[r: 3, c: 2](x[2 * h + r, c] * F[r, c])
      loss[] = sum[h: 4](y[h] * y[h])`)
    expect(equations.some((line) => line.startsWith('scatter'))).toBe(false)
  })
  test('two dimensions, strided, padded', () => {
    gradient(`
      param x: f32[6, 7]
      param F: f32[3, 3]
      y[h: 3, w: 4] = sum[r: 3, s: 3](x?[2 * h + r - 1, 2 * w + s - 1] * F[r, s])
      loss[] = sum[h: 3, w: 4](y[h, w] * y[h, w])`)
  })
  test('dilated and reversed', () => {
    gradient(`
      param x: f32[9]
      param F: f32[3]
      y[h: 5] = sum[r: 3](x[h + 2 * r] * F[2 - r])
      loss[] = sum[h: 5](y[h] * y[h])`)
  })
})

describe('pooling', () => {
  test('max, windows that do not overlap', () => {
    const equations = gradient(`
      param x: f32[2, 6, 7]
      y[n: 2, h: 3, w: 3] = max[r: 2, s: 2](x[n, 2 * h + r, 2 * w + s])
      loss[] = sum[n: 2, h: 3, w: 3](y[n, h, w] * y[n, h, w])`)
    expect(of(equations, 'd_x')).not.toContain('sum')
  })
  test('max, windows that overlap', () => {
    gradient(`
      param x: f32[8]
      y[h: 6] = max[r: 3](x[h + r])
      loss[] = sum[h: 6](y[h] * y[h])`)
  })
  test('mean', () => {
    const equations = gradient(`
      param x: f32[8]
      y[h: 4] = sum[r: 2](x[2 * h + r]) / 2.0
      loss[] = sum[h: 4](y[h] * y[h])`)
    expect(of(equations, 'd_x')).toBe('d_x[h: 8] = d_y[h / 2] / 2.0')
  })
  test('global max and min', () => {
    gradient(`
      param x: f32[3, 4]
      loss[] = max[i: 3, j: 4](x[i, j]) * min[k: 3, l: 4](x[k, l])`)
  })
})

describe('positions', () => {
  test('an embedding stays a scatter', () => {
    const equations = gradient(`
      input ids: i32[6] range 4
      param table: f32[4, 3]
      e[t: 6, d: 3] = table[ids[t], d]
      loss[] = sum[t: 6, d: 3](e[t, d] * e[t, d])`)
    expect(of(equations, 'd_table')).toBe('scatter [t: 6, d: 3] d_table[ids[t], d] += d_e[t, d]')
  })
  test('a label becomes a comparison', () => {
    const equations = gradient(`
      input label: i32[5] range 3
      param x: f32[5, 3]
      loss[] = sum[n: 5](sin(x[n, label[n]]))`)
    expect(equations.some((line) => line.startsWith('scatter'))).toBe(false)
  })
  test('transposed, diagonal, constant, reversed', () => {
    gradient(`
      param x: f32[4, 4]
      t[i: 4, j: 4] = x[j, i] * x[i, i]
      loss[] = sum[i: 4, j: 4](t[i, j] * t[i, j]) + x[2, 1] * x[3, 0] + sum[k: 4](x[3 - k, k] * x[k, 0])`)
  })
  test('a slice and a shifted slice', () => {
    const equations = gradient(`
      param x: f32[7]
      a[h: 4] = x[h + 2]
      b[h: 3] = x[h]
      loss[] = sum[h: 4](a[h] * a[h]) + sum[k: 3](b[k] * b[k])`)
    expect(equations.some((line) => line.startsWith('scatter'))).toBe(false)
  })
  test('a flattening and its inverse', () => {
    const equations = gradient(`
      param x: f32[2, 3, 4, 2]
      f[n: 2, k: 24] = x[n, k / 8, k / 2 % 4, k % 2]
      g[n: 2, i: 6, j: 4] = f[n, 4 * i + j]
      loss[] = sum[n: 2, i: 6, j: 4](g[n, i, j] * g[n, i, j])`)
    expect(equations.some((line) => line.startsWith('scatter'))).toBe(false)
    expect(of(equations, 'd_x')).not.toContain('sum')
  })
  test('an enlargement by repetition', () => {
    gradient(`
      param x: f32[3]
      y[h: 7] = x[h / 3]
      loss[] = sum[h: 7](y[h] * y[h] * 0.5)`)
  })
  test('a product of indices is a scatter', () => {
    gradient(`
      param x: f32[7]
      loss[] = sum[i: 3, j: 4](sin(x[i * j]))`)
  })
  test('a guarded read at data, and a clamped one', () => {
    gradient(
      `
      input ids: i32[5]
      param x: f32[4]
      param w: f32[5]
      loss[] = sum[t: 5](sin(x?[ids[t]] * w[t])) + sum[u: 5](x[ids[u]] * w[u])`,
      { inputs: { ids: [-1, 0, 3, 4, 9] } },
    )
  })
  test('a one-hot gather at clamped data', () => {
    gradient(
      `
      input ids: i32[5]
      param x: f32[5, 3]
      loss[] = sum[t: 5](x[t, ids[t]] * x[t, 0])`,
      { inputs: { ids: [-1, 0, 1, 2, 9] } },
    )
  })
  test('positions with a minus sign and a sum of two unknowns', () => {
    gradient(`
      param x: f32[7, 9]
      loss[] = sum[i: 4, j: 4](sin(x[i + j, 3 + i - j]))`)
  })
})

describe('broadcasting and reuse', () => {
  test('a bias over two dims', () => {
    gradient(`
      param x: f32[2, 3]
      param b: f32[3]
      param s: f32[]
      y[n: 2, o: 3] = (x[n, o] + b[o]) * s[]
      loss[] = sum[n: 2, o: 3](y[n, o] * y[n, o])`)
  })
  test('one value used many times', () => {
    gradient(`
      param x: f32[3]
      h[i: 3] = sin(x[i])
      k[i: 3] = h[i] * h[i] + h[2 - i]
      loss[] = sum[i: 3](h[i] * k[i] + x[i]) * h[0]`)
  })
  test('a parameter without use has a zero gradient', () => {
    const equations = gradient(`
      param x: f32[3]
      param unused: f32[2, 2]
      loss[] = sum[i: 3](x[i])`)
    expect(of(equations, 'd_unused')).toMatch(/= 0\.0$/)
  })
  test('the loss is itself used', () => {
    gradient(`
      param x: f32[3]
      loss[] = sum[i: 3](x[i] * x[i])`)
  })
  test('a bounded dim, in part', () => {
    gradient(
      `
      dim batch <= 6
      input x: f32[batch, 3]
      input label: i32[batch] range 4
      param W: f32[3, 4]
      z[n: batch, o: 4] = sum[i: 3](x[n, i] * W[i, o])
      m[n: batch] = max[o: 4](z[n, o])
      e[n: batch, o: 4] = exp(z[n, o] - stopgrad(m[n]))
      s[n: batch] = sum[o: 4](e[n, o])
      loss[] = sum[n: batch](log(s[n]) + stopgrad(m[n]) - z[n, label[n]]) / f32(count(batch))`,
      { counts: { batch: 4 } },
    )
  })
})

describe('reductions', () => {
  test('softmax and cross entropy in one equation', () => {
    const equations = gradient(`
      input label: i32[5] range 3
      param x: f32[5, 3]
      loss[] = sum[n: 5](log(sum[c: 3](exp(x[n, c]))) - x[n, label[n]]) / 5.0`)
    expect(equations.filter((line) => line.includes('exp(')).length).toBe(1)
    expect(of(equations, 'd_x')).not.toContain('log')
  })
  test('softmax by parts', () => {
    gradient(`
      param x: f32[5, 3]
      m[n: 5] = max[c: 3](x[n, c])
      e[n: 5, c: 3] = exp(x[n, c] - m[n])
      p[n: 5, c: 3] = e[n, c] / sum[k: 3](e[n, k])
      loss[] = sum[n: 5, c: 3](p[n, c] * sin(x[n, c]))`)
  })
  test('prod, with a zero among the elements', () => {
    gradient(`
      param x: f32[4]
      loss[] = prod[i: 4](x[i] - 0.5)`)
    gradient(
      `
      param x: f32[2, 3]
      y[n: 2] = prod[i: 3](select(x[n, i]) * x[n, i])
      loss[] = sum[n: 2](y[n])`.replace('select(x[n, i]) *', 'where(i == 1, 0.0, x[n, i]) +'),
    )
  })
  test('nested reductions', () => {
    gradient(`
      param x: f32[3, 4]
      loss[] = sum[i: 3](sqrt(sum[j: 4](x[i, j] * x[i, j]) + 0.1) * max[k: 4](sin(x[i, k])))`)
  })
  test('layer norm in few lines', () => {
    gradient(`
      param x: f32[3, 4]
      param g: f32[4]
      u[n: 3] = sum[i: 4](x[n, i]) / 4.0
      v[n: 3] = sum[i: 4](pow(x[n, i] - u[n], 2.0)) / 4.0
      y[n: 3, i: 4] = g[i] * (x[n, i] - u[n]) / sqrt(v[n] + 0.001)
      loss[] = sum[n: 3, i: 4](sin(y[n, i]))`)
  })
  test('attention', () => {
    gradient(`
      param q: f32[3, 2]
      param k: f32[4, 2]
      param v: f32[4, 2]
      s[i: 3, j: 4] = sum[d: 2](q[i, d] * k[j, d])
      p[i: 3, j: 4] = exp(s[i, j]) / sum[l: 4](exp(s[i, l]))
      o[i: 3, d: 2] = sum[j: 4](p[i, j] * v[j, d])
      loss[] = sum[i: 3, d: 2](o[i, d] * o[i, d])`)
  })
  test('a scatter forward', () => {
    gradient(`
      input ids: i32[5] range 3
      param x: f32[5]
      h: [3] scatter [t: 5] h[ids[t]] += x[t] * x[t]
      loss[] = sum[k: 3](h[k] * h[k])`)
  })
})
