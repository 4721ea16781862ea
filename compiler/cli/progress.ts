/**
 * The progress line of a training, on a terminal with a chart below it if one is given: redrawn in place there,
 * otherwise a line for each epoch or, in long epochs, every ten seconds.
 */
import type { Metrics, Report } from '../../runtime/index.ts'
import type { Io } from './io.ts'

/** Four significant digits, without noise: `0.08127`, `97.5%` is left to the reader. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6))
    return value.toExponential(3)
  return value.toPrecision(4)
}

export const showMetrics = (metrics: Metrics): string =>
  Object.entries(metrics)
    .map(([name, value]) => `${name} ${figure(value)}`)
    .join('  ')

/** `0.4 s`, `14 s`, `2 min 05 s`, `1 h 02 min`. */
export function duration(seconds: number): string {
  if (seconds > 0 && seconds < 9.5) return `${seconds.toFixed(1)} s`
  const s = Math.max(0, Math.round(seconds))
  if (s < 60) return `${s} s`
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, '0')} s`
  return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, '0')} min`
}

export const rate = (perSecond: number): string => Math.round(perSecond).toLocaleString('en-US')

/** Lines of a chart in at most so many columns and lines; none where there is no room. */
export type DrawChart = (size: { readonly columns: number; readonly lines: number }) => string[]

/** What a terminal shows of a text: without the codes that colour it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the codes begin with escape.
const visible = (text: string): number => [...text.replace(/\u001b\[[\d;]*m/g, '')].length

/** A chart needs no more, and leaves room for what was printed before. */
const chartLines = 14

export class Progress {
  readonly #io: Io
  readonly #chart: DrawChart | undefined
  /** When a line was last left standing: of many short epochs one a second is. */
  #kept = performance.now()
  #drawn = 0
  /** Widths of the lines on the screen that the next drawing replaces; the cursor is behind the last. */
  #open: readonly number[] = []

  constructor(io: Io, chart?: DrawChart) {
    this.#io = io
    this.#chart = chart
  }

  show(report: Report): void {
    const { epoch, epochs, row, of, metrics, validation, examplesPerSecond, secondsLeft } = report
    const percent = String(Math.floor((100 * row) / of)).padStart(3)
    const text = [
      `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs} ${percent}%`,
      showMetrics(metrics),
      ...(validation ? [`validation ${showMetrics(validation)}`] : []),
      `${rate(examplesPerSecond)} examples/s`,
      `${duration(secondsLeft)} left`,
    ].join('  ')
    const now = performance.now()
    const isEpoch = report.kind === 'epoch'
    const isLast = isEpoch && epoch === epochs
    if (this.#io.isTerminal) {
      if (!isLast && now - this.#drawn < 100) return
      const isKept = isLast || (isEpoch && now - this.#kept >= 1000)
      this.#draw(text.slice(0, this.#io.columns - 1), isKept)
      this.#drawn = now
      if (isKept) this.#kept = now
    } else if (isLast || now - this.#kept >= (isEpoch ? 1000 : 10_000)) {
      this.#io.err(`${text}\n`)
      this.#kept = now
    }
  }

  /** A text of its own, above the chart where one is drawn. */
  note(text: string): void {
    if (this.#open.length < 2) {
      this.end()
      this.#io.err(`${text}\n`)
      return
    }
    const chart = this.#lines()
    this.#replace([...text.split('\n'), ...chart], chart)
  }

  /** Moves the cursor to the beginning of what the next drawing replaces. */
  #home(): string {
    // The terminal may have become narrower since: what was one line then is several now.
    const lines = this.#open.map((w) => Math.max(1, Math.ceil(w / this.#io.columns)))
    const up = lines.reduce((a, b) => a + b, 0) - 1
    return up > 0 ? `\r\u001b[${up}A` : '\r'
  }

  /** The chart as it is now. */
  #lines(): readonly string[] {
    const { columns, rows } = this.#io
    const size = { columns: columns - 1, lines: Math.min(chartLines, rows - 2) }
    return this.#chart?.(size) ?? []
  }

  #draw(text: string, isKept: boolean): void {
    const chart = this.#lines()
    this.#replace([text, ...chart], isKept ? chart : [text, ...chart])
  }

  /** Writes lines over what is open; those of the end that the next drawing replaces again are `open`. */
  #replace(lines: readonly string[], open: readonly string[]): void {
    const home = this.#home()
    const body = lines.map((line) => `\u001b[K${line}`).join('\n')
    const rest = home !== '\r' || lines.length > 1 ? '\u001b[J' : ''
    this.#io.err(`${home}${body}${rest}${open.length === 0 ? '\n' : ''}`)
    this.#open = open.map(visible)
  }

  /** Leaves what was drawn last standing, the cursor on a line of its own. */
  end(): void {
    if (this.#open.length > 0) this.#io.err('\n')
    this.#open = []
  }
}

/** The shortest decimal that reads back as the same f32; JSON has no NaN or infinity. */
export function short(value: number): number | null {
  if (!Number.isFinite(value)) return null
  for (let digits = 6; digits < 9; digits++) {
    const text = Number(value.toPrecision(digits))
    if (Math.fround(text) === value) return text
  }
  return Number(value.toPrecision(9))
}
