/**
 * The derivatives of the scalar functions: per operator what reaches each operand from the cotangent `dy` of its
 * result. A rule may use the operands and the result `y`, which is taken where it is cheaper (exp, tanh, sigmoid,
 * sqrt, division): `y` is a read when the result is stored. `undefined` says that nothing flows.
 *
 * Conventions at the corners: abs and sign have derivative 0 at 0; of `max(a, b)` and `min(a, b)` the first operand
 * receives where it is strictly the extreme, else the second; floor, ceil and sign are flat; `a mod b` is
 * a - floor(a / b) * b with the floor held constant; log(a) in the derivative of a^b to b counts as 0 where a <= 0.
 */
import { add, binary, constant, div, mul, select, sub, unary } from '../ir/build.ts'
import type { BinaryOp, Scalar, UnaryOp } from '../ir/types.ts'

interface UnaryRule {
  /** The rule uses `y`, which is worth storing for it. */
  readonly reuse: boolean
  readonly vjp: ((dy: Scalar, x: Scalar, y: Scalar) => Scalar) | undefined
}

const zero = constant(0)
const one = constant(1)
const neg = (e: Scalar): Scalar => unary('neg', e)
const flat: UnaryRule = { reuse: false, vjp: undefined }
const ofOperand = (vjp: (dy: Scalar, x: Scalar) => Scalar): UnaryRule => ({ reuse: false, vjp })
const ofResult = (vjp: (dy: Scalar, y: Scalar) => Scalar): UnaryRule => ({
  reuse: true,
  vjp: (dy, _x, y) => vjp(dy, y),
})

export const unaryRules = {
  neg: ofOperand((dy) => neg(dy)),
  abs: ofOperand((dy, x) => mul(dy, unary('sign', x))),
  sign: flat,
  sqrt: ofResult((dy, y) => div(dy, mul(constant(2), y))),
  exp: ofResult((dy, y) => mul(dy, y)),
  log: ofOperand((dy, x) => div(dy, x)),
  tanh: ofResult((dy, y) => mul(dy, sub(one, mul(y, y)))),
  sigmoid: ofResult((dy, y) => mul(dy, mul(y, sub(one, y)))),
  erf: ofOperand((dy, x) =>
    mul(mul(dy, constant(Math.fround(2 / Math.sqrt(Math.PI)))), unary('exp', neg(mul(x, x)))),
  ),
  sin: ofOperand((dy, x) => mul(dy, unary('cos', x))),
  cos: ofOperand((dy, x) => neg(mul(dy, unary('sin', x)))),
  floor: flat,
  ceil: flat,
  not: flat,
} satisfies Record<UnaryOp, UnaryRule>

export type Vjp = (dy: Scalar, a: Scalar, b: Scalar, y: Scalar) => Scalar

interface BinaryRule {
  /** Whether the value of the left operand, the right operand is needed for the derivative of the other. */
  readonly linear: boolean
  readonly left: Vjp | undefined
  readonly right: Vjp | undefined
}

const noRule: BinaryRule = { linear: true, left: undefined, right: undefined }

/** d(a^b)/da: the constant exponents people write are kept free of pow and of 0^-1. */
function powBase(dy: Scalar, a: Scalar, b: Scalar): Scalar {
  if (b.kind === 'const') {
    if (b.value === 0) return zero
    const slope = b.value === 2 ? a : binary('pow', a, constant(b.value - 1))
    return b.value === 1 ? dy : mul(dy, mul(b, slope))
  }
  const slope = mul(b, binary('pow', a, sub(b, one)))
  return mul(dy, select(binary('eq', b, zero), zero, slope))
}

export const binaryRules = {
  add: { linear: true, left: (dy) => dy, right: (dy) => dy },
  sub: { linear: true, left: (dy) => dy, right: (dy) => neg(dy) },
  mul: { linear: false, left: (dy, _a, b) => mul(dy, b), right: (dy, a) => mul(a, dy) },
  div: {
    linear: false,
    left: (dy, _a, b) => div(dy, b),
    right: (dy, _a, b, y) => neg(div(mul(dy, y), b)),
  },
  mod: {
    linear: false,
    left: (dy) => dy,
    right: (dy, a, b) => neg(mul(dy, unary('floor', div(a, b)))),
  },
  pow: {
    linear: false,
    left: powBase,
    right: (dy, a, _b, y) => select(binary('gt', a, zero), mul(dy, mul(y, unary('log', a))), zero),
  },
  min: {
    linear: false,
    left: (dy, a, b) => select(binary('lt', a, b), dy, zero),
    right: (dy, a, b) => select(binary('lt', a, b), zero, dy),
  },
  max: {
    linear: false,
    left: (dy, a, b) => select(binary('gt', a, b), dy, zero),
    right: (dy, a, b) => select(binary('gt', a, b), zero, dy),
  },
  lt: noRule,
  le: noRule,
  gt: noRule,
  ge: noRule,
  eq: noRule,
  ne: noRule,
  and: noRule,
  or: noRule,
} satisfies Record<BinaryOp, BinaryRule>

/** The sum of cotangents that reach one value. */
export const sumOf = (parts: readonly Scalar[]): Scalar =>
  parts.length === 0 ? zero : parts.reduce((a, b) => add(a, b))
