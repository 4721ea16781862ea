/** Printed gradients of random programs compute, elaborated again, what the differentiated programs compute. */
import { expect, test } from 'vitest'
import { analyze } from '../../compiler/compile.ts'
import { differentiate } from '../../compiler/differentiate/index.ts'
import { createState, prepare } from '../../compiler/ir/evaluate.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { gradientText } from '../../compiler/notation/net.ts'
import { programFromSeed, randomValues } from '../support/arbitrary.ts'

/** Each printed gradient is of the parameters as given, also that of a later step. */
function withoutUpdates(program: Program): Program {
  const entries = program.entries.map((entry) => ({
    ...entry,
    stages: entry.stages.map((stage) => ({ ...stage, updates: [] })),
  }))
  return { ...program, entries }
}

/** False where the language has no form for an equation: a scatter over two bounded dims. */
function agrees(seed: number, recurrences = false): boolean {
  const program = programFromSeed(seed, { train: true, smooth: true, recurrences })
  const text = gradientText(program, 't', {})
  const { program: again, diagnostics } = analyze(text)
  if (!again) {
    expect(diagnostics.map((d) => d.code)).toContain('NET3026')
    return false
  }
  const derived = withoutUpdates(differentiate.run(program))
  const { inputs, counts, persistent } = randomValues(program, 't', seed)
  const state = createState(derived)
  for (const [name, values] of Object.entries(persistent)) state.tensors.get(name)?.set(values)
  const whole = prepare(derived, 't', state, { inputs, counts, seed })
  whole.begin()
  whole.entry.stages.forEach((_, k) => {
    whole.runStage(k)
  })
  const blocks = again.entries.filter((e) => e.kind === 'predict')
  const stages = program.entries.find((e) => e.name === 't')!.stages
  stages
    .flatMap((s) => s.objective ?? [])
    .forEach((objective, k) => {
      const block = blocks[k]!
      const given = block.inputs.map((name) => [name, inputs[name] ?? state.tensors.get(name)!])
      const own = createState(again)
      own.tensors.get('step')?.fill(1)
      // A predict block draws from a stream of its own: make it that of the training.
      if (block.stream) {
        own.tensors.get(block.stream.step)!.fill(1)
        own.tensors.get(block.stream.seed)!.fill(seed)
      }
      const printed = prepare(again, block.name, own, {
        inputs: Object.fromEntries(given),
        counts,
        seed,
      })
      printed.begin()
      printed.runStage(0)
      const outputs = Object.values(printed.result().outputs)
      const names = [objective.loss, ...objective.gradients.map((g) => g.gradient)]
      names.forEach((name, at) => {
        const expected = whole.memory.buffers.get(name)!
        outputs[at]!.forEach((value, i) => {
          // Constants that simplification multiplies are rounded to f32 once more.
          const error = Math.abs(value - expected[i]!) / Math.max(1, Math.abs(expected[i]!))
          if (error > 2e-6) {
            throw new Error(`seed ${seed}, ${name}[${i}]: ${value}, not ${expected[i]}\n${text}`)
          }
        })
      })
    })
  return true
}

test('random programs', () => {
  let said = 0
  for (let seed = 1; seed <= 100; seed++) if (agrees(seed)) said++
  expect(said).toBeGreaterThan(90)
})

test('random programs with recurrences', () => {
  let said = 0
  for (let seed = 1; seed <= 60; seed++) if (agrees(seed, true)) said++
  expect(said).toBeGreaterThan(50)
})
