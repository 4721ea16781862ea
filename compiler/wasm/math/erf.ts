// The error function.
//
// Two minimax fits, chosen by |x|: x + x P(x^2) below 0.9375, and 1 - 2^h(|x|) above, where h fits
// log2(erfc) (the split and the exponential form follow N. Juffa's single-precision erf). Errors
// 2^-25.6 and 2^-29.4 of the result. Worst error over every f32: 1.51 ULP.

import { exp2, mulAdd, mulAddTo, signOf } from './common'

export function erf(x: v128): v128 {
  const a = f32x4.abs(x)
  const near = erfNear(a, f32x4.mul(a, a))
  // Past 4 the result is 1.
  const far = f32x4.sub(f32x4.splat(1), exp2(log2Erfc(f32x4.pmin(a, f32x4.splat(4)))))
  const magnitude = v128.bitselect(near, far, f32x4.lt(a, f32x4.splat(0.9375)))
  return v128.or(magnitude, signOf(x, a))
}

/** erf a for a < 0.9375, z = a^2. */
function erfNear(a: v128, z: v128): v128 {
  let p = f32x4.splat(-0.000592512486)
  p = mulAdd(p, z, 0.00498068752)
  p = mulAdd(p, z, -0.0267585646)
  p = mulAdd(p, z, 0.112816177)
  p = mulAdd(p, z, -0.376124799)
  p = mulAdd(p, z, 0.128379151)
  return mulAddTo(a, a, p)
}

/** log2(1 - erf a) for a in [0.9375, 4]. */
function log2Erfc(a: v128): v128 {
  let h = f32x4.splat(0.000279877684)
  h = mulAdd(h, a, -0.00436290679)
  h = mulAdd(h, a, 0.031956628)
  h = mulAdd(h, a, -0.149712563)
  h = mulAdd(h, a, -0.91952163)
  h = mulAdd(h, a, -1.62673581)
  return mulAdd(h, a, -0.000320287741)
}
