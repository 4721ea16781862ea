/**
 * A line chart in the characters of a terminal: curves in braille, two dots by four a cell, with ticks on both axes. In:
 * series of points and a size in cells. Out: lines of text, none where there is no room. Pure.
 */
import type { LineChart, Point, Series } from './line-chart.ts'
import { linearScale, scaleOf, tickText } from './scale.ts'

export interface TerminalSize {
  /** Cells in a line, all of which may be used. */
  readonly columns: number
  /** Lines of the whole chart: title, plot, axis and ticks. */
  readonly lines: number
  readonly color: boolean
}

/** Blue, yellow, cyan, magenta: distinct for colour-blind readers too, on dark and on light grounds. */
const colours = ['34', '33', '36', '35']

/** Braille dots by row and column of a cell: Unicode numbers them down the left side first. */
const dots = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const

/** Smaller than this says nothing. */
const least = { columns: 30, lines: 7 }

export function terminalChart(chart: LineChart, size: TerminalSize): string[] {
  const { columns, lines, color } = size
  if (columns < least.columns || lines < least.lines) return []
  const series = chart.series.filter((s) => s.look !== 'faint')
  const points = series.flatMap((s) => s.points).filter((p) => Number.isFinite(p.y))
  if (points.length === 0) return []
  const rows = lines - 3
  const yScale = scaleOf(
    points.map((p) => p.y),
    Math.max(1, Math.floor(rows / 2)),
  )
  const texts = yScale.ticks.map((t) => tickText(t, yScale))
  const left = Math.max(...texts.map((t) => t.length)) + 1
  const wide = columns - left - 1
  if (wide < 10) return []
  const [from, to] = chart.range ?? [
    Math.min(...points.map((p) => p.x)),
    Math.max(...points.map((p) => p.x)),
  ]
  const xScale = linearScale(from, to, Math.max(1, Math.floor(wide / 12)), true)

  const grid = new Grid(wide, rows)
  const place = (p: Point): readonly [number, number] => [
    Math.round(xScale.at(p.x) * (2 * wide - 1)),
    Math.round((1 - yScale.at(p.y)) * (4 * rows - 1)),
  ]
  series.forEach((s, k) => {
    drawSeries(grid, s, k, place, color)
  })

  const axisAt = new Map(
    yScale.ticks.map((t, k) => [Math.round((1 - yScale.at(t)) * (rows - 1)), texts[k]!]),
  )
  const out = [titleLine(chart, series, size)]
  for (let row = 0; row < rows; row++) {
    const text = axisAt.get(row)
    out.push(
      `${(text ?? '').padStart(left)}${text === undefined ? '│' : '┤'}${grid.line(row, color)}`,
    )
  }
  const axis = new Array<string>(wide).fill('─')
  const ticks = new Array<string>(columns).fill(' ')
  let free = 0
  for (const tick of xScale.ticks) {
    const at = Math.min(wide - 1, Math.round(xScale.at(tick) * (wide - 1)))
    const text = tickText(tick, xScale)
    const start = Math.min(Math.max(0, left + 1 + at - (text.length >> 1)), columns - text.length)
    if (start < free) continue
    axis[at] = '┬'
    for (let k = 0; k < text.length; k++) ticks[start + k] = text[k]!
    free = start + text.length + 1
  }
  const end = columns - chart.x.length
  if (free <= end) for (let k = 0; k < chart.x.length; k++) ticks[end + k] = chart.x[k]!
  out.push(`${' '.repeat(left)}└${axis.join('')}`, ticks.join('').trimEnd())
  return out
}

/** The second and later curves are marks where there is no colour to tell them apart. */
function drawSeries(
  grid: Grid,
  { points }: Series,
  k: number,
  place: (p: Point) => readonly [number, number],
  color: boolean,
): void {
  let before: readonly [number, number] | undefined
  for (const point of points) {
    if (!Number.isFinite(point.y)) {
      before = undefined
      continue
    }
    const [x, y] = place(point)
    if (!color && k > 0) grid.mark(x, y, marks[(k - 1) % marks.length]!)
    else grid.stroke(before ?? [x, y], [x, y], k)
    before = [x, y]
  }
}

const marks = ['×', 'o', '+'] as const

function titleLine(chart: LineChart, series: readonly Series[], size: TerminalSize): string {
  const { columns, color } = size
  let text = chart.title.slice(0, columns)
  let length = text.length
  if (series.length < 2) return text
  series.forEach(({ name }, k) => {
    const sample = !color && k > 0 ? marks[(k - 1) % marks.length]! : '⠒⠒'
    const item = `${sample} ${name}`
    if (length + 3 + item.length > columns) return
    length += 3 + item.length
    text += `   ${color ? `\u001b[${colours[k % colours.length]}m${sample}\u001b[39m ${name}` : item}`
  })
  return text
}

/** Cells of a plot: the dots set in each and the series that drew there last. */
class Grid {
  readonly #columns: number
  readonly #rows: number
  readonly #bits: Uint8Array
  readonly #owner: Int16Array
  readonly #marks = new Map<number, string>()

  constructor(columns: number, rows: number) {
    this.#columns = columns
    this.#rows = rows
    this.#bits = new Uint8Array(columns * rows)
    this.#owner = new Int16Array(columns * rows)
  }

  #cell(x: number, y: number): number | undefined {
    if (x < 0 || y < 0 || x >= 2 * this.#columns || y >= 4 * this.#rows) return undefined
    return (y >> 2) * this.#columns + (x >> 1)
  }

  /** A straight line of dots, Bresenham's. */
  stroke(
    [x0, y0]: readonly [number, number],
    [x1, y1]: readonly [number, number],
    k: number,
  ): void {
    const dx = Math.abs(x1 - x0)
    const dy = -Math.abs(y1 - y0)
    let [x, y, error] = [x0, y0, dx + dy]
    for (;;) {
      const cell = this.#cell(x, y)
      if (cell !== undefined) {
        this.#bits[cell]! |= dots[(y & 3) as 0 | 1 | 2 | 3][(x & 1) as 0 | 1]
        this.#owner[cell] = k
      }
      if (x === x1 && y === y1) return
      const twice = 2 * error
      if (twice >= dy) {
        error += dy
        x += x0 < x1 ? 1 : -1
      }
      if (twice <= dx) {
        error += dx
        y += y0 < y1 ? 1 : -1
      }
    }
  }

  mark(x: number, y: number, sign: string): void {
    const cell = this.#cell(x, y)
    if (cell !== undefined) this.#marks.set(cell, sign)
  }

  line(row: number, color: boolean): string {
    let text = ''
    let current = -1
    for (let k = row * this.#columns; k < (row + 1) * this.#columns; k++) {
      const bits = this.#bits[k]!
      const sign = this.#marks.get(k) ?? (bits === 0 ? ' ' : String.fromCharCode(0x2800 + bits))
      const owner = bits === 0 ? -1 : this.#owner[k]!
      if (color && owner !== current && sign !== ' ') {
        text += `\u001b[${colours[owner % colours.length]}m`
        current = owner
      }
      text += sign
    }
    return current < 0 ? text.trimEnd() : `${text.trimEnd()}\u001b[39m`
  }
}
