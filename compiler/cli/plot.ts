/** `--plot FILE`: the learning curves of a training, written anew while it goes on; .svg or .html by the file's name. */
import { extname } from 'node:path'
import { UsageError } from './errors.ts'
import { replaceFile } from './io.ts'
import type { Curves } from './pictures/curves.ts'
import { lineChart } from './pictures/line-chart.ts'
import { page } from './pictures/page.ts'
import { stack } from './pictures/svg.ts'

/** Seconds between two writings of the file, and between two looks of an open page at it. */
const every = 2

export class PlotFile {
  readonly #path: string
  readonly #title: string
  readonly #curves: Curves
  #written = performance.now()

  constructor(path: string, title: string, curves: Curves) {
    if (!['.svg', '.html'].includes(extname(path).toLowerCase())) {
      throw new UsageError(`--plot ${path}: the name ends in .svg or .html`)
    }
    this.#path = path
    this.#title = title
    this.#curves = curves
  }

  /** Writes the file if that was not done just now. */
  update(note: string): void {
    if (performance.now() - this.#written < 1000 * every) return
    this.#write(note, every)
    this.#written = performance.now()
  }

  /** Writes the file for the last time. */
  end(note: string): void {
    if (!this.#curves.isEmpty) this.#write(note)
  }

  #write(note: string, refresh?: number): void {
    const plots = this.#curves.charts().map((chart) => lineChart(chart))
    const title = `${this.#title}: learning curves`
    const isPage = extname(this.#path).toLowerCase() === '.html'
    const more = refresh === undefined ? {} : { refresh }
    const text = isPage ? page(plots, { title, note, ...more }) : stack(title, plots)
    replaceFile(this.#path, text)
  }
}
