/**
 * Addresses beyond 2 GiB, which are negative as signed numbers: a network with convolution, embedding, recurrence, dropout and
 * Adam behind two huge inputs gives the same bits as behind small ones. The huge inputs are never written, so they take address space and
 * no memory.
 */
import { expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import { renderAll } from '../../compiler/support/render.ts'
import { load } from '../../runtime/index.ts'

const text = `
dim batch <= 5
dim far = 4
net read(ids: int[batch, 7], image: [batch, 9, 9, 2]) -> [batch, 6] {
  words = embedding(ids, 11, 12) |> lstm(8)
  seen = image |> conv2d(5) |> relu |> max_pool(2) |> flatten |> dropout(0.2) |> dense(8)
  last[n, j] = words[n, 6, j] + seen[n, j]
  last |> layer_norm |> dense(6)
}
train fit(
  a: [far],
  b: [far],
  ids: int[batch, 7],
  image: [batch, 9, 9, 2],
  label: int[batch],
) {
  logits = read(ids, image)
  minimize cross_entropy(logits, label) + 0 * (a[far - 1] + b[0])
  using adam(1e-2)
  report accuracy(logits, label)
}
`

async function trained(far: number, target: 'simd' | 'relaxed') {
  const { modules, diagnostics } = compile(text, { dims: { far }, targets: [target] })
  if (!modules) throw new Error(renderAll(diagnostics))
  const model = await load(modules[target]!.wasm as BufferSource)
  model.init(3)
  const { inputs, outputs, run } = model.entry('fit')
  const rows = 4
  inputs.ids!.set(Array.from({ length: rows * 7 }, (_, k) => (5 * k * k + k) % 11))
  inputs.image!.set(Array.from({ length: rows * 162 }, (_, k) => Math.sin(k * k)))
  inputs.label!.set([3, 0, 5, 1])
  const losses: number[] = []
  for (let step = 0; step < 3; step++) {
    run(rows)
    losses.push(outputs.loss![0]!)
  }
  const params = Object.entries(model.params).map(([name, w]) => [name, [...w]])
  return { losses, params, offset: inputs.label!.byteOffset }
}

test.each(['simd', 'relaxed'] as const)(
  '%s: behind 3 GiB of inputs, the same bits',
  async (target) => {
    const near = await trained(4, target)
    const far = await trained(400_000_000, target)
    expect(far.offset).toBeGreaterThan(2 ** 31)
    expect(far.losses).toEqual(near.losses)
    expect(new Set(far.losses).size).toBe(3)
    expect(far.params).toEqual(near.params)
  },
)
