// e^x.
//
// Cody and Waite (1980): x = n ln 2 + r, e^x = 2^n e^r, with e^r a polynomial of degree 6. The
// factor 2^n is applied as two factors of half the exponent each, so that subnormal results and
// overflow round once, as they should. Worst error over every f32: 1.01 ULP.

import { expm1Reduced, nearestPowerOfTwo, ROUND, reduceByLn2 } from './common'

/** The bias of both halves of the exponent, 2 * 127. */
const MAGIC: f32 = ROUND + 254

export function exp(x: v128): v128 {
  // pmin and pmax with x first keep a NaN. Past these bounds every result is Inf or 0.
  const bounded = f32x4.pmax(f32x4.pmin(x, f32x4.splat(89)), f32x4.splat(-104))
  return expBounded(bounded)
}

/** e^x for x in [-104, 89] or NaN. */
export function expBounded(x: v128): v128 {
  const biased = nearestPowerOfTwo(x, MAGIC)
  const power = f32x4.add(expm1Reduced(reduceByLn2(x, biased, MAGIC)), f32x4.splat(1))
  const half = i32x4.shr_u(biased, 1)
  const scaled = f32x4.mul(power, i32x4.shl(half, 23))
  // At the bound, where all masked scores of attention end up, the result is 0. To get there by underflow costs a machine
  // more than a hundred cycles; by a factor 0 nothing.
  const rest = i32x4.shl(i32x4.sub(biased, half), 23)
  return f32x4.mul(scaled, v128.andnot(rest, f32x4.le(x, f32x4.splat(-104))))
}
