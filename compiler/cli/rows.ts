/**
 * Blocks that are called once for each row: those that carry state from call to call, and those whose inputs have no
 * rows. In: feeds of any number of rows. Out: the feeds of each call; an input that has one row has it at every call.
 */
import type { Feeds } from '../../runtime/entry.ts'
import { generate } from '../../runtime/generate/index.ts'
import type { Model, TextFeeds } from '../../runtime/index.ts'
import type { EntrySpec, InputSpec, TensorSpec } from '../wasm/manifest.ts'
import { InputError, UsageError } from './errors.ts'

export const isCalledByRow = (entry: EntrySpec): boolean =>
  entry.carries !== undefined || entry.counts.length === 0

/** Elements of one row. */
export const width = ({ shape, bounds }: TensorSpec): number =>
  shape.slice(bounds[0] ? 1 : 0).reduce((a, b) => a * b, 1)

type Column = ArrayLike<number>

/** Texts as the numbers of their tokens. */
function columnOf(model: Model, input: InputSpec, feed: unknown): Column {
  if (typeof feed === 'number' || typeof feed === 'boolean') return [Number(feed)]
  const values = feed as readonly (number | string)[]
  if (typeof values[0] !== 'string') return values as Column
  const vocabulary = model.vocabularies[input.vocabulary!]!
  return (values as readonly string[]).flatMap((text) => [...vocabulary.encode(text)])
}

function columnsOf(model: Model, entry: EntrySpec, feeds: TextFeeds): Map<InputSpec, Column> {
  return new Map(
    entry.inputs.flatMap((input) => {
      const feed = feeds[input.name]
      return feed === undefined ? [] : [[input, columnOf(model, input, feed)] as const]
    }),
  )
}

/** The feeds of one call after the other. */
export function feedsByRow(model: Model, entry: EntrySpec, feeds: TextFeeds): Feeds[] {
  const columns = columnsOf(model, entry, feeds)
  const rowsOf = (input: InputSpec): number => columns.get(input)!.length / width(input)
  const given = [...columns.keys()]
  const odd = given.find((input) => !Number.isInteger(rowsOf(input)))
  if (odd) {
    const { length } = columns.get(odd)!
    throw new InputError(
      `input ${odd.name} takes ${width(odd)} values a call and there are ${length}`,
    )
  }
  const rows = Math.max(1, ...given.map(rowsOf))
  const other = given.find((input) => rowsOf(input) !== rows && rowsOf(input) !== 1)
  if (other) {
    throw new InputError(
      `input ${other.name} has ${rowsOf(other)} rows and another one ${rows}: as many, or one`,
    )
  }
  return Array.from({ length: rows }, (_, row) =>
    Object.fromEntries(
      [...columns].map(([input, values]) => {
        const from = rowsOf(input) === 1 ? 0 : row * width(input)
        return [input.name, Array.from({ length: width(input) }, (_, k) => values[from + k]!)]
      }),
    ),
  )
}

/** `--generate N`: what the block makes after the tokens given, each fed back; and the output that they are of. */
export function generated(
  model: Model,
  entry: EntrySpec,
  feeds: TextFeeds,
  count: number,
): { readonly output: TensorSpec; readonly ids: readonly number[] } {
  const columns = columnsOf(model, entry, feeds)
  const isToken = (spec: TensorSpec): boolean => spec.dtype === 'i32' && width(spec) === 1
  const tokens = [...columns].filter(([input]) => isToken(input))
  // Of several, the one that is given more than once is the text.
  const [chosen] = tokens.length > 1 ? tokens.filter(([, column]) => column.length > 1) : tokens
  if (!chosen) {
    throw new UsageError(
      `--generate goes on from tokens: give them with --in ${entry.inputs.find(isToken)?.name ?? 'NAME'}=…`,
    )
  }
  const [input, prompt] = chosen
  const others = [...columns].filter(([other]) => other !== input)
  const rest = Object.fromEntries(others.map(([other, column]) => [other.name, column]))
  const output =
    entry.outputs.find((o) => o.name === input.name && isToken(o)) ?? entry.outputs.find(isToken)
  if (!output) throw new InputError(`${entry.of} gives no whole number to go on with`)
  const options = { prompt, count, feeds: rest, input: input.name, output: output.name }
  return { output, ids: [...generate(model, entry.of, { ...options, resume: true })] }
}
