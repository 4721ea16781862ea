/**
 * What an emitted module is made of: each validated by wabt, which knows nothing of binaryen; the SIMD instructions that
 * a kernel should have and those it must not; what it exports; which kernels are shared, fused, in memory.
 */
import { describe, expect, test } from 'vitest'
import wabt from 'wabt'
import { type Compiled, type CompileOptions, compile } from '../../compiler/compile.ts'
import { renderAll } from '../../compiler/support/render.ts'
import type { Target } from '../../compiler/wasm/assembler.ts'
import { optionsOf, small, textOf } from '../models/small.ts'

const { readWasm } = await wabt()

/** All of SIMD but nothing newer, unless it is the relaxed build. */
const featuresOf = (target: Target, threads: boolean) => ({
  simd: true,
  relaxed_simd: target === 'relaxed',
  bulk_memory: true,
  sat_float_to_int: true,
  mutable_globals: true,
  sign_extension: true,
  multi_value: false,
  threads,
  exceptions: false,
  gc: false,
  tail_call: false,
  memory64: false,
  extended_const: false,
})

const targets = ['simd', 'relaxed'] as const

function compiled(text: string, options: CompileOptions = { file: 'structure.net' }): Compiled {
  const result = compile(text, { ...options, verify: true })
  if (!result.modules) throw new Error(renderAll(result.diagnostics))
  return result
}

/** The module as text, after validation. */
function watOf(wasm: Uint8Array, target: Target, threads = false): string {
  const features = featuresOf(target, threads)
  const module = readWasm(wasm, { ...features, readDebugNames: true })
  // Its types leave out the argument.
  const validator: { validate: (features: object) => void } = module
  try {
    module.applyNames()
    validator.validate(features)
    return module.toText({ foldExprs: false, inlineExport: false })
  } finally {
    module.destroy()
  }
}

interface Func {
  readonly text: string
  /** The parts of the text that stand in a loop. */
  readonly loops: string
}

/** The functions of a module by their index; names are not in the binary. */
function functionsOf(wat: string): Func[] {
  const parts = wat.split(/^ {2}\(func /m).slice(1)
  return parts.map((part) => {
    const text = part.split(/^ {2}\((?:memory|export|data|global|table)/m)[0]!
    let depth = 0
    const within: string[] = []
    const open: string[] = []
    for (const line of text.split('\n').map((l) => l.trim())) {
      const word = /^(loop|block|if|end)\b/.exec(line)?.[1]
      if (word === 'end') depth -= open.pop() === 'loop' ? 1 : 0
      else if (word) {
        open.push(word)
        depth += word === 'loop' ? 1 : 0
      }
      if (depth > 0) within.push(line)
    }
    return { text, loops: within.join('\n') }
  })
}

const count = (text: string, word: string): number => text.split(word).length - 1

describe.each(Object.keys(small))('models/%s.net', (name) => {
  const { modules } = compiled(textOf(name), optionsOf(name))
  test.each(targets)(
    '%s build: valid to wabt, no imports, exports memory and its entries',
    (target) => {
      const { wasm, manifest } = modules![target]!
      const wat = watOf(wasm, target)
      expect(wat).not.toMatch(/\(import/)
      const module = new WebAssembly.Module(wasm as BufferSource)
      expect(WebAssembly.Module.imports(module)).toEqual([])
      expect(
        WebAssembly.Module.exports(module)
          .map((e) => e.name)
          .sort(),
      ).toEqual(['init', 'memory', ...manifest.entries.map((e) => e.name)].sort())
      expect(WebAssembly.Module.customSections(module, 'netc')).toHaveLength(1)
    },
  )
  test('the simd build has no relaxed instruction and validates without the feature', () => {
    expect(watOf(modules!.simd!.wasm, 'simd')).not.toMatch(/relaxed/)
  })
})

test('a module for threads: valid to wabt, one import, and the functions of its threads', () => {
  const { modules } = compiled(textOf('lstm'), { ...optionsOf('lstm'), threads: { least: 0 } })
  for (const target of targets) {
    const { wasm, manifest } = modules![target]!
    const wat = watOf(wasm, target, true)
    expect(wat).toMatch(/memory\.atomic\.wait32/)
    const module = new WebAssembly.Module(wasm as BufferSource)
    const imported = [{ module: 'env', name: 'memory', kind: 'memory' }]
    expect(WebAssembly.Module.imports(module)).toEqual(imported)
    const names = WebAssembly.Module.exports(module).map((e) => e.name)
    const own = ['.stop', '.team', '.work', 'init', 'memory']
    expect(names.sort()).toEqual([...own, ...manifest.entries.map((e) => e.name)].sort())
  }
})

test('wabt refuses the relaxed build where relaxed SIMD is off', () => {
  const { modules } = compiled(textOf('mnist'))
  expect(() => watOf(modules!.relaxed!.wasm, 'simd')).toThrow()
})

const dense = `dim batch <= 32
net f(x: [batch, 64]) -> [batch, 48] { x |> dense(48) |> relu }
predict p(x: [batch, 64]) { y = f(x) }`

const patterns: Readonly<Record<string, string>> = {
  dense,
  softmax: 'dim batch <= 9\npredict p(x: [batch, 13]) { y = softmax(x) }',
  convolution: `dim batch <= 3
layer conv(x: [N, H, W, C], K: dim) -> [N, H, W, K] {
  param F: [3, 3, C, K] = he_normal(9 * C)
  y[n, h, w, k] = sum[r, s, c](x?[n, h + r - 1, w + s - 1, c] * F[r, s, c, k])
}
net f(x: [batch, 7, 7, 3]) -> [batch, 7, 7, 5] { x |> conv(5) |> relu }
train t(x: [batch, 7, 7, 3], y: [batch, 7, 7, 5]) { minimize mse(f(x), y) using adam() }`,
  'random numbers': 'dim batch <= 9\npredict p(x: [batch, 13]) { y = x * normal([batch, 13]) }',
  embedding: `dim batch <= 9
layer embed(ids: int[N], V: dim, D: dim) -> [N, D] {
  param table: [V, D] = normal()
  e[n, d] = table[ids[n], d]
}
net f(ids: int[batch]) -> [batch, 6] { ids |> embed(11, 6) }
train t(ids: int[batch], y: [batch, 6]) { minimize mse(f(ids), y) using adagrad() }`,
}

test.each(
  Object.entries(patterns).flatMap(([name, text]) => targets.map((t) => [name, t, text] as const)),
)('%s, %s: valid to wabt', (_, target, text) => {
  watOf(compiled(text).modules![target]!.wasm, target)
})

describe('a dense kernel', () => {
  const { modules } = compiled(dense)
  const kernels = (target: Target): Func[] =>
    functionsOf(watOf(modules![target]!.wasm, target)).filter((f) =>
      /f32x4\.(mul|relaxed_madd)/.test(f.loops),
    )
  const contraction = (target: Target): Func =>
    kernels(target).reduce((a, b) =>
      count(b.loops, 'v128.load') > count(a.loops, 'v128.load') ? b : a,
    )
  test('multiplies and adds four lanes at once in the simd build', () => {
    const { loops } = contraction('simd')
    expect(count(loops, 'f32x4.mul')).toBeGreaterThanOrEqual(8)
    expect(count(loops, 'f32x4.add')).toBeGreaterThanOrEqual(8)
    expect(loops).not.toMatch(/f32\.(mul|add)/)
  })
  test('is multiply-adds in the relaxed build', () => {
    const { loops } = contraction('relaxed')
    expect(count(loops, 'f32x4.relaxed_madd')).toBeGreaterThanOrEqual(8)
    expect(loops).not.toMatch(/f32x4\.mul\b/)
  })
  test('calls nothing in its loops, and holds its epilogue', () => {
    for (const target of targets) {
      const { loops } = contraction(target)
      expect(loops).not.toMatch(/\bcall\b/)
      expect(loops).toMatch(/f32x4\.pmax/)
    }
  })
})

const training = (layers: string): string => `dim batch <= 16
net f(x: [batch, 24]) -> [batch, 24] { x |> ${layers} }
train t(x: [batch, 24], y: [batch, 24]) { minimize mse(f(x), y) using adam() }`

test('no contraction of a training step calls anything from a loop', () => {
  // What dropout draws is a call in an epilogue, once for each value.
  const text = textOf('mnist').replace(/\|> dropout\(.*?\)/g, '')
  for (const target of targets) {
    const wasm = compiled(text).modules![target]!.wasm
    const all = functionsOf(watOf(wasm, target))
    const mul = target === 'simd' ? 'f32x4.mul' : 'f32x4.relaxed_madd'
    const contractions = all.filter(
      (f) => count(f.loops, mul) >= 8 && count(f.loops, 'v128.load') >= 8,
    )
    expect(contractions.length).toBeGreaterThanOrEqual(6)
    for (const { loops } of contractions) expect(loops).not.toMatch(/\bcall\b/)
  }
})

test('layers of one shape share their kernels', () => {
  // Its start is no random number: those have a kernel for each place they are drawn at.
  const layer =
    'layer same(x: [N, I]) -> [N, I] {\n  param W: [I, I] = 0.1\n  y[n, o] = sum[i](x[n, i] * W[i, o])\n}\n'
  const functions = (layers: number): number => {
    const chain = new Array<string>(layers).fill('same').join(' |> tanh |> ')
    return functionsOf(watOf(compiled(layer + training(chain)).modules!.simd!.wasm, 'simd')).length
  }
  expect(functions(5)).toBe(functions(4))
})

test('the gradient of a dense layer is never in memory', () => {
  // 512 × 512 weights are 1 MB; activations and their gradients are 16 rows.
  const text = `dim batch <= 16
net f(x: [batch, 512]) -> [batch, 512] { x |> dense(512) }
train t(x: [batch, 512], y: [batch, 512]) { minimize mse(f(x), y) using adam() }`
  for (const target of targets) {
    const { manifest } = compiled(text).modules![target]!
    const entry = manifest.entries.find((e) => e.kind === 'train')!
    expect(entry.peak).toBeLessThan(512 * 512)
    expect(entry.trace.map((t) => t.name).filter((name) => /W/.test(name))).toEqual([])
  }
})
