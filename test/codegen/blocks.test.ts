/**
 * Long sums cut for the cache (schedule/block.ts): cutting changes no bit, whatever the sum's length, its nesting, the tile
 * and what follows it; and large operands are cut by themselves.
 */
import { describe, expect, test } from 'vitest'
import { schedule } from '../../compiler/generate.ts'
import { cacheBytes } from '../../compiler/schedule/block.ts'
import { kernelsOf } from '../../compiler/schedule/kernels.ts'
import { type Build, builds, Instance, inBlocks } from './module.ts'
import { backward, forward, type Small, valuesOf } from './pattern.ts'

const dense = (m: number, k: number, n: number): Small => ({
  inputs: {},
  params: { x: `f32[${m}, ${k}]`, w: `f32[${k}, ${n}]`, b: `f32[${n}]` },
  equations: [`y[m: ${m}, n: ${n}] = max(sum[k: ${k}](x[m, k] * w[k, n]) + b[n], 0.0)`],
})
const sequence = (batch: number, time: number, n: number): Small => ({
  dims: { batch },
  inputs: { x: `f32[batch <= ${batch}, ${time}, 5]` },
  params: { w: `f32[5, ${n}]` },
  equations: [`y[b: batch <= ${batch}, t: ${time}, n: ${n}] = sum[k: 5](x[b, t, k] * w[k, n])`],
})
const convolution = (h: number, c: number, k: number): Small => ({
  inputs: {},
  params: { x: `f32[3, ${h}, 9, ${c}]`, f: `f32[3, 3, ${c}, ${k}]` },
  equations: [
    `y[n: 3, h: ${h}, w: 9, k: ${k}] = sum[r: 3, s: 3, c: ${c}](x?[n, h + r - 1, w + s - 1, c] * f[r, s, c, k])`,
  ],
})

/** Both operands by their rows, which a dot product takes; `m` and `n` are what is left of blocks and tiles. */
const rowsByRows = (m: number, n: number): Small => ({
  inputs: {},
  params: { x: `f32[${m}, 12]`, w: `f32[${n}, 12]` },
  equations: [`y[m: ${m}, n: ${n}] = sum[k: 12](x[m, k] * w[n, k])`],
})

const cases: Readonly<Record<string, Small>> = {
  'a sum of exactly two blocks': dense(3, 1024 + 512, 6),
  'a sum of blocks and one term': dense(5, 2049, 5),
  'a sum of blocks less one term': dense(6, 2047, 12),
  'a batch of sequences': sequence(4, 40, 7),
  'a batch of long sequences': sequence(3, 600, 5),
  'a convolution': convolution(13, 3, 8),
  'a convolution of many pixels': convolution(121, 2, 5),
  'rows by rows': rowsByRows(13, 9),
  'rows by rows, in whole tiles': rowsByRows(8, 16),
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

/** Everything that an entry gives, after one call with all rows. */
function bitsOf(instance: Instance, entry: string): Int32Array[] {
  const spec = instance.manifest.entries.find((e) => e.name === entry)!
  return spec.outputs.map((output) => {
    const { buffer, byteOffset, length } = instance.view(output)
    return new Int32Array(buffer.slice(byteOffset, byteOffset + 4 * length))
  })
}

function run(small: Small, gradient: boolean, build: Build): Instance {
  const entry = gradient ? 't' : 'p'
  const program = gradient ? backward(small) : forward(small)
  const instance = new Instance(program, build)
  const { inputs, params } = valuesOf(program, entry, 5)
  instance.set(params)
  for (const spec of instance.manifest.entries.find((e) => e.name === entry)!.inputs) {
    instance.view(spec).set(inputs[spec.name]!)
  }
  instance.call(entry, ...Object.values(small.dims ?? {}))
  return instance
}

describe.each(Object.entries(cases))('%s', (_, small) => {
  test.each(inBlocks)('in $target', (build) => {
    let differ = 0
    for (const gradient of [false, true]) {
      const entry = gradient ? 't' : 'p'
      const cut = run(small, gradient, build)
      const whole = run(small, gradient, { ...build, cache: Number.POSITIVE_INFINITY })
      if (!equal(cut.wasm, whole.wasm)) differ++
      expect(bitsOf(cut, entry)).toEqual(bitsOf(whole, entry))
    }
    expect(differ).toBeGreaterThan(0)
  })
})

test.each(inBlocks)('a bounded dim that is not full, in $target', (build) => {
  const small = sequence(5, 300, 6)
  const program = backward(small)
  const { inputs, params } = valuesOf(program, 't', 9)
  for (const batch of [1, 2, 5]) {
    const instance = new Instance(program, build)
    instance.set(params)
    instance.compare('t', inputs, { batch }, { ulps: 40, scale: 'terms' })
  }
})

test('operands that outgrow the cache are cut by themselves', () => {
  const batch = 32
  const time = cacheBytes / 4 / batch / 8 + 1
  const small: Small = {
    inputs: { x: `f32[${batch}, ${time}, 5]` },
    params: { w: 'f32[5, 6]' },
    equations: [`y[b: ${batch}, t: ${time}, n: 6] = sum[k: 5](x[b, t, k] * w[k, n])`],
  }
  const program = backward(small)
  const plain = new Instance(program, { target: 'simd', fuse: true })
  const whole = { target: 'simd', fuse: true, cache: Number.POSITIVE_INFINITY } as const
  expect(equal(plain.wasm, new Instance(program, whole).wasm)).toBe(false)
  expect(equal(plain.wasm, new Instance(program, { ...whole, cache: cacheBytes }).wasm)).toBe(true)
})

/** Columns 2 KiB apart, so that in the first-level cache they share two places. */
const apart: Small = {
  dims: { batch: 4 },
  inputs: { x: 'f32[batch <= 4, 64, 13]', z: 'f32[batch <= 4, 64, 512]' },
  equations: [
    'y[m: 13, n: 21] = 2.0 * sum[b: batch <= 4, t: 64](x[b, t, m] * z[b, t, n])',
    'v[m: 13, n: 21] = 2.0 * sum[b: batch <= 4, t: 63](x[b, t, m] * z[b, t, n])',
  ],
}

describe('operands that lie badly in the cache', () => {
  const program = forward(apart)

  test('are cut where a block has terms enough', () => {
    const kernels = schedule(program, { fuse: true })
      .entries.flatMap((e) => e.stages.flatMap((s) => s.steps.flatMap(kernelsOf)))
      .filter((k) => k.nest.kind === 'loops' && k.nest.blocks?.levels === 1)
    expect(kernels.map((k) => k.name)).toEqual(['y.s'])
  })

  test.each(builds)('in $target, fuse $fuse', (build) => {
    const { inputs } = valuesOf(program, 'p', 7)
    for (const batch of [1, 3, 4]) {
      new Instance(program, build).compare('p', inputs, { batch }, { ulps: 60, scale: 'terms' })
    }
  })

  test('no bit is changed', () => {
    const whole = { target: 'simd', fuse: true, cache: Number.POSITIVE_INFINITY } as const
    const cut = run(apart, false, { target: 'simd', fuse: true })
    expect(bitsOf(cut, 'p')).toEqual(bitsOf(run(apart, false, whole), 'p'))
  })
})
