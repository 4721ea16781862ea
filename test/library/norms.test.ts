// Normalisations against their formulas, and their gradients.
import { test } from 'vitest'
import { fill, type Params, type Reference, tryOut, varied } from './trial.ts'

const [H, W, C] = [3, 4, 6]
const size = H * W * C

/** Normalises the elements that share a key, then scales and shifts by channel. */
function normalised(name: string, keyOf: (n: number, c: number) => string, eps: number): Reference {
  return (x, params) => {
    const groups = new Map<string, number[]>()
    const key = (k: number): string => keyOf(Math.floor(k / size), k % C)
    x.forEach((v, k) => {
      groups.set(key(k), [...(groups.get(key(k)) ?? []), v])
    })
    return [...x].map((v, k) => {
      const all = groups.get(key(k))!
      const mean = all.reduce((a, b) => a + b, 0) / all.length
      const variance = all.reduce((a, b) => a + (b - mean) ** 2, 0) / all.length
      return affine(params, name, k, (v - mean) / Math.sqrt(variance + eps))
    })
  }
}

const affine = (params: Params, name: string, k: number, v: number): number =>
  v * params(`${name}.scale`)[k % C]! + params(`${name}.shift`)[k % C]!

test('group_norm', () => {
  const groups = (g: number) => (n: number, c: number) => `${n} ${Math.floor(c / (C / g))}`
  for (const g of [1, 3, 6]) {
    const reference = normalised('group_norm_1', groups(g), 1e-5)
    tryOut({ call: `group_norm(${g})`, input: [H, W, C], reference })
  }
})

test('instance_norm', () => {
  const reference = normalised('instance_norm_1.group_norm_1', (n, c) => `${n} ${c}`, 1e-5)
  tryOut({ call: 'instance_norm', input: [H, W, C], reference })
})

const rows = (x: Float64Array): Float64Array[] =>
  Array.from({ length: x.length / C }, (_, r) => x.subarray(r * C, (r + 1) * C))

const layerNorm: Reference = (x, params) =>
  rows(x).flatMap((row) => {
    const mean = row.reduce((a, b) => a + b, 0) / C
    const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / C
    return [...row].map((v, k) =>
      affine(params, 'layer_norm_1', k, (v - mean) / Math.sqrt(variance + 1e-5)),
    )
  })

test('layer_norm', () => {
  tryOut({ call: 'layer_norm', input: [W, C], reference: layerNorm })
  tryOut({ call: 'layer_norm', input: [C], reference: layerNorm })
})

test('layer_norm keeps its accuracy far from 0', () => {
  const x = varied(3 * C).map((v) => v + 50)
  tryOut({ call: 'layer_norm', input: [C], reference: layerNorm, x })
})

test('rms_norm', () => {
  tryOut({
    call: 'rms_norm',
    input: [W, C],
    reference: (x, params) =>
      rows(x).flatMap((row) => {
        const mean = row.reduce((a, b) => a + b * b, 0) / C
        return [...row].map((v, k) => (v * params('rms_norm_1.scale')[k]!) / Math.sqrt(mean + 1e-6))
      }),
  })
})

test('a row of equal elements becomes the shift', () => {
  const x = fill([3, C], () => 2)
  tryOut({ call: 'layer_norm(eps = 1e-3)', input: [C], x, tolerance: 1e-5 })
})
