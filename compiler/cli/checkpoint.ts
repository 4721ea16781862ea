/**
 * Checkpoints of `netc train`: everything of the model plus, as metadata of the safetensors file, the options and the
 * place in the data, so that `--resume` goes on bit for bit.
 */
import { existsSync } from 'node:fs'
import type { Cursor, Model } from '../../runtime/index.ts'
import { readSafetensors } from '../../runtime/safetensors.ts'
import { readBytes } from './data.ts'
import { InputError } from './errors.ts'
import { replaceFile } from './io.ts'

/** What must be the same for a training to go on as if it had never stopped. */
export interface Plan {
  readonly block: string
  readonly epochs: number
  readonly batch: number
  readonly seed: number
  readonly validation: number
  readonly target: 'simd' | 'relaxed'
  readonly dims: Readonly<Record<string, number>>
}

export interface Checkpoint {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly plan: Plan
  readonly cursor: Cursor
  /** Hash of the model's text. */
  readonly source: string
}

export const saveCheckpoint = (path: string, model: Model, plan: Plan, cursor: Cursor) =>
  replaceFile(
    path,
    model.save({
      training: true,
      metadata: { plan: JSON.stringify(plan), cursor: JSON.stringify(cursor) },
    }),
  )

export function readCheckpoint(path: string): Checkpoint {
  if (!existsSync(path)) throw new InputError(`there is no checkpoint ${path} to resume from`)
  const bytes = readBytes(path)
  const { metadata } = readSafetensors(bytes)
  const bad = () => new InputError(`${path} is no checkpoint of netc train: it cannot be resumed`)
  try {
    const plan = JSON.parse(metadata.plan ?? '') as Plan
    const cursor = JSON.parse(metadata.cursor ?? '') as Cursor
    const isCount = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= 0
    const counts = [plan.epochs, plan.batch, cursor.epoch, cursor.row]
    if (!counts.every(isCount) || !Array.isArray(cursor.sums)) throw bad()
    return { bytes, plan, cursor, source: metadata.source ?? '' }
  } catch {
    throw bad()
  }
}
