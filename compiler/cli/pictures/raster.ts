/**
 * Pictures made of numbers: a tile painted from a tensor, tiles laid out as a grid, pictures stacked and enlarged. In:
 * flat row-major values. Out: pictures as `png.ts` writes them. Pure; scripts use it for grids of samples too.
 */
import type { Picture } from '../png.ts'
import { colourAt, type Look, pictureRange, type Range, within } from './colour.ts'

/** A tensor as pictures: `count` tiles of height × width × channels, one after the other, row by row, channels innermost. */
export interface Tiles {
  readonly values: ArrayLike<number>
  readonly count: number
  readonly height: number
  readonly width: number
  /** 3 for red, green, blue. */
  readonly channels: 1 | 3
}

export interface GridOptions {
  /** Tiles beside each other; by default about as many as below each other. */
  readonly columns?: number
  /** Default `grey`. Tiles of three channels are their own colours. */
  readonly look?: Look
  /** Default: what the values seem to be made for, see `pictureRange`. */
  readonly range?: Range
  /** Pixels between tiles; default 2, or 4 where each value is a large square. */
  readonly gap?: number
  /** Each value becomes a square of so many pixels; by default tiles are about 56 pixels wide. */
  readonly scale?: number
}

const ground = [128, 128, 136] as const

/** Tiles as one picture, row by row, on a grey ground. */
export function imageGrid(tiles: Tiles, options: GridOptions = {}): Picture {
  const { count, height, width, channels } = tiles
  const { look = 'grey', range = pictureRange(tiles.values) } = options
  const scale = options.scale ?? Math.max(1, Math.round(56 / Math.max(width, height)))
  const gap = options.gap ?? (scale >= 8 ? 4 : 2)
  const columns = Math.max(1, Math.min(count, options.columns ?? columnsOf(tiles)))
  const rows = Math.max(1, Math.ceil(count / columns))
  const [wide, high] = [width * scale + gap, height * scale + gap]
  const grid = blank(columns * wide + gap, rows * high + gap)
  const pixels = new Uint8Array(height * width * 3)
  for (let k = 0; k < count; k++) {
    for (let p = 0; p < height * width; p++) {
      const from = (k * height * width + p) * channels
      const at = (c: number): number => within(range, tiles.values[from + c]!)
      const level = (c: number): number => colourAt('grey', at(c))[0]
      pixels.set(channels === 1 ? colourAt(look, at(0)) : [level(0), level(1), level(2)], 3 * p)
    }
    const tile = enlarge({ width, height, channels: 3, data: pixels }, scale)
    paste(grid, tile, gap + (k % columns) * wide, gap + Math.floor(k / columns) * high)
  }
  return grid
}

/** Puts a picture onto another at a place where it fits, both of three channels. */
function paste(onto: Picture, picture: Picture, left: number, top: number): void {
  for (let y = 0; y < picture.height; y++) {
    const line = picture.data.subarray(y * picture.width * 3, (y + 1) * picture.width * 3)
    onto.data.set(line, ((top + y) * onto.width + left) * 3)
  }
}

/** Columns that make a grid about four wide to three high, all lines full where the count allows. */
function columnsOf({ count, height, width }: Tiles): number {
  const wish = Math.max(1, Math.round(Math.sqrt((count * height * 4) / (width * 3))))
  const full = Array.from({ length: count }, (_, k) => k + 1).filter(
    (n) => count % n === 0 && n >= 0.7 * wish && n <= 1.4 * wish,
  )
  const far = (n: number): number => Math.abs(Math.log(n / wish))
  return full.sort((a, b) => far(a) - far(b))[0] ?? wish
}

const blank = (width: number, height: number): Picture => {
  const data = new Uint8Array(width * height * 3)
  for (let k = 0; k < data.length; k++) data[k] = ground[k % 3]!
  return { width, height, channels: 3, data }
}

/** Each pixel as a square of `factor` pixels, or a rectangle. */
export function enlarge(picture: Picture, factor: number, down = factor): Picture {
  if (factor === 1 && down === 1) return picture
  const { channels } = picture
  const [width, height] = [picture.width * factor, picture.height * down]
  const data = new Uint8Array(width * height * channels)
  for (let y = 0; y < height; y++) {
    if (y % down > 0) {
      data.copyWithin(y * width * channels, (y - 1) * width * channels, y * width * channels)
      continue
    }
    for (let x = 0; x < width; x++) {
      const from = (Math.floor(y / down) * picture.width + Math.floor(x / factor)) * channels
      for (let c = 0; c < channels; c++) {
        data[(y * width + x) * channels + c] = picture.data[from + c]!
      }
    }
  }
  return { width, height, channels, data }
}

/** Pictures of three channels one below the other, from the left. */
export function below(pictures: readonly Picture[], gap = 16): Picture {
  const width = Math.max(...pictures.map((p) => p.width))
  const height = pictures.reduce((sum, p) => sum + p.height + gap, -gap)
  const all = blank(width, height)
  let top = 0
  for (const picture of pictures) {
    paste(all, picture, 0, top)
    top += picture.height + gap
  }
  return all
}

/**
 * Sets of tiles of one size, such as inputs and their reconstructions, in an order that a grid of `columns` shows as a line
 * of the first set over a line of the second, and so on. Places of the last line without an image hold zeros.
 */
export function interleave(sets: readonly Tiles[], columns: number): Tiles {
  const [first] = sets
  const size = first!.height * first!.width * first!.channels
  const lines = Math.ceil(first!.count / columns)
  const count = lines * columns * sets.length
  const values = new Float32Array(count * size)
  for (let line = 0; line < lines; line++) {
    sets.forEach((set, s) => {
      for (let c = 0; c < columns && line * columns + c < set.count; c++) {
        const from = (line * columns + c) * size
        const to = ((line * sets.length + s) * columns + c) * size
        for (let k = 0; k < size; k++) values[to + k] = set.values[from + k]!
      }
    })
  }
  return { ...first!, count, values }
}

/** A side for pictures of `size` values: 784 is 28 × 28, 3072 is 32 × 32 × 3; undefined where none is near at hand. */
export function guessSize(size: number): Pick<Tiles, 'height' | 'width' | 'channels'> | undefined {
  for (const channels of [1, 3] as const) {
    const side = Math.sqrt(size / channels)
    if (Number.isInteger(side) && side >= 5) return { height: side, width: side, channels }
  }
  return undefined
}
