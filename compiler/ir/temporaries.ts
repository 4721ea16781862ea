/**
 * The tensors of one entry while something adds temps to it: lookup by name, fresh readable names, the temps made. In: the
 * tensors there are, the persistent ones too, for names are unique among all of them.
 */
import { freshName } from './traverse.ts'
import type { DType, Entry, Extent, Stage, Tensor } from './types.ts'

export class Temporaries {
  readonly #added: Tensor[] = []
  readonly #tensors: Map<string, Tensor>

  constructor(...tensors: readonly Iterable<Tensor>[]) {
    this.#tensors = new Map(tensors.flatMap((some) => [...some]).map((t) => [t.name, t]))
  }

  readonly find = (name: string): Tensor | undefined => this.#tensors.get(name)

  /** The extents of a tensor that is there. */
  readonly shapeOf = (name: string): readonly number[] =>
    this.#tensors.get(name)!.shape.map((x) => x.size)

  /** `base`, or `base2`, … where that is taken; it belongs to the source line of `like`. */
  temp(
    base: string,
    shape: readonly Extent[],
    like: Pick<Tensor, 'span'>,
    dtype: DType = 'f32',
    checkpoint?: string,
  ): Tensor {
    const tensor: Tensor = {
      name: freshName(base, this.#tensors),
      dtype,
      shape,
      role: 'temp',
      span: like.span,
      initial: undefined,
      range: undefined,
      ...(checkpoint !== undefined && { checkpoint }),
    }
    this.#tensors.set(tensor.name, tensor)
    this.#added.push(tensor)
    return tensor
  }

  /** The entry with these stages and the temps made for them; the entry itself where there are none. */
  into(entry: Entry, stages: readonly Stage[] = entry.stages): Entry {
    if (this.#added.length === 0) return entry
    return { ...entry, stages, tensors: [...entry.tensors, ...this.#added] }
  }
}
