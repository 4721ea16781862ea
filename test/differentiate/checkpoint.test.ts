/** `checkpoint`: the same gradients from values that are computed again, less memory, more arithmetic. */
import { describe, expect, test } from 'vitest'
import { analyze, lower } from '../../compiler/compile.ts'
import { differentiate } from '../../compiler/differentiate/index.ts'
import { schedule } from '../../compiler/generate.ts'
import { createState, run } from '../../compiler/ir/evaluate.ts'
import { parseProgram } from '../../compiler/ir/parse.ts'
import { printProgram } from '../../compiler/ir/print.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { verify } from '../../compiler/ir/verify.ts'
import { gradientText } from '../../compiler/notation/net.ts'
import { cse } from '../../compiler/passes/cse.ts'
import { dce } from '../../compiler/passes/dce.ts'
import { inline } from '../../compiler/passes/inline.ts'
import { simplify } from '../../compiler/passes/simplify.ts'
import { kernelsOf } from '../../compiler/schedule/kernels.ts'
import { flopsOf } from '../../compiler/schedule/work.ts'
import { renderAll } from '../../compiler/support/render.ts'
import { builds, Instance } from '../codegen/module.ts'
import { programFromSeed, randomValues } from '../support/arbitrary.ts'
import { seeded } from '../support/choose.ts'
import { buildOf, compareProgram } from '../support/differential.ts'
import { checkGradients, equationsOf } from './check.ts'

const passes = [simplify, cse, inline, dce]

function gradient(text: string): string[] {
  checkGradients(text)
  return equationsOf(checkGradients(text, { passes }))
}

describe('equations', () => {
  test('of a chain are computed again block by block, after the backward pass has come there', () => {
    const equations = gradient(`
      input x: f32[5, 4]
      param A: f32[4, 4]
      param B: f32[4, 4]
      param C: f32[4, 4]
      param D: f32[4, 4]
      a[n: 5, j: 4] = tanh(sum[i: 4](x[n, i] * A[i, j])) checkpoint "1"
      b[n: 5, j: 4] = sum[i: 4](a[n, i] * B[i, j]) checkpoint "1"
      c[n: 5, j: 4] = tanh(sum[i: 4](b[n, i] * C[i, j])) checkpoint "2"
      d[n: 5, j: 4] = sum[i: 4](c[n, i] * D[i, j]) checkpoint "2"
      loss[] = sum[n: 5, j: 4](d[n, j] * d[n, j])`)
    const start = equations.findIndex((line) => line.startsWith('d_d['))
    expect(equations.slice(start)).toEqual([
      'd_d[n: 5, j: 4] = 2.0 * d[n, j]',
      'c_sum_again[n: 5, j: 4] = sum[i: 4](b[n, i] * C[i, j]) after d_d[_, _]',
      'c_again[n: 5, j: 4] = tanh(c_sum_again[n, j]) after d_d[_, _]',
      'd_D[i: 4, j: 4] = sum[n: 5](c_again[n, i] * d_d[n, j])',
      'd_c[n: 5, i: 4] = sum[j: 4](d_d[n, j] * D[i, j])',
      'd_c_sum[n: 5, j: 4] = d_c[n, j] * (1.0 - c_again[n, j] * c_again[n, j])',
      'd_C[i: 4, j: 4] = sum[n: 5](b[n, i] * d_c_sum[n, j])',
      'd_b[n: 5, i: 4] = sum[j: 4](d_c_sum[n, j] * C[i, j])',
      'a_sum_again[n: 5, j: 4] = sum[i: 4](x[n, i] * A[i, j]) after d_b[_, _]',
      'a_again[n: 5, j: 4] = tanh(a_sum_again[n, j]) after d_b[_, _]',
      'd_B[i: 4, j: 4] = sum[n: 5](a_again[n, i] * d_b[n, j])',
      'd_a[n: 5, i: 4] = sum[j: 4](d_b[n, j] * B[i, j])',
      'd_a_sum[n: 5, j: 4] = d_a[n, j] * (1.0 - a_again[n, j] * a_again[n, j])',
      'd_A[i: 4, j: 4] = sum[n: 5](x[n, i] * d_a_sum[n, j])',
    ])
  })

  test('of a checkpoint in a checkpoint are computed again from what the outer one computed again', () => {
    const equations = gradient(`
      input x: f32[5, 4]
      param A: f32[4, 4]
      param B: f32[4, 4]
      param C: f32[4, 4]
      a[n: 5, j: 4] = tanh(sum[i: 4](x[n, i] * A[i, j])) checkpoint "1"
      b[n: 5, j: 4] = sin(sum[i: 4](a[n, i] * B[i, j])) checkpoint "1/2"
      c[n: 5, j: 4] = tanh(sum[i: 4](b[n, i] * C[i, j])) checkpoint "1"
      y[n: 5, j: 4] = c[n, j] * x[n, j]
      loss[] = sum[n: 5, j: 4](y[n, j] * y[n, j])`)
    expect(equations).toContain(
      'b_sum_again2[n: 5, j: 4] = sum[i: 4](a_again[n, i] * B[i, j]) after d_b[_, _]',
    )
  })

  test('of a scan in a scan are computed again in each step of the outer one', () => {
    const equations = gradient(`
      input x: f32[2, 3, 4, 3]
      param Wx: f32[3, 2]
      param Wh: f32[2, 2]
      h_prev[n: 2, s: 3, k: 2] = h?[n, s - 1, k]
      xw[n: 2, s: 3, u: 4, j: 2] = sum[i: 3](x[n, s, u, i] * Wx[i, j]) checkpoint "1"
      g_prev[n: 2, s: 3, u: 4, k: 2] = where(u == 0, h_prev[n, s, k], g?[n, s, u - 1, k]) checkpoint "1"
      g[n: 2, s: 3, u: 4, j: 2] = tanh(xw[n, s, u, j] + sum[k: 2](g_prev[n, s, u, k] * Wh[k, j])) checkpoint "1"
      h[n: 2, s: 3, j: 2] = g[n, s, 3, j] checkpoint "1"
      loss[] = sum[n: 2, s: 3, j: 2](h[n, s, j] * h[n, s, j])`)
    const again = equations.filter((line) => / after d_h\[_, s, _\]$/.test(line))
    expect(again.map((line) => line.split('[')[0])).toEqual([
      'xw_again',
      'g_prev_again',
      'g_add_again',
      'g_again',
    ])
  })
})

/** The program with equations of a stretch before the loss, and of a stretch of that, in checkpoints; none carries. */
function marked(program: Program, seed: number): Program {
  const choose = seeded(seed ^ 77)
  const entries = program.entries.map((entry) => {
    if (entry.kind !== 'train') return entry
    const marks = new Map<string, string>()
    entry.stages.forEach((stage, s) => {
      const all = stage.equations.map((e) => e.target)
      const end = all.findIndex((t) => t.startsWith('loss'))
      const targets = all.slice(0, end)
      const runs: string[][] = [[]]
      for (const target of targets) {
        if (target.endsWith('_prev')) runs.push([])
        else runs.at(-1)!.push(target)
      }
      const before = runs[choose.int(0, runs.length - 1)]!
      const stretch = (all: readonly string[]): readonly string[] => {
        const third = Math.floor(all.length / 3)
        return all.slice(choose.int(0, third), choose.int(2 * third, all.length))
      }
      const outer = choose.int(0, 3) === 0 ? stretch(targets) : stretch(before)
      for (const target of outer) marks.set(target, `${s + 1}`)
      for (const target of stretch(outer)) marks.set(target, `${s + 1}/9`)
    })
    const tensors = entry.tensors.map((t) => {
      const checkpoint = marks.get(t.name)
      return checkpoint === undefined ? t : { ...t, checkpoint }
    })
    return { ...entry, tensors }
  })
  return { ...program, entries }
}

test('random programs take the same step', () => {
  let copies = 0
  for (let seed = 1; seed <= 60; seed++) {
    const options = { train: true, smooth: true, recurrences: true, equations: 3 }
    const before = programFromSeed(seed, options)
    const again = marked(before, seed)
    verify(again, 'marked')
    expect(printProgram(parseProgram(printProgram(again)))).toBe(printProgram(again))
    const derived = differentiate.run(again)
    verify(derived, 'differentiate')
    expect(parseProgram(printProgram(derived)).entries).toHaveLength(derived.entries.length)
    const train = derived.entries.find((e) => e.name === 't')!
    copies += train.tensors.filter((t) => /_again\d*$/.test(t.name)).length
    const lowered = seed % 10 === 0 ? [lower(again, { verify: true })] : []
    const values = randomValues(before, 't', seed)
    const states = [differentiate.run(before), derived, ...lowered].map((program) => {
      const state = createState(program)
      for (const [name, v] of Object.entries(values.persistent)) state.tensors.get(name)!.set(v)
      run(program, 't', state, { ...values, seed })
      return state.tensors
    })
    for (const [name, expected] of states[0]!) {
      for (const other of states.slice(1)) {
        expected.forEach((value, k) => {
          const error = Math.abs(value - other.get(name)![k]!) / Math.max(1, Math.abs(value))
          if (!(error < 1e-5)) throw new Error(`seed ${seed}: ${name}[${k}] is off by ${error}`)
        })
      }
    }
    for (const program of lowered) compareProgram(program, buildOf(seed), seed)
  }
  expect(copies).toBeGreaterThan(8)
})

interface Cost {
  readonly peak: number
  readonly flops: number
}

/** What the manifest says of the entry. */
function costOf(text: string, name = 't'): Cost {
  const { program, diagnostics } = analyze(text)
  if (!program) throw new Error(renderAll(diagnostics))
  const { plan, entries } = schedule(lower(program, { verify: true }), { fuse: true })
  const { stages } = entries.find(({ entry }) => entry.name === name)!
  const kernels = stages.flatMap((stage) => stage.steps.flatMap(kernelsOf))
  const equations = kernels.flatMap((kernel) => kernel.equations)
  const flops = equations.reduce((n, equation) => n + flopsOf(equation), 0)
  return { peak: plan.entries.get(name)!.peak, flops }
}

const deep = (body: string): string => `dim batch <= 32
layer block(x: [batch, I]) -> [batch, I] {
  ${body}
}
net deep(x: [batch, 16]) -> [batch, 3] {
  x |> block |> block |> block |> block |> dense(3)
}
train t(x: [batch, 16], label: int[batch]) {
  minimize cross_entropy(deep(x), label)
  using sgd(0.1)
}
`
/** A recurrent network over time, in the square root of as many chunks as there are steps. */
function chunks(time: number, call: string): string {
  const root = Math.sqrt(time)
  return `dim batch <= 16
layer chunk(part: [batch, C, I], h: [batch, H]) -> [batch, H] {
  hs = rnn(part, H, h0 = h)
  last[n, j] = hs[n, C - 1, j]
  last
}
net f(x: [batch, ${time}, 8]) -> [batch, 3] {
  hs = scan s in ${root} with h: [batch, 32] = 0 {
    part[n, u: ${root}, i] = x[n, ${root} * s + u, i]
    h' = ${call}
    yield h'
  }
  last[n, j] = hs[n, ${root - 1}, j]
  last |> dense(3)
}
train t(x: [batch, ${time}, 8], label: int[batch]) {
  minimize cross_entropy(f(x), label)
  using sgd(0.1)
}
`
}

const inside = 'x |> dense(64) |> tanh |> dropout(0.2) |> dense(64) |> tanh |> dense(I)'

describe('in the language', () => {
  test.each([`checkpoint(${inside})`, `${inside} |> checkpoint`])('%s', (body) => {
    const plain = costOf(deep(inside))
    const again = costOf(deep(body))
    expect(again.peak).toBeLessThan(plain.peak / 2)
    expect(again.flops).toBeGreaterThan(plain.flops * 1.15)
    expect(again.flops).toBeLessThan((plain.flops * 4) / 3)
    const evaluation = (text: string): number[] => {
      const { flops, peak } = costOf(deep(text), 't_eval')
      return [flops, peak]
    }
    expect(evaluation(body)).toEqual(evaluation(inside))
  })

  test('the same step', () => {
    const [plain, again] = [inside, `checkpoint(${inside})`].map((body) => {
      const { program } = analyze(deep(body))
      const ready = lower(program!)
      const state = createState(ready)
      run(ready, 'init', state, { seed: 3 })
      const x = Array.from({ length: 8 * 16 }, (_, k) => Math.sin(k))
      const label = Array.from({ length: 8 }, (_, k) => k % 3)
      run(ready, 't', state, { inputs: { x, label }, counts: { batch: 8 }, seed: 3 })
      return state.tensors
    })
    for (const [name, values] of plain!) {
      values.forEach((v, k) => {
        expect(again!.get(name)![k]).toBeCloseTo(v, 12)
      })
    }
  })

  test('a scan in a scan keeps a value for each outer step, and a step of what is inside', () => {
    const steps = 64
    const plain = costOf(chunks(steps, 'chunk(part, h)'))
    const again = costOf(chunks(steps, 'checkpoint(chunk(part, h))'))
    expect(again.peak).toBeLessThan(plain.peak / 3)
    expect(again.flops).toBeLessThan(plain.flops * 1.4)
    // Four times the time is about two times the memory: a square root.
    const longer = costOf(chunks(4 * steps, 'checkpoint(chunk(part, h))'))
    expect(longer.peak).toBeLessThan(again.peak * 2.5)
    expect(costOf(chunks(4 * steps, 'chunk(part, h)')).peak).toBeGreaterThan(plain.peak * 3)
  })

  test.each(builds)('its code computes what the evaluator does: $target, fused $fuse', (build) => {
    const { program } = analyze(chunks(16, 'checkpoint(chunk(part, h))'))
    const instance = new Instance(lower(program!), build, 'chunks')
    instance.init(5)
    const x = Float64Array.from({ length: 5 * 16 * 8 }, (_, k) => Math.sin(k))
    const label = Float64Array.from({ length: 5 }, (_, k) => k % 3)
    instance.compare('t', { x, label }, { batch: 5 }, { ulps: 4096, scale: 'tensor' })
  })

  test('several values, a number, nothing to keep', () => {
    const text = `fn two(x) = (sin(x), cos(x))
predict p(x: [4]) {
  (a, b) = checkpoint(two(x))
  c = checkpoint(3)
  d = x |> checkpoint
  a * b * c + d
}`
    const { program, diagnostics } = analyze(text)
    expect(renderAll(diagnostics.filter((d) => d.severity === 'error'))).toBe('')
    expect(program).toBeDefined()
  })

  test('the written gradient is without it', () => {
    const texts = [inside, `checkpoint(${inside})`].map((body) =>
      gradientText(analyze(deep(body)).program!, 't', {}),
    )
    expect(texts[1]).not.toContain('again')
    const lines = texts.map((text) => text.split('\n').length)
    expect(lines[1]! - lines[0]!).toBeLessThanOrEqual(0)
  })
})
