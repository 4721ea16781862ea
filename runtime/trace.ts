/**
 * Finds what made a loss NaN or infinite: the parameters and inputs from before the step, then the intermediate
 * values still in memory, in the order in which they were computed.
 */
import type { Entry } from './entry.ts'
import { fail } from './errors.ts'
import { type Cells, firstNonFinite } from './weights.ts'

interface Loss {
  readonly name: string
  readonly value: string
}

/** The first loss of `entry` that is not finite, or undefined. */
export function badLoss(entry: Entry): Loss | undefined {
  for (const { spec, view } of entry.outs) {
    if (/^loss(_\d+)?$/.test(spec.name) && !Number.isFinite(view[0])) {
      return { name: spec.name, value: String(view[0]) }
    }
  }
  return undefined
}

interface Culprit {
  readonly what: string
  readonly tensor: string
  readonly place: string | null
}

/** A parameter that is not finite: an earlier update made it. Read it before the step, or after going back. */
export function badParam(cells: Cells): Culprit | undefined {
  for (const { spec, view } of cells.params) {
    if (firstNonFinite(view) >= 0) {
      return {
        what: `parameter ${spec.name} was no longer finite after the update of the step before`,
        tensor: spec.name,
        place: null,
      }
    }
  }
  return undefined
}

/** The first value of the run just made that is not finite. */
export function badValue(entry: Entry): Culprit | undefined {
  for (const input of entry.ins) {
    const { spec, view, stride } = input
    const at = firstNonFinite(view, entry.live(input))
    if (at >= 0) {
      const row = Math.floor(at / stride)
      const what = `input ${spec.name} holds ${view[at]} in row ${row} of the batch`
      return { what, tensor: spec.name, place: null }
    }
  }
  for (const value of entry.trace) {
    const { name, place } = value.spec
    if (firstNonFinite(value.view, entry.live(value)) >= 0) {
      const what = `the first value that is not finite is ${name}, made at ${place}`
      return { what, tensor: name, place }
    }
  }
  return undefined
}

/** Ends a training at `step` because of `loss`. */
export function stop(
  entry: Entry,
  loss: Loss,
  step: number,
  culprit: Culprit | undefined,
  restored: boolean,
): never {
  const { name, value } = loss
  const { what, tensor, place } = culprit ?? { tensor: null, place: null }
  const because = what ? `: ${what}` : ''
  const after = restored ? ` (the model is as it was after step ${step - 1})` : ''
  fail(
    'non-finite',
    `${entry.spec.of}: the ${name} of step ${step} is ${value}${because}${after}`,
    { step, loss: name, value, tensor, place, restored },
  )
}

/** Checks after step `step`; does nothing when the losses are finite. */
export function checkLoss(entry: Entry, step: number): void {
  const loss = badLoss(entry)
  if (loss) stop(entry, loss, step, badValue(entry), false)
}

export const unknownEntry = (kind: string, name: string, known: readonly string[]): never =>
  fail('call', `this model has no ${kind} block ${name}; it has ${known.join(', ') || 'none'}`, {
    name,
  })
