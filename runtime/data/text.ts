/**
 * Windows over texts: `text("book.txt", tokens = "char[128]", stride = 64)`. Row k holds the `length` tokens from
 * k · stride on, column `next` the same one token later, what a language model is to predict, and `file` the number of
 * the file. The last tenth of each file (or 1 - fraction) is for testing; no window reaches into another part or file.
 */
import { type Args, bad, type SourceCall } from './args.ts'
import type { Column, Dataset } from './rows.ts'
import { malformed } from './tensor.ts'
import { encodeAt, numbersFor, sequencesOf, textOf, type Vocabularies } from './tokens.ts'

export interface TextFile {
  readonly name: string
  readonly bytes: Uint8Array
}

/** Numbers that the windows of one source may have in all. */
const most = 2 ** 28

export function readText(
  call: SourceCall,
  args: Args,
  files: readonly TextFile[],
  vocabularies: Vocabularies,
): Dataset {
  const [sequence] = sequencesOf(call, args, 1, vocabularies)
  const { name, vocabulary, length } = sequence!
  const stride = args.option('stride', 'number') ?? length
  if (!Number.isInteger(stride) || stride < 1) bad(call, 'stride is a number of tokens')
  const limit = args.option('limit', 'number') ?? Number.POSITIVE_INFINITY
  if (limit !== Number.POSITIVE_INFINITY && !(Number.isInteger(limit) && limit > 0)) {
    bad(call, 'limit is a number of rows')
  }
  const part = partOf(call, args)
  const texts = files.map((file) => part(encodeFile(file, vocabulary)))
  const windows = texts.map((ids) =>
    Math.max(0, Math.floor((ids.length - length - 1) / stride) + 1),
  )
  const rows = Math.min(
    windows.reduce((a, b) => a + b, 0),
    limit,
  )
  if (rows < 1) {
    const longest = Math.max(...texts.map((ids) => ids.length))
    malformed(
      files[0]!.name,
      `there are ${longest} tokens to take windows from, and one with what follows takes ${length + 1}`,
    )
  }
  if (rows * length > most) {
    bad(call, `${rows} windows of ${length} tokens are too many: give it a longer stride`)
  }
  const tokens = numbersFor(vocabulary.size, rows * length)
  const next = numbersFor(vocabulary.size, rows * length)
  const file = new Int32Array(rows)
  let row = 0
  texts.forEach((ids, f) => {
    for (let k = 0; k < windows[f]! && row < rows; k++, row++) {
      const start = k * stride
      tokens.set(ids.subarray(start, start + length), row * length)
      next.set(ids.subarray(start + 1, start + 1 + length), row * length)
      file[row] = f
    }
  })
  const columns: Column[] = [
    { name, shape: [rows, length], data: tokens },
    { name: 'next', shape: [rows, length], data: next },
    { name: 'file', shape: [rows], data: file },
  ]
  return { rows, columns, encoding: { classes: new Map(), scales: new Map() } }
}

/** The tokens of a text that belong to the split asked for. */
function partOf(call: SourceCall, args: Args): (ids: Int32Array) => Int32Array {
  const split = args.option('split', 'string')
  if (split !== undefined && split !== 'train' && split !== 'test') {
    bad(call, 'split is "train" or "test"')
  }
  const fraction = args.option('fraction', 'number') ?? 0.9
  if (!(fraction > 0 && fraction < 1)) {
    bad(call, 'fraction, the share of the text for training, lies between 0 and 1')
  }
  return (ids) => {
    const border = Math.round(ids.length * fraction)
    if (split === undefined) return ids
    return split === 'train' ? ids.subarray(0, border) : ids.subarray(border)
  }
}

function encodeFile({ name, bytes }: TextFile, vocabulary: Vocabularies[string]): Int32Array {
  const text = textOf(bytes, name)
  return encodeAt(vocabulary, text, name, (position) => {
    const before = text.slice(0, position).split('\n')
    return `line ${before.length}, column ${[...before.at(-1)!].length + 1}`
  })
}
