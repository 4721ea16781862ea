/** From all rows of a source to those asked for: split into training and test rows, limited, standardized. */
import { range, shuffle } from '../shuffle.ts'
import { type Args, bad, listOf, type SourceCall } from './args.ts'
import { weightColumn } from './balance.ts'
import type { Numbers, Tensor } from './tensor.ts'

export interface Column extends Tensor {
  readonly name: string
}

/** How names and scales were turned into numbers: taken from the training rows and used again for others. */
export interface Encoding {
  /** Class names by column of the file. */
  readonly classes: ReadonlyMap<string, readonly string[]>
  /** Mean and deviation of each value of a row, by the name of the output. */
  readonly scales: ReadonlyMap<
    string,
    { readonly mean: Float64Array; readonly deviation: Float64Array }
  >
  /** What a row of each class weighs, by the name of the output that `balance` names. */
  readonly weights?: ReadonlyMap<string, ReadonlyMap<number, number>>
}

export interface Dataset {
  readonly rows: number
  readonly columns: readonly Column[]
  readonly encoding: Encoding
}

/** The rows of the split asked for, scaled by the rows of the training split. */
export function cut(
  call: SourceCall,
  args: Args,
  columns: readonly Column[],
  rows: number,
  encoding: Encoding,
): Dataset {
  const split = args.option('split', 'string')
  const fraction = args.option('fraction', 'number') ?? 0.8
  let chosen: Uint32Array = range(rows)
  let training = chosen
  if (split !== undefined) {
    if (split !== 'train' && split !== 'test') bad(call, 'split is "train" or "test"')
    if (!(fraction > 0 && fraction < 1))
      bad(call, 'fraction, the share of training rows, lies between 0 and 1')
    // Epoch -2: an order of its own, apart from those of training and validation.
    const order = shuffle(range(rows), args.option('seed', 'number') ?? 0, -2)
    const count = Math.round(rows * fraction)
    training = order.slice(0, count).sort()
    chosen = split === 'train' ? training : order.slice(count).sort()
  }
  const limit = args.option('limit', 'number')
  if (limit !== undefined) {
    if (!Number.isInteger(limit) || limit < 1) bad(call, 'limit is a number of rows')
    chosen = chosen.slice(0, limit)
  }
  if (chosen.length === 0) bad(call, `${rows} rows leave none for split = "${split}"`)
  const weights = new Map(encoding.weights)
  const weight = weightColumn(call, args, columns, rows, training, weights)
  const scales = new Map(encoding.scales)
  const standardize = args.option('standardize', 'string', 'boolean')
  const scaled = new Set(
    typeof standardize === 'string' ? listOf(standardize) : standardize ? [columns[0]!.name] : [],
  )
  for (const name of scaled) {
    if (!args.outputs.some((o) => o.name === name) && !columns.some((c) => c.name === name)) {
      bad(call, `standardize names ${name}, which it does not read`)
    }
  }
  const all = weight ? [...columns, weight] : columns
  const out = all.map((column): Column => {
    const width = column.data.length / rows
    const shape = [chosen.length, ...column.shape.slice(1)]
    if (!scaled.has(column.name)) {
      return {
        ...column,
        shape,
        data: chosen.length === rows ? column.data : take(column.data, chosen, width),
      }
    }
    let scale = scales.get(column.name)
    if (!scale) {
      scale = measure(column.data, training, width)
      scales.set(column.name, scale)
    }
    const { mean, deviation } = scale
    const data = Float64Array.from(take(column.data, chosen, width))
    for (let k = 0; k < data.length; k++) {
      data[k] = (data[k]! - mean[k % width]!) / deviation[k % width]!
    }
    return { ...column, shape, data }
  })
  return {
    rows: chosen.length,
    columns: out,
    encoding: { classes: encoding.classes, scales, weights },
  }
}

function take(data: Numbers, rows: Uint32Array, width: number): Numbers {
  const out = new (data.constructor as new (length: number) => Numbers)(rows.length * width)
  rows.forEach((row, r) => {
    for (let k = 0; k < width; k++) out[r * width + k] = data[row * width + k]!
  })
  return out
}

function measure(data: Numbers, rows: Uint32Array, width: number) {
  const mean = new Float64Array(width)
  const deviation = new Float64Array(width)
  for (const row of rows)
    for (let k = 0; k < width; k++) mean[k]! += data[row * width + k]! / rows.length
  for (const row of rows) {
    for (let k = 0; k < width; k++)
      deviation[k]! += (data[row * width + k]! - mean[k]!) ** 2 / rows.length
  }
  // A column that never changes is only centred.
  return { mean, deviation: deviation.map((d) => Math.sqrt(d) || 1) }
}
