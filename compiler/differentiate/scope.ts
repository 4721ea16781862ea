/**
 * The tensors of one entry while differentiation adds temps to it: what rules bring with them counts as well.
 */
import { Temporaries } from '../ir/temporaries.ts'
import type { Entry, Index, Program, Role, Tensor } from '../ir/types.ts'
import { InternalError } from '../support/diagnostic.ts'

export class Scope extends Temporaries {
  constructor(program: Program, entry: Entry) {
    const rules = entry.stages.flatMap((stage) => stage.rules)
    const ofRules = rules.flatMap((r) => [r.cotangent, ...r.tensors])
    super(program.tensors, entry.tensors, ofRules)
  }

  get(name: string): Tensor {
    const tensor = this.find(name)
    if (!tensor) throw new InternalError(`differentiate: no tensor ${name}`)
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
