/**
 * How a read moves through memory: its offset in elements as a linear form of the indices, with the positions that are
 * not affine set apart. In: a read and the shape of its tensor. Out: an `Access`.
 */
import { affineOf } from '../ir/affine.ts'
import { freeIndices } from '../ir/traverse.ts'
import type { Scalar } from '../ir/types.ts'

export interface Access {
  /** Elements per step of each index, from the affine positions; none is 0. */
  readonly strides: ReadonlyMap<string, number>
  readonly constant: number
  /** Positions that are not affine, with the stride of their dimension and its extent. */
  readonly computed: readonly {
    readonly position: Scalar
    readonly stride: number
    readonly size: number
    readonly dimension: number
  }[]
  /** Indices that the computed positions depend on. */
  readonly computedBy: ReadonlySet<string>
}

/** Row-major strides in elements; a folded dimension has stride 0. */
export function stridesOf(shape: readonly number[], folded: readonly boolean[] = []): number[] {
  const strides = new Array<number>(shape.length).fill(0)
  let stride = 1
  for (let d = shape.length - 1; d >= 0; d--) {
    if (folded[d]) continue
    strides[d] = stride
    stride *= shape[d]!
  }
  return strides
}

export function accessOf(
  at: readonly Scalar[],
  shape: readonly number[],
  folded?: readonly boolean[],
): Access {
  const strides = new Map<string, number>()
  const computed: { position: Scalar; stride: number; size: number; dimension: number }[] = []
  const computedBy = new Set<string>()
  let constant = 0
  const dims = stridesOf(shape, folded)
  at.forEach((position, d) => {
    const stride = dims[d]!
    const affine = affineOf(position)
    if (!affine) {
      computed.push({ position, stride, size: shape[d]!, dimension: d })
      for (const name of freeIndices(position)) computedBy.add(name)
      return
    }
    constant += affine.constant * stride
    for (const [name, coefficient] of affine.terms) {
      const total = (strides.get(name) ?? 0) + coefficient * stride
      if (total === 0) strides.delete(name)
      else strides.set(name, total)
    }
  })
  return { strides, constant, computed, computedBy }
}

/** How reads along an index go: not moving, to the next element, or anything else. */
export type Motion = 'still' | 'unit' | 'strided'

export function motion(access: Access, name: string): Motion {
  if (access.computedBy.has(name)) return 'strided'
  const stride = access.strides.get(name) ?? 0
  return stride === 0 ? 'still' : stride === 1 ? 'unit' : 'strided'
}
