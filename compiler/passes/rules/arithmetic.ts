/**
 * Rules for f32 arithmetic: neutral elements, signs, constants, fractions, common factors, powers.
 * Each line is `before -> after`; the result never has more operations than the node it replaces.
 */
import { binary, constant, mul, select, unary } from '../../ir/build.ts'
import type { Scalar } from '../../ir/types.ts'
import { same } from '../key.ts'
import {
  addSigned,
  commonFactors,
  isFloat,
  isUnit,
  productOf,
  reduceFraction,
  scalarOfProduct,
  times,
} from './product.ts'
import { isConst, type Node, on, type Rule } from './rule.ts'

const zero = constant(0)

const isNeg = (e: Scalar): e is Node<'unary'> => e.kind === 'unary' && e.op === 'neg'

const isProduct = (e: Scalar): boolean =>
  isNeg(e) || (e.kind === 'binary' && (e.op === 'mul' || e.op === 'div'))

/** Divisions, negations and constants: what the normal form of a product has one of at most. */
function disorder(e: Scalar): number {
  if (e.kind === 'const') return 1
  if (isNeg(e)) return 1 + disorder(e.value)
  if (e.kind !== 'binary' || (e.op !== 'mul' && e.op !== 'div')) return 0
  // A constant or a division in the right of a product is out of order.
  const late = e.op === 'mul' && (startsWithConst(e.right) || isDivision(e.right)) ? 1 : 0
  return (e.op === 'div' ? 1 : 0) + late + disorder(e.left) + disorder(e.right)
}

const isDivision = (e: Scalar): boolean => e.kind === 'binary' && e.op === 'div'

const startsWithConst = (e: Scalar): boolean =>
  e.kind === 'const' || (e.kind === 'binary' && e.op === 'mul' && startsWithConst(e.left))

/** The branch of `where(c, a, 0)` or `where(c, 0, a)` that is not 0, and the same node around another value. */
export function masked(
  e: Scalar,
): { readonly value: Scalar; readonly around: (v: Scalar) => Scalar } | undefined {
  if (e.kind !== 'select') return undefined
  if (isConst(e.otherwise, 0)) {
    return { value: e.then, around: (v) => select(e.test, v, e.otherwise) }
  }
  if (isConst(e.then, 0)) {
    return { value: e.otherwise, around: (v) => select(e.test, e.then, v) }
  }
  return undefined
}

/** The negative of a masked value that starts with a minus sign. */
function negated(e: Scalar): Scalar | undefined {
  const m = masked(e)
  const p = m && productOf(m.value)
  return p?.sign === -1 ? m?.around(scalarOfProduct({ ...p, sign: 1 })) : undefined
}

/** a + sign*b with the factors that both share outside: x*y + x*z -> x*(y + z). */
function factorSum(a: Scalar, b: Scalar, sign: 1 | -1): Scalar | undefined {
  // where(c, x/k, 0) counts as where(c, x, 0)/k, so that the mean's count leaves softmax - onehot.
  const left = masked(a)
  const right = masked(b)
  const p = productOf(left?.value ?? a)
  const q = productOf(right?.value ?? b)
  const parts = commonFactors(p, q)
  if (isUnit(parts.common)) return undefined
  const restA = scalarOfProduct(parts.p)
  const restB = scalarOfProduct(parts.q)
  const sum = addSigned(
    left ? left.around(restA) : restA,
    sign === 1
      ? right
        ? right.around(restB)
        : restB
      : unary('neg', right ? right.around(restB) : restB),
  )
  return scalarOfProduct(reduceFraction(times(productOf(sum), parts.common)))
}

export const arithmeticRules: readonly Rule[] = [
  on('unary', '--x -> x', (e) => (isNeg(e) && isNeg(e.value) ? e.value.value : undefined)),
  on('unary', '-(a - b) -> b - a', (e) =>
    isNeg(e) && isFloat(e) && e.value.kind === 'binary' && e.value.op === 'sub'
      ? binary('sub', e.value.right, e.value.left)
      : undefined,
  ),
  on('binary', 'max(float(n), c) -> float(n) where the count n is not below c', (e) => {
    if (e.op !== 'max' || e.right.kind !== 'const') return undefined
    return leastOfCounts(e.left) >= e.right.value ? e.left : undefined
  }),
  on('binary', 'random >= 0 -> true', (e) =>
    e.op === 'ge' && e.left.kind === 'random' && isConst(e.right, 0)
      ? constant(-1, 'bool')
      : undefined,
  ),
  on('binary', 'x * 0 -> 0', (e) =>
    e.op === 'mul' && isFloat(e) && (isConst(e.left, 0) || isConst(e.right, 0)) ? zero : undefined,
  ),
  on('binary', '0 / x -> 0', (e) =>
    e.op === 'div' && isFloat(e) && isConst(e.left, 0) ? zero : undefined,
  ),
  on('binary', 'a + -b -> a - b', (e) => {
    if (e.op !== 'add' || !isFloat(e)) return undefined
    return isNeg(e.right) || isNeg(e.left) ? addSigned(e.left, e.right) : undefined
  }),
  on('binary', 'a - -b -> a + b', (e) =>
    e.op === 'sub' && isFloat(e) && isNeg(e.right)
      ? binary('add', e.left, e.right.value)
      : undefined,
  ),
  on('binary', 'a + -c*b -> a - c*b', (e) => {
    // Constants carry their sign inside products: move it to the sum, where a reader looks for it.
    if ((e.op !== 'add' && e.op !== 'sub') || !isFloat(e)) return undefined
    const p = productOf(e.right)
    if (p.sign === 1) return undefined
    return binary(e.op === 'add' ? 'sub' : 'add', e.left, scalarOfProduct({ ...p, sign: 1 }))
  }),
  on('binary', 'a + where(c, -b, 0) -> a - where(c, b, 0)', (e) => {
    if ((e.op !== 'add' && e.op !== 'sub') || !isFloat(e)) return undefined
    const right = negated(e.right)
    if (right) return binary(e.op === 'add' ? 'sub' : 'add', e.left, right)
    const left = e.op === 'add' ? negated(e.left) : undefined
    return left && binary('sub', e.right, left)
  }),
  on('binary', 'where(c, a, b) + where(c, d, e) -> where(c, a + d, b + e)', (e) => {
    if ((e.op !== 'add' && e.op !== 'sub') || !isFloat(e)) return undefined
    if (e.left.kind !== 'select' || e.right.kind !== 'select') return undefined
    if (!same(e.left.test, e.right.test)) return undefined
    const then = binary(e.op, e.left.then, e.right.then)
    return select(e.left.test, then, binary(e.op, e.left.otherwise, e.right.otherwise))
  }),
  on('binary', 'a + x + x -> a + 2*x', (e) => {
    if ((e.op !== 'add' && e.op !== 'sub') || !isFloat(e) || e.left.kind !== 'binary')
      return undefined
    const { op, left, right } = e.left
    if (op !== 'add' && op !== 'sub') return undefined
    const last = likeTerms(right, e.right, op === e.op ? 1 : -1)
    if (last) return binary(op, left, last)
    const first = likeTerms(left, e.right, e.op === 'add' ? 1 : -1)
    return first && binary(op, first, right)
  }),
  on('binary', '-a - b -> -(a + b)', (e) =>
    e.op === 'sub' && isFloat(e) && isNeg(e.left)
      ? unary('neg', binary('add', e.left.value, e.right))
      : undefined,
  ),
  // Before the normal form of products, which would take the masked value for an opaque factor.
  on('binary', 'where(c, a, 0) * b -> where(c, a * b, 0)', (e) => {
    if (!isFloat(e)) return undefined
    if (e.op !== 'mul' && e.op !== 'div') return undefined
    const left = masked(e.left)
    if (left) return left.around(binary(e.op, left.value, e.right))
    const right = e.op === 'mul' ? masked(e.right) : undefined
    return right?.around(mul(e.left, right.value))
  }),
  on('unary', '-where(c, a, 0) -> where(c, -a, 0)', (e) => {
    const m = isNeg(e) && isFloat(e) ? masked(e.value) : undefined
    return m?.around(unary('neg', m.value))
  }),
  on('binary', '2 * (a / 2) * (b / c) -> (a * b) / c', (e) =>
    (e.op === 'mul' || e.op === 'div') && isFloat(e) && (disorder(e) > 1 || e.op === 'div')
      ? normalForm(e)
      : undefined,
  ),
  on('unary', '-(-a * b) -> a * b', (e) =>
    isNeg(e) && isFloat(e) && disorder(e.value) > 0 ? normalForm(e) : undefined,
  ),
  on('binary', 'a*x + b*x -> (a + b) * x', (e) => {
    if ((e.op !== 'add' && e.op !== 'sub') || !isFloat(e)) return undefined
    return factorSum(e.left, e.right, e.op === 'add' ? 1 : -1)
  }),
  on('binary', '(a + 1) + 2 -> a + 3', (e) => {
    if (e.op !== 'add' && e.op !== 'sub') return undefined
    if (!isFloat(e) || e.right.kind !== 'const') return undefined
    const inner = e.left
    if (inner.kind !== 'binary' || (inner.op !== 'add' && inner.op !== 'sub')) return undefined
    if (inner.right.kind !== 'const') return undefined
    const value = signed(inner.op, inner.right.value) + signed(e.op, e.right.value)
    return value < 0
      ? binary('sub', inner.left, constant(Math.fround(-value)))
      : binary('add', inner.left, constant(Math.fround(value)))
  }),
  on('binary', 'x^1 -> x, x^2 -> x*x, x^0.5 -> sqrt(x), x^-1 -> 1/x', (e) => {
    if (e.op !== 'pow' || !isFloat(e) || e.right.kind !== 'const') return undefined
    switch (e.right.value) {
      case 0:
        return constant(1)
      case 1:
        return e.left
      case 2:
        // A second evaluation of anything but a read would cost more than it saves.
        return e.left.kind === 'read' ? mul(e.left, e.left) : undefined
      case -1:
        return binary('div', constant(1), e.left)
      case 0.5:
        return unary('sqrt', e.left)
      default:
        return undefined
    }
  }),
  on('binary', 'max(x, x) -> x', (e) =>
    (e.op === 'max' || e.op === 'min') && same(e.left, e.right) ? e.left : undefined,
  ),
]

/** a + sign*b where both are multiples of one thing. */
function likeTerms(a: Scalar, b: Scalar, sign: 1 | -1): Scalar | undefined {
  const p = productOf(a)
  const q = productOf(b)
  const bare = (x: typeof p): typeof p => ({ ...x, sign: 1, above: 1, below: 1 })
  if (!same(scalarOfProduct(bare(p)), scalarOfProduct(bare(q)))) return undefined
  const value = (p.sign * p.above) / p.below + (sign * q.sign * q.above) / q.below
  return mul(constant(Math.fround(value)), scalarOfProduct(bare(p)))
}

const signed = (op: 'add' | 'sub', x: number): number => (op === 'add' ? x : -x)

function normalForm(e: Scalar): Scalar | undefined {
  const p = productOf(e)
  const after = scalarOfProduct(reduceFraction(p))
  return same(after, e) || !isProduct(e) ? undefined : after
}

/** A lower bound of a product of counts and constants; -Infinity of anything else. */
function leastOfCounts(e: Scalar): number {
  if (e.kind === 'const') return e.value
  if (e.kind === 'count') return 1
  if (e.kind === 'cast') return leastOfCounts(e.value)
  if (e.kind !== 'binary' || e.op !== 'mul') return -Infinity
  const [a, b] = [leastOfCounts(e.left), leastOfCounts(e.right)]
  return a >= 0 && b >= 0 ? a * b : -Infinity
}
