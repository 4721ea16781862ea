// Uniform f32 in [0, 1): the upper 24 bits of a random word, all of which an f32 holds exactly.

import { random } from './random'

export function uniform(seed: v128, step: v128, site: v128, element: v128): v128 {
  const word = i32x4.shr_u(random(seed, step, site, element), 8)
  return f32x4.mul(f32x4.convert_i32x4_s(word), f32x4.splat(5.9604644775390625e-8))
}
