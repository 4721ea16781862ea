/**
 * What a network computes for rows of data as pictures: images, feature maps, the attention of each head with its tokens,
 * else heat maps. What a tensor is, its shape and values tell, unless the caller says. Pure.
 */
import { amountRange, pictureRange } from './colour.ts'
import type { Figure } from './figure.ts'
import { guessSize } from './raster.ts'
import { showShape } from './text.ts'
import { paint, type Size, type Way } from './weights.ts'

/** A tensor of a forward pass, its rows those that were asked for. */
export interface Value {
  readonly name: string
  /** Without the dim of the rows. */
  readonly shape: readonly number[]
  /** Of all rows, one after the other. */
  readonly values: ArrayLike<number>
  /** What the rows are called: their numbers in the data. Undefined where the tensor has none. */
  readonly rows: readonly string[] | undefined
}

export interface ValueOptions {
  readonly as?: Way | undefined
  /** The images that the model reads or makes. */
  readonly images?: readonly Size[]
  /** Sequences of tokens, of which each row has one of each. */
  readonly sequences?: readonly Sequence[]
  readonly columns?: number | undefined
  readonly most?: number | undefined
}

export interface Sequence {
  readonly name: string
  /** By row, then by position. */
  readonly tokens: readonly (readonly string[])[]
}

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/** Tensors of two or more dims of which each line along the last is not negative and sums to 1: what a softmax leaves. */
export function isAttention({ shape, values }: Pick<Value, 'shape' | 'values'>): boolean {
  const keys = shape.at(-1) ?? 0
  if (shape.length < 2 || keys < 2) return false
  for (let from = 0; from < values.length; from += keys) {
    let sum = 0
    for (let k = from; k < from + keys; k++) {
      if (!(values[k]! >= 0)) return false
      sum += values[k]!
    }
    if (Math.abs(sum - 1) > 1e-3) return false
  }
  return true
}

export function valueFigures(value: Value, options: ValueOptions = {}): Figure[] {
  const { shape, values, name } = value
  const size = imageSize(shape, options)
  const title = `${name} ${showShape(shape)}`
  const count = value.rows?.length ?? 1
  if (options.as === 'images' || (options.as === undefined && size)) {
    const found = size ??
      guessSize(product(shape)) ?? { height: 1, width: product(shape), channels: 1 }
    const tiles = { ...found, values, count: Math.min(count, options.most ?? count) }
    const columns = options.columns === undefined ? {} : { columns: options.columns }
    const range = pictureRange(values)
    return [{ kind: 'images', title: name, tiles, options: { ...columns, range } }]
  }
  if (shape.length < 2) return [linesOf(value, title)]
  const isMaps = options.as === 'maps' || (options.as === undefined && shape.length === 3)
  return Array.from({ length: count }, (_, row) => {
    const size = product(shape)
    const own = Array.prototype.slice.call(values, row * size, (row + 1) * size) as number[]
    const of = value.rows ? `${title}, row ${value.rows[row]}` : title
    const one = { ...value, values: own }
    if (options.as === undefined && isAttention(one)) return attention(one, of, row, options)
    if (isMaps && shape.length >= 3) return featureMaps(one, of, options)
    return sequenceMap(one, of, row, options)
  })
}

/** The image that a row is, where the model has images of this shape or this many values. */
function imageSize(shape: readonly number[], { images = [] }: ValueOptions): Size | undefined {
  return images.find(({ height, width, channels }) => {
    if (shape.length === 1) return shape[0] === height * width * channels
    const [h, w, c = 1] = shape
    return shape.length <= 3 && h === height && w === width && c === channels
  })
}

/** Vectors: a line for each row. */
function linesOf({ shape, values, rows, name }: Value, title: string): Figure {
  const columns = product(shape)
  return {
    kind: 'heatmap',
    title: rows ? title : name,
    rows: values.length / columns,
    columns,
    maps: [{ name: '', values }],
    rowLabels: rows?.map((row) => `row ${row}`),
    ...paint(values),
  }
}

/** [H, W, C]: each channel an image, all on one scale. */
function featureMaps({ shape, values }: Value, title: string, options: ValueOptions): Figure {
  const [height, width] = shape as [number, number]
  const channels = product(shape.slice(2))
  const area = height * width
  const of = Float32Array.from(
    { length: area * channels },
    (_, k) => values[(k % area) * channels + Math.floor(k / area)]!,
  )
  const { look, range } = paint(of)
  return {
    kind: 'images',
    title,
    tiles: {
      height,
      width,
      channels: 1,
      values: of,
      count: Math.min(channels, options.most ?? 256),
    },
    options: { look, range, ...(options.columns !== undefined && { columns: options.columns }) },
  }
}

/** [.., Q, K], a map for each head: how much each query, a line, attends to each key. */
function attention(
  { shape, values }: Value,
  title: string,
  row: number,
  options: ValueOptions,
): Figure {
  const [queries, keys] = shape.slice(-2) as [number, number]
  const heads = product(shape.slice(0, -2))
  const [rowLabels, columnLabels] = labelsOf(title, queries, keys, row, options)
  const size = queries * keys
  return {
    kind: 'heatmap',
    title,
    rows: queries,
    columns: keys,
    maps: Array.from({ length: heads }, (_, k) => ({
      name: `head ${k + 1}`,
      values: Array.prototype.slice.call(values, k * size, (k + 1) * size),
    })),
    rowLabels,
    columnLabels,
    axes: ['query', 'key'],
    look: 'viridis',
    range: amountRange(values),
  }
}

/**
 * The sequences that are as long as queries and keys. Where two are, attention across is from the last to the first, and any
 * other attention within the first, or the last where the path speaks of a decoder.
 */
function labelsOf(
  path: string,
  queries: number,
  keys: number,
  row: number,
  { sequences = [] }: ValueOptions,
) {
  const fits = (length: number) =>
    sequences.map((s) => s.tokens[row] ?? []).filter((tokens) => tokens.length === length)
  const [q, k] = [fits(queries), fits(keys)]
  const isCross = /cross/.test(path)
  const isLate = isCross || /decod/.test(path)
  const keysLate = isCross ? false : isLate
  return [isLate ? q.at(-1) : q[0], keysLate ? k.at(-1) : k[0]] as const
}

/** [T, .., C]: a line for each position. */
function sequenceMap(
  { shape, values }: Value,
  title: string,
  row: number,
  { sequences = [] }: ValueOptions,
): Figure {
  const columns = shape.at(-1)!
  const rows = values.length / columns
  const labels = sequences.map((s) => s.tokens[row]).find((tokens) => tokens?.length === rows)
  return {
    kind: 'heatmap',
    title,
    rows,
    columns,
    maps: [{ name: '', values }],
    rowLabels: labels,
    ...paint(values),
  }
}
