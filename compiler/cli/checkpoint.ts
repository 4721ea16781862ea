/**
 * Checkpoints of `netc train`: everything of the model plus, as metadata of the safetensors file, the options and the
 * place in the data, so that `--resume` goes on bit for bit.
 */
import { existsSync, rmSync } from 'node:fs'
import type { Cursor, Model } from '../../runtime/index.ts'
import { readSafetensors } from '../../runtime/safetensors.ts'
import type { Standing } from '../../runtime/training/index.ts'
import { InputError } from './errors.ts'
import { readBytes } from './files.ts'
import { replaceFile } from './io.ts'
import type { SavedCurves } from './pictures/curves.ts'
import type { Watches } from './watch.ts'

/** What must be the same for a training to go on as if it had never stopped. */
export interface Plan {
  readonly block: string
  readonly epochs: number
  readonly batch: number
  readonly seed: number
  /** 0 without. */
  readonly validation: number | string
  readonly target: 'simd' | 'relaxed'
  readonly dims: Readonly<Record<string, number>>
  readonly watches: Watches
  /** It adds to the sums in the cursor. */
  readonly monitor: boolean
}

export interface Checkpoint {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly plan: Plan
  readonly cursor: Cursor
  readonly standing: Standing
  /** The learning curves so far; undefined where none were kept. */
  readonly curves: SavedCurves | undefined
  /** Hash of the model's text. */
  readonly source: string
}

/** The best weights of a training with early stopping lie beside its checkpoint. */
const bestOf = (path: string): string => `${path.replace(/\.safetensors$/, '')}.best.safetensors`

export function saveCheckpoint(
  path: string,
  model: Model,
  plan: Plan,
  cursor: Cursor,
  { weights, ...standing }: Standing,
  curves: SavedCurves,
): void {
  if (weights) replaceFile(bestOf(path), weights)
  const metadata = {
    plan: JSON.stringify(plan),
    cursor: JSON.stringify(cursor),
    standing: JSON.stringify(standing),
    curves: JSON.stringify(curves),
  }
  replaceFile(path, model.save({ training: true, metadata }))
}

export function removeCheckpoint(path: string): void {
  for (const file of [path, bestOf(path)]) rmSync(file, { force: true })
}

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
    const standing = JSON.parse(metadata.standing ?? '{}') as Standing
    const weights = standing.best ? readBytes(bestOf(path)) : undefined
    const curves = metadata.curves ? (JSON.parse(metadata.curves) as SavedCurves) : undefined
    return {
      bytes,
      plan: { ...plan, watches: plan.watches ?? {}, monitor: plan.monitor === true },
      cursor,
      standing: { ...standing, weights },
      curves,
      source: metadata.source ?? '',
    }
  } catch {
    throw bad()
  }
}
