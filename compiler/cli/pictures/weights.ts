/**
 * Parameters as pictures. The library keeps the weights of one output along the last dim, and so do its pictures: dense
 * weights [784, H] are H images, convolution filters [R, S, C, K] are K by C, a table [V, C] is V points. Pure.
 */
import { amountRange, type Look, type Range, signedRange } from './colour.ts'
import type { Figure } from './figure.ts'
import { principalComponents, project } from './pca.ts'
import { guessSize, type Tiles } from './raster.ts'
import { figure as digits, showShape } from './text.ts'

export type Way = 'images' | 'maps' | 'heatmap' | 'points'

export interface Size {
  readonly height: number
  readonly width: number
  readonly channels: 1 | 3
}

export interface Weights {
  readonly name: string
  readonly shape: readonly number[]
  readonly values: ArrayLike<number>
}

export interface WeightOptions {
  /** By default what the shape and `images` suggest. */
  readonly as?: Way | undefined
  /** Images that the inputs of this parameter are, and those that its outputs are: weights of as many values are too. */
  readonly seen?: readonly Size[]
  readonly made?: readonly Size[]
  /** A row is read for each id, so that the rows are points. */
  readonly isTable?: boolean
  /** Names of the rows of a table. */
  readonly tokens?: readonly string[] | undefined
  /** Columns and lines of a grid of images, at most. */
  readonly columns?: number | undefined
  readonly most?: number | undefined
}

const among = (sizes: readonly Size[] = [], values: number): Size | undefined =>
  sizes.find((size) => volume(size) === values)

const volume = ({ height, width, channels }: Size): number => height * width * channels

/** How a parameter is drawn where nobody says. */
export function wayOf({ shape }: Pick<Weights, 'shape'>, options: WeightOptions): Way {
  if (options.isTable) return 'points'
  if (shape.length === 2) {
    const isImage = among(options.seen, shape[0]!) ?? among(options.made, shape[1]!)
    return isImage ? 'images' : 'heatmap'
  }
  const isWindow = shape.length >= 3 && shape[0]! > 1 && shape[0]! === shape[1]
  return isWindow && shape[0]! <= 15 ? 'images' : 'heatmap'
}

export function weightFigure(weights: Weights, options: WeightOptions = {}): Figure {
  const title = `${weights.name} ${showShape(weights.shape)}`
  const way = options.as ?? wayOf(weights, options)
  if (way === 'points') return pointsOf(weights, title, options)
  if (way === 'heatmap') return matrixOf(weights, title)
  const { tiles, columns } =
    weights.shape.length === 2 ? unitImages(weights, options) : windows(weights)
  const most = options.most ?? 256
  const count = Math.min(tiles.count, most)
  const range = rangeOfTiles(tiles, count)
  const shown = count < tiles.count ? `, the first ${count} of ${tiles.count}` : ''
  const wide = options.columns ?? columns
  return {
    kind: 'images',
    title: `${title}${shown}, ${scaleText(range)}`,
    tiles: { ...tiles, count },
    options: { look: 'diverging', range, ...(wide !== undefined && { columns: wide }) },
  }
}

const scaleText = ({ low, high }: Range): string => `blue ${digits(low)} to red ${digits(high)}`

function rangeOfTiles({ values, height, width, channels }: Tiles, count: number): Range {
  return signedRange(Array.prototype.slice.call(values, 0, count * height * width * channels))
}

/** Dense weights [I, O] of which I, or O, is the size of an image: one for each index of the other. */
function unitImages({ shape, values }: Weights, { seen, made }: WeightOptions) {
  const [I, O] = shape as [number, number]
  const output = among(seen, I) ? undefined : among(made, O)
  const isOutput = output !== undefined
  const size = output ?? among(seen, I) ?? guessSize(I) ?? { height: 1, width: I, channels: 1 }
  const count = isOutput ? I : O
  const of = Float32Array.from({ length: I * O }, (_, k) => {
    const [unit, at] = isOutput ? [Math.floor(k / O), k % O] : [Math.floor(k / I), k % I]
    return values[isOutput ? unit * O + at : at * O + unit]!
  })
  return { tiles: { values: of, count, ...size }, columns: undefined }
}

/** Filters [R, S, C, K], a column of C windows for each k; C of 3 are colours. Depthwise [R, S, C] are C windows. */
function windows({ shape, values }: Weights): { tiles: Tiles; columns: number | undefined } {
  const [R, S] = shape as [number, number]
  const C = shape.length > 3 ? shape.slice(2, -1).reduce((a, b) => a * b, 1) : 1
  const K = shape.at(-1)!
  const isColour = C === 3 && shape.length === 4
  const of = new Float32Array(R * S * C * K)
  for (let k = 0; k < K; k++) {
    for (let c = 0; c < C; c++) {
      for (let p = 0; p < R * S; p++) {
        const to = isColour ? (k * R * S + p) * C + c : (c * K + k) * R * S + p
        of[to] = values[(p * C + c) * K + k]!
      }
    }
  }
  const one = { height: R, width: S, values: of }
  if (isColour) return { tiles: { ...one, channels: 3, count: K }, columns: undefined }
  return { tiles: { ...one, channels: 1, count: C * K }, columns: C > 1 ? K : undefined }
}

/** The last dim across, all others down; a vector is one line. */
function matrixOf({ shape, values }: Weights, title: string): Figure {
  const columns = shape.at(-1) ?? 1
  const rows = values.length / columns
  const { look, range } = paint(values)
  return { kind: 'heatmap', title, rows, columns, maps: [{ name: '', values }], look, range }
}

/** Signed values around 0 in two colours, others from none to much. */
export function paint(values: ArrayLike<number>): { look: Look; range: Range } {
  let isSigned = false
  for (let k = 0; k < values.length && !isSigned; k++) isSigned = values[k]! < 0
  return isSigned
    ? { look: 'diverging', range: signedRange(values) }
    : { look: 'viridis', range: amountRange(values) }
}

function pointsOf({ shape, values }: Weights, title: string, options: WeightOptions): Figure {
  const columns = shape.at(-1) ?? 1
  const rows = values.length / columns
  const found = principalComponents(values, columns, Math.min(2, columns))
  const flat = project(values, found)
  const width = found.variances.length
  const all = totalVariance(values, columns, found.mean)
  const share = (k: number): string =>
    `component ${k + 1} (${Math.round((100 * (found.variances[k] ?? 0)) / (all || 1))} % of the variance)`
  return {
    kind: 'points',
    title,
    points: Array.from({ length: rows }, (_, r) => ({
      x: flat[r * width]!,
      y: width > 1 ? flat[r * width + 1]! : 0,
      name: options.tokens?.[r] ?? `${r}`,
    })),
    axes: [share(0), share(1)],
  }
}

function totalVariance(values: ArrayLike<number>, columns: number, mean: Float64Array): number {
  let sum = 0
  for (let k = 0; k < values.length; k++) sum += (values[k]! - mean[k % columns]!) ** 2
  return (sum * columns) / values.length
}
