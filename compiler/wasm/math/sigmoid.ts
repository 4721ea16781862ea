// The logistic function 1 / (1 + e^-x).
//
// q = E / (1 + E) with E = e^-|x|, which never overflows, is the result for x < 0, and 1 - q that
// for x >= 0. The sum 1 + E rounds by e, known exactly; q (1 - e) takes most of that back. Worst
// error over every f32: 1.97 ULP.

import { expBounded } from './exp'

export function sigmoid(x: v128): v128 {
  const one = f32x4.splat(1)
  // -|x|, bounded below; x first keeps a NaN.
  const power = expBounded(f32x4.pmax(v128.or(x, f32x4.splat(-0.0)), f32x4.splat(-104)))
  const sum = f32x4.add(one, power)
  const rounding = f32x4.sub(power, f32x4.sub(sum, one))
  const quotient = f32x4.div(power, sum)
  const q = f32x4.sub(quotient, f32x4.mul(quotient, rounding))
  return v128.bitselect(q, f32x4.sub(one, q), f32x4.lt(x, f32x4.splat(0)))
}
