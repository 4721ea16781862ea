/**
 * The tensors of a model that persist, and their way to safetensors files and back. A file holds the parameters and
 * the running state of layers; a checkpoint also optimizer state, hyper-parameters, step and seed, enough to go on bit for bit. Restoring checks
 * everything before it changes anything.
 */
import type { Manifest, StateSpec, TensorSpec } from '../compiler/wasm/manifest.ts'
import { type View, viewOf } from './entry.ts'
import { fail } from './errors.ts'
import { asBytes, type RawTensor, readSafetensors, writeSafetensors } from './safetensors.ts'

export interface Cell {
  readonly spec: TensorSpec
  readonly view: View
  /** The view's bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>
}

export interface Cells {
  readonly params: readonly Cell[]
  /** What a saved model holds: parameters, and the state without which it would not predict the same. */
  readonly weights: readonly Cell[]
  /** Everything else that a training needs to go on. */
  readonly training: readonly Cell[]
  /** Both. */
  readonly all: readonly Cell[]
  readonly step: Cell
}

export function cellsOf(manifest: Manifest, memory: ArrayBuffer): Cells {
  const cell = (spec: TensorSpec): Cell => {
    const view = viewOf(memory, spec)
    return { spec, view, bytes: asBytes(view as BufferSource) }
  }
  const [step, seed] = [cell(manifest.step), cell(manifest.seed)]
  const params = manifest.params.map(cell)
  const kept = (by: StateSpec['kept']): Cell[] =>
    manifest.state.filter((spec) => spec.kept === by).map(cell)
  const weights = [...params, ...kept('weights')]
  const training = [...kept('training'), ...manifest.hyper.map(cell), step, seed]
  return { params, weights, training, all: [...weights, ...training], step }
}

const dtypeOf = (spec: TensorSpec): string => (spec.dtype === 'f32' ? 'F32' : 'I32')

export function saveCells(
  cells: Cells,
  training: boolean,
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const chosen = training ? cells.all : cells.weights
  const raw = chosen.map(({ spec, bytes }) => ({ ...spec, dtype: dtypeOf(spec), bytes }))
  return writeSafetensors(raw, metadata)
}

/** How a restored file is to be taken. */
export interface RestoreOptions {
  /** Take NaN and infinities instead of refusing them. */
  readonly allowNonFinite?: boolean
}

export interface Restored {
  readonly metadata: Readonly<Record<string, string>>
  /** Whether the file was a checkpoint. */
  readonly training: boolean
}

/** `reset` starts afresh what predict blocks carry: with the restored seed, and before the state that is restored. */
export function restoreCells(
  cells: Cells,
  file: BufferSource,
  options: RestoreOptions,
  reset: () => void,
): Restored {
  const { tensors, metadata } = readSafetensors(file)
  const found = new Map(tensors.map((t) => [t.name, t]))
  const training = cells.training.some((c) => found.has(c.spec.name))
  const wanted = training ? cells.all : cells.weights
  const plan: [Cell, RawTensor][] = []
  for (const cell of wanted) {
    const { name, shape } = cell.spec
    const raw = found.get(name)
    if (!raw) {
      const known = tensors.map((t) => t.name).slice(0, 8)
      const has = known.length ? known.join(', ') : 'no tensor'
      return fail('weights', `the weights have no ${name}; they have ${has}`, { tensor: name })
    }
    if (raw.dtype !== dtypeOf(cell.spec)) {
      fail('weights', `weights ${name} are ${raw.dtype} and the model has ${dtypeOf(cell.spec)}`, {
        tensor: name,
      })
    }
    if (raw.shape.join() !== shape.join()) {
      const shapes = `[${raw.shape.join(', ')}] and the model has [${shape.join(', ')}]`
      fail('weights', `weights ${name} have shape ${shapes}`, { tensor: name })
    }
    found.delete(name)
    plan.push([cell, raw])
  }
  const [extra] = found.keys()
  if (extra !== undefined) {
    fail('weights', `the model has no ${extra}, which these weights hold`, { tensor: extra })
  }
  for (const [cell, raw] of plan) {
    if (cell.spec.dtype !== 'f32' || options.allowNonFinite) continue
    // A copy: the tensor need not be aligned in the file.
    const at = firstNonFinite(new Float32Array(raw.bytes.slice().buffer))
    if (at >= 0) {
      const { name } = cell.spec
      fail('weights', `weights ${name} hold a value that is not finite at element ${at}`, {
        tensor: name,
        element: at,
      })
    }
  }
  const write = (): void => {
    for (const [cell, raw] of plan) cell.bytes.set(raw.bytes)
  }
  write()
  reset()
  write()
  return { metadata, training }
}

/** The position of the first NaN or infinity in `values`, or -1. */
export function firstNonFinite(values: ArrayLike<number>, length = values.length): number {
  for (let k = 0; k < length; k++) if (!Number.isFinite(values[k])) return k
  return -1
}

/** Copies of everything that a training step changes, to go back to. */
export class Snapshot {
  readonly #cells: readonly Cell[]
  readonly #copies: readonly Uint8Array[]

  constructor(cells: Cells) {
    this.#cells = cells.all
    this.#copies = this.#cells.map((c) => c.bytes.slice())
  }

  take(): void {
    this.#cells.forEach((cell, k) => {
      this.#copies[k]!.set(cell.bytes)
    })
  }

  restore(): void {
    this.#cells.forEach((cell, k) => {
      cell.bytes.set(this.#copies[k]!)
    })
  }
}
