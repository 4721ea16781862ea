// Pieces that several functions of this library share.
//
// Every value is a v128; where nothing else is said its lanes are f32x4. Nothing here touches
// memory. The library is built twice: for the `simd` build arithmetic is never fused, so that every
// engine computes the same bits; for the `relaxed` one `mulAdd` and its like are one instruction.
//
// All minimax coefficients of this library were found alike: Remez exchange in 40 digits for the
// error that the file names; then, for f32, they were rounded one after the other, and those that
// remained were fitted again each time. Errors given as powers of two are those of the polynomial
// alone, with the coefficients as they stand; the worst errors in ULP are what
// test/long/math-ulp.ts measured.

/** Adding 1.5 * 2^23 rounds a small f32 to an integer, which stands in the low bits of the sum. */
export const ROUND: f32 = 12582912

const LOG2_E: f32 = 1.44269504
/** ln 2 in two parts (Cody and Waite): the first is short, so its product with n is exact. */
export const LN2_HIGH: f32 = 0.693359375
export const LN2_LOW: f32 = -2.12194440e-4

/** a * b + c; without relaxed SIMD rounded after each step. */
// @ts-ignore: decorator
@inline
export function mulAdd(a: v128, b: v128, c: f32): v128 {
  return mulAddTo(f32x4.splat(c), a, b)
}

/** c + a * b. */
// @ts-ignore: decorator
@inline
export function mulAddTo(c: v128, a: v128, b: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c)
  return f32x4.add(c, f32x4.mul(a, b))
}

/** c - a * b. */
// @ts-ignore: decorator
@inline
export function mulSubFrom(c: v128, a: v128, b: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(a, b, c)
  return f32x4.sub(c, f32x4.mul(a, b))
}

/** The sign bits of x, given its absolute value. */
export function signOf(x: v128, magnitude: v128): v128 {
  return v128.xor(x, magnitude)
}

/**
 * x / ln 2 rounded to an integer n and stored as n + `magic`: `magic` is ROUND plus an exponent
 * bias.
 */
export function nearestPowerOfTwo(x: v128, magic: f32): v128 {
  return mulAdd(x, f32x4.splat(LOG2_E), magic)
}

/** x - n ln 2, where n = biased - magic: at most 0.35 in magnitude. */
export function reduceByLn2(x: v128, biased: v128, magic: f32): v128 {
  const n = f32x4.sub(biased, f32x4.splat(magic))
  const high = mulSubFrom(x, n, f32x4.splat(LN2_HIGH))
  return mulSubFrom(high, n, f32x4.splat(LN2_LOW))
}

/** e^r - 1 for |r| <= 0.35 as r + r^2 q(r), minimax for the relative error of e^r - 1: 2^-26.1. */
export function expm1Reduced(r: v128): v128 {
  let q = f32x4.splat(0.00138706923)
  q = mulAdd(q, r, 0.00836627185)
  q = mulAdd(q, r, 0.0416674353)
  q = mulAdd(q, r, 0.166665465)
  q = mulAdd(q, r, 0.49999997)
  return mulAddTo(r, f32x4.mul(r, r), q)
}

const EXP2_MAGIC: f32 = ROUND + 127

/**
 * 2^h for h in [-100, 100] or NaN, without care for the last place; the polynomial is good to
 * 2^-28.3.
 */
// @ts-ignore: decorator
@inline
export function exp2(h: v128): v128 {
  const biased = f32x4.add(h, f32x4.splat(EXP2_MAGIC))
  const r = f32x4.sub(h, f32x4.sub(biased, f32x4.splat(EXP2_MAGIC)))
  let p = f32x4.splat(0.00015326796)
  p = mulAdd(p, r, 0.0013391024)
  p = mulAdd(p, r, 0.00961850584)
  p = mulAdd(p, r, 0.0555035956)
  p = mulAdd(p, r, 0.240226477)
  p = mulAdd(p, r, 0.693147182)
  return f32x4.mul(mulAdd(p, r, 1), i32x4.shl(biased, 23))
}
