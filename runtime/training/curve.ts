/**
 * Over-fitting, seen in the curves of a training: since the validation's loss was lowest it has risen by a tenth while
 * the loss over the training rows has gone on falling. In: the report of each epoch. Out: a warning, once.
 */
import type { Report } from '../fit.ts'

export interface CurveOptions {
  readonly metric?: string
  /** By how much of itself the validation's value must have risen. Default 0.1. */
  readonly rise?: number
  /** For how many epochs in a row it must have stood above its lowest. Default 3. */
  readonly epochs?: number
}

export class Curve {
  readonly #options: CurveOptions
  #lowest = Number.POSITIVE_INFINITY
  #trained = Number.POSITIVE_INFINITY
  #epoch = 0
  #above = 0
  #isTold = false

  constructor(options: CurveOptions = {}) {
    this.#options = options
  }

  /** What is wrong in plain words, at the first epoch that shows it. */
  see({ kind, epoch, metrics, validation }: Report): string | undefined {
    const { metric = 'loss', rise = 0.1, epochs = 3 } = this.#options
    const held = validation?.[metric]
    const own = metrics[metric]
    if (kind !== 'epoch' || held === undefined || own === undefined) return undefined
    if (held < this.#lowest) {
      this.#lowest = held
      this.#trained = own
      this.#epoch = epoch
      this.#above = 0
      return undefined
    }
    this.#above++
    const isOver = held > this.#lowest + rise * Math.abs(this.#lowest) && own < this.#trained
    if (this.#isTold || this.#above < epochs || !isOver) return undefined
    this.#isTold = true
    const show = (value: number) => Number(value.toPrecision(3))
    return (
      `over-fitting: since epoch ${this.#epoch} the validation ${metric} rose from ${show(this.#lowest)} to ` +
      `${show(held)} while the training ${metric} fell from ${show(this.#trained)} to ${show(own)}; ` +
      'stop early, add dropout or weight decay, or train on more data'
    )
  }
}
