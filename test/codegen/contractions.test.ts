/**
 * Sums of products in every arrangement of strides, against the evaluator: which operand runs along the lanes, whether
 * the sum does, forward and both backward products; matrices, batches of them, convolutions and pools.
 *
 * Tolerance: (4 + √n / 2) units of the sum of the absolute terms, n being the length of the sum; the worst seen is
 * 0.62 of that.
 */
import { describe, expect, test } from 'vitest'
import { builds, Instance } from './module.ts'
import { backward, forward, type Small, sizes, valuesOf } from './pattern.ts'

type Shape = readonly [m: number, k: number, n: number]

const prime = 1009
/** A cube, and each extent in turn beside small odd ones; the prime never in two places. */
const shapes = (size: number): Shape[] =>
  size === prime
    ? [
        [size, 3, 5],
        [3, size, 5],
        [5, 3, size],
      ]
    : [
        [size, size, size],
        [size, 7, 5],
        [3, size, 4],
        [4, 5, size],
      ]

const matrices: Readonly<Record<string, (shape: Shape) => Small>> = {
  'x[m, k] w[k, n]': ([m, k, n]) => ({
    inputs: {},
    params: { x: `f32[${m}, ${k}]`, w: `f32[${k}, ${n}]` },
    equations: [`y[m: ${m}, n: ${n}] = sum[k: ${k}](x[m, k] * w[k, n])`],
  }),
  'x[m, k] w[n, k]': ([m, k, n]) => ({
    inputs: {},
    params: { x: `f32[${m}, ${k}]`, w: `f32[${n}, ${k}]` },
    equations: [`y[m: ${m}, n: ${n}] = sum[k: ${k}](x[m, k] * w[n, k])`],
  }),
  'x[k, m] w[k, n]': ([m, k, n]) => ({
    inputs: {},
    params: { x: `f32[${k}, ${m}]`, w: `f32[${k}, ${n}]` },
    equations: [`y[m: ${m}, n: ${n}] = sum[k: ${k}](x[k, m] * w[k, n])`],
  }),
  'x[k, m] w[n, k]': ([m, k, n]) => ({
    inputs: {},
    params: { x: `f32[${k}, ${m}]`, w: `f32[${n}, ${k}]` },
    equations: [`y[m: ${m}, n: ${n}] = sum[k: ${k}](x[k, m] * w[n, k])`],
  }),
  'a dense layer with its epilogue': ([m, k, n]) => ({
    inputs: {},
    params: { x: `f32[${m}, ${k}]`, w: `f32[${k}, ${n}]`, b: `f32[${n}]` },
    equations: [`y[m: ${m}, n: ${n}] = sum[k: ${k}](x[m, k] * w[k, n]) + b[n]`],
  }),
  'matrix · vector': ([m, k]) => ({
    inputs: {},
    params: { x: `f32[${m}, ${k}]`, w: `f32[${k}]` },
    equations: [`y[m: ${m}] = sum[k: ${k}](x[m, k] * w[k])`],
  }),
  'vector · matrix': ([, k, n]) => ({
    inputs: {},
    params: { x: `f32[${k}]`, w: `f32[${k}, ${n}]` },
    equations: [`y[n: ${n}] = sum[k: ${k}](x[k] * w[k, n])`],
  }),
  'an outer product': ([m, , n]) => ({
    inputs: {},
    params: { x: `f32[${m}]`, w: `f32[${n}]` },
    equations: [`y[m: ${m}, n: ${n}] = x[m] * w[n]`],
  }),
  'a dot product': ([, k]) => ({
    inputs: {},
    params: { x: `f32[${k}]`, w: `f32[${k}]` },
    equations: [`y[] = sum[k: ${k}](x[k] * w[k])`],
  }),
  'written transposed': ([m, k, n]) => ({
    inputs: {},
    params: { x: `f32[${m}, ${k}]`, w: `f32[${k}, ${n}]` },
    equations: [`y[n: ${n}, m: ${m}] = sum[k: ${k}](x[m, k] * w[k, n])`],
  }),
  'three factors': ([m, k, n]) => ({
    inputs: {},
    params: { x: `f32[${m}, ${k}]`, w: `f32[${k}, ${n}]`, s: `f32[${k}]` },
    equations: [`y[m: ${m}, n: ${n}] = sum[k: ${k}](x[m, k] * s[k] * w[k, n])`],
  }),
}

/** Batched ones, with the size in the batch or in the matrices. */
const batched: Readonly<Record<string, (shape: Shape) => Small>> = {
  'x[b, m, k] w[b, k, n]': ([b, k, n]) => ({
    inputs: {},
    params: { x: `f32[${b}, 3, ${k}]`, w: `f32[${b}, ${k}, ${n}]` },
    equations: [`y[b: ${b}, m: 3, n: ${n}] = sum[k: ${k}](x[b, m, k] * w[b, k, n])`],
  }),
  'attention scores q[b, t, d] k[b, s, d]': ([t, d, s]) => ({
    inputs: {},
    params: { q: `f32[2, ${t}, ${d}]`, k: `f32[2, ${s}, ${d}]` },
    equations: [`y[b: 2, t: ${t}, s: ${s}] = sum[d: ${d}](q[b, t, d] * k[b, s, d])`],
  }),
  'heads x[t, h, d] w[h, d, o]': ([t, d, o]) => ({
    inputs: {},
    params: { x: `f32[${t}, 2, ${d}]`, w: `f32[2, ${d}, ${o}]` },
    equations: [`y[t: ${t}, o: ${o}] = sum[h: 2, d: ${d}](x[t, h, d] * w[h, d, o])`],
  }),
}

/** [longest image side, channels in, channels out] */
const images: Readonly<Record<string, (shape: Shape) => Small>> = {
  'conv, same': ([h, c, k]) => ({
    inputs: {},
    params: { x: `f32[2, ${h}, 4, ${c}]`, f: `f32[3, 3, ${c}, ${k}]` },
    equations: [
      `y[n: 2, h: ${h}, w: 4, k: ${k}] = sum[r: 3, s: 3, c: ${c}](x?[n, h + r - 1, w + s - 1, c] * f[r, s, c, k])`,
    ],
  }),
  'conv, valid': ([h, c, k]) => ({
    inputs: {},
    params: { x: `f32[2, ${h + 2}, 5, ${c}]`, f: `f32[3, 2, ${c}, ${k}]` },
    equations: [
      `y[n: 2, h: ${h}, w: 4, k: ${k}] = sum[r: 3, s: 2, c: ${c}](x[n, h + r, w + s, c] * f[r, s, c, k])`,
    ],
  }),
  'conv, strided': ([h, c, k]) => ({
    inputs: {},
    params: { x: `f32[2, ${2 * h + 1}, 9, ${c}]`, f: `f32[3, 3, ${c}, ${k}]` },
    equations: [
      `y[n: 2, h: ${h}, w: 4, k: ${k}] = sum[r: 3, s: 3, c: ${c}](x[n, 2 * h + r, 2 * w + s, c] * f[r, s, c, k])`,
    ],
  }),
  'conv, channels first': ([w, c, k]) => ({
    inputs: {},
    params: { x: `f32[${c}, 4, ${w}]`, f: `f32[${k}, ${c}, 3, 3]` },
    equations: [
      `y[k: ${k}, h: 4, w: ${w}] = sum[c: ${c}, r: 3, s: 3](x?[c, h + r - 1, w + s - 1] * f[k, c, r, s])`,
    ],
  }),
  'conv of a signal': ([t, c, k]) => ({
    inputs: {},
    params: { x: `f32[${t + 4}, ${c}]`, f: `f32[5, ${c}, ${k}]` },
    equations: [`y[t: ${t}, k: ${k}] = sum[r: 5, c: ${c}](x[t + 4 - r, c] * f[r, c, k])`],
  }),
  'depthwise conv': ([h, , c]) => ({
    inputs: {},
    params: { x: `f32[${h + 2}, 5, ${c}]`, f: `f32[3, 3, ${c}]` },
    equations: [`y[h: ${h}, w: 3, c: ${c}] = sum[r: 3, s: 3](x[h + r, w + s, c] * f[r, s, c])`],
  }),
  'mean pool': ([h, , c]) => ({
    inputs: {},
    params: { x: `f32[2, ${2 * h}, 4, ${c}]` },
    equations: [
      `y[n: 2, h: ${h}, w: 2, c: ${c}] = sum[r: 2, s: 2](x[n, 2 * h + r, 2 * w + s, c]) * 0.25`,
    ],
  }),
}

function check(name: string, small: Small, gradient: boolean): void {
  const program = gradient ? backward(small) : forward(small)
  const entry = gradient ? 't' : 'p'
  const longest = program.entries
    .flatMap((e) => e.stages)
    .flatMap((s) => s.equations)
    .reduce((n, e) => Math.max(n, sumLength(e.body)), 1)
  for (const build of builds.slice(0, 2)) {
    const instance = new Instance(program, build, name)
    const { inputs, params } = valuesOf(program, entry, longest)
    instance.set(params)
    instance.compare(entry, inputs, {}, { ulps: 4 + Math.sqrt(longest) / 2, scale: 'terms' })
  }
}

/** The most terms of a reduction, as text has them. */
function sumLength(body: unknown): number {
  let most = 1
  JSON.stringify(body, (_, value) => {
    if (value?.kind === 'reduce') {
      const over = value.over as readonly { extent: { size: number } }[]
      most = Math.max(
        most,
        over.reduce((n, i) => n * i.extent.size, 1),
      )
    }
    return value
  })
  return most
}

describe.each(Object.entries({ ...matrices, ...batched }))('%s', (name, make) => {
  test.each([...sizes, prime])('at size %i', (size) => {
    const cases = name in batched && size > 8 && size < prime ? shapes(size).slice(1) : shapes(size)
    for (const shape of cases) {
      const small = make(shape)
      check(`${name} ${shape}`, small, false)
      check(`${name} ${shape}, gradient`, small, true)
    }
  })
})

describe.each(Object.entries(images))('%s', (name, make) => {
  test.each([...sizes, 257])('at size %i', (size) => {
    const cases: Shape[] = [
      [size, 3, 2],
      [3, size, 2],
      [3, 2, size],
    ]
    for (const shape of cases) {
      const small = make(shape)
      check(`${name} ${shape}`, small, false)
      check(`${name} ${shape}, gradient`, small, true)
    }
  })
})

test('the tolerance is not slack: an error of one term would be seen', () => {
  const small = matrices['x[m, k] w[k, n]']!([3, 1009, 5])
  const program = forward(small)
  const instance = new Instance(program, builds[0]!)
  const { params } = valuesOf(program, 'p', 1)
  instance.set(params)
  // The evaluator alone forgets one weight of a hundred thousandth.
  instance.state.tensors.get('w')![7]! += 0.01
  expect(() =>
    instance.compare('p', {}, {}, { ulps: 4 + Math.sqrt(1009) / 2, scale: 'terms' }),
  ).toThrow(/p\.y/)
})
