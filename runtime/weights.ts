/**
 * The tensors of a model that persist, and their way to safetensors files and back. A file holds the parameters and
 * the running state of layers; a checkpoint also optimizer state, hyper-parameters, step and seed, enough to go on bit for bit. Restoring checks
 * everything before it changes anything.
 */
import type { HyperSpec, Manifest, StateSpec, TensorSpec } from '../compiler/wasm/manifest.ts'
import { type View, viewOf } from './entry.ts'
import { fail } from './errors.ts'
import { asBytes, type RawTensor, readSafetensors, writeSafetensors } from './safetensors.ts'

export interface Cell<S extends TensorSpec = TensorSpec> {
  readonly spec: S
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
  readonly hyper: readonly Cell<HyperSpec>[]
  readonly step: Cell
}

export function cellsOf(manifest: Manifest, memory: ArrayBuffer): Cells {
  const cell = <S extends TensorSpec>(spec: S): Cell<S> => {
    const view = viewOf(memory, spec)
    return { spec, view, bytes: asBytes(view as BufferSource) }
  }
  const [step, seed] = [cell(manifest.step), cell(manifest.seed)]
  const params = manifest.params.map(cell)
  const hyper = manifest.hyper.map(cell)
  const kept = (by: StateSpec['kept']): Cell[] =>
    manifest.state.filter((spec) => spec.kept === by).map(cell)
  const weights = [...params, ...kept('weights')]
  const training = [...kept('training'), ...hyper, step, seed]
  return { params, weights, training, all: [...weights, ...training], hyper, step }
}

const dtypeOf = (spec: TensorSpec): string => (spec.dtype === 'f32' ? 'F32' : 'I32')

export function saveCells(
  cells: Cells,
  training: boolean | undefined,
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
  const refuse = (tensor: string, what: string): never => fail('weights', what, { tensor })
  for (const cell of wanted) {
    const { name, shape } = cell.spec
    const raw = found.get(name)
    if (!raw) {
      const known = tensors.map((t) => t.name).slice(0, 8)
      const has = known.join(', ') || 'no tensor'
      return refuse(name, `the weights have no ${name}; they have ${has}`)
    }
    const dtype = dtypeOf(cell.spec)
    if (raw.dtype !== dtype) {
      refuse(name, `weights ${name} are ${raw.dtype} and the model has ${dtype}`)
    }
    if (raw.shape.join() !== shape.join()) {
      const shapes = `[${raw.shape.join(', ')}] and the model has [${shape.join(', ')}]`
      refuse(name, `weights ${name} have shape ${shapes}`)
    }
    found.delete(name)
    plan.push([cell, raw])
  }
  for (const name of found.keys())
    refuse(name, `the model has no ${name}, which these weights hold`)
  for (const [{ spec }, raw] of plan) {
    if (spec.dtype !== 'f32' || options.allowNonFinite) continue
    // A copy: the tensor need not be aligned in the file.
    const at = firstNonFinite(new Float32Array(raw.bytes.slice().buffer))
    if (at >= 0) {
      const { name } = spec
      const what = `weights ${name} hold a value that is not finite at element ${at}`
      fail('weights', what, { tensor: name, element: at })
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

/** A copy of everything that a training step changes, to go back to. */
export function snapshotOf({ all }: Cells): {
  readonly take: () => void
  readonly restore: () => void
} {
  const copies = all.map((cell) => cell.bytes.slice())
  return {
    take() {
      for (const [k, { bytes }] of all.entries()) copies[k]!.set(bytes)
    },
    restore() {
      for (const [k, { bytes }] of all.entries()) bytes.set(copies[k]!)
    },
  }
}
