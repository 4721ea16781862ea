/** Which index a nest takes as rows of its tile, and what shares a loop over rows, in cases where the wrong one costs much. */
import { describe, expect, test } from 'vitest'
import { compile, lower } from '../../compiler/compile.ts'
import { schedule } from '../../compiler/generate.ts'
import { kernelsOf } from '../../compiler/schedule/kernels.ts'
import type { Kernel, LoopNest } from '../../compiler/schedule/types.ts'
import { builds, Instance } from './module.ts'
import { valuesOf } from './pattern.ts'

/** The nest that makes a tensor in the program's train block. */
function nestOf(text: string, target: string): LoopNest {
  const { program } = compile(text, { targets: [] })
  const entry = schedule(lower(program!), { fuse: true }).entries.find(
    (e) => e.entry.kind === 'train',
  )!
  const kernels = entry.stages.flatMap((s) => s.steps.flatMap(kernelsOf))
  for (const { nest } of kernels) {
    for (const part of nest.kind === 'rows' ? nest.nests : [nest]) {
      if (part.values.some((v) => v.target === target)) return part
    }
  }
  throw new Error(`no ${target} among ${kernels.map((k) => k.name).join()}`)
}

test('statistics of channels run along the channels, not channel by channel', () => {
  const text = `dim batch <= 8
net f(x: [batch, 6, 6, 12]) -> [batch, 4] { x |> batch_norm |> flatten |> dense(4) }
train t(x: [batch, 6, 6, 12], label: int[batch]) { minimize cross_entropy(f(x), label) using sgd(0.1) }`
  const nest = nestOf(text, 'f.batch_norm_1.v')
  expect(nest.lanes?.extent.size).toBe(12)
  expect(nest.reduction?.lane).toBeUndefined()
})

test.each([
  [28, 'w'],
  [7, 'n'],
])('images of %i columns: rows of the tile are %s', (w, rows) => {
  const text = `dim batch <= 64
net f(x: [batch, ${w}, ${w}, 16]) -> [batch, 4] {
  x |> conv2d(32, padding = same) |> relu |> conv2d(32) |> relu |> flatten |> dense(4)
}
train t(x: [batch, ${w}, ${w}, 16], label: int[batch]) { minimize cross_entropy(f(x), label) using sgd(0.1) }`
  expect(nestOf(text, 'f.conv2d_2').rows?.name).toBe(rows)
})

test('the backward pass of layer norm shares one loop over rows', () => {
  const text = `dim batch <= 8
net f(x: [batch, 6, 12]) -> [batch, 6, 4] { x |> dense(20) |> layer_norm |> dense(4) }
train t(x: [batch, 6, 12], y: [batch, 6, 4]) { minimize mse(f(x), y) using sgd(0.1) }`
  const { program } = compile(text, { targets: [] })
  const entry = schedule(lower(program!), { fuse: true }).entries.find(
    (e) => e.entry.kind === 'train',
  )!
  const kernels = entry.stages.flatMap((s) => s.steps.flatMap(kernelsOf))
  const kernelOf = (target: string): Kernel | undefined =>
    kernels.find((k) => k.equations.some((e) => e.target === target))
  const shared = ['s', 'd', 'm'].map((name) => kernelOf(`d_f.layer_norm_1.${name}`))
  expect(kernelOf('d_f.dense_1')?.nest.kind).toBe('rows')
  expect(new Set([kernelOf('d_f.dense_1'), ...shared]).size).toBe(1)
})

describe('the scores of attention', () => {
  const text = `dim batch <= 5
predict attend(q: [batch, 11, 2, 6], k: [batch, 11, 2, 6], v: [batch, 11, 2, 6]) {
  s[n, h, i, j] = where(j <= i, sum[e](q[n, i, h, e] * k[n, j, h, e]), -1e30)
  p = softmax(s)
  o[n, i, h, e] = sum[j](p[n, h, i, j] * v[n, j, h, e])
  o
}`
  const program = lower(compile(text, { targets: [] }).program!)
  const shared = (threads: boolean): string[] =>
    schedule(program, { fuse: true, threads })
      .entries.flatMap((e) => e.stages.flatMap((s) => s.steps.flatMap(kernelsOf)))
      .flatMap((k) => k.slots.filter((slot) => slot.folded[0]).map((slot) => slot.tensor))

  test('have one place for all rows, save where threads share the rows', () => {
    expect(shared(false).sort()).toEqual(['p', 's', 'softmax_1.e', 'softmax_1.m', 'softmax_1.sum'])
    expect(shared(true)).toEqual([])
  })

  test.each(builds)('in $target, fuse $fuse', (build) => {
    const { inputs } = valuesOf(program, 'attend', 4)
    for (const batch of [1, 3, 5]) {
      new Instance(program, build).compare(
        'attend',
        inputs,
        { batch },
        { ulps: 12, scale: 'terms' },
      )
    }
  })
})
