// tanh x.
//
// tanh |x| = t / (t + 2) with t = e^(2|x|) - 1 = 2^n (e^r - 1) + (2^n - 1), which keeps its relative accuracy down to
// the smallest x; the sign is put back at the end.

import { expm1Reduced, nearestPowerOfTwo, ROUND, reduceByLn2, signOf } from './common'

const MAGIC: f32 = ROUND + 127

export function tanh(x: v128): v128 {
  const magnitude = f32x4.abs(x)
  // Past 10 the result is 1.
  const doubled = f32x4.pmin(f32x4.add(magnitude, magnitude), f32x4.splat(20))
  const t = expm1(doubled)
  return v128.or(f32x4.div(t, f32x4.add(t, f32x4.splat(2))), signOf(x, magnitude))
}

/** e^y - 1 for y in [0, 20] or NaN. */
function expm1(y: v128): v128 {
  const biased = nearestPowerOfTwo(y, MAGIC)
  const scale = i32x4.shl(biased, 23)
  const p = expm1Reduced(reduceByLn2(y, biased, MAGIC))
  return f32x4.add(f32x4.mul(p, scale), f32x4.sub(scale, f32x4.splat(1)))
}
