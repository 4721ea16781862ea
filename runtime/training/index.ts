/**
 * What goes around `fit` and looks at its reports: early stopping that keeps the best weights, and learning rates that
 * fall when the validation stalls. Apart from the core, for pages that only run a model need none of it.
 *
 *     for await (const report of train(model, 'digits', data, { epochs: 50, validation: 0.1,
 *       earlyStop: { metric: 'accuracy', patience: 5 }, plateau: { metric: 'loss' } })) …
 */
import type { Feeds } from '../entry.ts'
import { fail } from '../errors.ts'
import type { FitOptions, Metrics, Report } from '../fit.ts'
import type { Blocks, Model } from '../model.ts'
import { type Best, follow, type Goal } from './best.ts'

export { type Best, type Goal, goalOf } from './best.ts'
export { Curve, type CurveOptions } from './curve.ts'
export {
  type ActivationHealth,
  Doctor,
  type Health,
  healthOf,
  isMonitored,
  type ParameterHealth,
  withoutMonitor,
} from './monitor.ts'

/** Which metric of the validation is watched, and how. */
export interface Watch {
  /** Default `loss`. */
  readonly metric?: string
  /** Whether smaller or larger is better; by default what `goalOf` makes of the name. */
  readonly goal?: Goal
  /** Epochs without an improvement to wait for. */
  readonly patience?: number
  /** What is no larger than this is no improvement. Default 0. */
  readonly least?: number
}

export interface Plateau extends Watch {
  /** The rates are multiplied by this. Default 0.5. */
  readonly factor?: number
  /** They do not fall below this. Default 0. */
  readonly floor?: number
  /** The hyper-parameters that fall. Default: every `lr` of the block. */
  readonly rates?: readonly string[]
}

export interface TrainOptions extends FitOptions {
  /** Ends the training after `patience` (default 5) epochs in a row without a better validation. */
  readonly earlyStop?: Watch
  /** Lowers learning rates after `patience` (default 3) epochs in a row without a better validation. */
  readonly plateau?: Plateau
  /** With `from`: what the last report before it held, and the weights that `bestWeights` gave. */
  readonly standing?: Standing
}

/** Where early stopping and plateau stand, as JSON: kept with a checkpoint, `train` goes on as if never stopped. */
export interface Standing {
  readonly best: Best | undefined
  readonly plateau: Best | undefined
  /** A safetensors file, not JSON; undefined without early stopping. */
  readonly weights: Uint8Array<ArrayBuffer> | undefined
}

export interface TrainReport extends Report {
  /** The best epoch so far, with early stopping; after the last report its weights are the model's. */
  readonly best: Best | undefined
  /** Hyper-parameters that have been lowered after this epoch. */
  readonly lowered: Metrics | undefined
  readonly standing: Standing
}

/**
 * Trains block `name` as `model.fit` does and gives its reports, each with what was found. When it ends, early or not, the
 * model has the weights of the best epoch (with `earlyStop`); after a report of kind `stopped` it stands where it stopped.
 */
export async function* train<B extends Blocks>(
  model: Model<B>,
  name: string,
  data: Feeds,
  options: TrainOptions,
): AsyncGenerator<TrainReport, void, void> {
  const { earlyStop, plateau, standing, ...rest } = options
  for (const watch of [earlyStop, plateau]) if (watch) checkWatch(model, name, watch, options)
  const rates = plateau ? ratesOf(model, name, plateau) : []
  const hyper = model.hyper as Record<string, number>
  let { best, plateau: stall, weights } = standing ?? { ...nothing }
  for await (const report of model.fit(name, data, rest)) {
    let lowered: Record<string, number> | undefined
    const values = report.validation
    if (report.kind === 'epoch' && values) {
      if (earlyStop) {
        best = follow(best, report.epoch, values, earlyStop)
        if (best.epoch === report.epoch) weights = model.save()
      }
      if (plateau) {
        stall = follow(stall, report.epoch, values, plateau)
        if (stall.wait >= (plateau.patience ?? 3)) {
          stall = { ...stall, wait: 0 }
          for (const rate of rates) {
            const next = Math.max(hyper[rate]! * (plateau.factor ?? 0.5), plateau.floor ?? 0)
            if (next >= hyper[rate]!) continue
            hyper[rate] = next
            lowered = { ...lowered, [rate]: hyper[rate]! }
          }
        }
      }
    }
    yield { ...report, best, lowered, standing: { best, plateau: stall, weights } }
    if (report.kind === 'stopped') return
    if (best && report.kind === 'epoch' && best.wait >= (earlyStop?.patience ?? 5)) break
  }
  if (weights) model.restore(weights)
}

const nothing: Standing = { best: undefined, plateau: undefined, weights: undefined }

/** Before anything is trained. */
function checkWatch<B extends Blocks>(
  model: Model<B>,
  name: string,
  watch: Watch,
  { validation }: FitOptions,
): void {
  const { metric = 'loss', patience = 1 } = watch
  if (validation === undefined) {
    fail('call', `${metric} can only be watched with validation: a share of the rows or other rows`)
  }
  if (!Number.isInteger(patience) || patience < 1) {
    fail('call', `patience = ${patience}: it is a number of epochs from 1 up`)
  }
  const entry = model.manifest.entries.find((e) => e.kind === 'eval' && e.of === name)
  const names = entry?.outputs.filter((o) => o.shape.length === 0).map((o) => o.name) ?? []
  if (entry && !names.includes(metric)) {
    fail('call', `${name} has no metric ${metric}; it has ${names.join(', ')}`, { name: metric })
  }
  const { factor = 0.5 } = watch as Plateau
  if (!(factor > 0 && factor < 1)) fail('call', `factor = ${factor}: it lies between 0 and 1`)
}

function ratesOf<B extends Blocks>(model: Model<B>, block: string, plateau: Plateau): string[] {
  const all = model.manifest.hyper.map((cell) => cell.name)
  const rates =
    plateau.rates ?? all.filter((n) => n.startsWith(`${block}.`) && /\.lr(_\d+)?$/.test(n))
  const odd = rates.find((rate) => !all.includes(rate))
  if (odd !== undefined || rates.length === 0) {
    const known = all.join(', ') || 'none'
    fail('call', `${odd ?? `${block}.lr`} is no hyper-parameter; there are: ${known}`)
  }
  return [...rates]
}
