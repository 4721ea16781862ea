/**
 * A loop along the lanes is cut where guarded reads begin and end (wasm/pieces.ts): parts put side by side, whole tiles or not, are
 * what the evaluator makes of them.
 */
import { describe, expect, test } from 'vitest'
import { index } from '../../compiler/ir/build.ts'
import type { Slot } from '../../compiler/schedule/types.ts'
import { cutsOf } from '../../compiler/wasm/pieces.ts'
import { builds, Instance } from './module.ts'
import { forward, type Small, valuesOf } from './pattern.ts'

const cases: Readonly<Record<string, Small>> = {
  'four parts of whole tiles': {
    inputs: { a: 'f32[5, 16]', b: 'f32[5, 8]', c: 'f32[5, 24]', d: 'f32[5, 16]' },
    equations: ['y[m: 5, j: 64] = a?[m, j] + b?[m, j - 16] + c?[m, j - 24] + d?[m, j - 48]'],
  },
  'parts that end within a tile, and one beyond the end': {
    inputs: { a: 'f32[5, 13]', b: 'f32[5, 24]' },
    equations: ['y[m: 5, j: 43] = a?[m, j] * 2.0 - b?[m, j - 16] + b?[m, j - 32]'],
  },
  'overlapping parts, some rows outside': {
    dims: { batch: 4 },
    inputs: { a: 'f32[batch <= 4, 32]', b: 'f32[3, 32]' },
    equations: ['y[n: batch <= 4, m: 6, j: 40] = a?[n, j - 8] + b?[m - 2, j] + exp(a?[n, j])'],
  },
  'from right to left, and several at once': {
    inputs: { a: 'f32[5, 16]', b: 'f32[48]' },
    equations: ['y[m: 5, j: 32] = a?[m, 23 - j] + b?[j + m - 8] + a?[m, j - 8]'],
  },
}

describe.each(Object.entries(cases))('%s', (_, small) => {
  const program = forward(small)
  test.each(builds)('in $target, fuse $fuse', (build) => {
    const { inputs } = valuesOf(program, 'p', 3)
    for (const batch of small.dims ? [1, 4] : [0]) {
      new Instance(program, build).compare('p', inputs, { batch }, { ulps: 8, scale: 'tensor' })
    }
  })
})

test('cuts are where a part begins or ends with a tile', () => {
  const program = forward(cases['parts that end within a tile, and one beyond the end']!)
  const equation = program.entries.find((e) => e.name === 'p')!.stages[0]!.equations[0]!
  const slots = new Map(
    ['a', 'b'].map((tensor) => {
      const { shape } = program.entries
        .find((e) => e.name === 'p')!
        .tensors.find((t) => t.name === tensor)!
      const slot: Slot = {
        tensor,
        dtype: 'f32',
        shape: shape.map((x) => x.size),
        folded: [],
        bounds: shape.map((x) => x.bound),
      }
      return [tensor, { slot, address: undefined as never }]
    }),
  )
  expect(cutsOf([equation.body], equation.outs[1]!, 8, 40, slots)).toEqual([16, 32])
  expect(cutsOf([index('j')], equation.outs[1]!, 8, 40, slots)).toEqual([])
})
