/**
 * Windows over a text: `text("book.txt", tokens = "char[128]", stride = 64)`. Row k holds the `length` tokens from
 * k · stride on, and column `next` the same one token later, what a language model is to predict. The last tenth (or
 * 1 - fraction) is for testing; no window of one part reaches into the other.
 */
import { type Args, bad, type SourceCall } from './args.ts'
import type { Column, Dataset } from './rows.ts'
import { malformed } from './tensor.ts'
import { encodeAt, numbersFor, sequencesOf, textOf, type Vocabularies } from './tokens.ts'

/** Numbers that the windows of one source may have in all. */
const most = 2 ** 28

export function readText(
  call: SourceCall,
  args: Args,
  files: readonly { readonly name: string; readonly bytes: Uint8Array }[],
  vocabularies: Vocabularies,
): Dataset {
  const [sequence] = sequencesOf(call, args, 1, vocabularies)
  const { name, vocabulary, length } = sequence!
  const parts = files.map((file) => {
    const text = textOf(file.bytes, file.name)
    return encodeAt(vocabulary, text, file.name, (position) => {
      const before = text.slice(0, position).split('\n')
      return `line ${before.length}, column ${[...before.at(-1)!].length + 1}`
    })
  })
  const ids = new Int32Array(parts.reduce((n, part) => n + part.length, 0))
  let filled = 0
  for (const part of parts) {
    ids.set(part, filled)
    filled += part.length
  }
  const split = args.option('split', 'string')
  if (split !== undefined && split !== 'train' && split !== 'test') {
    bad(call, 'split is "train" or "test"')
  }
  const fraction = args.option('fraction', 'number') ?? 0.9
  if (!(fraction > 0 && fraction < 1)) {
    bad(call, 'fraction, the share of the text for training, lies between 0 and 1')
  }
  const border = Math.round(ids.length * fraction)
  const [from, to] =
    split === undefined ? [0, ids.length] : split === 'train' ? [0, border] : [border, ids.length]
  const stride = args.option('stride', 'number') ?? length
  if (!Number.isInteger(stride) || stride < 1) bad(call, 'stride is a number of tokens')
  const limit = args.option('limit', 'number') ?? Number.POSITIVE_INFINITY
  if (limit !== Number.POSITIVE_INFINITY && !(Number.isInteger(limit) && limit > 0)) {
    bad(call, 'limit is a number of rows')
  }
  const rows = Math.min(Math.floor((to - from - length - 1) / stride) + 1, limit)
  if (rows < 1) {
    const part = split === undefined ? 'it' : `its ${split} part`
    malformed(
      files[0]!.name,
      `${part} has ${to - from} tokens, and a window with what follows takes ${length + 1}`,
    )
  }
  if (rows * length > most) {
    bad(call, `${rows} windows of ${length} tokens are too many: give it a longer stride`)
  }
  const column = (called: string, shift: number): Column => {
    const data = numbersFor(vocabulary.size, rows * length)
    for (let row = 0; row < rows; row++) {
      const start = from + row * stride + shift
      data.set(ids.subarray(start, start + length), row * length)
    }
    return { name: called, shape: [rows, length], data }
  }
  return {
    rows,
    columns: [column(name, 0), column('next', 1)],
    encoding: { classes: new Map(), scales: new Map() },
  }
}
