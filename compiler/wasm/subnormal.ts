/** State without subnormal numbers. In: a vector that will be stored. Out: the vector with 0 in their places. */
import { v128 } from './assembler.ts'
import type { Context } from './context.ts'
import { constantVector } from './expression.ts'
import type { Value } from './function.ts'

/**
 * 0 where the value is subnormal: a number below 2^-126 costs a machine a hundred cycles each time it is multiplied, and an
 * optimizer's average of a gradient that has become 0 would stay there for ever, 0.9 of the smallest being the smallest.
 */
export function flushedValue(value: Value, context: Context): Value {
  const { build } = context.kernel
  const { module } = build
  const least = constantVector(context, 2 ** -126, 'f32')
  return build.value(`flushed ${value.local}`, v128, [value, least], () =>
    // A NaN is not below anything and stays.
    module.v128.andnot(
      build.get(value),
      module.f32x4.lt(module.f32x4.abs(build.get(value)), build.get(least)),
    ),
  )
}
