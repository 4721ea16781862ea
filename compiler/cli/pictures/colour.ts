/** From numbers to colours: the ways a tensor is painted. Pure. */

export type Colour = readonly [red: number, green: number, blue: number]

/**
 * - `grey`: black to white, for pictures
 * - `viridis`: dark violet to yellow, for amounts from none to much (van der Walt and Smith 2015)
 * - `diverging`: blue below the middle, white, red above it, for signed numbers (ColorBrewer's RdBu)
 */
export type Look = 'grey' | 'viridis' | 'diverging'

const hex = (text: string): Colour[] =>
  text
    .split(' ')
    .map((c) => [0, 2, 4].map((k) => Number.parseInt(c.slice(k, k + 2), 16)) as unknown as Colour)

const anchors: Readonly<Record<Look, readonly Colour[]>> = {
  grey: hex('000000 ffffff'),
  viridis: hex('440154 482878 3e4989 31688e 26828e 1f9e89 35b779 6ece58 b5de2b fde725'),
  diverging: hex('053061 2166ac 4393c3 92c5de d1e5f0 f7f7f7 fddbc7 f4a582 d6604d b2182b 67001f'),
}

/** What is no number: neither in any of the scales nor easily missed. */
const missing: Colour = [255, 0, 255]

/** The colour at `t`, 0 to 1; what lies outside is taken to the nearest end. */
export function colourAt(look: Look, t: number): Colour {
  if (Number.isNaN(t)) return missing
  const scale = anchors[look]
  const place = Math.min(1, Math.max(0, t)) * (scale.length - 1)
  const k = Math.min(scale.length - 2, Math.floor(place))
  const [a, b] = [scale[k]!, scale[k + 1]!]
  const mix = (c: 0 | 1 | 2): number => Math.round(a[c] + (b[c] - a[c]) * (place - k))
  return [mix(0), mix(1), mix(2)]
}

/** The values that are painted as the ends of a scale. */
export interface Range {
  readonly low: number
  readonly high: number
}

/** Where a value lies between the ends; in the middle where these are one. */
export const within = ({ low, high }: Range, value: number): number =>
  high > low ? (value - low) / (high - low) : Number.isNaN(value) ? value : 0.5

/**
 * The range of pictures: what they seem to have been made for, 0 to 1, 0 to 255 or -1 to 1, else what is there. So an
 * all but black picture stays dark.
 */
export function pictureRange(values: ArrayLike<number>): Range {
  const { low, high } = extent(values)
  const slack = 1e-3
  if (low >= -slack && high <= 1 + slack) return { low: 0, high: 1 }
  if (low >= -1 - slack && high <= 1 + slack) return { low: -1, high: 1 }
  if (low >= -slack && high <= 255 + slack) return { low: 0, high: 255 }
  return { low, high }
}

/** Around 0 and as far as all but one in 200 values reach, so that single ones do not pale the rest. */
export function signedRange(values: ArrayLike<number>): Range {
  const sizes = Float64Array.from(values, Math.abs).filter(Number.isFinite).sort()
  const most = sizes[Math.min(sizes.length - 1, Math.floor(sizes.length * 0.995))] ?? 0
  return { low: -(most || 1), high: most || 1 }
}

/** From 0, or the least value where there are negative ones, to the greatest. */
export function amountRange(values: ArrayLike<number>): Range {
  const { low, high } = extent(values)
  return { low: Math.min(0, low), high }
}

function extent(values: ArrayLike<number>): Range {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let k = 0; k < values.length; k++) {
    const value = values[k]!
    if (!Number.isFinite(value)) continue
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  return low <= high ? { low, high } : { low: 0, high: 1 }
}
