/**
 * The tensors of one entry while differentiation adds to them: lookup by name, fresh readable names, the list of new
 * temps.
 */

import { freshName } from '../ir/traverse.ts'
import type { DType, Entry, Extent, Index, Program, Role, Tensor } from '../ir/types.ts'
import { InternalError } from '../support/diagnostic.ts'

export class Scope {
  readonly added: Tensor[] = []
  readonly #tensors = new Map<string, Tensor>()

  constructor(program: Program, entry: Entry) {
    const rules = entry.stages.flatMap((stage) => stage.rules)
    for (const t of [...program.tensors, ...entry.tensors]) this.#tensors.set(t.name, t)
    for (const t of rules.flatMap((r) => [r.cotangent, ...r.tensors])) this.#tensors.set(t.name, t)
  }

  readonly find = (name: string): Tensor | undefined => this.#tensors.get(name)

  get(name: string): Tensor {
    const tensor = this.#tensors.get(name)
    if (!tensor) throw new InternalError(`differentiate: no tensor ${name}`)
    return tensor
  }

  /** `base`, or `base2`, … where that is taken. */
  temp(base: string, shape: readonly Extent[], like: Tensor, dtype: DType = 'f32'): Tensor {
    return this.#add({
      name: freshName(base, this.#tensors),
      dtype,
      shape,
      role: 'temp',
      span: like.span,
      initial: undefined,
      range: undefined,
    })
  }

  /** The same for a part of what defines `of`, in the same checkpoint. */
  part(base: string, shape: readonly Extent[], of: Tensor, dtype: DType): Tensor {
    const tensor = this.temp(base, shape, of, dtype)
    if (of.checkpoint === undefined) return tensor
    this.added.pop()
    return this.#add({ ...tensor, checkpoint: of.checkpoint })
  }

  #add(tensor: Tensor): Tensor {
    this.#tensors.set(tensor.name, tensor)
    this.added.push(tensor)
    return tensor
  }
}

/** `d_classify.relu_1`: the cotangent of a tensor is named after it. */
export const cotangentName = (tensor: string): string => `d_${tensor}`

/** Roles whose tensors outlive a stage. */
export const persists = (role: Role): boolean =>
  role === 'param' || role === 'state' || role === 'hyper' || role === 'step' || role === 'seed'

/** Indices in the order that a tensor over them must have: a bounded dim is only ever outermost. */
export function boundedFirst(indices: readonly Index[]): Index[] {
  const bounded = indices.filter((i) => i.extent.bound !== undefined)
  return [...bounded, ...indices.filter((i) => i.extent.bound === undefined)]
}
