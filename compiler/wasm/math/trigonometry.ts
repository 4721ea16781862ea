// The part that sin and cos share: sin(a + q pi/2) for a >= 0.
//
// a = n pi/2 + r, with pi/2 in four parts (Cody and Waite) of which the first three have 11 bits,
// so that their products with n are exact up to |a| = 10,000; then the minimax polynomials of sin
// and cos on |r| <= pi/4, one of which is chosen by n + q. Errors of the polynomials 2^-27.8 and
// 2^-33. Beyond 10,000 the reduction loses digits about as fast as a does; r is bounded so that the
// result stays within [-1, 1].
// Worst error over every f32 up to 10,000: 1.55 ULP.

import { mulAdd, mulAddTo, ROUND } from './common'

const TWO_OVER_PI: f32 = 0.636619772
const PI_2_A: f32 = 1.5703125
const PI_2_B: f32 = 0.000483751297
const PI_2_C: f32 = 7.54953362e-8
const PI_2_D: f32 = 2.56334407e-12

/** sin(a + q pi/2) for a >= 0, q being a small integer. */
// @ts-ignore: decorator
@inline
export function sinQuarter(a: v128, q: f32): v128 {
  const magic = f32x4.splat(ROUND + q)
  const biased = f32x4.add(f32x4.mul(a, f32x4.splat(TWO_OVER_PI)), magic)
  const r = reduce(a, f32x4.sub(biased, magic))
  const z = f32x4.mul(r, r)
  // The last two bits of the quarter: odd ones take the cosine, the second half of the circle is
  // negative.
  const odd = i32x4.shr_s(i32x4.shl(biased, 31), 31)
  const value = v128.bitselect(cosReduced(z), sinReduced(r, z), odd)
  return v128.xor(value, i32x4.shl(i32x4.shr_u(biased, 1), 31))
}

/** a - n pi/2. */
function reduce(a: v128, n: v128): v128 {
  let r = f32x4.sub(a, f32x4.mul(n, f32x4.splat(PI_2_A)))
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(PI_2_B)))
  // Exact up to here. What the third step rounds away goes into the fourth, so that r is rounded
  // once.
  const c = f32x4.mul(n, f32x4.splat(PI_2_C))
  const rounded = f32x4.sub(r, c)
  const rest = f32x4.sub(f32x4.sub(r, rounded), c)
  r = f32x4.add(rounded, f32x4.sub(rest, f32x4.mul(n, f32x4.splat(PI_2_D))))
  // Where rounding a 2/pi chose the farther n, r is a little more than pi/4.
  return f32x4.pmax(f32x4.pmin(r, f32x4.splat(0.79)), f32x4.splat(-0.79))
}

function sinReduced(r: v128, z: v128): v128 {
  let p = f32x4.splat(-0.000195078828)
  p = mulAdd(p, z, 0.00833210628)
  p = mulAdd(p, z, -0.166666538)
  return mulAddTo(r, f32x4.mul(r, z), p)
}

function cosReduced(z: v128): v128 {
  let p = f32x4.splat(2.44323146e-5)
  p = mulAdd(p, z, -0.00138873095)
  p = mulAdd(p, z, 0.0416666456)
  p = mulAdd(p, z, -0.5)
  return mulAdd(p, z, 1)
}
