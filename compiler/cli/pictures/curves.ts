/**
 * The learning curves of a training, gathered from its reports: for every metric its mean over each epoch, the
 * validation after it, and within epochs the mean since the report before, smoothed. Pure; as JSON it survives an interrupt.
 */
import type { Report } from '../../../runtime/index.ts'
import type { LineChart, Point, Series } from './line-chart.ts'

/** Curves of one metric; x counts epochs: 1.5 is the middle of the second. */
interface Curve {
  readonly within: Point[]
  readonly epochs: Point[]
  readonly validation: Point[]
}

export type SavedCurves = Readonly<Record<string, Curve>>

/** Points kept within epochs; beyond that, neighbours are merged. */
const mostPoints = 2000

export class Curves {
  readonly #curves = new Map<string, Curve>()
  /** What the report before said, to tell what was new since. */
  #last: { readonly epoch: number; readonly row: number; readonly metrics: Report['metrics'] }

  constructor(saved: SavedCurves = {}) {
    for (const [name, { within, epochs, validation }] of Object.entries(saved)) {
      this.#curves.set(name, {
        within: [...within],
        epochs: [...epochs],
        validation: [...validation],
      })
    }
    this.#last = { epoch: 0, row: 0, metrics: {} }
  }

  add(report: Pick<Report, 'kind' | 'epoch' | 'row' | 'of' | 'metrics' | 'validation'>): void {
    const { kind, epoch, row, of, metrics, validation } = report
    const before = this.#last.epoch === epoch ? this.#last : { row: 0, metrics: {} }
    const rows = row - before.row
    if (rows <= 0 && kind !== 'epoch') return
    const x = epoch - 1 + row / of
    for (const [name, mean] of Object.entries(metrics)) {
      const curve = this.#curve(name)
      if (rows > 0) {
        // Reports give means since the epoch began; the part since the last one is what moves.
        const part =
          (mean * row - ((before.metrics as Report['metrics'])[name] ?? 0) * before.row) / rows
        curve.within.push({ x: x - rows / of / 2, y: part })
        if (curve.within.length > mostPoints) halve(curve.within)
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
      curve = { within: [], epochs: [], validation: [] }
      this.#curves.set(name, curve)
    }
    return curve
  }

  get isEmpty(): boolean {
    return this.#curves.size === 0
  }

  toJSON(): SavedCurves {
    return Object.fromEntries(this.#curves)
  }

  /** A chart for each metric. With a single epoch so far, or `live`, the curve within epochs is the training. */
  charts(live = false): LineChart[] {
    return [...this.#curves].map(([name, { within, epochs, validation }]) => {
      const inside = smooth(within)
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

/** Neighbours merged, the oldest too: the curve keeps its shape at half the points. */
function halve(points: Point[]): void {
  const half = points.length >> 1
  for (let k = 0; k < half; k++) {
    const [a, b] = [points[2 * k]!, points[2 * k + 1]!]
    points[k] = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }
  }
  if (points.length % 2 === 1) points[half] = points.at(-1)!
  points.length = half + (points.length % 2)
}

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
