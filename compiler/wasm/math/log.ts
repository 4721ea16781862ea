// ln x.
//
// x = 2^e m with m in [sqrt 1/2, sqrt 2), f = m - 1 (exact), ln x = e ln 2 + f + f^2 (f q(f) -
// 1/2), with q of degree 7, minimax for the relative error of ln(1 + f): 2^-27.3. Zero, negative,
// subnormal and non-finite x are one comparison, then a path of their own. Worst error over every
// f32: 0.96 ULP.

import { LN2_HIGH, LN2_LOW, mulAdd } from './common'

const SQRT_HALF_BITS: i32 = 0x3f3504f3
const TWO_23: f32 = 8388608
const LN_TWO_23: f32 = 15.9423847

export function log(x: v128): v128 {
  const result = logNormal(x)
  // As unsigned numbers, the bits of normal positive x are 0x00800000 to 0x7f7fffff; shifted to be
  // compared as signed.
  const shifted = i32x4.add(x, i32x4.splat(0x7f800000))
  if (v128.any_true(i32x4.gt_s(shifted, i32x4.splat(-0x01000001)))) return logSpecial(x, result)
  return result
}

/** ln x of positive normal x. */
function logNormal(x: v128): v128 {
  const exponent = i32x4.shr_s(i32x4.sub(x, i32x4.splat(SQRT_HALF_BITS)), 23)
  const f = f32x4.sub(i32x4.sub(x, i32x4.shl(exponent, 23)), f32x4.splat(1))
  return logOfParts(f, f32x4.convert_i32x4_s(exponent))
}

/** ln(2^e (1 + f)). */
function logOfParts(f: v128, e: v128): v128 {
  const low = f32x4.mul(e, f32x4.splat(LN2_LOW))
  const high = f32x4.mul(e, f32x4.splat(LN2_HIGH))
  const tail = f32x4.mul(f32x4.mul(f, f), logTail(f))
  return f32x4.add(f32x4.add(f32x4.add(tail, low), f), high)
}

/** (ln(1 + f) - f) / f^2. */
function logTail(f: v128): v128 {
  let q = f32x4.splat(-0.0763635635)
  q = mulAdd(q, f, 0.127621442)
  q = mulAdd(q, f, -0.131595999)
  q = mulAdd(q, f, 0.142015859)
  q = mulAdd(q, f, -0.166234106)
  q = mulAdd(q, f, 0.200012416)
  q = mulAdd(q, f, -0.250008196)
  q = mulAdd(q, f, 0.333333313)
  return mulAdd(q, f, -0.5)
}

function logSpecial(x: v128, normal: v128): v128 {
  const zero = f32x4.splat(0)
  const subnormal = f32x4.lt(x, f32x4.splat(1.17549435e-38))
  const lifted = f32x4.sub(logNormal(f32x4.mul(x, f32x4.splat(TWO_23))), f32x4.splat(LN_TWO_23))
  let result = v128.bitselect(lifted, normal, subnormal)
  result = v128.bitselect(f32x4.splat(-Infinity), result, f32x4.eq(x, zero))
  // Inf and NaN stand for themselves, and a negative x for NaN.
  result = v128.bitselect(x, result, f32x4.eq(x, f32x4.splat(Infinity)))
  return v128.bitselect(result, f32x4.splat(NaN), f32x4.ge(x, zero))
}
