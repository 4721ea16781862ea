/**
 * Positions: guarded reads in every dimension, data-dependent reads and writes, affine ones that step backwards, and
 * bounded dims at every count, from the largest down so that rows of earlier calls still lie in memory.
 *
 * Tolerance: (4 + √n / 2) units of the sum of absolute terms for sums of n terms; what is only moved is exact.
 */
import { describe, expect, test } from 'vitest'
import { builds, type Counts, Instance, type Tolerance } from './module.ts'
import { backward, forward, type Small, sizes, valuesOf } from './pattern.ts'

const prime = 1009
const exact: Tolerance = { ulps: 0, scale: 'tensor' }
const sumOf = (n: number): Tolerance => ({ ulps: 4 + Math.sqrt(n) / 2, scale: 'terms' })

function check(
  small: Small,
  tolerance: Tolerance,
  gradient = false,
  counts: Counts[] = [{}],
): void {
  const program = gradient ? backward(small) : forward(small)
  const entry = gradient ? 't' : 'p'
  for (const build of builds) {
    const instance = new Instance(program, build, small.equations.join('; '))
    for (const [k, some] of counts.entries()) {
      const { inputs, params } = valuesOf(program, entry, 31 + k)
      instance.set(params)
      instance.compare(entry, inputs, some, tolerance)
    }
  }
}

describe.each([...sizes, prime])('size %i', (n) => {
  const m = n === prime ? 3 : n
  test('guarded reads', () => {
    check(
      {
        inputs: { x: `f32[${m}, ${n}]`, v: `f32[${n}]`, k: `i32[${n}]`, t: `bool[${n}]` },
        equations: [
          `a[i: ${m}, j: ${n}] = x?[i - 1, j]`,
          `b[i: ${m}, j: ${n}] = x?[i, j + 1]`,
          `c[i: ${m}, j: ${n}] = x?[i + 2, j - 3]`,
          `d[j: ${n}] = v?[${n} - j]`,
          `e[j: ${n + 6}] = v?[j - 3]`,
          `f[j: ${n}] = v?[2 * j - 1]`,
          `i32 g[j: ${n}] = k?[j + 1]`,
          `bool h[j: ${n}] = t?[j - 1]`,
          `l[j: ${n}] = v?[k[j]]`,
          `o[j: ${n}, i: ${m}] = x?[i - 1, j + 1]`,
        ],
      },
      exact,
    )
  })
  test('sums of guarded reads, and their gradients', () => {
    const shapes = { x: `f32[${m}, ${n}]`, w: 'f32[3]' }
    const bodies = [
      `y[i: ${m}, j: ${n}] = sum[r: 3](x?[i, j + r - 1] * w[r])`,
      `y[i: ${m}, j: ${n}] = sum[r: 3](x?[i + r - 1, j] * w[r])`,
      `y[j: ${n}] = sum[i: ${m}, r: 3](x?[i + r - 1, j - r] * w[r])`,
    ]
    for (const body of bodies) {
      const small: Small = { inputs: {}, params: shapes, equations: [body] }
      check(small, sumOf(3 * m))
      check(small, sumOf(3 * n * m), true)
    }
  })
  test('digits of one position', () => {
    // The last dim first, two and three of them, out of order, of a sum, and some that are no number together.
    const size = n * m * 3
    const inputs = { x: `f32[${n}, ${m}, 3]`, q: `f32[${n}, ${m}]` }
    check(
      {
        inputs,
        equations: [
          `a[i: ${size}] = x[i / ${3 * m}, i / 3 % ${m}, i % 3]`,
          `b[h: ${n}, i: ${3 * m}] = x[h, i / 3, i % 3]`,
          `c[i: ${3 * n}] = x[i / 3, ${m - 1}, i % 3]`,
          `d[i: ${n * m}] = q[i / ${m}, i % ${m}]`,
          `g[i: ${n * m}] = q[i % ${n}, i / ${n}]`,
          `e[i: ${n}, j: ${m}] = x[(${m} * i + j) / ${m}, (i + j) % ${m}, 2 - (i + j) % 3]`,
          `f[i: ${size + 7}] = x?[(i - 4) / ${3 * m}, (i - 4) / 3 % ${m}, (i - 4) % 3]`,
        ],
      },
      exact,
    )
    const params = { w: `f32[${n}, ${m}]`, v: `f32[${n * m}, 2]` }
    const product = `y[o: 2] = sum[i: ${n * m}](w[i / ${m}, i % ${m}] * v[i, o])`
    check({ inputs: {}, params, equations: [product] }, sumOf(n * m), true)
  })
  test('data-dependent reads, and their gradients', () => {
    const inputs = { ids: `i32[${m}] range ${n}`, deep: 'i32[2, 3] range 2' }
    const params = { table: `f32[${n}, 5]`, wide: `f32[2, ${n}]` }
    const equations = [
      `e[t: ${m}, d: 5] = table[ids[t], d]`,
      `f[t: ${m}, j: ${n}] = wide[deep[t % 2, t % 3], j]`,
      `g[t: ${m}] = wide[1, ids[t]]`,
      `o[t: ${m}, c: ${n}] = where(ids[t] == c, 1.0, 0.0)`,
    ]
    check({ inputs, params, equations }, exact)
    for (const equation of equations.slice(0, 3)) {
      check({ inputs, params, equations: [equation] }, sumOf(m * n), true)
    }
  })
  test('scatters', () => {
    check(
      {
        inputs: { ids: `i32[${m}] range 4`, x: `f32[${m}, ${n}]`, k: `i32[${m}]` },
        targets: {
          a: `f32[4, ${n}]`,
          b: 'f32[4]',
          c: `f32[${n}, 4]`,
          d: 'i32[4]',
          e: `f32[${2 * n}]`,
        },
        equations: [
          `scatter [t: ${m}, d: ${n}] a[ids[t], d] += x[t, d]`,
          `scatter [t: ${m}, d: ${n}] b[ids[t]] += x[t, d]`,
          `scatter [t: ${m}, d: ${n}] c[d, ids[t]] += x[t, d]`,
          `scatter [t: ${m}] d[ids[t]] += k[t]`,
          `scatter [t: ${m}, d: ${n}] e[2 * d] += x[t, d]`,
        ],
      },
      sumOf(m * n),
    )
  })
})

test('a position that the same kernel computed is that of its own lane', () => {
  const small: Small = {
    inputs: { x: 'f32[13, 5]', k: 'i32[13]', v: 'f32[7]' },
    equations: [
      'i32 best[i: 13] = argmax[j: 5](x[i, j])',
      'a[i: 13] = v[best[i] + 1]',
      'i32 near[i: 13] = min(max(k[i] * 2, 0), 6)',
      'b[i: 13] = v[near[i]] + v?[near[i] - best[i]]',
      'i32 c[i: 13] = (best[i] + 3) / (near[i] + 1)',
    ],
  }
  check(small, { ulps: 1, scale: 'tensor' })
})

test('positions out of range are clamped, as the evaluator does', () => {
  const program = forward({
    inputs: { k: 'i32[9]', v: 'f32[5]', x: 'f32[5, 3]' },
    equations: ['a[i: 9] = v[k[i]]', 'b[i: 9, j: 3] = x[k[i] * 2, j]', 'c[i: 9] = x[2, k[i]]'],
  })
  for (const build of builds) {
    const { inputs } = valuesOf(program, 'p', 5)
    const k = [-(2 ** 31), -7, -1, 0, 2, 4, 5, 9, 2 ** 31 - 1]
    new Instance(program, build).compare('p', { ...inputs, k }, {}, exact)
  }
})

describe.each([1, 2, 3, 5, 8, 13, 33])('a dim bounded by %i, at every count', (max) => {
  const counts = Array.from({ length: max }, (_, k) => ({ batch: max - k }))
  const dims = { batch: max }
  test('elements and rows', () => {
    check(
      {
        dims,
        inputs: { x: 'f32[batch, 7]', ids: 'i32[batch] range 5', v: 'f32[batch]' },
        equations: [
          'a[n: batch, i: 7] = max(x[n, i], 0.0)',
          'b[n: batch] = sum[i: 7](x[n, i])',
          'c[i: 7] = sum[n: batch](x[n, i])',
          'd[] = sum[n: batch, i: 7](x[n, i] * x[n, i])',
          'e[n: batch, i: 7] = x?[n - 1, i]',
          'f[n: batch, i: 7] = x?[n + 1, i + 1]',
          'g[n: batch] = v?[ids[n]]',
          'h[] = max[n: batch](v[n])',
          'i32 j[] = argmin[n: batch](v[n])',
          'i32 k[] = argmax[n: batch, i: 7](x[n, i])',
          'i32 l[i: 7] = argmax[n: batch](x[n, i])',
          'm[] = sum[n: batch](v[n]) / f32(count(batch))',
          'i32 o[n: batch] = count(batch) - n',
        ],
      },
      sumOf(7 * max),
      false,
      counts,
    )
  })
  test('a dense layer, forward and both gradients', () => {
    const small: Small = {
      dims,
      inputs: { x: 'f32[batch, 9]' },
      params: { w: 'f32[9, 6]', v: 'f32[6, 5]' },
      equations: [
        'h[n: batch, o: 6] = sum[i: 9](x[n, i] * w[i, o])',
        'y[n: batch, o: 5] = sum[i: 6](h[n, i] * v[i, o])',
      ],
    }
    check(small, sumOf(60), false, counts)
    check(small, sumOf(60 * max), true, counts)
  })
  test('an embedding and its gradient', () => {
    const small: Small = {
      dims,
      inputs: { ids: 'i32[batch] range 4' },
      params: { table: 'f32[4, 5]' },
      equations: ['y[n: batch, d: 5] = table[ids[n], d]'],
    }
    check(small, exact, false, counts)
    check(small, sumOf(max), true, counts)
  })
  test('two bounded dims', () => {
    const small: Small = {
      dims: { batch: max, queries: 3 },
      inputs: { x: 'f32[batch, 4]', q: 'f32[queries, 4]' },
      equations: [
        's[m: queries] = sum[n: batch, i: 4](q[m, i] * x[n, i])',
        'c[n: batch] = max[m: queries](sum[i: 4](q[m, i] * x[n, i]))',
      ],
    }
    const program = forward(small)
    for (const build of builds) {
      const instance = new Instance(program, build)
      for (const batch of [max, 1]) {
        for (const queries of [3, 2, 1]) {
          const { inputs } = valuesOf(program, 'p', batch)
          instance.compare('p', inputs, { batch, queries }, sumOf(4 * max))
        }
      }
    }
    expect(program.dims).toHaveLength(2)
  })
})
