/** `netc predict`: the outputs of a predict block for the rows of a file, or for values given, as JSON lines or CSV. */
import { type Dataset, feedsOf } from '../../runtime/data/index.ts'
import type { Feeds, Model, Results } from '../../runtime/index.ts'
import type { Vocabulary } from '../../runtime/text/index.ts'
import type { EntrySpec, InputSpec, TensorSpec } from '../wasm/manifest.ts'
import { type Call, type Command, common } from './command.ts'
import { readInput } from './data.ts'
import { drawInto, gridOf, subjectsFor } from './drawing.ts'
import { exit, InputError, UsageError } from './errors.ts'
import { feedsGiven } from './given.ts'
import { rowsOf } from './inspect.ts'
import type { Io } from './io.ts'
import { short } from './progress.ts'
import { feedsByRow, generated, isCalledByRow, width } from './rows.ts'
import {
  chooseEntry,
  loadWeights,
  open,
  type Session,
  type SessionOptions,
  sessionOptions,
} from './session.ts'

export const predict: Command = {
  name: 'predict',
  usage: 'MODEL.net --weights FILE [--input FILE | --in NAME=VALUE …] [options]',
  summary: 'Run a predict block over the rows of a file, or of a data source.',
  details: `The file is .csv, .json, .npy or .idx (.gz too). A table is read as the model's training data is: the same
columns, classes and scales. Each row gives one line: an object of the block's outputs, or with --format csv a
line of numbers under a header.

--in gives inputs themselves: text where an input has a vocabulary, else numbers with commas between. Given
again for the same input it begins another row. Where the vocabulary has <pad>, a text shorter than a row is filled
up with it and a longer one refused. Outputs of a vocabulary are written as text.

A block that carries state from call to call is called once for each row, in their order; so is one whose
inputs have no rows. An input given once has its value at every call. --generate N goes on from the tokens given
with --in: each of N further calls is fed the token that the call before made.`,
  positionals: [1, 1],
  options: {
    weights: common.weights,
    input: { value: 'FILE', short: 'i', text: 'the rows to predict for' },
    in: { value: 'NAME=VALUE', multiple: true, text: 'the value of an input, text or numbers' },
    data: { value: 'NAME', text: 'without --input: this source of the data block (default test)' },
    generate: { value: 'N', text: 'make N tokens after those of --in, each fed back' },
    seed: {
      value: 'N',
      text: 'of a block that draws random numbers (default that of the weights)',
    },
    format: { value: 'json|csv', text: 'how each row is written (default json)' },
    limit: { value: 'N', text: 'only the first N rows' },
    out: {
      value: 'FILE',
      short: 'o',
      text: 'a .png, .svg or .html: the outputs as pictures instead',
    },
    grid: { value: 'RxC', text: 'with --out: so many rows and columns of images (default 8x8)' },
    threads: common.threads,
    block: common.block,
    dim: common.dim,
    target: common.target,
    json: common.json,
  },
  run: async (call: Call, io: Io): Promise<number> => {
    const options = sessionOptions(call)
    const format = call.oneOf('format', ['json', 'csv']) ?? 'json'
    const limit = call.integer('limit', 1)
    if (!call.has('weights')) throw new UsageError('netc predict needs --weights FILE')
    const given = ['input', 'in', 'data'].filter((name) => call.has(name))
    if (given.length > 1) throw new UsageError(`either --${given.join(' or --')}`)
    const out = call.text('out')
    if (out !== undefined) return drawOutputs(out, call, options, io)
    if (call.has('grid')) throw new UsageError('--grid belongs to --out FILE')
    const session = await open(call.positionals[0]!, options, io)
    const { model, data } = session
    const entry = chooseEntry(session, 'predict', call.text('block'))
    loadWeights(model, call)
    if (call.has('seed')) {
      model.reset(entry.of, call.number('seed', 'it takes a whole number', Number.isSafeInteger))
    }
    if (isCalledByRow(entry)) {
      await byRow(session, entry, call, format, limit, io)
      session.close()
      return exit.done
    }
    if (call.has('generate')) {
      throw new InputError(`${entry.of} carries no state from call to call, so it cannot go on`)
    }
    const isRowwise = entry.outputs.every((o) => o.bounds[0])
    if (!isRowwise) throw new InputError(`${entry.of} does not give one output a row`)
    const run = model.predict[entry.of]!
    let results: Results
    let rows: number
    if (call.has('in')) {
      results = run(feedsGiven(entry, call.texts('in')))
      const [output] = entry.outputs
      rows = Math.min(rowsIn(results, output!), limit ?? Number.POSITIVE_INFINITY)
    } else if (entry.inputs.length === 0) {
      // Nothing to read: the block draws its rows itself.
      const dim = model.manifest.dims.find((d) => d.name === entry.counts[0])!
      rows = Math.min(limit ?? dim.max, dim.max)
      results = run({}, { [dim.name]: rows })
    } else {
      const { dataset, source } = await rowsAsked(call, entry, data)
      results = run(feedsOf(entry.inputs, dataset, source, true))
      rows = Math.min(dataset.rows, limit ?? dataset.rows)
    }
    write(entry, format, model, io, function* () {
      for (let row = 0; row < rows; row++) yield [results, row]
    })
    session.close()
    return exit.done
  },
}

/** The outputs as pictures: `netc show --predict` under another name. */
async function drawOutputs(
  out: string,
  call: Call,
  options: SessionOptions,
  io: Io,
): Promise<number> {
  const [file] = call.positionals as [string]
  const { program } = await subjectsFor({ file }, options, io)
  const block = call.text('block')
  const blocks = program.entries.filter((entry) => entry.kind === 'predict')
  const predict = block ?? (blocks.length === 1 ? blocks[0]!.name : undefined)
  if (predict === undefined) {
    const names = blocks.map((entry) => entry.name).join(', ')
    if (!names) throw new InputError(`${file} has no predict block`)
    throw new UsageError(`${file} has several predict blocks: choose one of ${names} with --block`)
  }
  const rows = Array.from({ length: call.integer('limit', 1) ?? 0 }, (_, k) => k)
  const request = { ...rowsOf(call), rows, file, names: [], predict, grid: gridOf(call) }
  await drawInto(out, request, call, io)
  return exit.done
}

type Format = 'json' | 'csv' | undefined

/** A line for each of the rows; a result without rows is one. */
function write(
  entry: EntrySpec,
  format: Format,
  model: Model,
  io: Io,
  rows: () => Iterable<readonly [Results, number]>,
): void {
  if (format === 'csv') io.out(`${entry.outputs.flatMap(headers).join(',')}\n`)
  for (const [results, row] of rows()) {
    const values = entry.outputs.map((o) => rowOf(results, o, row, vocabularyOf(model, o)))
    const line =
      format === 'csv'
        ? values.flat(9).map(field).join(',')
        : JSON.stringify(Object.fromEntries(entry.outputs.map((o, k) => [o.name, values[k]])))
    io.out(`${line}\n`)
  }
}

const vocabularyOf = (model: Model, { vocabulary }: TensorSpec): Vocabulary | undefined =>
  vocabulary === undefined ? undefined : model.vocabularies[vocabulary]

/** One call a row, in their order. */
async function byRow(
  { model, data }: Session,
  entry: EntrySpec,
  call: Call,
  format: Format,
  limit: number | undefined,
  io: Io,
): Promise<void> {
  const count = call.integer('generate', 1)
  const given = call.has('in') ? feedsGiven(entry, call.texts('in')) : undefined
  if (count !== undefined) {
    const { output, ids } = generated(model, entry, given ?? {}, count)
    const text = vocabularyOf(model, output)?.decode(ids)
    io.out(`${JSON.stringify({ [output.name]: text ?? ids })}\n`)
    return
  }
  let calls: readonly Feeds[]
  if (given !== undefined || entry.inputs.length === 0) {
    calls = feedsByRow(model, entry, given ?? {})
    if (entry.inputs.length === 0) calls = Array.from({ length: limit ?? 1 }, () => ({}))
  } else {
    const { dataset, source } = await rowsAsked(call, entry, data)
    calls = feedsByRow(model, entry, columnsOf(entry.inputs, dataset, source))
  }
  const one = Object.fromEntries(entry.counts.map((dim) => [dim, 1]))
  write(entry, format, model, io, function* () {
    for (const feeds of calls.slice(0, limit)) yield [model.predict[entry.of]!(feeds, one), 0]
  })
}

/** The rows of --input or --data, or those that the model tests on, and what to call them. */
async function rowsAsked(call: Call, entry: EntrySpec, data: Session['data']) {
  const input = call.text('input')
  if (input) return { dataset: await readInput(input, data, entry.inputs.length), source: input }
  const source = call.text('data') ?? data.testOf(entry.of) ?? 'test'
  return { dataset: await data.dataset(source), source: `data ${source}` }
}

/** The columns as feeds of as many rows as there are, whether or not an input has a dim for them. */
function columnsOf(inputs: readonly InputSpec[], data: Dataset, source: string): Feeds {
  const bounded = inputs.map((i) =>
    i.bounds[0] ? i : { ...i, shape: [1, ...i.shape], bounds: ['row', ...i.bounds] },
  )
  return feedsOf(bounded, data, source, true)
}

/** `digit` for one value a row, `probs_0,probs_1,…` for several. */
const headers = (output: TensorSpec): string[] =>
  output.shape.length === (output.bounds[0] ? 1 : 0) || output.vocabulary !== undefined
    ? [output.name]
    : Array.from({ length: width(output) }, (_, k) => `${output.name}_${k}`)

type Nested = number | boolean | string | null | readonly Nested[]

/** As RFC 4180 has it: quoted where it must be. */
const field = (value: unknown): string =>
  typeof value === 'string' && /[",\r\n]/.test(value)
    ? `"${value.replaceAll('"', '""')}"`
    : `${value}`

const rowsIn = (results: Results, output: TensorSpec): number =>
  (results[output.name] as Float32Array).length / width(output)

/** One row, text or nested as the output's shape is; f32 values in the fewest digits that mean the same. */
function rowOf(
  results: Results,
  output: TensorSpec,
  row: number,
  vocabulary: Vocabulary | undefined,
): Nested {
  const size = width(output)
  const result = results[output.name]!
  const values =
    typeof result === 'number' ? [result] : result.subarray(row * size, (row + 1) * size)
  if (vocabulary !== undefined) return vocabulary.decode(values)
  const show = (value: number): Nested =>
    output.dtype === 'bool' ? value !== 0 : output.dtype === 'f32' ? short(value) : value
  const nest = (shape: readonly number[], from: number): Nested => {
    const [first, ...rest] = shape
    if (first === undefined) return show(values[from]!)
    const step = rest.reduce((a, b) => a * b, 1)
    return Array.from({ length: first }, (_, k) => nest(rest, from + k * step))
  }
  return nest(output.shape.slice(output.bounds[0] ? 1 : 0), 0)
}
