/**
 * Pairs of sequences, one to be made from the other: `pairs("words.tsv", word = "letter[24]", sound = "phone[22]")`.
 * In go a JSON object (text → text), an array of pairs, a JavaScript module that exports either as plain data, or lines
 * of two texts with a separator between. Out come, for outputs A and B of S and T tokens,
 *
 *     A         [rows, S]   the first text, filled up with <pad>
 *     B         [rows, T]   <start> and the second text, filled up: what a decoder is given
 *     next      [rows, T]   the second text and <end>, filled up: what it is to predict
 *     A_length, B_length    [rows], how many are not filling
 *     A_mask, B_mask        [rows, S] and [rows, T], 1 where not filling; B_mask is that of `next` too
 *
 * Training and test rows are told apart by a hash of the first text, so that all that belongs to one text stays together.
 */
import { type Args, bad, type SourceCall } from './args.ts'
import type { Column, Dataset } from './rows.ts'
import { malformed } from './tensor.ts'
import {
  encodeAt,
  numbersFor,
  type Sequence,
  sequencesOf,
  textOf,
  type Vocabularies,
} from './tokens.ts'

type Pair = readonly [from: string, to: string]

export function readPairs(
  call: SourceCall,
  args: Args,
  bytes: Uint8Array,
  file: string,
  vocabularies: Vocabularies,
): Dataset {
  const [from, to] = sequencesOf(call, args, 2, vocabularies) as [Sequence, Sequence]
  const special = ({ vocabulary }: Sequence, token: string): number =>
    vocabulary.id(token) ??
    bad(call, `the vocabulary ${vocabulary.name} has no token ${token}: special = "${token}"`)
  const pads = [special(from, '<pad>'), special(to, '<pad>')] as const
  const start = special(to, '<start>')
  const end = special(to, '<end>')
  const policy = args.option('unfit', 'string') ?? 'error'
  if (policy !== 'error' && policy !== 'drop') bad(call, 'unfit is "error" or "drop"')
  const ignore = new Set(args.option('ignore', 'string') ?? '')
  const comment = args.option('comment', 'string')
  if (comment === '') bad(call, 'an empty comment begins everywhere')
  const isChosen = splitOf(call, args)
  const limit = args.option('limit', 'number') ?? Number.POSITIVE_INFINITY
  if (!(limit >= 1)) bad(call, 'limit is a number of rows')

  const sources: Int32Array[] = []
  const targets: Int32Array[] = []
  pairsOf(call, args, textOf(bytes, file), file).forEach(([source, target], k) => {
    if (sources.length >= limit || !isChosen(source)) return
    const own = comment === undefined ? target : target.split(comment)[0]!
    const clean = ignore.size === 0 ? own : [...own].filter((c) => !ignore.has(c)).join('')
    const where = `row ${k}, ${JSON.stringify(source)}`
    try {
      const a = encodeAt(from.vocabulary, source, file, () => where)
      const b = encodeAt(to.vocabulary, clean, file, () => where)
      const check = (what: string, tokens: number, { name, length }: Sequence): void => {
        if (tokens <= length) return
        const more = 'unfit = "drop" leaves such rows out'
        malformed(file, `${where}: ${what} ${tokens} tokens, and ${name} takes ${length} (${more})`)
      }
      check('the first text has', a.length, from)
      check('with <end> the second text has', b.length + 1, to)
      sources.push(a)
      targets.push(b)
    } catch (error) {
      if (policy === 'error') throw error
    }
  })
  const rows = sources.length
  if (rows === 0) malformed(file, 'there are no rows')
  const sequence = (
    name: string,
    { vocabulary, length }: Sequence,
    pad: number,
    ids: (row: number) => readonly [...first: number[]] | Int32Array,
  ): Column => {
    const data = numbersFor(vocabulary.size, rows * length).fill(pad)
    for (let row = 0; row < rows; row++) data.set(ids(row), row * length)
    return { name, shape: [rows, length], data }
  }
  const lengths = ({ name }: Sequence, all: readonly Int32Array[], more: number): Column => ({
    name: `${name}_length`,
    shape: [rows],
    data: Int32Array.from(all, (ids) => ids.length + more),
  })
  const mask = ({ name, length }: Sequence, { data: counts }: Column): Column => {
    const data = new Uint8Array(rows * length)
    for (let row = 0; row < rows; row++) data.fill(1, row * length, row * length + counts[row]!)
    return { name: `${name}_mask`, shape: [rows, length], data }
  }
  const counts = [lengths(from, sources, 0), lengths(to, targets, 1)] as const
  return {
    rows,
    columns: [
      sequence(from.name, from, pads[0], (row) => sources[row]!),
      sequence(to.name, to, pads[1], (row) => [start, ...targets[row]!]),
      sequence('next', to, pads[1], (row) => [...targets[row]!, end]),
      ...counts,
      mask(from, counts[0]),
      mask(to, counts[1]),
    ],
    encoding: { classes: new Map(), scales: new Map() },
  }
}

/** Whether the pairs of a first text are among the rows asked for. */
function splitOf(call: SourceCall, args: Args): (source: string) => boolean {
  const split = args.option('split', 'string')
  if (split === undefined) return () => true
  if (split !== 'train' && split !== 'test') bad(call, 'split is "train" or "test"')
  const fraction = args.option('fraction', 'number') ?? 0.9
  if (!(fraction > 0 && fraction < 1)) {
    bad(call, 'fraction, the share of training rows, lies between 0 and 1')
  }
  const seed = args.option('seed', 'number') ?? 0
  return (source) => hash(source, seed) < fraction * 2 ** 32 === (split === 'train')
}

/** FNV-1a over UTF-16 units, its bits then mixed as in MurmurHash3, for FNV leaves the high ones of short texts alike. */
function hash(text: string, seed: number): number {
  let h = (0x811c9dc5 ^ seed) >>> 0
  for (let k = 0; k < text.length; k++) h = Math.imul(h ^ text.charCodeAt(k), 0x01000193)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

function pairsOf(call: SourceCall, args: Args, text: string, file: string): readonly Pair[] {
  const separator = args.option('separator', 'string')
  if (/\.([cm]?js|json)(\.gz)?$/i.test(file)) {
    if (separator !== undefined) bad(call, 'separator is for lines of text')
    return fromData(text, file)
  }
  if (separator === '') bad(call, 'an empty separator parts nothing')
  const between = separator ?? '\t'
  const pairs: Pair[] = []
  text.split(/\r?\n/).forEach((line, k) => {
    if (line.trim() === '') return
    const at = line.indexOf(between)
    if (at < 0) malformed(file, `line ${k + 1}: there is no ${JSON.stringify(between)} in it`)
    pairs.push([line.slice(0, at).trim(), line.slice(at + between.length).trim()])
  })
  return pairs
}

const exported =
  /^\s*(?:export\s+default|export\s+(?:const|let|var)\s+[\w$]+\s*=|module\.exports\s*=)/m

/** JSON, or the plain data that a module exports; nothing is executed. */
function fromData(text: string, file: string): readonly Pair[] {
  const head = /\.json/i.test(file) ? undefined : exported.exec(text)
  const body = head ? text.slice(head.index + head[0].length) : text
  let value: unknown
  try {
    value = JSON.parse(
      head
        ? body
            .trim()
            .replace(/;$/, '')
            .replace(/,\s*([}\]])\s*$/, '$1')
        : body,
    )
  } catch (error) {
    const what = head === undefined ? 'it is not JSON' : 'what it exports is not plain data'
    return malformed(file, `${what}: ${(error as Error).message}`)
  }
  const wrong = (what: string): never => malformed(file, `${what}; it takes pairs of texts`)
  if (Array.isArray(value)) {
    return value.map((pair: unknown, k): Pair => {
      const isPair = Array.isArray(pair) && pair.length === 2
      if (isPair && typeof pair[0] === 'string' && typeof pair[1] === 'string') {
        return [pair[0], pair[1]]
      }
      return wrong(`element ${k} is not two texts`)
    })
  }
  if (value === null || typeof value !== 'object') return wrong('it is no object and no array')
  return Object.entries(value).map(([key, item]: [string, unknown]): Pair => {
    if (typeof item !== 'string') return wrong(`the value of ${JSON.stringify(key)} is no text`)
    // A key stands once in an object, so other readings of it are numbered: `read(2)`.
    return [key.replace(/\(\d+\)$/, ''), item]
  })
}
