/** How a reduction's partial results go together: neutral elements, the operation itself, sums across lanes. */
import type { ReduceOp } from '../ir/types.ts'
import { InternalError } from '../support/diagnostic.ts'
import { type Module, type Ref, v128 } from './assembler.ts'
import type { FunctionBuilder, Scope, Value } from './function.ts'

/** What changes nothing; for the arg-forms, what everything beats. */
export function identity(op: ReduceOp, float: boolean): number {
  switch (op) {
    case 'sum':
      return 0
    case 'prod':
      return 1
    case 'max':
    case 'argmax':
      return float ? Number.NEGATIVE_INFINITY : -0x80000000
    case 'min':
    case 'argmin':
      return float ? Number.POSITIVE_INFINITY : 0x7fffffff
  }
}

export function combine(module: Module, op: ReduceOp, float: boolean, a: Ref, b: Ref): Ref {
  switch (op) {
    case 'sum':
      return float ? module.f32x4.add(a, b) : module.i32x4.add(a, b)
    case 'prod':
      return float ? module.f32x4.mul(a, b) : module.i32x4.mul(a, b)
    case 'max':
      return float ? module.f32x4.max(a, b) : module.i32x4.max_s(a, b)
    case 'min':
      return float ? module.f32x4.min(a, b) : module.i32x4.min_s(a, b)
    default:
      throw new InternalError(`${op} has no combination`)
  }
}

/** [Σ a0, Σ a1, Σ a2, Σ a3] of up to four vectors of partial results, each taken as (0 + 2) + (1 + 3). */
export function across(
  partial: readonly Value[],
  op: ReduceOp,
  float: boolean,
  scope: Scope,
  build: FunctionBuilder,
): Value {
  const { module } = build
  const merge = (a: Value, b: Value, left: readonly number[], right: readonly number[]): Value => {
    const shuffle = (lanes: readonly number[]): Ref =>
      module.i8x16.shuffle(build.get(a), build.get(b), bytesOfLanes(lanes))
    return build.assign(scope, v128, combine(module, op, float, shuffle(left), shuffle(right)))
  }
  const get = (k: number): Value => partial[Math.min(k, partial.length - 1)]!
  const low = merge(get(0), get(1), [0, 1, 4, 5], [2, 3, 6, 7])
  const high = partial.length > 2 ? merge(get(2), get(3), [0, 1, 4, 5], [2, 3, 6, 7]) : low
  return merge(low, high, [0, 2, 4, 6], [1, 3, 5, 7])
}

/** All bits set in the first `width` lanes. */
export function laneMask(width: number): Uint8Array {
  return new Uint8Array(16).map((_, byte) => (byte < width * 4 ? 255 : 0))
}

/** The shuffle of bytes that takes these lanes of two vectors, 0 to 3 of the first and 4 to 7 of the second. */
export const bytesOfLanes = (lanes: readonly number[]): number[] =>
  lanes.flatMap((lane) => [lane * 4, lane * 4 + 1, lane * 4 + 2, lane * 4 + 3])
