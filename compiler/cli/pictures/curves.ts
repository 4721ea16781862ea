/**
 * The learning curves of a training, gathered from its reports: for every metric its mean over each epoch, the
 * validation after it, and within epochs the mean since the report before, smoothed. Pure; as JSON it survives an interrupt.
 */
import type { Report } from '../../../runtime/index.ts'
import type { LineChart, Point, Series } from './line-chart.ts'

/** Curves of one metric; x counts epochs: 1.5 is the middle of the second. */
interface Curve {
  readonly within: Point[]
  /** Reports that make one point of `within`, and those of the next one. */
  every: number
  readonly held: Point[]
  readonly epochs: Point[]
  readonly validation: Point[]
}

/** What a report said, to tell what is new in the next one. */
type Last = Pick<Report, 'epoch' | 'row' | 'metrics'>

export interface SavedCurves {
  readonly curves: Readonly<Record<string, Curve>>
  readonly last: Last
}

/** Points kept within epochs; beyond that, neighbours are merged and later ones made of twice as many reports. */
const mostPoints = 2000

export class Curves {
  readonly #curves: Map<string, Curve>
  #last: Last

  constructor(saved?: SavedCurves) {
    const { curves = {} } = saved ? structuredClone(saved) : {}
    this.#curves = new Map(Object.entries(curves))
    this.#last = saved?.last ?? { epoch: 0, row: 0, metrics: {} }
  }

  add(report: Pick<Report, 'kind' | 'epoch' | 'row' | 'of' | 'metrics' | 'validation'>): void {
    const { kind, epoch, row, of, metrics, validation } = report
    const before = this.#last.epoch === epoch ? this.#last : { epoch, row: 0, metrics: {} }
    const rows = row - before.row
    if (rows <= 0 && kind !== 'epoch') return
    const x = epoch - 1 + row / of
    for (const [name, mean] of Object.entries(metrics)) {
      const curve = this.#curve(name)
      if (rows > 0) {
        // Reports give means since the epoch began; the part since the last one is what moves.
        const part = (mean * row - (before.metrics[name] ?? 0) * before.row) / rows
        keep(curve, { x: x - rows / of / 2, y: part })
      }
      if (kind === 'epoch') curve.epochs.push({ x, y: mean })
    }
    for (const [name, value] of Object.entries(validation ?? {})) {
      this.#curve(name).validation.push({ x, y: value })
    }
    this.#last = { epoch, row, metrics }
  }

  #curve(name: string): Curve {
    let curve = this.#curves.get(name)
    if (!curve) {
      curve = { within: [], every: 1, held: [], epochs: [], validation: [] }
      this.#curves.set(name, curve)
    }
    return curve
  }

  get isEmpty(): boolean {
    return this.#curves.size === 0
  }

  toJSON(): SavedCurves {
    return { curves: Object.fromEntries(this.#curves), last: this.#last }
  }

  /** A chart for each metric. With a single epoch so far, or `live`, the curve within epochs is the training. */
  charts(live = false): LineChart[] {
    return [...this.#curves].map(([name, { within, held, epochs, validation }]) => {
      const inside = smooth(held.length > 0 ? [...within, middle(held)] : within)
      const series: Series[] =
        live || epochs.length < 2
          ? [{ name: 'training', points: inside, colour: 0 }]
          : [
              { name: 'training, within epochs', points: inside, colour: 0, look: 'faint' },
              { name: 'training', points: epochs, colour: 0, ...marks(epochs) },
            ]
      if (validation.length > 0) {
        series.push({ name: 'validation', points: validation, colour: 1, ...marks(validation) })
      }
      const last = Math.max(0, ...series.flatMap((s) => s.points.slice(-1).map((p) => p.x)))
      return { title: name, x: 'epoch', series, range: [0, Math.max(last, 1e-6)] as const }
    })
  }
}

const marks = (points: readonly Point[]) => (points.length <= 40 ? { look: 'marks' as const } : {})

function keep(curve: Curve, point: Point): void {
  const { within, held } = curve
  held.push(point)
  if (held.length < curve.every) return
  within.push(middle(held))
  held.length = 0
  if (within.length < mostPoints) return
  for (let k = 0; k < mostPoints / 2; k++) within[k] = middle(within.slice(2 * k, 2 * k + 2))
  within.length = mostPoints / 2
  curve.every *= 2
}

const middle = (points: readonly Point[]): Point => ({
  x: points.reduce((sum, p) => sum + p.x, 0) / points.length,
  y: points.reduce((sum, p) => sum + p.y, 0) / points.length,
})

/**
 * Exponential moving average without the bias of its start (as Adam's, Kingma and Ba 2015), over a fiftieth of the
 * points: what the eye would draw through the noise of batches.
 */
export function smooth(
  points: readonly Point[],
  window = Math.max(1, points.length / 50),
): Point[] {
  const keep = 1 - 1 / window
  let mean = 0
  let weight = 0
  return points.map(({ x, y }) => {
    if (!Number.isFinite(y)) return { x, y }
    mean = keep * mean + (1 - keep) * y
    weight = keep * weight + (1 - keep)
    return { x, y: mean / weight }
  })
}
