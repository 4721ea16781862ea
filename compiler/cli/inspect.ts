/**
 * Runs a block over rows of data and takes out the tensors asked for: what `netc show` draws. In: a session compiled with
 * these tensors as outputs. Out: their values by name, the rows, and the tokens of the sequences that were fed.
 */
import { type Dataset, feedsOf } from '../../runtime/data/index.ts'
import type { Feeds, Results } from '../../runtime/index.ts'
import { text } from '../../runtime/text/index.ts'
import { InternalError } from '../support/diagnostic.ts'
import type { EntrySpec, InputSpec, TensorSpec } from '../wasm/manifest.ts'
import type { Call } from './command.ts'
import { readInput } from './data.ts'
import { InputError, UsageError } from './errors.ts'
import { feedsGiven } from './given.ts'
import { showToken } from './pictures/text.ts'
import type { Sequence, Value } from './pictures/values.ts'
import type { Session } from './session.ts'

export interface Inspected {
  readonly value: (name: string) => Value
  readonly sequences: readonly Sequence[]
}

/** Which rows of which data a block is run for. */
export interface Rows {
  /** Numbers of rows, from 0; none means the first ones. */
  readonly rows: readonly number[]
  /** A source of the data block; by default test, else train. */
  readonly data?: string | undefined
  /** A file in place of a source. */
  readonly input?: string | undefined
  /** `NAME=VALUE` pairs in place of data. */
  readonly given?: readonly string[]
}

/** The options `--row`, `--data`, `--input` and `--in`. */
export function rowsOf(call: Call): Rows {
  const ways = ['input', 'in', 'data'].filter((name) => call.has(name))
  if (ways.length > 1) throw new UsageError(`either --${ways.join(' or --')}`)
  const rows = call.texts('row').map((text) => {
    const row = text.trim() === '' ? Number.NaN : Number(text)
    if (Number.isSafeInteger(row) && row >= 0) return row
    throw new UsageError(`--row ${text}: it takes the number of a row, from 0`)
  })
  return { rows, data: call.text('data'), input: call.text('input'), given: call.texts('in') }
}

const range = (count: number): number[] => Array.from({ length: count }, (_, k) => k)

/** The dim that counts the rows of a block. */
export const rowDim = (entry: EntrySpec): string | undefined =>
  entry.inputs.find((i) => i.bounds[0])?.bounds[0] ?? entry.counts[0]

export async function inspect(
  session: Session,
  entry: EntrySpec,
  request: Rows,
  count: number,
): Promise<Inspected> {
  const { model } = session
  if (entry.kind === 'combine' || entry.kind === 'reset') {
    throw new InternalError(`${entry.name} takes no rows`)
  }
  const run = model[entry.kind][entry.of]! as (feeds: Feeds, counts?: object) => Results
  const dim = rowDim(entry)
  if (entry.inputs.length === 0) {
    const rows = range(request.rows.length || count)
    const results = run({}, dim === undefined ? {} : { [dim]: rows.length })
    return { value: reader(entry, {}, results, rows), sequences: [] }
  }
  const { rows, feeds } = await feedsFor(session, entry, request, count)
  const results = run(feeds)
  return {
    value: reader(entry, feeds, results, rows),
    sequences: sequencesOf(session, entry, feeds),
  }
}

/** The inputs of a block for the rows asked for: values given, or rows of a file or a source. */
async function feedsFor(
  session: Session,
  entry: EntrySpec,
  request: Rows,
  count: number,
): Promise<{ readonly rows: readonly number[]; readonly feeds: Feeds }> {
  const { given = [] } = request
  if (given.length > 0) {
    const feeds = text(session.model.manifest).feeds(entry, feedsGiven(entry, given))
    const [first] = entry.inputs.filter((spec) => spec.bounds[0])
    const values = first && (feeds[first.name] as ArrayLike<number> | undefined)
    const rows = values ? values.length / product(first.shape.slice(1)) : 1
    return { rows: range(Math.ceil(rows)), feeds }
  }
  const dataset = await datasetOf(session, entry, request)
  const where = request.input ?? `data ${sourceOf(session, entry, request)}`
  const rows = pickRows(request, count, dataset, where)
  const all = feedsOf(entry.inputs, dataset, where, true)
  const feeds = Object.fromEntries(
    entry.inputs.map((spec) => [spec.name, take(spec, all[spec.name] as ArrayLike<number>, rows)]),
  )
  return { rows, feeds }
}

const sourceOf = ({ data }: Session, entry: EntrySpec, request: Rows): string =>
  request.data ?? data.usualOf(entry.of)

/** Whether there is a file or a source to read for `entry`. */
export const hasData = (session: Session, entry: EntrySpec, request: Rows): boolean =>
  request.input !== undefined || session.data.has(sourceOf(session, entry, request))

/** The rows of the file or of the source asked for. */
export function datasetOf(session: Session, entry: EntrySpec, request: Rows): Promise<Dataset> {
  const { data } = session
  if (request.input !== undefined) return readInput(request.input, data, entry.inputs.length)
  return data.dataset(sourceOf(session, entry, request))
}

function pickRows(
  request: Rows,
  count: number,
  dataset: Dataset,
  where: string,
): readonly number[] {
  const rows = request.rows.length > 0 ? request.rows : range(Math.min(count, dataset.rows))
  const odd = rows.find((row) => row >= dataset.rows)
  if (odd === undefined) return rows
  throw new InputError(`--row ${odd}: ${where} has ${dataset.rows} rows, 0 to ${dataset.rows - 1}`)
}

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/** These rows of an input that has rows; the whole of another. */
function take(
  spec: InputSpec,
  feed: ArrayLike<number>,
  rows: readonly number[],
): Float32Array | Int32Array {
  const size = product(spec.shape.slice(1))
  const length = spec.bounds[0] ? rows.length * size : feed.length
  const at = (k: number): number =>
    spec.bounds[0] ? rows[Math.floor(k / size)]! * size + (k % size) : k
  const out = spec.dtype === 'f32' ? new Float32Array(length) : new Int32Array(length)
  for (let k = 0; k < length; k++) out[k] = feed[at(k)]!
  return out
}

function reader(entry: EntrySpec, feeds: Feeds, results: Results, rows: readonly number[]) {
  const specs = new Map<string, TensorSpec>(
    [...entry.inputs, ...entry.outputs].map((spec) => [spec.name, spec]),
  )
  return (name: string): Value => {
    const spec = specs.get(name)!
    const found = results[name] ?? feeds[name]!
    const values = typeof found === 'object' ? (found as ArrayLike<number>) : [Number(found)]
    return spec.bounds[0]
      ? { name, shape: spec.shape.slice(1), values, rows: rows.map(String) }
      : { name, shape: spec.shape, values, rows: undefined }
  }
}

/** The int inputs with a line of ids for each row, as tokens where a vocabulary numbers them. */
function sequencesOf({ model }: Session, entry: EntrySpec, feeds: Feeds): Sequence[] {
  return entry.inputs.flatMap((spec) => {
    if (spec.dtype !== 'i32' || spec.shape.length !== 2 || !spec.bounds[0]) return []
    const names = model.manifest.vocabularies?.find((v) => v.name === spec.vocabulary)?.tokens
    const ids = feeds[spec.name] as ArrayLike<number>
    const length = spec.shape[1]!
    const tokens = Array.from({ length: ids.length / length }, (_, row) =>
      Array.from({ length }, (_, t) => {
        const id = ids[row * length + t]!
        return showToken(names?.[id] ?? `${id}`)
      }),
    )
    return [{ name: spec.name, tokens }]
  })
}
