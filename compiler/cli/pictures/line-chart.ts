/**
 * A line chart as SVG: axes with readable ticks, a legend above the plot, gaps where a value is not finite. In: series
 * of points. Out: the part of a document, and what a page needs to show values under the pointer. Pure.
 */
import { linearScale, type Scale, scaleOf, tickText } from './scale.ts'
import { element, fit, label, type Part, palette, px, widthOf } from './svg.ts'

export interface Point {
  readonly x: number
  readonly y: number
}

export interface Series {
  readonly name: string
  readonly points: readonly Point[]
  /** Colour, as a position in the palette; by default that of the series among the others. */
  readonly colour?: number
  /** `faint`: a thin line without an entry in the legend, behind the others; `marks`: a dot at each point. */
  readonly look?: 'line' | 'faint' | 'marks'
}

export interface LineChart {
  readonly title: string
  /** What stands along the horizontal axis: `epoch`. */
  readonly x: string
  readonly series: readonly Series[]
  /** Ends of the horizontal axis; by default those of the points. */
  readonly range?: readonly [number, number]
  /** Forces or forbids a logarithmic vertical axis; by default the values decide. */
  readonly log?: boolean
}

/** A chart laid out: pixels of the plot and the scales that lead there. */
export interface Plot extends Part {
  readonly chart: LineChart
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
  readonly xScale: Scale
  readonly yScale: Scale
}

const isDrawn = ({ x, y }: Point): boolean => Number.isFinite(x) && Number.isFinite(y)

export function lineChart(chart: LineChart, width = 720, height = 320): Plot {
  const points = chart.series.flatMap((s) => s.points).filter(isDrawn)
  const xs = points.map((p) => p.x)
  const range = chart.range ?? [minOf(xs, 0), maxOf(xs, 1)]
  const xScale = linearScale(range[0], range[1], Math.floor(width / 90), true)
  const yScale =
    chart.log === false
      ? linearScale(
          minOf(
            points.map((p) => p.y),
            0,
          ),
          maxOf(
            points.map((p) => p.y),
            1,
          ),
        )
      : scaleOf(chart.log ? positive(points) : points.map((p) => p.y))
  const texts = yScale.ticks.map((t) => tickText(t, yScale))
  const legend = legendOf(chart, width)
  const left = Math.max(32, Math.ceil(Math.max(...texts.map((t) => widthOf(t)))) + 12)
  const right = width - 12
  const top = 26 + legend.height
  const bottom = height - 40
  const X = (x: number): number => left + xScale.at(x) * (right - left)
  const Y = (y: number): number => bottom - yScale.at(y) * (bottom - top)

  const parts: string[] = [label(fit(chart.title, width, 14), { class: 'title', x: 0, y: 14 })]
  parts.push(legend.body)
  yScale.ticks.forEach((tick, k) => {
    const y = Math.round(Y(tick)) + 0.5
    parts.push(element('line', { class: 'rule', x1: left, x2: right, y1: y, y2: y }))
    parts.push(label(texts[k]!, { class: 'soft end', x: left - 8, y: y + 4 }))
  })
  for (const tick of xScale.ticks) {
    const x = Math.round(X(tick)) + 0.5
    parts.push(element('line', { class: 'axis', x1: x, x2: x, y1: bottom, y2: bottom + 5 }))
    parts.push(label(tickText(tick, xScale), { class: 'soft middle', x, y: bottom + 19 }))
  }
  parts.push(
    element('line', { class: 'axis', x1: left, x2: right, y1: bottom + 0.5, y2: bottom + 0.5 }),
    label(chart.x, { class: 'soft middle', x: (left + right) / 2, y: bottom + 36 }),
  )
  const order = [...chart.series.entries()].sort(([, a], [, b]) => rank(a) - rank(b))
  for (const [k, series] of order) {
    const colour = colourOf(series, k)
    const faint = series.look === 'faint' ? ' faint' : ''
    const d = path(series.points, yScale, X, Y)
    if (d) parts.push(element('path', { class: `line s${colour}${faint}`, d }))
    const isShort = series.points.filter(isDrawn).length === 1
    if (series.look === 'marks' || isShort) {
      for (const p of series.points.filter((p) => isShown(p, yScale))) {
        parts.push(element('circle', { class: `f${colour}`, cx: X(p.x), cy: Y(p.y), r: 2.5 }))
      }
    }
  }
  return {
    chart,
    width,
    height,
    left,
    right,
    top,
    bottom,
    xScale,
    yScale,
    body: parts.join('\n'),
  }
}

const rank = (series: Series): number => (series.look === 'faint' ? 0 : 1)
const isShown = (p: Point, yScale: Scale): boolean => isDrawn(p) && (!yScale.isLog || p.y > 0)
const positive = (points: readonly Point[]): number[] => points.map((p) => p.y).filter((y) => y > 0)

/** The colour's number in the palette. */
export const colourOf = (series: Series, k: number): number => (series.colour ?? k) % palette.length

/** A path that lifts the pen where a value is not finite. */
function path(
  points: readonly Point[],
  yScale: Scale,
  X: (x: number) => number,
  Y: (y: number) => number,
): string {
  let d = ''
  let isDown = false
  for (const point of points) {
    if (!isShown(point, yScale)) {
      isDown = false
      continue
    }
    d += `${isDown ? 'L' : 'M'}${px(X(point.x))} ${px(Y(point.y))}`
    isDown = true
  }
  return d
}

/** One line of names, or several where they do not fit beside each other. */
function legendOf(chart: LineChart, width: number): { height: number; body: string } {
  const named = [...chart.series.entries()].filter(([, s]) => s.look !== 'faint')
  if (named.length < 2) return { height: 0, body: '' }
  const parts: string[] = []
  let x = 0
  let y = 34
  for (const [k, series] of named) {
    const name = fit(series.name, width - 40)
    const wide = 26 + widthOf(name) + 18
    if (x > 0 && x + wide > width) {
      x = 0
      y += 18
    }
    const colour = colourOf(series, k)
    parts.push(
      element('line', { class: `line s${colour}`, x1: x, x2: x + 20, y1: y - 4, y2: y - 4 }),
      label(name, { x: x + 26, y }),
    )
    x += wide
  }
  return { height: y - 14, body: parts.join('\n') }
}

const minOf = (values: readonly number[], none: number): number =>
  values.length === 0 ? none : values.reduce((a, b) => Math.min(a, b))
const maxOf = (values: readonly number[], none: number): number =>
  values.length === 0 ? none : values.reduce((a, b) => Math.max(a, b))
