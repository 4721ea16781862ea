/** Scalar functions in double precision, for the reference evaluator: those that `Math` lacks or defines otherwise. */

/** Within a few units in the last place: an all-positive series near 0, a continued fraction of erfc in the tails. */
export function erf(x: number): number {
  if (Number.isNaN(x) || x === 0) return x
  const a = Math.abs(x)
  if (a > 6) return Math.sign(x)
  return Math.sign(x) * (a < 2.5 ? erfSeries(a) : 1 - erfcFraction(a))
}

/** 2/√π · e^(-x²) · Σ 2ⁿ x^(2n+1) / (2n+1)!! */
function erfSeries(x: number): number {
  let term = x
  let sum = x
  for (let n = 1; term > sum * 1e-18; n++) {
    term *= (2 * x * x) / (2 * n + 1)
    sum += term
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
}

/** e^(-x²)/√π · 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + …)))), from the inside out. */
function erfcFraction(x: number): number {
  let tail = x
  for (let n = 60; n >= 1; n--) tail = x + n / 2 / tail
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / tail
}

/** Neither tail overflows or loses its digits. */
export function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x))
  const e = Math.exp(x)
  return e / (1 + e)
}

/** As IEEE 754 has it: 1 to any power is 1, and so is -1 to an infinite one. */
export function pow(x: number, y: number): number {
  return x === 1 || (x === -1 && Math.abs(y) === Number.POSITIVE_INFINITY) ? 1 : x ** y
}

/** i32 power by squaring, wrapping; a negative exponent gives what integer division of 1 leaves. */
export function intPow(x: number, y: number): number {
  if (y < 0) return x === 1 ? 1 : x === -1 ? (y % 2 === 0 ? 1 : -1) : 0
  let result = 1
  for (let base = x | 0, n = y; n > 0; n = Math.floor(n / 2)) {
    if (n % 2 === 1) result = Math.imul(result, base)
    base = Math.imul(base, base)
  }
  return result
}

/** Floor division wrapping to i32; 0 for a divisor of 0. */
export function intDiv(x: number, y: number): number {
  return y === 0 ? 0 : Math.floor(x / y) | 0
}

/** The remainder of `intDiv`, with the sign of the divisor; 0 for a divisor of 0. */
export function intMod(x: number, y: number): number {
  return y === 0 ? 0 : (x - Math.floor(x / y) * y) | 0
}

/** f32 to i32: truncated and saturated, NaN gives 0. */
export function truncate(x: number): number {
  if (Number.isNaN(x)) return 0
  return Math.trunc(Math.min(Math.max(x, -(2 ** 31)), 2 ** 31 - 1)) + 0
}
