/**
 * What a deep network costs: layers of one shape share their kernels, whatever makes them differ otherwise (their place in memory,
 * the sites of their random numbers), so that a module grows by calls and names only; and no function takes more parameters than engines
 * allow.
 */
import { expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import { renderAll } from '../../compiler/support/render.ts'
import { load } from '../../runtime/index.ts'

function moduleAt(text: string, depth: number): Uint8Array {
  const { modules, diagnostics } = compile(text, { dims: { depth }, targets: ['relaxed'] })
  if (!modules) throw new Error(renderAll(diagnostics))
  return modules.relaxed!.wasm
}

/** The bodies of a module's functions, in bytes; section 10 of the binary format. */
function functionsOf(wasm: Uint8Array): number[] {
  let at = 8
  const number = (): number => {
    let [value, shift] = [0, 0]
    for (;;) {
      const byte = wasm[at++]!
      value += (byte & 127) * 2 ** shift
      shift += 7
      if (byte < 128) return value
    }
  }
  while (at < wasm.length) {
    const section = wasm[at++]
    const size = number()
    if (section !== 10) at += size
    else {
      return Array.from({ length: number() }, () => {
        const length = number()
        at += length
        return length
      })
    }
  }
  return []
}

const blocks = `
dim batch <= 4
dim depth = 2
layer block(x: [N, D]) -> [N, D] {
  x + (x |> layer_norm |> dense(2 * D) |> gelu |> dropout(0.1) |> dense(D))
}
net deep(x: [batch, 8]) -> [batch, 8] {
  h = x
  for l in 0..depth { h = block(h) }
  h
}
train fit(x: [batch, 8], y: [batch, 8]) {
  minimize mse(deep(x), y)
  using adam(1e-3)
}
predict out(x: [batch, 8]) { deep(x) }
`

test('layers of one shape share all their kernels, with dropout and at their start', () => {
  const depths = [3, 6, 12]
  const modules = depths.map((depth) => moduleAt(blocks, depth))
  const [few, more, many] = modules.map((wasm) => functionsOf(wasm).length)
  expect(more).toBe(few)
  expect(many).toBe(few)
  // Twice as many layers more, no more than twice as many bytes.
  const [a, b, c] = modules.map((wasm) => wasm.length) as [number, number, number]
  expect(c - b).toBeLessThan(2.05 * (b - a))
})

test('no two layers draw the same numbers, though they share the code', async () => {
  const model = await load(moduleAt(blocks, 3) as BufferSource)
  model.init(5)
  const starts = Object.entries(model.params)
    .filter(([name]) => name.endsWith('dense_1.W'))
    .map(([, values]) => [...(values as Float32Array)].join())
  expect(starts.length).toBe(3)
  expect(new Set(starts).size).toBe(3)
})

test('a thousand tensors of one shape make more than one kernel', async () => {
  const text = `
dim depth = 1
layer shift(x: [D]) -> [D] {
  param b: [D] = 1
  x[d] + b[d]
}
net sums(x: [3]) -> [3] {
  h = x
  for l in 0..depth { h = shift(h) }
  h
}
predict out(x: [3]) { sums(x) }
`
  const model = await load(moduleAt(text, 1100) as BufferSource)
  model.init(1)
  const { out } = model.predict
  expect([...(Object.values(out!({ x: Float32Array.of(1, 2, 3) }))[0] as Float32Array)]).toEqual([
    1101, 1102, 1103,
  ])
})
