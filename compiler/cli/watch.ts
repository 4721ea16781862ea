/**
 * The options of `netc train` that watch the validation: `--early-stop`, `--plateau` and what belongs to them. In: the
 * call. Out: what `runtime/training` takes, as JSON, so that a checkpoint holds it and --resume goes on with it.
 */
import { goalOf, type Plateau, type TrainReport, type Watch } from '../../runtime/training/index.ts'
import type { Call, Option } from './command.ts'
import { UsageError } from './errors.ts'
import { figure } from './progress.ts'

export interface Watches {
  readonly earlyStop?: Watch
  readonly plateau?: Plateau
}

export const watchOptions = {
  'early-stop': {
    value: 'METRIC',
    text: 'end when this metric of the validation stops getting better; keeps the best weights',
  },
  patience: { value: 'N', text: 'epochs that --early-stop waits for a better one (default 5)' },
  plateau: { value: 'METRIC', text: 'lower the learning rates when this metric stalls' },
  'plateau-patience': { value: 'N', text: 'epochs that --plateau waits (default 3)' },
  factor: { value: 'X', text: 'what --plateau multiplies the learning rates by (default 0.5)' },
} as const satisfies Record<string, Option>

/** What is asked for; needs --validation. */
export function watchesOf(call: Call): Watches {
  const stop = watched(call, 'early-stop', call.integer('patience', 1))
  const slow = watched(call, 'plateau', call.integer('plateau-patience', 1))
  const factor = call.number('factor', 'it takes a number between 0 and 1', (n) => n > 0 && n < 1)
  const lonely = [
    ['patience', stop, 'early-stop'],
    ['plateau-patience', slow, 'plateau'],
    ['factor', slow, 'plateau'],
  ].find(([name, watch]) => call.has(name as string) && !watch)
  if (lonely) throw new UsageError(`--${lonely[0]} belongs to --${lonely[2]} METRIC`)
  return {
    ...(stop && { earlyStop: stop }),
    ...(slow && { plateau: { ...slow, ...(factor !== undefined && { factor }) } }),
  }
}

/** `accuracy`, or `racc:max` where the name does not tell which way is better. */
function watched(call: Call, name: string, patience: number | undefined): Watch | undefined {
  const text = call.text(name)
  if (text === undefined) return undefined
  const [metric = '', goal = goalOf(metric), ...more] = text.split(':')
  if (!metric || (goal !== 'min' && goal !== 'max') || more.length > 0) {
    throw new UsageError(`--${name} ${text}: it takes a metric such as loss, or METRIC:max`)
  }
  return { metric, goal, ...(patience !== undefined && { patience }) }
}

/** What the watches have done after an epoch, as lines for a person. */
export function watchLines(
  { best, lowered, epoch, epochs }: TrainReport,
  { earlyStop }: Watches,
): string[] {
  const lines = Object.entries(lowered ?? {}).map(
    ([name, value]) => `plateau: ${name} lowered to ${figure(value)}`,
  )
  if (best && earlyStop && best.wait >= (earlyStop.patience ?? 5) && epoch < epochs) {
    const { metric } = earlyStop
    lines.push(`early stop: ${metric} has not been better for ${best.wait} epochs`)
  }
  return lines
}
