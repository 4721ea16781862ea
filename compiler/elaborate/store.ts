/** From lazy values to equations: storing a value in a tensor of its own, once. */

import { freeIndices, size } from '../ir/traverse.ts'
import type { Extent, Scalar } from '../ir/types.ts'
import type { Span } from '../support/span.ts'
import { type Context, join, limits } from './context.ts'
import {
  elementAt,
  indexNames,
  instantiate,
  isVariable,
  lazy,
  showShape,
  storedTensor,
  type TensorValue,
} from './values.ts'

/** The variables of the equation around that the value depends on. */
export const freeVariables = (value: TensorValue): string[] =>
  [...freeIndices(value.body)].filter(isVariable)

/**
 * The value as a stored tensor. A value that depends on variables of the equation around it is stored for all their
 * values, and the result reads the element at hand.
 */
export function store(value: TensorValue, name: string, ctx: Context, span?: Span): TensorValue {
  if (value.stored !== undefined) return value
  if (value.memo.tensor !== undefined) return value.memo.tensor
  const { world } = ctx
  const free = freeVariables(value)
    .map((id) => ({
      name: id,
      extent: world.extents.get(id) ?? { size: 1, bound: undefined, name: undefined },
    }))
    .sort((a, b) => Number(b.extent.bound !== undefined) - Number(a.extent.bound !== undefined))
  const domain = instantiate(value, (base, extent) => world.index(base, extent))
  const outs = [...free, ...domain.outs]
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
  if (free.length === 0) {
    const made = storedTensor(stored, value.dtype, value.shape, names)
    value.memo.tensor = made
    return made
  }
  const all = storedTensor(stored, value.dtype, shape)
  const positions: Scalar[] = [
    ...free.map((i) => ({ kind: 'index', name: i.name }) as const),
    ...value.shape.map((_, k) => ({ kind: 'index', name: `#${k}` }) as const),
  ]
  return lazy(value.dtype, value.shape, elementAt(all, positions), names)
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
