/**
 * Operators on values: constants fold, scalars combine with anything, tensors need equal shapes, ints become floats
 * where they meet floats.
 */

import { binary, cast, constant, mul, sameExtent, unary } from '../ir/build.ts'
import { freeIndices, size } from '../ir/traverse.ts'
import type { BinaryOp, DType, Extent, Scalar, UnaryOp } from '../ir/types.ts'
import type { Span } from '../support/span.ts'
import type { BinaryOp as Written } from '../syntax/ast.ts'
import type { Context } from './context.ts'
import { intervalOf } from './ranges.ts'
import { bounded } from './store.ts'
import {
  asTensor,
  describe,
  errorValue,
  lazy,
  number,
  showShape,
  type TensorValue,
  typeNames,
  type Value,
} from './values.ts'

const operators = {
  '+': 'add',
  '-': 'sub',
  '*': 'mul',
  '/': 'div',
  '%': 'mod',
  '^': 'pow',
  '<': 'lt',
  '<=': 'le',
  '>': 'gt',
  '>=': 'ge',
  '==': 'eq',
  '!=': 'ne',
  and: 'and',
  or: 'or',
} as const satisfies Record<Written, BinaryOp>

const comparisons: ReadonlySet<string> = new Set(['<', '<=', '>', '>=', '==', '!='])

export function applyBinary(
  op: Written,
  left: Value,
  right: Value,
  span: Span,
  ctx: Context,
): Value {
  if (left.kind === 'error' || right.kind === 'error') return errorValue
  const folded = foldConstants(op, left, right, ctx)
  if (folded !== undefined) return folded
  return combine(operators[op], op, left, right, span, ctx)
}

/** Numbers and bools known when compiling. */
function foldConstants(op: Written, left: Value, right: Value, ctx: Context): Value | undefined {
  if (left.kind === 'bool' && right.kind === 'bool') {
    if (op === 'and') return { kind: 'bool', value: left.value && right.value }
    if (op === 'or') return { kind: 'bool', value: left.value || right.value }
    if (op === '==') return { kind: 'bool', value: left.value === right.value }
    if (op === '!=') return { kind: 'bool', value: left.value !== right.value }
  }
  if (left.kind !== 'number' || right.kind !== 'number') return undefined
  const [a, b] = [left.value, right.value]
  const ints = left.isInt && right.isInt
  const named = left.name !== undefined || right.name !== undefined
  const show = (v: { value: number; name: string | undefined }, tight: boolean): string => {
    const text = v.name ?? `${v.value}`
    return tight && /[+\- ]/.test(text) ? `(${text})` : text
  }
  const tight = op === '*' || op === '/' || op === '%'
  const name = named && ints ? `${show(left, tight)}${op}${show(right, tight)}` : undefined
  switch (op) {
    case '+':
      return number(a + b, ints, name)
    case '-':
      return number(a - b, ints, name)
    case '*':
      return number(a * b, ints, name)
    case '/':
      return ctx.whole && ints ? number(Math.floor(a / b), true, name) : number(a / b, false)
    case '%':
      return number(a - Math.floor(a / b) * b, ints, name)
    case '^':
      return number(a ** b, ints && b >= 0, name)
    case '<':
      return { kind: 'bool', value: a < b }
    case '<=':
      return { kind: 'bool', value: a <= b }
    case '>':
      return { kind: 'bool', value: a > b }
    case '>=':
      return { kind: 'bool', value: a >= b }
    case '==':
      return { kind: 'bool', value: a === b }
    case '!=':
      return { kind: 'bool', value: a !== b }
    default:
      return undefined
  }
}

/** The operands as tensors of one shape (or rank 0), or undefined after a report. */
export function aligned(
  shown: string,
  values: readonly Value[],
  span: Span,
  ctx: Context,
):
  | {
      readonly parts: TensorValue[]
      readonly shape: readonly Extent[]
      readonly indices: readonly string[]
    }
  | undefined {
  const parts: TensorValue[] = []
  for (const value of values) {
    if (value.kind === 'error') return undefined
    const tensor = asTensor(value)
    if (tensor === undefined) {
      ctx.world.report('NET3012', span, { op: shown, type: describe(value) }, ctx)
      return undefined
    }
    const others = parts.reduce((total, p) => total + size(p.body, 2000), 0)
    parts.push(bounded(tensor, others, ctx))
  }
  const ranked = parts.filter((p) => p.shape.length > 0)
  const first = ranked[0]
  if (first === undefined) return { parts, shape: [], indices: [] }
  for (const other of ranked) {
    const same =
      other.shape.length === first.shape.length &&
      other.shape.every((e, k) => sameExtent(e, first.shape[k]!))
    if (!same) {
      const args = { op: shown, left: showShape(first.shape), right: showShape(other.shape) }
      ctx.world.report('NET3001', span, args, ctx)
      return undefined
    }
  }
  const shape = first.shape.map((e, k) => ranked.map((p) => p.shape[k]!).find((d) => d.name) ?? e)
  return { parts, shape, indices: ranked.find((p) => p.indices.length > 0)?.indices ?? [] }
}

function combine(
  op: BinaryOp,
  shown: string,
  left: Value,
  right: Value,
  span: Span,
  ctx: Context,
): Value {
  const pair = aligned(shown, [left, right], span, ctx)
  if (pair === undefined) return errorValue
  const [a, b] = pair.parts as [TensorValue, TensorValue]
  const types = [a.dtype, b.dtype]
  const logical = op === 'and' || op === 'or'
  const misfit = logical
    ? types.find((t) => t !== 'bool')
    : op !== 'eq' && op !== 'ne'
      ? types.find((t) => t === 'bool')
      : types.includes('bool') && types[0] !== types[1]
        ? types.find((t) => t !== 'bool')
        : undefined
  if (misfit !== undefined) {
    ctx.world.report('NET3012', span, { op: shown, type: nounOf(misfit) }, ctx)
    return errorValue
  }
  // Counts and numbers divide exactly unless they are in a shape or a position.
  const exact =
    op === 'div' &&
    !ctx.whole &&
    [left, right].every((v) => v.kind === 'number' || v.kind === 'dim')
  const floats =
    types.includes('f32') ||
    op === 'pow' ||
    exact ||
    (ctx.whole ? false : op === 'div' && isCount(a, b))
  const as = (t: TensorValue): Scalar => (floats ? cast('f32', t.body) : t.body)
  const [x, y] = [as(a), as(b)]
  const body = op === 'pow' && isTwo(y) && size(x, 9) <= 8 ? mul(x, x) : binary(op, x, y)
  const dtype: DType = comparisons.has(shown) || logical ? 'bool' : floats ? 'f32' : 'i32'
  const decided = floats || logical ? undefined : decide(op, x, y, ctx)
  if (decided !== undefined) return lazy('bool', pair.shape, decided, pair.indices)
  return lazy(dtype, pair.shape, body, pair.indices)
}

/** What a comparison of indices and constants gives wherever it stands: `t < 5` where t runs to 4. */
function decide(op: BinaryOp, x: Scalar, y: Scalar, ctx: Context): Scalar | undefined {
  if (op !== 'lt' && op !== 'le' && op !== 'gt' && op !== 'ge') return undefined
  const [a, b] = op === 'lt' || op === 'le' ? [x, y] : [y, x]
  const { extents } = ctx.world
  // A dimension of a whole tensor has no extent here.
  if ([x, y].some((e) => [...freeIndices(e)].some((id) => !extents.has(id)))) return undefined
  const left = intervalOf(a, extents)
  const right = intervalOf(b, extents)
  if (left === undefined || right === undefined) return undefined
  const strict = op === 'lt' || op === 'gt'
  const always = strict ? left.hi < right.lo : left.hi <= right.lo
  const never = strict ? left.lo >= right.hi : left.lo > right.hi
  return always || never ? constant(always ? -1 : 0, 'bool') : undefined
}

const isTwo = (e: Scalar): boolean => e.kind === 'const' && e.value === 2

const isCount = (a: TensorValue, b: TensorValue): boolean =>
  [a, b].every((t) => t.body.kind === 'count' || t.body.kind === 'const')

export const nounOf = (type: DType): string =>
  type === 'i32' ? 'an int' : type === 'bool' ? 'a bool' : `a ${typeNames[type]}`

/** Binary functions of two values that are written as calls: `min(a, b)`, `max(a, b)`. */
export function applyMinMax(
  op: 'min' | 'max',
  left: Value,
  right: Value,
  span: Span,
  ctx: Context,
): Value {
  if (left.kind === 'number' && right.kind === 'number') {
    return number(Math[op](left.value, right.value), left.isInt && right.isInt)
  }
  return combine(op, op, left, right, span, ctx)
}

/** A function of one float (ints are converted), applied to every element. */
export function applyUnary(
  op: UnaryOp,
  shown: string,
  value: Value,
  span: Span,
  ctx: Context,
): Value {
  if (value.kind === 'error') return errorValue
  const pair = aligned(shown, [value], span, ctx)
  if (pair === undefined) return errorValue
  const [x] = pair.parts as [TensorValue]
  const wantsBool = op === 'not'
  if ((x.dtype === 'bool') !== wantsBool) {
    ctx.world.report('NET3012', span, { op: shown, type: nounOf(x.dtype) }, ctx)
    return errorValue
  }
  const keepsInt = op === 'neg' || op === 'abs' || op === 'sign' || op === 'not'
  const operand = keepsInt ? x.body : cast('f32', x.body)
  const dtype = keepsInt ? x.dtype : 'f32'
  return lazy(dtype, x.shape, unary(op, operand), x.indices)
}

/** The value with another element type, without changing its shape. */
export const converted = (value: TensorValue, dtype: DType): TensorValue =>
  value.dtype === dtype
    ? value
    : lazy(dtype, value.shape, cast(dtype, value.body), value.indices, value.hint)
