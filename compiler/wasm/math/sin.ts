// sin x: the sign of x, times sin |x| as trigonometry.ts computes it.

import { signOf } from './common'
import { sinQuarter } from './trigonometry'

export function sin(x: v128): v128 {
  const a = f32x4.abs(x)
  return v128.xor(sinQuarter(a, 0), signOf(x, a))
}
