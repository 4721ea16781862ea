// x^y, with the special cases of IEEE 754 pow.
//
// 2^(y log2 |x|) in f64x2, two lanes at a time: log2 must be exact to about 2^-32 absolutely when y
// makes it large, and the last rounding to f32 gives subnormal results and overflow as they should
// be. log2 m = s L(s^2) with s = (m - 1) / (m + 1), minimax to 2^-37.8 relative; 2^r a minimax
// polynomial to 2^-29. Worst error over 2^28 pairs of all kinds: 0.54 ULP.

const SQRT_HALF: i64 = 0x3fe6a09e667f3bcd
const ONE: i64 = 0x3ff0000000000000
/** The bits of 2^52: an integer below 2^52 or'ed to them is 2^52 plus that integer as an f64. */
const TWO_52: i64 = 0x4330000000000000
/** 1.5 * 2^52 rounds an f64 to an integer; the exponent bias rides along. */
const MAGIC: f64 = 6755399441055744 + 1023

export function pow(x: v128, y: v128): v128 {
  const a = f32x4.abs(x)
  const low = powHalf(f64x2.promote_low_f32x4(a), f64x2.promote_low_f32x4(y))
  const high = powHalf(f64x2.promote_low_f32x4(upper(a)), f64x2.promote_low_f32x4(upper(y)))
  const result = v128.shuffle<i64>(
    f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2,
  )
  const infinity = f32x4.splat(Infinity)
  const plain = v128.and(
    v128.and(f32x4.gt(x, f32x4.splat(0)), f32x4.lt(x, infinity)),
    f32x4.lt(f32x4.abs(y), infinity),
  )
  return i32x4.all_true(plain) ? result : powSpecial(x, y, result)
}

/** The upper two lanes, moved down. */
function upper(x: v128): v128 {
  return v128.shuffle<i64>(x, x, 1, 1)
}

function mulAdd64(a: v128, b: v128, c: f64): v128 {
  return f64x2.add(f64x2.mul(a, b), f64x2.splat(c))
}

/** a^y for finite a > 0 and finite y, all f64x2. */
function powHalf(a: v128, y: v128): v128 {
  const t = f64x2.mul(y, log2(a))
  return exp2(f64x2.pmax(f64x2.pmin(t, f64x2.splat(130)), f64x2.splat(-160)))
}

function log2(a: v128): v128 {
  const shifted = i64x2.add(a, i64x2.splat(ONE - SQRT_HALF))
  const exponent = v128.or(i64x2.shr_u(shifted, 52), i64x2.splat(TWO_52))
  const e = f64x2.sub(exponent, f64x2.splat(4503599627370496 + 1023))
  const m = i64x2.add(v128.and(shifted, i64x2.splat(0x000fffffffffffff)), i64x2.splat(SQRT_HALF))
  const one = f64x2.splat(1)
  const s = f64x2.div(f64x2.sub(m, one), f64x2.add(m, one))
  const z = f64x2.mul(s, s)
  let p = f64x2.splat(0.3407373066038782)
  p = mulAdd64(p, z, 0.4116723467069982)
  p = mulAdd64(p, z, 0.5770835908603217)
  p = mulAdd64(p, z, 0.961796673312745)
  p = mulAdd64(p, z, 2.885390081790107)
  return f64x2.add(e, f64x2.mul(s, p))
}

/** 2^t for t in [-160, 130]. */
function exp2(t: v128): v128 {
  const biased = f64x2.add(t, f64x2.splat(MAGIC))
  const r = f64x2.sub(t, f64x2.sub(biased, f64x2.splat(MAGIC)))
  let p = f64x2.splat(0.00015345842455888935)
  p = mulAdd64(p, r, 0.0013399932181482734)
  p = mulAdd64(p, r, 0.009618488835481826)
  p = mulAdd64(p, r, 0.05550328774193366)
  p = mulAdd64(p, r, 0.2402264689175989)
  p = mulAdd64(p, r, 0.6931472057386061)
  p = mulAdd64(p, r, 1.0000000005542662)
  return f64x2.mul(p, i64x2.shl(biased, 52))
}

/** Puts right the lanes of |x|^y where x is not a positive finite number or y is not finite. */
function powSpecial(x: v128, y: v128, magnitude: v128): v128 {
  const zero = f32x4.splat(0)
  const one = f32x4.splat(1)
  const infinity = f32x4.splat(Infinity)
  const a = f32x4.abs(x)
  const infiniteY = f32x4.eq(f32x4.abs(y), infinity)

  // x = 0, |x| = Inf and |y| = Inf: the result is 0 or Inf.
  const shrinks = v128.xor(f32x4.gt(a, one), f32x4.gt(y, zero))
  const limit = v128.andnot(infinity, shrinks)
  const atLimit = v128.or(v128.or(f32x4.eq(a, zero), f32x4.eq(a, infinity)), infiniteY)
  let result = v128.bitselect(limit, magnitude, atLimit)

  // A negative x: the sign for odd y, NaN for y that is no integer.
  const half = f32x4.mul(y, f32x4.splat(0.5))
  const integer = f32x4.eq(f32x4.trunc(y), y)
  const odd = v128.and(integer, f32x4.ne(f32x4.trunc(half), half))
  result = v128.or(result, v128.and(v128.and(x, f32x4.splat(-0.0)), odd))
  const finiteNegative = v128.and(f32x4.lt(x, zero), f32x4.lt(a, infinity))
  const undefined_ = v128.andnot(finiteNegative, integer)
  const unordered = v128.or(f32x4.ne(x, x), f32x4.ne(y, y))
  result = v128.bitselect(f32x4.splat(NaN), result, v128.or(undefined_, unordered))

  const minusOneToInfinity = v128.and(f32x4.eq(a, one), infiniteY)
  const isOne = v128.or(v128.or(f32x4.eq(x, one), f32x4.eq(y, zero)), minusOneToInfinity)
  return v128.bitselect(one, result, isOne)
}
