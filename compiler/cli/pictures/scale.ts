/** Axes: a range rounded out to readable ticks, linear or logarithmic, and the text of a tick. Pure. */

export interface Scale {
  readonly isLog: boolean
  /** The ends of the axis, both finite, least < most. */
  readonly least: number
  readonly most: number
  readonly ticks: readonly number[]
  /** 0 at `least`, 1 at `most`; values outside lie outside. */
  readonly at: (value: number) => number
}

/** 1, 2 or 5 times a power of ten: the least such step that cuts `span` into at most `count` parts. */
function stepOf(span: number, count: number): number {
  const raw = span / Math.max(1, count)
  const power = 10 ** Math.floor(Math.log10(raw))
  // 1e-9: a step that fits up to rounding fits.
  const factor = [1, 2, 5, 10].find((f) => f * power * (1 + 1e-9) >= raw) ?? 10
  return factor * power
}

/** A linear axis over `least..most`, both ends on a tick unless `isExact`. */
export function linearScale(least: number, most: number, count = 5, isExact = false): Scale {
  let [low, high] = least < most ? [least, most] : [most, least]
  if (!(high - low > 1e-12 * Math.max(Math.abs(low), Math.abs(high)))) {
    // One value: an axis around it.
    const room = Math.abs(low) * 0.1 || 1
    low -= room
    high += room
  }
  const step = stepOf(high - low, count)
  const first = isExact ? Math.ceil(low / step - 1e-9) : Math.floor(low / step + 1e-9)
  const last = isExact ? Math.floor(high / step + 1e-9) : Math.ceil(high / step - 1e-9)
  const ticks = Array.from({ length: last - first + 1 }, (_, k) => round((first + k) * step))
  const [from, to] = isExact ? [low, high] : [ticks[0]!, ticks.at(-1)!]
  return {
    isLog: false,
    least: from,
    most: to,
    ticks,
    at: (value) => (value - from) / (to - from),
  }
}

/** A logarithmic axis over positive `least..most`, rounded out to 1, 2 or 5 times powers of ten. */
export function logScale(least: number, most: number, count = 5): Scale {
  const all: number[] = []
  const bottom = Math.floor(Math.log10(least) + 1e-9)
  const top = Math.ceil(Math.log10(most) - 1e-9)
  for (let e = bottom; e <= Math.max(top, bottom + 1); e++) {
    all.push(round(10 ** e), round(2 * 10 ** e), round(5 * 10 ** e))
  }
  const from = all.findLast((t) => t <= least * (1 + 1e-9)) ?? all[0]!
  const to = all.find((t) => t >= most * (1 - 1e-9) && t > from) ?? all.at(-1)!
  const inside = all.filter((t) => t >= from && t <= to)
  const powers = inside.filter((t) => Number.isInteger(round(Math.log10(t))))
  const every = Math.max(1, Math.ceil(powers.length / count))
  const ticks = inside.length <= count + 1 ? inside : powers.filter((_, k) => k % every === 0)
  const span = Math.log(to / from)
  return { isLog: true, least: from, most: to, ticks, at: (v) => Math.log(v / from) / span }
}

/** Logarithmic where all values are positive and span more than a factor of 30: a loss that falls far. */
export function scaleOf(values: Iterable<number>, count = 5): Scale {
  let least = Number.POSITIVE_INFINITY
  let most = Number.NEGATIVE_INFINITY
  for (const value of values) {
    if (!Number.isFinite(value)) continue
    least = Math.min(least, value)
    most = Math.max(most, value)
  }
  if (least > most) return linearScale(0, 1, count)
  if (least > 0 && most / least > 30) return logScale(least, most, count)
  return linearScale(least, most, count)
}

/** Without the noise of binary fractions: 0.30000000000000004 is 0.3. */
const round = (value: number): number => Number(value.toPrecision(12))

/** The text of a tick among `ticks`: as many decimals as tell them apart, powers for what is very large or small. */
export function tickText(value: number, { ticks, isLog }: Pick<Scale, 'ticks' | 'isLog'>): string {
  const size = Math.max(...ticks.map(Math.abs))
  const away = ticks.filter((t) => t !== 0).map(Math.abs)
  if (value !== 0 && (size >= 1e6 || Math.min(...away) < 1e-4)) {
    return value.toExponential().replace('e+', 'e')
  }
  if (isLog) return `${value}`
  const decimals = Math.max(...ticks.map((t) => (`${round(t)}`.split('.')[1] ?? '').length))
  return value.toFixed(Math.min(decimals, 8))
}
