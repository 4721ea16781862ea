/**
 * netc/runtime/generate: token by token through a predict block that carries its state (a recurrent state, a key-value
 * cache) from call to call, each token fed back as the next one's input. Apart from the core, for pages that need none
 * of it.
 *
 *     for (const id of generate(model, 'next', { prompt: ids, count: 200, feeds: { temperature: 0.8 } })) …
 *
 * The block takes the token in a whole-number input of one element and gives the next one in a whole-number output of
 * one element. Everything is synchronous; whoever draws in between pauses between two tokens. `beamSearch` (beam.ts)
 * looks for the likeliest sequences instead.
 */
import type { EntrySpec, TensorSpec } from '../../compiler/wasm/manifest.ts'
import { fail } from '../errors.ts'
import type { AnyBlocks, Blocks, Model, TextFeeds } from '../model.ts'

export { type BeamOptions, beamSearch, type Following, type Hypothesis } from './beam.ts'

export interface GenerateOptions {
  /** What to go on from, at least one token: numbers, or text where the input has a vocabulary. */
  readonly prompt: ArrayLike<number> | string
  /** How many tokens to make, at most. */
  readonly count: number
  /** The block's other inputs, the same at every call: `{ temperature: 0.8 }`. */
  readonly feeds?: TextFeeds
  /** The input that takes the token. By default the only whole-number input that `feeds` leaves out. */
  readonly input?: string
  /** The output that gives it. By default the one called like the input, or the first of whole numbers. */
  readonly output?: string
  /** Draw with this seed. */
  readonly seed?: number
  /** Go on where the last call left the state, instead of at its start. */
  readonly resume?: boolean
  /** A token that ends the text; it is not given out. */
  readonly stop?: number
}

const isOne = (spec: TensorSpec): boolean =>
  spec.dtype === 'i32' && spec.shape.slice(spec.bounds[0] ? 1 : 0).every((n) => n === 1)

/** The one tensor for tokens, by its name or by what it can be. */
function pick(
  what: 'input' | 'output',
  block: string,
  wish: string | undefined,
  known: readonly TensorSpec[],
  possible: readonly TensorSpec[],
): TensorSpec {
  if (wish !== undefined) {
    const found = known.find((spec) => spec.name === wish)
    const names = known.map((spec) => spec.name).join(', ') || 'none'
    if (!found)
      fail('call', `${block} has no ${what} ${wish}; its ${what}s: ${names}`, { name: wish })
    if (!isOne(found))
      fail('call', `${what} ${wish} of ${block} is not one whole number`, { name: wish })
    return found
  }
  const [one, other] = possible
  if (one && (what === 'output' || !other)) return one
  const why = one ? 'several inputs could take the token' : `no ${what} is one whole number`
  return fail('call', `${block}: ${why}: name it with \`${what}\``, { name: block })
}

function entryOf(model: Model, block: string): EntrySpec {
  const entries = model.manifest.entries.filter((entry) => entry.kind === 'predict')
  const spec = entries.find((entry) => entry.of === block)
  const names = entries.map((entry) => entry.of).join(', ') || 'none'
  if (!spec)
    return fail('call', `this model has no predict block ${block}; it has ${names}`, {
      name: block,
    })
  if (!spec.carries) {
    fail('call', `${block} carries no state from call to call: each token would be its first`, {
      name: block,
    })
  }
  return spec
}

/**
 * The tokens that predict block `block` makes one after the other. Throws a `NetcError` of code `call` where the
 * block cannot be fed so.
 */
export function* generate<B extends Blocks = AnyBlocks>(
  model: Model<B>,
  block: string,
  options: GenerateOptions,
): Generator<number, void, void> {
  const { count, feeds = {}, seed, stop } = options
  const any = model as unknown as Model
  const spec = entryOf(any, block)
  const open = spec.inputs.filter((s) => !(s.name in feeds) && isOne(s))
  const input = pick('input', block, options.input, spec.inputs, open)
  const same = spec.outputs.filter((s) => s.name === input.name && isOne(s))
  const output = pick('output', block, options.output, spec.outputs, [
    ...same,
    ...spec.outputs.filter(isOne),
  ])
  const prompt = tokensOf(any, input, options.prompt)
  if (prompt.length === 0) fail('call', `${block} has nothing to go on from: the prompt is empty`)
  if (!options.resume || seed !== undefined) any.reset(block, seed)
  const step = (token: number): number => {
    const made = any.predict[block]!({ ...feeds, [input.name]: input.bounds[0] ? [token] : token })
    const next = made[output.name]!
    return typeof next === 'number' ? next : next[0]!
  }
  let next = 0
  for (let k = 0; k < prompt.length; k++) next = step(prompt[k]!)
  for (let made = 0; made < count && next !== stop; ) {
    yield next
    if (++made < count) next = step(next)
  }
}

function tokensOf(model: Model, input: TensorSpec, prompt: ArrayLike<number> | string) {
  if (typeof prompt !== 'string') return prompt
  const { vocabulary } = input as { vocabulary?: string }
  const known = vocabulary === undefined ? undefined : model.vocabularies[vocabulary]
  if (known) return known.encode(prompt)
  const why =
    vocabulary === undefined
      ? `input ${input.name} has no vocabulary`
      : 'load was not given `text` of netc/runtime/text'
  return fail('call', `the prompt is text and ${why}`, { name: input.name })
}
