/**
 * Products in normal form: coefficient * numerators / denominators. In: any f32 expression. Out: its factors, and an
 * expression built from factors again, `-(c * a * b / (d * e))`: one division at most, the constant first.
 */
import { binary, constant, div, mul, typeOf, unary } from '../../ir/build.ts'
import type { Scalar } from '../../ir/types.ts'
import { keyOf } from '../key.ts'

export interface Product {
  readonly sign: 1 | -1
  /** Constant factor above, positive. */
  readonly above: number
  /** Constant factor below, positive. */
  readonly below: number
  readonly num: readonly Scalar[]
  readonly den: readonly Scalar[]
}

const unit: Product = { sign: 1, above: 1, below: 1, num: [], den: [] }

const flip = (sign: 1 | -1): 1 | -1 => (sign === 1 ? -1 : 1)

export function productOf(e: Scalar): Product {
  if (e.kind === 'const') {
    // 0, NaN and infinities are left as opaque factors.
    if (e.value === 0 || !Number.isFinite(e.value)) return { ...unit, num: [e] }
    return { ...unit, sign: e.value < 0 ? -1 : 1, above: Math.abs(e.value) }
  }
  if (e.kind === 'unary' && e.op === 'neg') {
    const p = productOf(e.value)
    return { ...p, sign: flip(p.sign) }
  }
  if (e.kind === 'binary' && e.op === 'mul') return times(productOf(e.left), productOf(e.right))
  if (e.kind === 'binary' && e.op === 'div') {
    return times(productOf(e.left), inverse(productOf(e.right)))
  }
  return { ...unit, num: [e] }
}

export const inverse = (p: Product): Product => ({
  sign: p.sign,
  above: p.below,
  below: p.above,
  num: p.den,
  den: p.num,
})

export const times = (p: Product, q: Product): Product => ({
  sign: p.sign === q.sign ? 1 : -1,
  above: p.above * q.above,
  below: p.below * q.below,
  num: [...p.num, ...q.num],
  den: [...p.den, ...q.den],
})

const isExact = (x: number): boolean => Math.fround(x) === x

/** Constants above and below as one where no rounding is added, and factors that occur above and below dropped. */
export function reduceFraction(p: Product): Product {
  let { above, below } = p
  const quotient = above / below
  if (isExact(quotient) && quotient * below === above && below !== 1 && above !== 1) {
    above = quotient
    below = 1
  } else {
    const inverted = below / above
    if (above !== 1 && below !== 1 && isExact(inverted) && inverted * above === below) {
      above = 1
      below = inverted
    }
  }
  const den = [...p.den]
  const num = p.num.filter((factor) => {
    const key = keyOf(factor)
    const at = den.findIndex((d) => keyOf(d) === key)
    if (at < 0) return true
    den.splice(at, 1)
    return false
  })
  return { sign: p.sign, above, below, num, den }
}

function chain(c: number, factors: readonly Scalar[]): Scalar {
  const [first, ...rest] = factors
  if (first === undefined) return constant(Math.fround(c))
  const start = c === 1 ? first : mul(constant(Math.fround(c)), first)
  return rest.reduce((a, b) => mul(a, b), start)
}

export function scalarOfProduct(p: Product): Scalar {
  const num = chain(p.above, p.num)
  const e = p.den.length > 0 || p.below !== 1 ? div(num, chain(p.below, p.den)) : num
  return p.sign === 1 ? e : unary('neg', e)
}

export const isFloat = (e: Scalar): boolean => typeOf(e) === 'f32'

/** Splits p by whether a factor passes `test`: p = first * second. Constants go with `first`. */
export function partition(p: Product, test: (factor: Scalar) => boolean): [Product, Product] {
  return [
    { ...p, num: p.num.filter(test), den: p.den.filter(test) },
    { ...unit, num: p.num.filter((f) => !test(f)), den: p.den.filter((f) => !test(f)) },
  ]
}

export const isUnit = (p: Product): boolean =>
  p.sign === 1 && p.above === 1 && p.below === 1 && p.num.length === 0 && p.den.length === 0

/** The factors p and q share: p = common * p', q = common * q'. */
export function commonFactors(
  p: Product,
  q: Product,
): { readonly common: Product; readonly p: Product; readonly q: Product } {
  const [num, pNum, qNum] = shared(p.num, q.num)
  const [den, pDen, qDen] = shared(p.den, q.den)
  const above = p.above === q.above ? p.above : 1
  const below = p.below === q.below ? p.below : 1
  return {
    common: { sign: 1, above, below, num, den },
    p: { sign: p.sign, above: p.above / above, below: p.below / below, num: pNum, den: pDen },
    q: { sign: q.sign, above: q.above / above, below: q.below / below, num: qNum, den: qDen },
  }
}

function shared(
  a: readonly Scalar[],
  b: readonly Scalar[],
): [both: Scalar[], a: Scalar[], b: Scalar[]] {
  const rest = [...b]
  const both: Scalar[] = []
  const own = a.filter((factor) => {
    const key = keyOf(factor)
    const at = rest.findIndex((f) => keyOf(f) === key)
    if (at < 0) return true
    rest.splice(at, 1)
    both.push(factor)
    return false
  })
  return [both, own, rest]
}

/** a ± b as the sign of b says. */
export function addSigned(a: Scalar, b: Scalar): Scalar {
  if (b.kind === 'unary' && b.op === 'neg') return binary('sub', a, b.value)
  if (a.kind === 'unary' && a.op === 'neg') return binary('sub', b, a.value)
  return binary('add', a, b)
}
