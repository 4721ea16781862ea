/** From lazy values to equations: storing a value in a tensor of its own, once. */

import { freeIndices, size } from '../ir/traverse.ts'
import type { DType, Extent, Index, Scalar } from '../ir/types.ts'
import type { Span } from '../support/span.ts'
import { type Context, join, limits } from './context.ts'
import {
  indexNames,
  instantiate,
  isVariable,
  lazy,
  placeholders,
  showShape,
  storedTensor,
  type TensorValue,
} from './values.ts'

/** The variables of the equation around that the value depends on. */
export const freeVariables = (value: TensorValue): string[] =>
  [...freeIndices(value.body)].filter(isVariable)

/**
 * The variables among `ids` in the order in which a tensor has them: the bounded one, the times of the scans around from
 * the outermost in, the others as they come.
 */
export function variables(ids: Iterable<string>, ctx: Context): Index[] {
  const rank = (i: Index): number => {
    const time = ctx.times.findIndex((x) => x.name === i.name)
    return i.extent.bound !== undefined ? -1 : time < 0 ? ctx.times.length : time
  }
  return [...ids]
    .map((name) => ({ name, extent: ctx.world.extents.get(name) ?? unknownExtent }))
    .sort((a, b) => rank(a) - rank(b))
}

const unknownExtent: Extent = { size: 1, bound: undefined, name: undefined }

/**
 * Per dimension of a tensor that holds a value for all values of the variables around: what stands for the variable or
 * for the value's own dimension. A bounded dimension is first, then come the variables.
 */
export function placed<T>(
  around: readonly Index[],
  ofVariable: (i: Index) => T,
  shape: readonly Extent[],
  own: readonly T[],
): T[] {
  const isBounded = (i: Index): boolean => i.extent.bound !== undefined
  const ahead = shape[0]?.bound === undefined ? 0 : 1
  return [
    ...around.filter(isBounded).map(ofVariable),
    ...own.slice(0, ahead),
    ...around.filter((i) => !isBounded(i)).map(ofVariable),
    ...own.slice(ahead),
  ]
}

const atIndex = (i: Index): Scalar => ({ kind: 'index', name: i.name })

/** A value of this shape that reads, of a tensor over the variables around too, the element at hand. */
export function readAround(
  tensor: string,
  dtype: DType,
  around: readonly Index[],
  shape: readonly Extent[],
  names: readonly string[],
): TensorValue {
  const at = placed(around, atIndex, shape, placeholders(shape.length))
  const body: Scalar = { kind: 'read', tensor, type: dtype, at, guarded: false }
  return kept(lazy(dtype, shape, body, names))
}

/** Marks a plain read of a tensor: storing it gives itself. */
export function kept(value: TensorValue): TensorValue {
  value.memo.tensor = value
  return value
}

/** The tensor that a stored value reads. */
export function tensorOf(value: TensorValue): string | undefined {
  if (value.stored !== undefined) return value.stored
  const { body } = value
  return body.kind === 'read' && value.memo.tensor?.body === body ? body.tensor : undefined
}

/**
 * The value as a stored tensor. A value that depends on variables of the equation or the scans around it is stored for
 * all their values (and for those of `over`), and the result reads the element at hand.
 */
export function store(
  value: TensorValue,
  name: string,
  ctx: Context,
  span?: Span,
  over: readonly string[] = [],
): TensorValue {
  if (over.length === 0) {
    if (value.stored !== undefined) return value
    if (value.memo.tensor !== undefined) return value.memo.tensor
  }
  const { world } = ctx
  const around = variables(new Set([...over, ...freeVariables(value)]), ctx)
  const domain = instantiate(value, (base, extent) => world.index(base, extent))
  const outs = placed(around, (i) => i, value.shape, domain.outs)
  const shape = outs.map((i) => i.extent)
  const hinted = value.hint !== undefined && ctx.want === undefined
  const origin = hinted ? (value.origin ?? ctx.origin) : ctx.origin
  const at = span ?? origin.span
  if (!checkShape(shape, name, ctx, at)) return value
  world.equations++
  if (world.equations > limits.equations && at !== undefined) {
    world.stop('NET5003', at, { limit: limits.equations }, ctx)
  }
  if (world.stopped) return value
  const stored = ctx.entry.emit({
    name: hinted ? (value.hint ?? name) : name,
    dtype: value.dtype,
    shape,
    outs,
    body: domain.body,
    origin,
    span: at,
    path: ctx.frame.path,
    shared: ctx.frame.shared,
  })
  const names = indexNames(value.shape, value.indices)
  const made =
    around.length === 0
      ? storedTensor(stored, value.dtype, value.shape, names)
      : readAround(stored, value.dtype, around, value.shape, names)
  if (over.length === 0) value.memo.tensor = made
  return made
}

/** A bounded dim is outermost and alone, and a tensor fits into memory. */
export function checkShape(
  shape: readonly Extent[],
  name: string,
  ctx: Context,
  span: Span | undefined,
): boolean {
  if (span === undefined) return true
  const bounded = shape.filter((e) => e.bound !== undefined)
  const [first, second] = bounded
  if (first?.bound !== undefined && second?.bound !== undefined) {
    ctx.world.report('NET3026', span, { dim: first.bound, other: second.bound }, ctx)
    return false
  }
  if (first?.bound !== undefined && shape[0] !== first) {
    ctx.world.report('NET3009', span, { dim: first.bound, shape: showShape(shape) }, ctx)
    return false
  }
  if (shape.reduce((bytes, e) => bytes * e.size, 4) > limits.bytes) {
    ctx.world.report('NET5006', span, { name, shape: showShape(shape) }, ctx)
    return false
  }
  return true
}

/** Stores an operand that has grown so large that its expression would be a burden. */
export function bounded(value: TensorValue, other: number, ctx: Context): TensorValue {
  if (value.stored !== undefined) return value
  const own = size(value.body, limits.fusable + 1)
  return own + other > limits.fusable && own > limits.inline
    ? store(value, join(ctx.frame.path, 'part'), ctx)
    : value
}
