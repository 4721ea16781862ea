/**
 * Reductions that are not products: along rows, down columns, over everything, with every operator, of f32 and i32,
 * short and in blocks. In: the patterns below at every size. Extremes and integers must be exact.
 *
 * Tolerance of sums: (4 + √n / 2) units of the sum of absolute terms; of products n + 2 units of the largest, one for each
 * multiplication.
 */
import { describe, expect, test } from 'vitest'
import { builds, Instance, type Tolerance } from './module.ts'
import { backward, forward, type Small, sizes, valuesOf } from './pattern.ts'

const prime = 1009

function check(small: Small, tolerance: Tolerance, name: string, gradient = false): void {
  const program = gradient ? backward(small) : forward(small)
  const entry = gradient ? 't' : 'p'
  for (const build of builds.slice(0, 2)) {
    const instance = new Instance(program, build, name)
    const { inputs, params } = valuesOf(program, entry, 7)
    instance.set(params)
    instance.compare(entry, inputs, {}, tolerance)
  }
}

const sumTolerance = (n: number): Tolerance => ({ ulps: 4 + Math.sqrt(n) / 2, scale: 'terms' })
const exact: Tolerance = { ulps: 0, scale: 'tensor' }

describe.each(['sum', 'max', 'min', 'argmax', 'argmin', 'prod'])('%s', (op) => {
  const type = op.startsWith('arg') ? 'i32 ' : ''
  const tolerance = (n: number): Tolerance => {
    if (op === 'sum') return sumTolerance(n)
    return op === 'prod' ? { ulps: n + 2, scale: 'terms' } : exact
  }
  test.each([...sizes, prime])('at size %i', (n) => {
    const other = n === prime ? 3 : n
    const params = { x: `f32[${other}, ${n}]`, t: `f32[${n}, ${other}]`, v: `f32[${n}]` }
    const small: Small = {
      inputs: {},
      params,
      equations: [
        `${type}rows[i: ${other}] = ${op}[j: ${n}](x[i, j])`,
        `${type}columns[i: ${other}] = ${op}[j: ${n}](t[j, i])`,
        `${type}all[] = ${op}[j: ${n}](v[j])`,
        `${type}plane[] = ${op}[i: ${other}, j: ${n}](x[i, j])`,
        `${type}turned[] = ${op}[j: ${n}, i: ${other}](x[i, j])`,
      ],
    }
    check(small, tolerance(n * other), `${op} ${n}`)
    if (op.startsWith('arg')) return
    for (const equation of small.equations) {
      const name = `gradient of ${equation}`
      check({ ...small, equations: [equation] }, gradientTolerance(op, n * other), name, true)
    }
  })
  test.each([...sizes, prime])('of integers, at size %i', (n) => {
    if (n === prime && op === 'prod') return
    const small: Small = {
      inputs: { x: `i32[3, ${n}]`, t: `i32[${n}, 5]` },
      equations: [
        `i32 rows[i: 3] = ${op}[j: ${n}](x[i, j])`,
        `i32 columns[i: 5] = ${op}[j: ${n}](t[j, i])`,
        `i32 all[] = ${op}[i: 3, j: ${n}](x[i, j])`,
      ],
    }
    check(small, exact, `${op} of integers ${n}`)
  })
})

/** A product's gradient by an element is the product over itself: one more rounding or two. */
const gradientTolerance = (op: string, n: number): Tolerance => ({
  ulps: op === 'prod' ? 2 * n + 8 : 2,
  scale: 'tensor',
})

describe('long sums', () => {
  test.each([1023, 1024, 1025, 1536, 2048, 4097, 8191])('of %i terms keep their accuracy', (n) => {
    // All positive, so that one running sum would be off by many units: blocks keep it within a few.
    const small: Small = {
      inputs: { v: `f32[${n}]`, x: `f32[3, ${n}]`, t: `f32[${n}, 5]` },
      equations: [
        `all[] = sum[j: ${n}](v[j] * v[j])`,
        `rows[i: 3] = sum[j: ${n}](x[i, j])`,
        `columns[i: 5] = sum[j: ${n}](t[j, i])`,
        `both[i: 5] = sum[j: ${n}](t[j, i] * v[j])`,
      ],
    }
    const program = forward(small)
    for (const build of builds.slice(0, 2)) {
      const instance = new Instance(program, build, `sums of ${n}`)
      const { inputs } = valuesOf(program, 'p', n, [0, 1.5])
      instance.compare('p', inputs, {}, { ulps: 24, scale: 'tensor' })
    }
  })
  test('of a bounded dim, at counts around the blocks', () => {
    const small: Small = {
      dims: { rows: 2100 },
      inputs: { v: 'f32[rows]', t: 'f32[rows, 5]' },
      equations: [
        'all[] = sum[r: rows](v[r])',
        'columns[i: 5] = sum[r: rows](t[r, i] * v[r])',
        'mean[] = sum[r: rows](v[r]) / f32(count(rows))',
      ],
    }
    const program = forward(small)
    for (const build of builds) {
      const instance = new Instance(program, build)
      const { inputs } = valuesOf(program, 'p', 3)
      for (const rows of [2100, 2049, 2048, 1537, 1536, 1025, 1024, 513, 512, 511, 2, 1]) {
        instance.compare('p', inputs, { rows }, sumTolerance(rows))
      }
    }
  })
})

describe('positions of extremes', () => {
  test('the first of equals, row-major over several indices', () => {
    const small: Small = {
      inputs: { x: 'f32[4, 3, 7]', k: 'i32[4, 3, 7]' },
      equations: [
        'i32 a[n: 4] = argmax[i: 3, j: 7](x[n, i, j])',
        'i32 b[n: 4] = argmin[i: 3, j: 7](x[n, i, j])',
        'i32 c[n: 4] = argmax[j: 7, i: 3](k[n, i, j])',
        'i32 d[i: 3, j: 7] = argmin[n: 4](k[n, i, j])',
      ],
    }
    const program = forward(small)
    for (const build of builds) {
      const instance = new Instance(program, build)
      const { inputs } = valuesOf(program, 'p', 5)
      instance.compare('p', inputs, {}, exact)
      const few = Object.fromEntries(
        Object.entries(inputs).map(([name, v]) => [name, Array.from(v, (x) => Math.sign(x))]),
      )
      instance.compare('p', few, {}, exact)
    }
  })
  test('of infinities', () => {
    const small: Small = {
      inputs: { x: 'f32[3, 5]' },
      equations: [
        'i32 a[n: 3] = argmax[i: 5](x[n, i])',
        'i32 b[n: 3] = argmin[i: 5](x[n, i])',
        'c[n: 3] = max[i: 5](x[n, i])',
        'd[n: 3] = min[i: 5](x[n, i])',
      ],
    }
    const up = Number.POSITIVE_INFINITY
    const program = forward(small)
    for (const build of builds) {
      const x = [-up, -up, -up, -up, -up, up, up, up, up, up, -up, 1, up, 2, up]
      new Instance(program, build).compare('p', { x }, {}, exact)
    }
  })
  test('extremes with a NaN are NaN, positions pass over it', () => {
    const small: Small = {
      inputs: { x: 'f32[4, 5]', t: 'f32[5, 4]' },
      equations: ['argmax', 'argmin', 'max', 'min'].flatMap((op) => {
        const type = op.startsWith('arg') ? 'i32 ' : ''
        return [
          `${type}${op}_rows[n: 4] = ${op}[i: 5](x[n, i])`,
          `${type}${op}_columns[n: 4] = ${op}[i: 5](t[i, n])`,
        ]
      }),
    }
    const program = forward(small)
    const x = [NaN, 1, 2, 3, 4, 1, NaN, 5, 3, 2, 4, 3, 2, 1, NaN, NaN, NaN, NaN, NaN, NaN]
    const t = Array.from({ length: 20 }, (_, k) => x[(k % 4) * 5 + Math.floor(k / 4)]!)
    for (const build of builds) {
      new Instance(program, build).compare('p', { x, t }, {}, exact)
    }
  })
})

test('a reduction in a reduction, and two beside each other', () => {
  const small: Small = {
    inputs: { x: 'f32[5, 7]', w: 'f32[7, 9]' },
    equations: [
      'a[n: 5] = max[o: 9](sum[i: 7](x[n, i] * w[i, o]))',
      'b[n: 5] = sum[i: 7](x[n, i]) * sum[j: 7](x[n, j] * x[n, j])',
      'c[n: 5, i: 7] = x[n, i] / sum[k: 7](abs(x[n, k]))',
      'd[] = sum[n: 5](max[i: 7](x[n, i]) * min[j: 7](x[n, j]))',
    ],
  }
  const program = forward(small)
  for (const build of builds) {
    const { inputs } = valuesOf(program, 'p', 11)
    new Instance(program, build).compare('p', inputs, {}, { ulps: 8, scale: 'tensor' })
  }
  expect(program.entries).toHaveLength(2)
})
