// tanh x.
//
// Two ways, chosen by |x|: x + x^3 P(x^2), minimax to 2^-24.7, below 0.55; and 1 - 2 / (e^(2|x|) +
// 1) above, where the error of the power counts by three eighths at most, so that 2^(2|x| / ln 2)
// needs no exact reduction. Worst error over every f32: 1.84 ULP.

import { exp2, mulAdd, mulAddTo, signOf } from './common'

const TWO_LOG2_E: f32 = 2.88539004

export function tanh(x: v128): v128 {
  const a = f32x4.abs(x)
  const near = tanhNear(a, f32x4.mul(a, a))
  // From 2^30 on the result is 1.
  const exponent = f32x4.pmin(f32x4.mul(a, f32x4.splat(TWO_LOG2_E)), f32x4.splat(30))
  const one = f32x4.splat(1)
  const far = f32x4.sub(one, f32x4.div(f32x4.splat(2), f32x4.add(exp2(exponent), one)))
  return v128.or(v128.bitselect(near, far, f32x4.lt(a, f32x4.splat(0.55))), signOf(x, a))
}

/** tanh a for a < 0.55, z = a^2. */
function tanhNear(a: v128, z: v128): v128 {
  let p = f32x4.splat(0.016437877)
  p = mulAdd(p, z, -0.05267201)
  p = mulAdd(p, z, 0.13320729)
  p = mulAdd(p, z, -0.33332947)
  return mulAddTo(a, f32x4.mul(a, z), p)
}
