/**
 * Finds what made a loss NaN or infinite: the parameters and inputs from before the step, then the intermediate
 * values still in memory, in the order in which they were computed.
 */
import type { TensorSpec } from '../compiler/wasm/manifest.ts'
import { type Entry, viewOf } from './entry.ts'
import { fail, NetcError } from './errors.ts'
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
  for (const { spec, view, stride, count } of entry.ins) {
    const length = count < 0 ? stride : entry.counts[count]! * stride
    const at = firstNonFinite(view, length)
    if (at >= 0) {
      const row = Math.floor(at / stride)
      return {
        what: `input ${spec.name} holds ${view[at]} in row ${row} of the batch`,
        tensor: spec.name,
        place: null,
      }
    }
  }
  const memory = entry.memory
  for (const spec of entry.spec.trace) {
    if (firstNonFinite(viewOf(memory, spec), liveLength(entry, spec)) >= 0) {
      const what = `the first value that is not finite is ${spec.name}, made at ${spec.place}`
      return { what, tensor: spec.name, place: spec.place }
    }
  }
  return undefined
}

function liveLength(entry: Entry, spec: TensorSpec): number {
  const [outer = 1, ...inner] = spec.shape
  const bound = spec.bounds[0]
  const rows = bound ? entry.counts[entry.spec.counts.indexOf(bound)]! : outer
  return inner.reduce((a, b) => a * b, rows)
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
  const because = culprit ? `: ${culprit.what}` : ''
  const after = restored ? ` (the model is as it was after step ${step - 1})` : ''
  throw new NetcError(
    'non-finite',
    `${entry.spec.of}: the ${name} of step ${step} is ${value}${because}${after}`,
    {
      step,
      loss: name,
      value,
      tensor: culprit?.tensor ?? null,
      place: culprit?.place ?? null,
      restored,
    },
  )
}

/** Checks after step `step`; does nothing when the losses are finite. */
export function checkLoss(entry: Entry, step: number): void {
  const loss = badLoss(entry)
  if (loss !== undefined) stop(entry, loss, step, badValue(entry), false)
}

export const unknownEntry = (kind: string, name: string, known: readonly string[]): never =>
  fail('call', `this model has no ${kind} block ${name}; it has ${known.join(', ') || 'none'}`, {
    name,
  })
