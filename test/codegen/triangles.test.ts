/**
 * Sums that a comparison of two indices makes needless are not taken, and terms that it makes zeros are left out
 * (schedule/triangle.ts): against the evaluator, at tiles that the diagonal crosses anywhere, and with no bit changed.
 */
import { describe, expect, test } from 'vitest'
import { schedule } from '../../compiler/generate.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { kernelsOf } from '../../compiler/schedule/kernels.ts'
import { builds, Instance } from './module.ts'
import { forward, type Small, valuesOf } from './pattern.ts'

/** What is left out: of which sums, and of which terms. */
const leftOut = (program: Program): string[] =>
  schedule(program, { fuse: true })
    .entries.flatMap((e) => e.stages.flatMap((s) => s.steps.flatMap(kernelsOf)))
    .flatMap(({ nest }) => (nest.kind === 'rows' ? nest.nests : [nest]))
    .flatMap((n) => [
      ...(n.wanted ? [`sums of ${n.values[0]!.target}`] : []),
      ...(n.reduction?.within ? [`terms of ${n.values[0]!.target}`] : []),
    ])

/** With `test` between i and j, of which there are 19 and 23. `none` is 0, which the compiler does not know. */
const attention = (test: string): Small => ({
  dims: { batch: 3 },
  inputs: {
    q: 'f32[batch <= 3, 19, 2, 12]',
    k: 'f32[batch <= 3, 23, 2, 12]',
    x: 'f32[batch <= 3, 2, 19, 23]',
    none: 'i32[1] range 1',
  },
  equations: [
    `s[n: batch <= 3, h: 2, i: 19, j: 23] = where(${test}, sum[e: 12](q[n, i, h, e] * k[n, j, h, e]) / 3.0, -9.0)`,
    `d[n: batch <= 3, h: 2, i: 19, j: 23] = where(${test}, x[n, h, i, j], 0.0)`,
    'a[n: batch <= 3, i: 19, h: 2, e: 12] = sum[j: 23](d[n, h, i, j] * k[n, j, h, e]) / 2.0',
    'b[n: batch <= 3, j: 23, h: 2, e: 12] = sum[i: 19](2.0 * (q[n, i, h, e] * d[n, h, i, j]))',
  ],
})

const tests: Readonly<Record<string, string>> = {
  'up to the diagonal': 'j <= i',
  'below the diagonal': 'i > j',
  'from a diagonal in the middle on': 'j + 4 >= i',
  'up to one that leaves the first rows empty': 'j + 7 <= i',
  'up to one that leaves hardly any': 'j < i - 17',
  'no element at all': 'j < i - 30',
  'and something else': 'j <= i and x[n, h, i, j] > 0.0',
}

const bitsOf = (program: Program): number[][] => {
  const { inputs } = valuesOf(program, 'p', 3)
  const instance = new Instance(program, { target: 'simd', fuse: true })
  const spec = instance.manifest.entries.find((e) => e.name === 'p')!
  for (const input of spec.inputs) instance.view(input).set(inputs[input.name]!)
  instance.call('p', 3)
  return spec.outputs.map((o) => [...new Int32Array(instance.view(o).slice().buffer)])
}

describe.each(Object.entries(tests))('%s', (_, holds) => {
  const program = forward(attention(holds))

  test('is left out', () => {
    expect(leftOut(program).sort()).toEqual(['sums of s', 'terms of a', 'terms of b'])
  })

  test.each(builds)('in $target, fuse $fuse', (build) => {
    const { inputs } = valuesOf(program, 'p', 3)
    for (const batch of [1, 3]) {
      new Instance(program, build).compare('p', inputs, { batch }, { ulps: 12, scale: 'terms' })
    }
  })

  test('no bit is changed', () => {
    const hidden = forward(
      attention(`${holds} and i < 19 + none[0]`.replace(/\bi\b/, 'i + none[0]')),
    )
    expect(leftOut(hidden)).toEqual([])
    expect(bitsOf(program)).toEqual(bitsOf(hidden))
  })
})

test('other comparisons leave nothing out', () => {
  for (const holds of ['j == i', '2 * j <= i', 'j <= 5', 'j <= i or j <= 3', 'j <= none[0]']) {
    expect(leftOut(forward(attention(holds)))).toEqual([])
  }
})

test('sums that another equation tests are left out, save where they are wanted as they are', () => {
  const scores = (outputs: readonly string[]): Program =>
    forward({
      inputs: { q: 'f32[19, 12]', k: 'f32[23, 12]' },
      equations: [
        's[i: 19, j: 23] = sum[e: 12](q[i, e] * k[j, e]) / 3.0',
        'o[a: 19, b: 23] = where(b <= a, s[a, b], -1.0)',
      ],
      outputs,
    })
  expect(leftOut(scores(['o', 's']))).toEqual([])
  const program = scores(['o'])
  expect(leftOut(program)).toEqual(['sums of s'])
  const { inputs } = valuesOf(program, 'p', 3)
  for (const build of builds) {
    new Instance(program, build).compare('p', inputs, {}, { ulps: 12, scale: 'terms' })
  }
})
