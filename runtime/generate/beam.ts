/**
 * Beam search: from a model that tells how likely each token is behind a prefix, the sequences it finds likeliest. In: that
 * model as a function over many prefixes at once. Out: the sequences of every row, the best first. All rows are searched side
 * by side, so that a module's batches are full. Sutskever et al. 2014, "Sequence to sequence learning", 3.2; the score
 * is divided by a power of the length, as in Wu et al. 2016, 7, without its shift by 5.
 */
import { fail } from '../errors.ts'

/**
 * The log-probabilities of the token behind each prefix: n · tokens numbers, row-major, for n prefixes. All prefixes are equally
 * long and begin with `start`; `rows[k]` says which row prefix k belongs to. -Infinity forbids a token.
 */
export type Following = (
  prefixes: readonly Int32Array[],
  rows: Int32Array,
) => ArrayLike<number> | Promise<ArrayLike<number>>

export interface BeamOptions {
  /** The token every prefix begins with. */
  readonly start: number
  /** The token that ends a sequence. */
  readonly end: number
  /** Tokens that are written at most, `end` among them. */
  readonly most: number
  /** Sequences that are looked after for each row; 1 is greedy decoding. Default 4. */
  readonly beams?: number
  /** Sequences are compared by log-probability / length^penalty: 0 prefers short ones. Default 1, the mean of a token. */
  readonly penalty?: number
  /** How many sources are decoded. Default 1. */
  readonly rows?: number
}

export interface Hypothesis {
  /** Without `start` and `end`. */
  readonly tokens: Int32Array
  /** Of the whole sequence, `end` included, in nats. */
  readonly logProbability: number
  /** What hypotheses are ordered by. */
  readonly score: number
  /** Whether it came to `end`; the others were cut at `most` tokens. */
  readonly ended: boolean
}

interface Live {
  readonly prefix: Int32Array
  readonly logProbability: number
}

interface Row {
  live: readonly Live[]
  readonly done: Hypothesis[]
}

/**
 * For each row up to `beams` hypotheses, the best first. A beam that comes to `end` is set aside and the others go on with as
 * many fewer, so that a row costs at most `most` calls. Throws a `NetcError` of code `call` where an option makes no sense
 * or `following` returns another number of values, and of code `non-finite` where one of them is NaN.
 */
export async function beamSearch(
  following: Following,
  options: BeamOptions,
): Promise<readonly (readonly Hypothesis[])[]> {
  const { start, end, beams = 4, penalty = 1 } = options
  const most = natural('most', options.most)
  const rows: Row[] = Array.from({ length: natural('rows', options.rows ?? 1) }, () => ({
    live: [{ prefix: Int32Array.of(start), logProbability: 0 }],
    done: [],
  }))
  natural('beams', beams)
  if (!(penalty >= 0)) fail('call', `beamSearch: penalty is a number from 0 up, not ${penalty}`)

  for (let length = 1; length <= most; length++) {
    const asked = rows.flatMap(({ live }, row) => live.map(({ prefix }) => ({ prefix, row })))
    if (asked.length === 0) break
    const values = await following(
      asked.map(({ prefix }) => prefix),
      Int32Array.from(asked, ({ row }) => row),
    )
    const tokens = sizeOf(values, asked.length, end)
    const score = (logProbability: number): number => logProbability / length ** penalty
    let at = 0
    for (const row of rows) {
      const next: Live[] = []
      for (const { beam, token, logProbability } of best(row, values, at, tokens, beams)) {
        const { prefix } = row.live[beam]!
        const written = { logProbability, score: score(logProbability) }
        if (token === end) row.done.push({ ...written, tokens: prefix.slice(1), ended: true })
        else if (length < most)
          next.push({ prefix: Int32Array.of(...prefix, token), logProbability })
        else
          row.done.push({
            ...written,
            tokens: Int32Array.of(...prefix.slice(1), token),
            ended: false,
          })
      }
      at += row.live.length
      row.live = next
    }
  }
  return rows.map(({ done }) => done.sort((a, b) => b.score - a.score))
}

interface Candidate {
  readonly beam: number
  readonly token: number
  readonly logProbability: number
}

/** The likeliest continuations of a row's beams, whose values begin at prefix `from`; as many as beams are free. */
function best(
  { live, done }: Row,
  values: ArrayLike<number>,
  from: number,
  tokens: number,
  beams: number,
): readonly Candidate[] {
  const free = beams - done.length
  const found: Candidate[] = []
  live.forEach((one, beam) => {
    for (let token = 0; token < tokens; token++) {
      const value = values[(from + beam) * tokens + token]!
      if (Number.isNaN(value)) {
        fail('non-finite', `beamSearch: the log-probability of token ${token} is NaN`, { token })
      }
      const logProbability = one.logProbability + value
      if (logProbability === Number.NEGATIVE_INFINITY) continue
      if (found.length === free && logProbability <= found.at(-1)!.logProbability) continue
      // Of equal ones the first stays in front, so that the order of beams and tokens decides.
      const place = found.findIndex((other) => other.logProbability < logProbability)
      found.splice(place < 0 ? found.length : place, 0, { beam, token, logProbability })
      if (found.length > free) found.pop()
    }
  })
  return found
}

function natural(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value
  return fail('call', `beamSearch: ${name} is a whole number from 1 up, not ${value}`)
}

/** How many tokens there are, from the values of `prefixes` prefixes. */
function sizeOf(values: ArrayLike<number>, prefixes: number, end: number): number {
  const tokens = values.length / prefixes
  if (Number.isInteger(tokens) && tokens > end) return tokens
  return fail(
    'call',
    `beamSearch: for ${prefixes} prefixes there came ${values.length} values; it takes a log-probability for each token behind each prefix, and token ${end} ends a sequence`,
  )
}
