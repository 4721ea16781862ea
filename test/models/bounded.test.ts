/**
 * Every model of models/ in small: its loss falls within a few steps, and its gradients are those of central differences
 * on the f64 evaluator.
 */
import { globSync } from 'node:fs'
import { basename } from 'node:path'
import { describe, expect, test } from 'vitest'
import { compile, lower } from '../../compiler/compile.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { load } from '../../runtime/index.ts'
import { type Choose, seeded } from '../support/choose.ts'
import { expectGradients } from '../support/gradients.ts'
import { optionsOf, programOf, small, textOf } from './small.ts'

const root = new URL('../../', import.meta.url)
const names = globSync('models/*.net', { cwd: root.pathname }).map((f) => basename(f, '.net'))

test('every model has its small form', () => {
  expect(Object.keys(small).sort()).toEqual(names.sort())
})

for (const [name, form] of Object.entries(small)) {
  describe(name, () => {
    test('its loss falls', async () => {
      const compiled = compile(textOf(name), { ...optionsOf(name), targets: ['simd'] })
      expect(compiled.diagnostics).toEqual([])
      const model = await load(compiled.modules!.simd!.wasm as Uint8Array<ArrayBuffer>)
      model.init(1)
      for (const [cell, value] of Object.entries(form.set ?? {})) model.hyper[cell] = value
      for (const [block, step] of Object.entries(model.train)) {
        if (form.adversarial?.includes(block)) continue
        const feeds = inputsOf(compiled.program!, block, 1)
        const losses: number[] = []
        for (let k = 0; k < (form.steps ?? 30); k++) losses.push(step(feeds).loss as number)
        const last = losses.slice(-5).reduce((a, b) => a + b) / 5
        expect(last, losses.join(' ')).toBeLessThan(losses[0]!)
      }
    })

    test('its gradients are those of central differences', () => {
      const program = programOf(name)
      const after = lower(program)
      for (const { name: entry, kind } of program.entries) {
        if (kind !== 'train') continue
        const inputs = inputsOf(program, entry, 2)
        const counts = Object.fromEntries(program.dims.map((d) => [d.name, d.max]))
        const persistent = persistentOf(program)
        const { samples = 3 } = form
        expectGradients({ before: program, after, entry, inputs, counts, persistent, samples })
      }
    })
  })
}

type Inputs = Record<string, Float32Array | Int32Array>

function inputsOf(program: Program, name: string, seed: number): Inputs {
  const choose: Choose = seeded(seed)
  const entry = program.entries.find((e) => e.name === name)!
  const inputs: Inputs = {}
  for (const t of entry.tensors) {
    if (t.role !== 'input') continue
    const length = t.shape.reduce((n, x) => n * x.size, 1)
    inputs[t.name] =
      t.dtype === 'f32'
        ? Float32Array.from({ length }, () => choose.int(0, 1000) / 1000)
        : Int32Array.from({ length }, () => choose.int(0, (t.range ?? 2) - 1))
  }
  return inputs
}

/** Parameters of about the size that an initializer gives, the same for every run. */
function persistentOf(program: Program): Record<string, Float64Array> {
  const choose = seeded(3)
  return Object.fromEntries(
    program.tensors
      .filter((t) => t.dtype === 'f32' && t.role !== 'hyper')
      .map((t) => {
        const length = t.shape.reduce((n, x) => n * x.size, 1)
        const value = (): number => choose.int(-500, 500) / 1000
        return [t.name, Float64Array.from({ length }, t.role === 'state' ? () => 0.5 : value)]
      }),
  )
}
