// cos x = sin(|x| + pi/2), as trigonometry.ts computes it.

import { sinQuarter } from './trigonometry'

export function cos(x: v128): v128 {
  return sinQuarter(f32x4.abs(x), 1)
}
