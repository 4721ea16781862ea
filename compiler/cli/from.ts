/**
 * `netc train --from FILE`: begins with what a file has of the model's weights, as fine-tuning does: what is of the same name,
 * type and shape is taken, the rest stays as it was initialised, and the call says which. (`--weights` takes all or
 * nothing.)
 */
import type { Model } from '../../runtime/index.ts'
import { readSafetensors, writeSafetensors } from '../../runtime/safetensors.ts'
import { InputError } from './errors.ts'
import { readBytes } from './files.ts'
import { type Io, json } from './io.ts'

export interface Taken {
  readonly taken: readonly string[]
  /** Of the model, not in the file. */
  readonly initialized: readonly string[]
  /** In both with unlike shapes or types: initialised too. */
  readonly unlike: readonly {
    readonly name: string
    readonly file: string
    readonly model: string
  }[]
  /** Of the file, not in the model. */
  readonly unused: readonly string[]
}

/** Restores what `path` has of the model, which has been initialised. Throws an `InputError` where that is nothing. */
export function takeFrom(model: Model, path: string): Taken {
  const own = readSafetensors(model.save())
  const { tensors } = readSafetensors(readBytes(path))
  const given = new Map(tensors.map((t) => [t.name, t]))
  const describe = (t: { dtype: string; shape: readonly number[] }): string =>
    `${t.dtype === 'F32' ? '' : `${t.dtype.toLowerCase()} `}[${t.shape.join(', ')}]`
  const taken: string[] = []
  const initialized: string[] = []
  const unlike: { name: string; file: string; model: string }[] = []
  const merged = own.tensors.map((mine) => {
    const found = given.get(mine.name)
    given.delete(mine.name)
    if (!found) {
      initialized.push(mine.name)
      return mine
    }
    const [file, here] = [describe(found), describe(mine)]
    if (file !== here) {
      unlike.push({ name: mine.name, file, model: here })
      return mine
    }
    taken.push(mine.name)
    return found
  })
  if (taken.length === 0) {
    const has = some(tensors.map((t) => `${t.name} ${describe(t)}`)) || 'no tensor'
    throw new InputError(`--from ${path} has none of the model's parameters; it has ${has}`)
  }
  model.restore(writeSafetensors(merged, {}))
  return { taken, initialized, unlike, unused: [...given.keys()] }
}

/** The first of them. A checkpoint has many more than a model takes. */
const some = (names: readonly string[], most = 8): string =>
  names.slice(0, most).join(', ') + (names.length > most ? `, and ${names.length - most} more` : '')

export function tellTaken(path: string, all: Taken, isJson: boolean, io: Io): void {
  if (isJson) {
    json(io, { event: 'from', file: path, ...all })
    return
  }
  const { taken, initialized, unlike, unused } = all
  const lines = [
    `${path}: ${taken.length} of ${taken.length + initialized.length + unlike.length} tensors taken`,
    ...(initialized.length > 0 ? [`  not in the file, initialised: ${some(initialized)}`] : []),
    ...unlike.map(
      ({ name, file, model }) =>
        `  of another shape, initialised: ${name} ${model}, in the file ${file}`,
    ),
    ...(unused.length > 0 ? [`  not in the model: ${some(unused)}`] : []),
  ]
  io.err(`${lines.join('\n')}\n`)
}
