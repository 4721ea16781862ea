// The logistic function 1 / (1 + e^-x).
//
// With E = e^-|x|, which never overflows, it is 1 / (1 + E) for x >= 0 and E / (1 + E) for x < 0.

import { expBounded } from './exp'

export function sigmoid(x: v128): v128 {
  const one = f32x4.splat(1)
  // -|x|, bounded below; x first keeps a NaN.
  const power = expBounded(f32x4.pmax(v128.or(x, f32x4.splat(-0.0)), f32x4.splat(-104)))
  const numerator = v128.bitselect(power, one, f32x4.lt(x, f32x4.splat(0)))
  return f32x4.div(numerator, f32x4.add(one, power))
}
