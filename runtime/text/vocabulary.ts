/**
 * A vocabulary of a model: texts to the numbers of their tokens and back. In: what the manifest says of it. Where
 * tokens stand one after another (characters, parts of words) the longest that fits is taken; where they are words,
 * white space parts them.
 */
import type { VocabularySpec } from '../../compiler/wasm/manifest.ts'
import { fail } from '../errors.ts'

export class Vocabulary {
  readonly name: string
  /** Each at its number. */
  readonly tokens: readonly string[]
  readonly #spec: VocabularySpec
  readonly #ids: ReadonlyMap<string, number>
  /** Tokens by their first character, the longest first. */
  readonly #starts = new Map<string, string[]>()

  constructor(spec: VocabularySpec) {
    this.#spec = spec
    this.name = spec.name
    this.tokens = spec.tokens
    this.#ids = new Map(spec.tokens.map((token, id) => [token, id]))
    for (const token of spec.tokens) {
      const start = this.#starts.get(token[0]!)
      if (start) start.push(token)
      else this.#starts.set(token[0]!, [token])
    }
    for (const tokens of this.#starts.values()) tokens.sort((a, b) => b.length - a.length)
  }

  get size(): number {
    return this.tokens.length
  }

  /** The number of a token, undefined where there is no such token. */
  id(token: string): number | undefined {
    return this.#ids.get(token)
  }

  /**
   * The numbers of the tokens of `text`. What is no token becomes the vocabulary's unknown one; without that it is a
   * `NetcError` of code `token`, which names it and its position: `details` has `token` and, in UTF-16 units, `position`.
   */
  encode(text: string): Int32Array {
    const { separator, lower } = this.#spec
    const source = lower ? text.toLowerCase() : text
    return Int32Array.from(separator === '' ? this.#parts(source) : this.#words(source))
  }

  #words(text: string): number[] {
    return [...text.matchAll(/\S+/g)].map(({ 0: word, index }) => {
      return this.#ids.get(word) ?? this.#unknown(word, index)
    })
  }

  #parts(text: string): number[] {
    const ids: number[] = []
    for (let at = 0; at < text.length; ) {
      const token = this.#starts.get(text[at]!)?.find((t) => text.startsWith(t, at))
      const found = token ?? String.fromCodePoint(text.codePointAt(at)!)
      ids.push(token === undefined ? this.#unknown(found, at) : this.#ids.get(found)!)
      at += found.length
    }
    return ids
  }

  #unknown(token: string, position: number): number {
    if (this.#spec.unknown !== null) return this.#spec.unknown
    return fail(
      'token',
      `${JSON.stringify(token)} at position ${position} is no token of the vocabulary ${this.name}`,
      { vocabulary: this.name, token, position },
    )
  }

  /** The text that `ids` number. */
  decode(ids: ArrayLike<number>): string {
    const tokens = Array.from(ids, (id, k) => {
      const token = this.tokens[id]
      if (token !== undefined) return token
      const { name, size } = this
      return fail(
        'feed-range',
        `value ${k} is ${id}, and the vocabulary ${name} numbers its tokens from 0 to ${size - 1}`,
        { vocabulary: name, row: k, value: id },
      )
    })
    return tokens.join(this.#spec.separator)
  }
}
