/**
 * netc/runtime/text: vocabularies, for models that read or write text. `load(url, { text })` gives such a model
 * `model.vocabularies` and lets its inputs be fed with texts. Apart from the rest, for pages that need none of it.
 */
import type {
  EntrySpec,
  InputSpec,
  Manifest,
  VocabularySpec,
} from '../../compiler/wasm/manifest.ts'
import type { Feed, Feeds } from '../entry.ts'
import { fail } from '../errors.ts'
import type { TextFeeds, Texts } from '../model.ts'
import { Vocabulary } from './vocabulary.ts'

export type { TextFeeds } from '../model.ts'
export { Vocabulary } from './vocabulary.ts'

/** The token that texts shorter than a row are filled up with, where a vocabulary has it. */
export const padding = '<pad>'

/** The vocabularies of a model, checked, by name. */
export function vocabulariesOf(
  manifest: Pick<Manifest, 'vocabularies'>,
): Readonly<Record<string, Vocabulary>> {
  const specs: unknown = manifest.vocabularies ?? []
  const isSpec = (spec: VocabularySpec | null): boolean =>
    typeof spec?.name === 'string' &&
    (spec.separator === '' || spec.separator === ' ') &&
    Array.isArray(spec.tokens) &&
    spec.tokens.every((token) => typeof token === 'string' && token !== '') &&
    (spec.unknown === null || spec.tokens[spec.unknown] !== undefined)
  if (!Array.isArray(specs) || !specs.every(isSpec)) {
    fail('manifest', 'the manifest of this module is damaged: vocabularies is no list of them')
  }
  return Object.freeze(
    Object.fromEntries((specs as VocabularySpec[]).map((s) => [s.name, new Vocabulary(s)])),
  )
}

/** For the option `text` of `load`. */
export function text(manifest: Manifest): Texts {
  const vocabularies = vocabulariesOf(manifest)
  return {
    vocabularies,
    feeds: (spec: EntrySpec, feeds: TextFeeds): Feeds => {
      const out: Record<string, Feed> = {}
      for (const [name, feed] of Object.entries(feeds)) {
        const input = spec.inputs.find((i) => i.name === name)
        const vocabulary = input?.vocabulary && vocabularies[input.vocabulary]
        const isText =
          typeof feed === 'string' || (Array.isArray(feed) && typeof feed[0] === 'string')
        out[name] = (
          input && vocabulary && isText
            ? encode(vocabulary, input, feed as string | readonly string[])
            : feed
        ) as Feed
      }
      return out
    },
  }
}

/**
 * Where the vocabulary has `<pad>` and rows have several tokens, each text is a row, filled up with it; throws `feed-rows` for
 * one that is longer. Else the tokens of all texts stand one after another.
 */
function encode(vocabulary: Vocabulary, input: InputSpec, feed: string | readonly string[]): Feed {
  const { shape, bounds } = input
  const width = shape.slice(bounds[0] ? 1 : 0).reduce((a, b) => a * b, 1)
  const pad = vocabulary.id(padding)
  const ids: number[] = []
  for (const [row, one] of (typeof feed === 'string' ? [feed] : feed).entries()) {
    const tokens = vocabulary.encode(one)
    const { length } = tokens
    for (const id of tokens) ids.push(id)
    if (pad === undefined || width === 1) continue
    if (length > width) {
      const what = `input ${input.name} takes ${width} tokens a row, and the text of row ${row} has ${length}: shorten it`
      fail('feed-rows', what, { feed: input.name, row, tokens: length })
    }
    for (let k = length; k < width; k++) ids.push(pad)
  }
  return Int32Array.from(ids)
}
