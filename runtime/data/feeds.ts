/**
 * Fits the columns of a data source to the inputs of an entry: by name where the source names them all, otherwise by
 * position. Extents within a row may differ as long as the row holds as many values: images of 28 by 28 fill 784.
 */
import type { InputSpec } from '../../compiler/wasm/manifest.ts'
import type { Feeds } from '../entry.ts'
import { fail } from '../errors.ts'
import type { Column, Dataset } from './rows.ts'
import { type Numbers, sizeOf } from './tensor.ts'

/**
 * `source` is how messages call the data. Columns that no input takes are left out where every input is named, and where
 * they have no names and stand last; else they are an error, save where `extra` allows them.
 */
export function feedsOf(
  inputs: readonly InputSpec[],
  data: Dataset,
  source: string,
  extra = false,
): Feeds {
  const byName = inputs.every((i) => data.columns.some((c) => c.name === i.name))
  const { length } = data.columns
  const isMisnamed = !byName && data.columns.some((c) => c.name !== '')
  if (length < inputs.length || (length > inputs.length && !extra && isMisnamed)) {
    const names = inputs.map((i) => i.name).join(', ')
    const known = data.columns.map((c) => c.name).filter((name) => name !== '')
    const columns = known.length > 0 ? ` (${known.join(', ')})` : ''
    fail(
      'data',
      `${source} gives ${length} columns of data${columns}, and the inputs are ${names}`,
      {
        source,
      },
    )
  }
  return Object.fromEntries(
    inputs.map((input, k) => {
      const column = byName ? data.columns.find((c) => c.name === input.name)! : data.columns[k]!
      return [input.name, convert(input, column, source)]
    }),
  )
}

function convert(input: InputSpec, column: Column, source: string): Numbers {
  const { name, dtype, shape, bounds } = input
  const where =
    `${source}, column ${column.name || 'for'} ${column.name === name ? '' : name}`.trim()
  const isBounded = typeof bounds[0] === 'string'
  if (!isBounded && sizeOf(shape) !== column.data.length) {
    fail(
      'data',
      `${where}: input ${name} of shape [${shape.join(', ')}] takes ${sizeOf(shape)} values and there are ${column.data.length}; for any number of rows give it a bounded dim, such as dim batch <= 64`,
      { source, input: name },
    )
  }
  const want = sizeOf(shape.slice(1))
  const have = sizeOf(column.shape.slice(1))
  if (isBounded && want !== have) {
    const row = (s: readonly number[]) => `[${s.slice(1).join(', ')}]`
    fail(
      'data',
      `${where}: its rows have shape ${row(column.shape)} and input ${name} takes ${row(shape)}`,
      {
        source,
        input: name,
      },
    )
  }
  if (dtype === 'f32')
    return column.data instanceof Float64Array ? Float32Array.from(column.data) : column.data
  const high = dtype === 'bool' ? 2 : (input.range ?? 2 ** 31)
  const low = input.range === null && dtype === 'i32' ? -(2 ** 31) : 0
  const { data } = column
  for (let k = 0; k < data.length; k++) {
    const value = data[k]!
    if (Number.isInteger(value) && value >= low && value < high) continue
    const r = Math.floor(k / want!)
    fail(
      'data',
      `${where}: row ${r} holds ${value}, and input ${name} takes whole numbers from ${low} to ${high - 1}`,
      {
        source,
        input: name,
        row: r,
      },
    )
  }
  return data instanceof Float32Array || data instanceof Float64Array ? Int32Array.from(data) : data
}
