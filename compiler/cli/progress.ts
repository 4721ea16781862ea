/**
 * The progress line of a training: redrawn in place on a terminal, otherwise a line for each epoch or, in long
 * epochs, every ten seconds.
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

export class Progress {
  readonly #io: Io
  /** When a line was last left standing: of many short epochs one a second is. */
  #kept = performance.now()
  #drawn = 0
  #isOpen = false

  constructor(io: Io) {
    this.#io = io
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
      this.#io.err(`\r\u001b[K${text.slice(0, this.#io.columns - 1)}${isKept ? '\n' : ''}`)
      this.#drawn = now
      this.#isOpen = !isKept
      if (isKept) this.#kept = now
    } else if (isLast || now - this.#kept >= (isEpoch ? 1000 : 10_000)) {
      this.#io.err(`${text}\n`)
      this.#kept = now
    }
  }

  /** A line of its own. */
  note(text: string): void {
    this.end()
    this.#io.err(`${text}\n`)
  }

  /** Leaves the last line standing. */
  end(): void {
    if (this.#isOpen) this.#io.err('\n')
    this.#isOpen = false
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
