/** The best value of a metric over epochs. Pure: a new standing from the last one and an epoch's metrics. */
import type { Metrics } from '../fit.ts'

export type Goal = 'min' | 'max'

export interface Best {
  /** From 1; 0 where no value was a number yet. */
  readonly epoch: number
  readonly value: number
  /** Epochs since without an improvement. */
  readonly wait: number
}

/**
 * Whether larger values of a metric are better: of those of the standard library that are shares or scores (accuracy,
 * top_k, precision, recall, f1, r2), also as a part of a longer name; else smaller ones are.
 */
export const goalOf = (metric: string): Goal =>
  /(^|_)(acc(uracy)?|top_k|precision|recall|f1|r2|auc|score)(_|$)/.test(metric) ? 'max' : 'min'

export function follow(
  before: Best | undefined,
  epoch: number,
  metrics: Metrics,
  watch: { readonly metric?: string; readonly goal?: Goal; readonly least?: number },
): Best {
  const { metric = 'loss', least = 0 } = watch
  const sign = (watch.goal ?? goalOf(metric)) === 'max' ? 1 : -1
  const value = metrics[metric]!
  const was = before && before.epoch > 0 ? before.value * sign : Number.NEGATIVE_INFINITY
  // A NaN is no improvement.
  if (value * sign > was + least) return { epoch, value, wait: 0 }
  return { epoch: before?.epoch ?? 0, value: before?.value ?? value, wait: (before?.wait ?? 0) + 1 }
}
