/**
 * What each unary and binary operator does, as closures over closures: the table of the reference evaluator. In: an
 * operator, the dtype of its operands and the operands. Out: a function giving the result; f32 in double precision,
 * i32 wrapping, bool 0 or -1.
 */
import { assertNever } from '../support/diagnostic.ts'
import { erf, intDiv, intMod, intPow, pow, sigmoid } from './special.ts'
import type { BinaryOp, DType, UnaryOp } from './types.ts'

/** The functions that are computed by polynomials: they cost many times what a product does. */
export const transcendental: ReadonlySet<string> = new Set<UnaryOp>([
  'exp',
  'log',
  'tanh',
  'sigmoid',
  'erf',
  'sin',
  'cos',
])

export type Thunk = () => number

export const bool = (test: boolean): number => (test ? -1 : 0)

export function compileUnary(op: UnaryOp, type: DType, v: Thunk): Thunk {
  const int = type === 'i32'
  switch (op) {
    case 'neg':
      return int ? () => -v() | 0 : () => -v()
    case 'abs':
      return int ? () => Math.abs(v()) | 0 : () => Math.abs(v())
    case 'sign':
      return () => Math.sign(v())
    case 'sqrt':
      return () => Math.sqrt(v())
    case 'exp':
      return () => Math.exp(v())
    case 'log':
      return () => Math.log(v())
    case 'tanh':
      return () => Math.tanh(v())
    case 'sigmoid':
      return () => sigmoid(v())
    case 'erf':
      return () => erf(v())
    case 'sin':
      return () => Math.sin(v())
    case 'cos':
      return () => Math.cos(v())
    case 'floor':
      return () => Math.floor(v())
    case 'ceil':
      return () => Math.ceil(v())
    case 'not':
      return () => bool(v() === 0)
    default:
      return assertNever(op)
  }
}

export function compileBinary(op: BinaryOp, operands: DType, a: Thunk, b: Thunk): Thunk {
  const int = operands === 'i32'
  switch (op) {
    case 'add':
      return int ? () => (a() + b()) | 0 : () => a() + b()
    case 'sub':
      return int ? () => (a() - b()) | 0 : () => a() - b()
    case 'mul':
      return int ? () => Math.imul(a(), b()) : () => a() * b()
    case 'div':
      return int ? () => intDiv(a(), b()) : () => a() / b()
    case 'mod':
      if (int) return () => intMod(a(), b())
      return () => {
        const x = a()
        const y = b()
        return x - Math.floor(x / y) * y
      }
    case 'pow':
      return int ? () => intPow(a(), b()) : () => pow(a(), b())
    case 'min':
      return () => {
        const x = a()
        const y = b()
        return y < x ? y : x
      }
    case 'max':
      return () => {
        const x = a()
        const y = b()
        return x < y ? y : x
      }
    case 'lt':
      return () => bool(a() < b())
    case 'le':
      return () => bool(a() <= b())
    case 'gt':
      return () => bool(a() > b())
    case 'ge':
      return () => bool(a() >= b())
    case 'eq':
      return () => bool(a() === b())
    case 'ne':
      return () => bool(a() !== b())
    // Not short-circuit: both operands are pure, and a tape must see both.
    case 'and':
      return () => a() & b()
    case 'or':
      return () => a() | b()
    default:
      return assertNever(op)
  }
}
