/**
 * Operands that a product would read with a bad stride are copied first (schedule/pack.ts), and copies turn 4 × 4 blocks in
 * registers: against the evaluator, at sizes that leave a remainder, and with no bit changed.
 */
import { describe, expect, test } from 'vitest'
import { schedule } from '../../compiler/generate.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { kernelsOf } from '../../compiler/schedule/kernels.ts'
import { builds, Instance } from './module.ts'
import { forward, type Small, valuesOf } from './pattern.ts'

const packsOf = (program: Program): string[] =>
  schedule(program, { fuse: true })
    .entries.flatMap((e) =>
      e.stages.flatMap((s) =>
        s.steps.flatMap(kernelsOf).flatMap((k) => k.equations.map((q) => q.target)),
      ),
    )
    .filter((name) => name.includes('.pack'))

/** Rows of the reduced index lie 4 KiB apart, so that 66 of them are on more pages than a processor has at hand. */
const cases: Readonly<
  Record<string, { readonly small: Small; readonly packs: readonly string[] }>
> = {
  'rows and columns far apart': {
    packs: ['x.pack', 'w.pack'],
    small: {
      inputs: { x: 'f32[66, 16, 64]', w: 'f32[66, 16, 64]' },
      equations: ['y[m: 50, n: 64] = sum[k: 66](x[k, 3, m + 1] * w[k, 5, n])'],
    },
  },
  'columns that do not fill panels': {
    packs: ['x.pack'],
    small: {
      inputs: { x: 'f32[66, 1024]', w: 'f32[66, 131]' },
      equations: ['y[m: 9, n: 131] = max(sum[k: 66](x[k, m] * w[k, n]), 0.0)'],
    },
  },
  'a batch that is not full': {
    packs: ['x.pack', 'w.pack'],
    small: {
      dims: { batch: 7 },
      inputs: { x: 'f32[batch <= 7, 11, 16, 64]', w: 'f32[batch <= 7, 11, 16, 64]' },
      equations: ['y[m: 49, n: 64] = sum[b: batch <= 7, t: 11](x[b, t, 2, m] * w[b, t, 5, n])'],
    },
  },
  'columns in two places of the cache, for many rows': {
    packs: ['w.pack'],
    small: {
      inputs: { x: 'f32[8, 64, 128]', w: 'f32[128, 32, 16]' },
      equations: ['y[b: 8, m: 64, n: 16] = sum[k: 128](x[b, m, k] * w[k, 3, n])'],
    },
  },
  'columns in two places of the cache, for few rows': {
    packs: [],
    small: {
      inputs: { x: 'f32[64, 128]', w: 'f32[128, 32, 16]' },
      equations: ['y[m: 64, n: 16] = sum[k: 128](x[m, k] * w[k, 3, n])'],
    },
  },
  'weights of a recurrence, once for all steps': {
    packs: ['w.pack'],
    small: {
      dims: { batch: 7 },
      inputs: { x: 'f32[batch <= 7, 12, 72]', w: 'f32[72, 8, 128]' },
      equations: [
        'p[n: batch <= 7, t: 12, k: 72] = h?[n, t - 1, k]',
        'z[n: batch <= 7, t: 12, j: 72] = x[n, t, j] + sum[k: 72](p[n, t, k] * w[k, 3, j]) / 16.0',
        'h[n: batch <= 7, t: 12, j: 72] = tanh(z[n, t, j])',
      ],
      outputs: ['h'],
    },
  },
  'one matrix for each of a batch, as two equations need it': {
    packs: ['w.pack'],
    small: {
      inputs: { x: 'f32[2, 50, 66]', z: 'f32[2, 49, 66]', w: 'f32[2, 66, 16, 64]' },
      equations: [
        'y[b: 2, m: 50, n: 64] = sum[k: 66](x[b, m, k] * w[b, k, 1, n])',
        'v[b: 2, m: 49, n: 64] = sum[k: 66](z[b, m, k] * w[b, k, 1, n])',
      ],
    },
  },
}

describe.each(Object.entries(cases))('%s', (_, { small, packs }) => {
  const program = forward(small)
  const { inputs, params } = valuesOf(program, 'p', 3)

  test('is packed', () => {
    expect(packsOf(program).sort()).toEqual([...packs].sort())
  })

  test.each(builds)('in $target, fuse $fuse', (build) => {
    for (const batch of small.dims ? [1, 4, 7] : [0]) {
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

/** Extents with whole blocks, with a remainder of each kind and without a block. */
const extents = [1, 3, 4, 7, 18, 21, 33]

test.each(builds)('transposed reads, in $target, fuse $fuse', (build) => {
  for (const m of extents) {
    for (const n of extents) {
      const program = forward({
        inputs: { x: `f32[${n}, ${m}]`, z: `f32[${m}, 2, ${n}]` },
        equations: [
          `a[m: ${m}, n: ${n}] = x[n, m]`,
          `b[m: ${m}, n: ${n}] = exp(x[n, m]) + z[m, 1, n]`,
          `c[m: ${m}, n: ${n}] = x[n, ${m - 1} - m]`,
        ],
      })
      const { inputs } = valuesOf(program, 'p', m + n)
      new Instance(program, build).compare('p', inputs, {}, { ulps: 8, scale: 'terms' })
    }
  }
})
