/**
 * Guarded reads in sums become reads of padded copies (schedule/pad.ts): which do, that one copy serves all that pad alike, and
 * that results stay right for every reach of the window, strides, and dims whose count is known at run time only.
 */
import { describe, expect, test } from 'vitest'
import { schedule } from '../../compiler/generate.ts'
import { printProgram } from '../../compiler/ir/print.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { kernelsOf } from '../../compiler/schedule/kernels.ts'
import { builds, Instance } from './module.ts'
import { backward, forward, type Small, valuesOf } from './pattern.ts'

/** A window of R × S over images of H × 7, reading from `at`, with K channels from 3. */
const window = (H: number, R: number, S: number, at: string, K = 6): Small => ({
  inputs: {},
  params: { x: `f32[2, ${H}, 7, 3]`, f: `f32[${R}, ${S}, 3, ${K}]` },
  equations: [
    `y[n: 2, h: ${H}, w: 7, k: ${K}] = sum[r: ${R}, s: ${S}, c: 3](x?[${at}] * f[r, s, c, k])`,
  ],
})

const cases: Readonly<Record<string, Small>> = {
  same: window(6, 3, 3, 'n, h + r - 1, w + s - 1, c'),
  'even window': window(5, 4, 2, 'n, h + r - 2, w + s - 1, c'),
  'only behind': window(5, 3, 3, 'n, h + r, w + s, c'),
  'only before, causal': window(5, 3, 3, 'n, h - r, w - s, c'),
  dilated: window(9, 3, 3, 'n, h + 2 * r - 2, w + 3 * s - 3, c'),
  'wider than the image': window(1, 5, 3, 'n, h + r - 2, w + s - 1, c'),
  'strided, partly outside': window(4, 3, 3, 'n, 2 * h + r - 1, w + s - 1, c'),
  'a bounded batch': {
    dims: { batch: 4 },
    inputs: { x: 'f32[batch <= 4, 9, 3]' },
    params: { f: 'f32[5, 3, 6]' },
    equations: ['y[n: batch <= 4, t: 9, k: 6] = sum[r: 5, c: 3](x?[n, t + r - 2, c] * f[r, c, k])'],
  },
  'a bounded dim that is itself guarded': {
    dims: { time: 5 },
    inputs: { x: 'f32[time <= 5, 9, 3]' },
    params: { f: 'f32[3, 3, 3, 6]' },
    equations: [
      'y[t: time <= 5, w: 9, k: 6] = sum[r: 3, s: 3, c: 3](x?[t + r - 1, w + s - 1, c] * f[r, s, c, k])',
    ],
  },
  'the largest of a window': {
    inputs: {},
    params: { x: 'f32[9, 8, 5]' },
    equations: ['y[h: 9, w: 8, c: 5] = max[r: 3, s: 3](x?[h + r - 1, w + s - 1, c])'],
  },
}

const equationsOf = (program: Program) =>
  schedule(program, { fuse: true })
    .entries.flatMap((e) => e.stages)
    .flatMap((s) => s.steps.flatMap(kernelsOf))
    .flatMap((k) => k.equations)

/** The equations that still test a position in a reduction. */
const tested = (program: Program): string[] =>
  equationsOf(program)
    .filter((e) => JSON.stringify(e.body).match(/"kind":"reduce".*"guarded":true/))
    .map((e) => e.target)

describe.each(Object.entries(cases))('%s', (name, small) => {
  test.each([false, true])('gradient: %s', (gradient) => {
    const program = gradient ? backward(small) : forward(small)
    const entry = gradient ? 't' : 'p'
    const dims = Object.keys(small.dims ?? {})
    for (const build of builds) {
      const instance = new Instance(program, build, name)
      const { inputs, params } = valuesOf(program, entry, 3)
      instance.set(params)
      for (const count of dims.length > 0 ? [1, 3, 4] : [0]) {
        const counts = Object.fromEntries(dims.map((dim) => [dim, count]))
        const scale = small.equations[0]!.includes('max[') ? 'tensor' : 'terms'
        instance.compare(entry, inputs, counts, { ulps: 24, scale })
      }
    }
  })
})

test('no position is tested within the sums of a convolution and its gradients', () => {
  for (const name of ['same', 'dilated', 'a bounded batch']) {
    expect(tested(forward(cases[name]!))).toEqual([])
    expect(tested(backward(cases[name]!))).toEqual([])
  }
})

test('the forward sum and the gradient by the weights share one copy', () => {
  const copies = equationsOf(backward(cases.same!)).filter((e) => e.target.includes('.pad'))
  expect(copies.map((e) => e.target).sort()).toEqual(['d_y.pad', 'x.pad'])
})

test('a read that is used too seldom for a copy keeps its test', () => {
  const program = forward({
    inputs: {},
    params: { x: 'f32[50]' },
    equations: ['y[i: 50] = sum[r: 2](x?[i + r])'],
  })
  expect(tested(program), printProgram(program)).toEqual(['y'])
})
