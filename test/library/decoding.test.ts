// Decoding step by step with a key/value cache: the same as reading the whole text at once, for prompts and single steps, and
// beyond the cache as attention to the last positions alone.
import { expect, test } from 'vitest'
import { lower } from '../../compiler/compile.ts'
import { createState, run } from '../../compiler/ir/evaluate.ts'
import { builds, Instance } from '../codegen/module.ts'
import { programOf } from '../elaborate/elaborated.ts'
import { closeTo, varied } from './trial.ts'

const ids = [3, 1, 4, 1, 5, 9, 2, 6, 5]
const length = ids.length

const text = (blocks: string, places: string): string => `
dim batch <= 2
net gpt(ids: int[N, T], cache = 0) -> [N, T, 11] {
  x = embedding(ids, 11, 8)
  y = ${places}
  for i in 0..2 { y = y |> ${blocks} }
  y |> layer_norm |> dense(11)
}
train t(ids: int[batch, ${length}], next: int[batch, ${length}]) {
  minimize cross_entropy(gpt(ids), next)
  using sgd(0.1)
}
predict whole(ids: int[1, ${length}]) { out = gpt(ids) }
predict prompt(ids: int[1, 4]) { out = gpt(ids, ${length}) }
predict one(ids: int[1, 1]) { out = gpt(ids, ${length}) }`

const models: readonly (readonly [name: string, text: string])[] = [
  ['rotary, one group', text('decoder_block(2, groups = 1, rotary = true, cache = cache)', 'x')],
  [
    'learned positions',
    text(
      'decoder_block(2, hidden = 8, cache = cache)',
      `if cache > 0 { learned_positions(x, ${length}, start = step_position(T)) } else { learned_positions(x) }`,
    ),
  ],
  [
    'sinusoidal positions and a memory',
    text(
      'reading(cache)',
      'if cache > 0 { sinusoidal_positions(x, start = step_position(T)) } else { sinusoidal_positions(x) }',
    ).concat(`
layer reading(x: [N, T, C], cache) -> [N, T, C] {
  param memory: [3, 5] = normal()
  all[n: N, s: 3, c: 5] = memory[s, c]
  cross_decoder_block(x, all, 2, cache = cache)
}`),
  ],
]

test.each(models)('%s', (_, source) => {
  const program = programOf(source)
  const state = createState(program)
  run(program, 'init', state, { seed: 4 })
  const outputs = (entry: string, some: readonly number[]): number[] => [
    ...run(program, entry, state, { inputs: { ids: some } }).outputs.out!,
  ]
  const whole = outputs('whole', ids)
  for (const round of [1, 2]) {
    const steps = outputs('prompt', ids.slice(0, 4))
    for (const id of ids.slice(4)) steps.push(...outputs('one', [id]))
    closeTo(steps, whole, `round ${round}`)
    run(program, 'one_reset', state)
    run(program, 'prompt_reset', state)
  }
  expect(state.tensors.get('gpt.dense_1.W')!.some((v) => v !== 0)).toBe(true)
})

test('compiled as evaluated, call after call, and after a reset', () => {
  const program = lower(programOf(models[0]![1].replace(/train t[^}]*}/, '')))
  for (const build of [builds[0]!, builds[3]!]) {
    const instance = new Instance(program, build)
    instance.init(4)
    const tolerance = { ulps: 400, scale: 'tensor', least: 0.05 } as const
    for (let round = 0; round < 2; round++) {
      instance.compare('prompt', { ids: ids.slice(0, 4) }, {}, tolerance)
      for (const id of ids.slice(4, 7)) instance.compare('one', { ids: [id] }, {}, tolerance)
      instance.compare('one_reset', {}, {}, tolerance)
    }
  }
})

test('beyond the cache the last positions count', () => {
  const cache = 3
  const program = programOf(`
net f(x: [1, T, 8], cache = 0) -> [1, T, 8] { x |> self_attention(2, rotary = true, cache = cache) }
predict one(x: [1, 1, 8]) { out = f(x, ${cache}) }
predict two(x: [1, 2, 8]) { out = f(x, ${cache}) }`)
  const state = createState(program)
  run(program, 'init', state, { seed: 2 })
  const x = varied(8 * 10)
  const outputs = (entry: string, from: number, count: number): number[] => {
    const inputs = { x: x.slice(8 * from, 8 * (from + count)) }
    return [...run(program, entry, state, { inputs }).outputs.out!]
  }
  const reset = (): void => {
    run(program, 'one_reset', state)
  }
  // Rotary positions know distances only, so that the last three steps alone give the same.
  const longer = Array.from({ length: 10 }, (_, t) => outputs('one', t, 1))
  for (const last of [2, 3, 7, 9]) {
    reset()
    const steps = [-2, -1, 0].map((back) => outputs('one', last + back, 1))
    closeTo(longer[last]!, steps[2]!, `step ${last}`)
  }
  // Two at once, of which the second sees the first and one that came before.
  reset()
  outputs('two', 4, 2)
  outputs('two', 6, 2)
  closeTo(outputs('two', 8, 2).slice(8), longer[9]!, 'two at once')
})
