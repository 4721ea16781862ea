/** Constructors of scalar expressions. They fold constants and drop neutral elements, and do nothing cleverer. */
import { InternalError } from '../support/diagnostic.ts'
import type { BinaryOp, DType, Extent, Index, ReduceOp, Scalar, UnaryOp } from './types.ts'

export function constant(value: number, type: DType = 'f32'): Scalar {
  return { kind: 'const', type, value }
}

export const int = (value: number): Scalar => constant(value, 'i32')

export const index = (i: Index | string): Scalar => ({
  kind: 'index',
  name: typeof i === 'string' ? i : i.name,
})

export const staticExtent = (size: number, name?: string): Extent => ({
  size,
  bound: undefined,
  name,
})

export const sameExtent = (a: Extent, b: Extent): boolean =>
  a.size === b.size && a.bound === b.bound

export function typeOf(e: Scalar): DType {
  switch (e.kind) {
    case 'index':
    case 'count':
      return 'i32'
    case 'random':
      return 'f32'
    default:
      return e.type
  }
}

const comparisons: ReadonlySet<BinaryOp> = new Set(['lt', 'le', 'gt', 'ge', 'eq', 'ne'])

const isConst = (e: Scalar, value: number): boolean => e.kind === 'const' && e.value === value

export function unary(op: UnaryOp, value: Scalar): Scalar {
  const type = typeOf(value)
  if (op === 'neg' && value.kind === 'const') return constant(-value.value, type)
  if (op === 'neg' && value.kind === 'unary' && value.op === 'neg') return value.value
  return { kind: 'unary', op, type, value }
}

/** Integer and float arithmetic on constants, in double precision rounded once to f32 for f32. */
export function foldBinary(op: BinaryOp, a: number, b: number, type: DType): number | undefined {
  const round = type === 'f32' ? Math.fround : (x: number) => x | 0
  switch (op) {
    case 'add':
      return round(a + b)
    case 'sub':
      return round(a - b)
    case 'mul':
      return type === 'i32' ? Math.imul(a, b) : round(a * b)
    case 'div':
      if (type === 'i32') return b === 0 ? undefined : Math.floor(a / b) | 0
      return round(a / b)
    case 'mod':
      return b === 0 ? undefined : round(a - Math.floor(a / b) * b)
    case 'min':
      return b < a ? b : a
    case 'max':
      return a < b ? b : a
    default:
      return undefined
  }
}

export function binary(op: BinaryOp, left: Scalar, right: Scalar): Scalar {
  const operands = typeOf(left)
  if (operands !== typeOf(right)) {
    throw new InternalError(`${op} of ${operands} and ${typeOf(right)}`)
  }
  const type: DType = comparisons.has(op) ? 'bool' : operands
  if (left.kind === 'const' && right.kind === 'const') {
    const value = foldBinary(op, left.value, right.value, type)
    if (value !== undefined) return constant(value, type)
  }
  switch (op) {
    case 'add':
      if (isConst(left, 0)) return right
      if (isConst(right, 0)) return left
      break
    case 'sub':
      if (isConst(right, 0)) return left
      if (isConst(left, 0)) return unary('neg', right)
      break
    case 'mul':
      if (isConst(left, 1)) return right
      if (isConst(right, 1)) return left
      break
    case 'div':
      if (isConst(right, 1)) return left
      break
    case 'and':
    case 'or':
      // `true and x` is x, `false and x` is false; for `or` the other way round.
      if (left.kind === 'const') return (left.value !== 0) === (op === 'and') ? right : left
      if (right.kind === 'const') return (right.value !== 0) === (op === 'and') ? left : right
      break
    default:
  }
  return { kind: 'binary', op, type, left, right }
}

export const add = (a: Scalar, b: Scalar): Scalar => binary('add', a, b)
export const sub = (a: Scalar, b: Scalar): Scalar => binary('sub', a, b)
export const mul = (a: Scalar, b: Scalar): Scalar => binary('mul', a, b)
export const div = (a: Scalar, b: Scalar): Scalar => binary('div', a, b)

export function select(test: Scalar, then: Scalar, otherwise: Scalar): Scalar {
  if (test.kind === 'const') return test.value !== 0 ? then : otherwise
  return { kind: 'select', type: typeOf(then), test, then, otherwise }
}

export function cast(type: DType, value: Scalar): Scalar {
  const from = typeOf(value)
  if (from === type) return value
  if (value.kind === 'const') {
    if (from === 'bool') return constant(value.value !== 0 ? 1 : 0, type)
    if (type === 'f32') return constant(Math.fround(value.value), type)
    if (type === 'i32') return constant(Math.trunc(value.value), type)
  }
  return { kind: 'cast', type, value }
}

export function read(
  tensor: { readonly name: string; readonly dtype: DType },
  at: readonly Scalar[],
  guarded = false,
): Scalar {
  return { kind: 'read', tensor: tensor.name, type: tensor.dtype, at, guarded }
}

export function reduce(op: ReduceOp, over: readonly Index[], body: Scalar): Scalar {
  if (over.length === 0) return body
  const type = op === 'argmax' || op === 'argmin' ? 'i32' : typeOf(body)
  return { kind: 'reduce', op, type, over, body }
}
