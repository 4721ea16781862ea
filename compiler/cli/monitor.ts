/**
 * `netc train --monitor`: takes what the module reports of its health out of the training's reports, and shows it after each
 * epoch: a table for people, an event `monitor` with --json, and warnings in plain words, each once.
 */
import {
  Curve,
  Doctor,
  healthOf,
  type TrainReport,
  withoutMonitor,
} from '../../runtime/training/index.ts'
import type { Manifest } from '../wasm/manifest.ts'
import { type Io, json } from './io.ts'
import { figure, type Progress } from './progress.ts'

export class Monitor {
  readonly #doctor: Doctor
  readonly #curve = new Curve()
  #metrics: TrainReport['metrics'] = {}

  constructor(manifest: Manifest) {
    this.#doctor = new Doctor(manifest.params)
  }

  /** The report without what is the monitor's. */
  take(report: TrainReport): TrainReport {
    this.#metrics = report.metrics
    return { ...report, metrics: withoutMonitor(report.metrics) }
  }

  /** After an epoch, for the report that `take` gave. */
  show(report: TrainReport, progress: Progress, isJson: boolean, io: Io): void {
    const health = healthOf(this.#metrics)
    const over = this.#curve.see(report)
    const warnings = [...this.#doctor.see(health), ...(over === undefined ? [] : [over])]
    if (isJson) {
      json(io, { event: 'monitor', epoch: report.epoch, ...health, warnings })
      return
    }
    const { parameters, activations } = health
    const rows = [
      [`epoch ${report.epoch}`, '|weight|', '|gradient|', '|update|', 'update/weight'],
      ...parameters.map((p) => [p.name, ...[p.weight, p.gradient, p.update, p.ratio].map(figure)]),
      ...activations.map((a) => [a.name, `${(100 * a.share).toFixed(1)} % ${a.kind}`]),
    ]
    const widths = [0, 1, 2, 3, 4].map((k) => {
      const measured = k < 2 ? rows : rows.slice(0, parameters.length + 1)
      return Math.max(0, ...measured.map((row) => row[k]?.length ?? 0))
    })
    for (const row of rows) {
      const cells = row.map((text, k) =>
        k === 0 ? text.padEnd(widths[0]!) : text.padStart(widths[k]!),
      )
      progress.note(cells.join('  ').trimEnd())
    }
    for (const text of warnings) progress.note(`warning: ${text}`)
  }
}
