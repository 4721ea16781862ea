/**
 * Where scalar functions follow a product, a loop over the tile's rows makes the values of its sums, which wait in memory
 * (schedule/stage.ts): against the evaluator, at sizes that leave a remainder, and with no bit changed.
 */
import { describe, expect, test } from 'vitest'
import { schedule } from '../../compiler/generate.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { kernelsOf } from '../../compiler/schedule/kernels.ts'
import { builds, Instance } from './module.ts'
import { forward, type Small, valuesOf } from './pattern.ts'

/** The targets in whose places sums wait. */
const staged = (program: Program): string[] =>
  schedule(program, { fuse: true })
    .entries.flatMap((e) => e.stages.flatMap((s) => s.steps.flatMap(kernelsOf)))
    .flatMap(({ nest }) => (nest.kind === 'rows' ? nest.nests : [nest]))
    .flatMap((n) => (n.staged === undefined ? [] : [n.values[n.staged]!.target]))

const product = (m: string, n: number): string =>
  `y[m: ${m}, n: ${n}] = sum[k: 5](x[m, k] * w[k, n]) + b[n]`

const cases: Readonly<Record<string, { readonly small: Small; readonly in: readonly string[] }>> = {
  'one value, rows and columns that leave a rest': {
    in: ['h'],
    small: {
      inputs: { x: 'f32[16, 5]', w: 'f32[5, 21]', b: 'f32[21]' },
      equations: [product('16', 21), 'h[m: 16, n: 21] = tanh(y[m, n])'],
      outputs: ['h'],
    },
  },
  'what the forward pass gives and what the backward pass wants': {
    in: ['g'],
    small: {
      inputs: { x: 'f32[23, 5]', w: 'f32[5, 19]', b: 'f32[19]', r: 'f32[19, 23]' },
      equations: [
        product('23', 19),
        'e[m: 23, n: 19] = erf(y[m, n] * 0.7)',
        'g[m: 23, n: 19] = r[n, m] + y[m, n] * (1.0 + e[m, n])',
        'f[m: 23, n: 19] = e[m, n] + exp(-0.5 * y[m, n] * y[m, n])',
      ],
      outputs: ['g', 'f'],
    },
  },
  'the sums themselves too': {
    in: ['y'],
    small: {
      inputs: { x: 'f32[12, 5]', w: 'f32[5, 16]', b: 'f32[16]' },
      equations: [product('12', 16), 'h[m: 12, n: 16] = sigmoid(y[m, n])'],
      outputs: ['y', 'h'],
    },
  },
  'a batch that is not full': {
    in: ['h'],
    small: {
      dims: { batch: 13 },
      inputs: { x: 'f32[batch <= 13, 5]', w: 'f32[5, 10]', b: 'f32[10]' },
      equations: [product('batch <= 13', 10), 'h[m: batch <= 13, n: 10] = exp(y[m, n])'],
      outputs: ['h'],
    },
  },
  'rows that lie apart in the result': {
    in: ['h'],
    small: {
      inputs: { x: 'f32[3, 7, 5]', w: 'f32[5, 9]' },
      equations: [
        'y[m: 7, b: 3, n: 9] = sum[k: 5](x[b, m, k] * w[k, n])',
        'h[m: 7, b: 3, n: 9] = log(2.0 + y[m, b, n] * y[m, b, n])',
      ],
      outputs: ['h'],
    },
  },
  'two rows, which are written out': {
    in: [],
    small: {
      inputs: { x: 'f32[2, 5]', w: 'f32[5, 21]', b: 'f32[21]' },
      equations: [product('2', 21), 'h[m: 2, n: 21] = tanh(y[m, n])'],
      outputs: ['h'],
    },
  },
}

describe.each(Object.entries(cases))('%s', (_, { small, in: places }) => {
  const program = forward(small)
  const { inputs, params } = valuesOf(program, 'p', 3)

  test('is staged', () => {
    expect(staged(program)).toEqual(places)
  })

  test.each(builds)('in $target, fuse $fuse', (build) => {
    for (const batch of small.dims ? [1, 4, 7, 13] : [0]) {
      const instance = new Instance(program, build)
      instance.set(params)
      instance.compare('p', inputs, { batch }, { ulps: 9, scale: 'terms' })
    }
  })

  test('no bit is changed', () => {
    const [fused, apart] = [true, false].map((fuse) =>
      new Instance(program, { target: 'simd', fuse }).bitsOf('p', inputs, small.dims),
    )
    expect(fused).toEqual(apart)
  })
})
