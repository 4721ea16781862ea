/** What readers of texts share: outputs such as `text = "char[128]"`, the text of a file, and tokens with their place. */
import { NetcError } from '../errors.ts'
import type { Vocabulary } from '../text/vocabulary.ts'
import { type Args, bad, type SourceCall } from './args.ts'
import { malformed, type Numbers } from './tensor.ts'

export type Vocabularies = Readonly<Record<string, Vocabulary>>

/** An output of `length` tokens a row. */
export interface Sequence {
  readonly name: string
  readonly vocabulary: Vocabulary
  readonly length: number
}

/** Outputs written as types, `tokens = "char[128]"`, `count` of them. */
export function sequencesOf(
  call: SourceCall,
  args: Args,
  count: number,
  vocabularies: Vocabularies,
): Sequence[] {
  const wanted = count === 1 ? 'text = "char[128]"' : 'word = "letter[24]", sound = "phone[22]"'
  if (args.outputs.length !== count) {
    bad(call, `it names ${args.outputs.length} outputs and takes ${count}, such as ${wanted}`)
  }
  return args.outputs.map(({ name, value }) => {
    const [, vocab = '', digits] = /^\s*(\w+)\s*\[\s*(\d+)\s*\]\s*$/.exec(value) ?? []
    const length = Number(digits)
    if (!(length >= 1 && length <= 2 ** 20)) {
      bad(call, `${name} = ${JSON.stringify(value)} is no vocabulary with a length: ${wanted}`)
    }
    const vocabulary = Object.hasOwn(vocabularies, vocab) ? vocabularies[vocab] : undefined
    if (vocabulary) return { name, vocabulary, length }
    const known = Object.keys(vocabularies).join(', ') || 'none'
    return bad(call, `${name}: there is no vocabulary ${vocab}; the model has ${known}`)
  })
}

/** The text of a file. */
export function textOf(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return malformed(file, 'this is no text in UTF-8')
  }
}

/** The tokens of a text; what is none is told as a place of the file. `where` is given the position in `text`. */
export function encodeAt(
  vocabulary: Vocabulary,
  text: string,
  file: string,
  where: (position: number) => string,
): Int32Array {
  try {
    return vocabulary.encode(text)
  } catch (error) {
    if (!(error instanceof NetcError) || error.code !== 'token') throw error
    const { token, position } = error.details as { token: string; position: number }
    const what = `${JSON.stringify(token)} is no token of the vocabulary ${vocabulary.name}`
    return malformed(file, `${where(position)}: ${what}`, { token })
  }
}

/** Numbers below `size`, as small as they can be. */
export const numbersFor = (size: number, count: number): Numbers =>
  size <= 2 ** 8
    ? new Uint8Array(count)
    : size <= 2 ** 16
      ? new Uint16Array(count)
      : new Int32Array(count)
