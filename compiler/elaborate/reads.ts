/** `x[n, i]`: reading an element, with every position proven in range, guarded, or clamped because data decides it. */

import { some } from '../ir/traverse.ts'
import type { Extent, Scalar } from '../ir/types.ts'
import type { Span } from '../support/span.ts'
import { suggest } from '../support/suggest.ts'
import type { Expr, IndexArg, Rest } from '../syntax/ast.ts'
import { type Context, inner, join } from './context.ts'
import { textOf } from './dims.ts'
import { affineOf, intervalOf } from './ranges.ts'
import { store, tensorOf } from './store.ts'
import {
  asTensor,
  describe,
  elementAt,
  errorValue,
  scalar,
  showExtent,
  showShape,
  type TensorValue,
  type Value,
} from './values.ts'

type Read = Extract<Expr, { readonly kind: 'read' }>

export function readElement(e: Read, ctx: Context): Value {
  const { world } = ctx
  const base = baseOf(e, ctx)
  if (base === undefined) return errorValue
  const at = positionsOf(e.at, base.shape, e, ctx)
  if (at === undefined) return errorValue
  let bad = false
  at.forEach((p, k) => {
    if (!checkPosition(p, base.shape[k]!, e.guarded, ctx)) bad = true
  })
  if (bad) return errorValue
  const positions = at.map((p) => p.scalar)
  if (tensorOf(base) === undefined) return scalar(base.dtype, elementAt(base, positions))
  if (world.stopped) return errorValue
  const body = elementAt(base, positions)
  return scalar(base.dtype, body.kind === 'read' ? { ...body, guarded: e.guarded } : body)
}

/** What is read, as a stored tensor. */
function baseOf(e: Read, ctx: Context): TensorValue | undefined {
  const { world } = ctx
  const value = ctx.bases?.get(e.base) ?? world.evaluator.expr(e.base, inner(ctx))
  if (value.kind === 'error') return undefined
  const tensor = value.kind === 'tensor' ? value : undefined
  if (tensor === undefined || (tensor.shape.length === 0 && e.at.length > 0 && !isRests(e.at))) {
    world.report('NET3027', e.base.span, { given: describe(value) }, ctx)
    return undefined
  }
  // Every element of a constant tensor is the constant.
  if (tensor.body.kind === 'const' && !e.guarded) return tensor
  const name = e.base.kind === 'name' ? e.base.name : 'part'
  return tensor.shape.length === 0 ? tensor : store(tensor, join(ctx.frame.path, name), ctx, e.span)
}

const isRests = (at: readonly (IndexArg | Rest)[]): boolean => at.every((p) => p.kind === 'rest')

interface Position {
  readonly scalar: Scalar
  /** Undefined for the variables of `..`. */
  readonly expr: Expr | undefined
}

function positionsOf(
  at: readonly (IndexArg | Rest)[],
  shape: readonly Extent[],
  e: Read,
  ctx: Context,
): Position[] | undefined {
  const { world } = ctx
  const rests = at.filter((p) => p.kind === 'rest')
  const [first, second] = rests
  if (first !== undefined && (ctx.restIndices === undefined || second !== undefined)) {
    const place = second !== undefined ? 'twice in one read' : 'in this read'
    world.report('NET3019', (second ?? first).span, { place }, ctx)
    return undefined
  }
  const given = at.length - rests.length + (first === undefined ? 0 : ctx.restIndices!.length)
  if (given !== shape.length) {
    const args = { rank: shape.length, given, shape: showShape(shape) }
    world.report('NET3004', e.span, args, ctx)
    return undefined
  }
  const positions: Position[] = []
  let bad = false
  for (const p of at) {
    if (p.kind === 'rest') {
      for (const index of ctx.restIndices!) {
        positions.push({ scalar: { kind: 'index', name: index.name }, expr: undefined })
      }
      continue
    }
    const position = evaluatePosition(p.value, ctx)
    if (position === undefined) bad = true
    else positions.push({ scalar: position, expr: p.value })
  }
  return bad ? undefined : positions
}

/** A position as an i32 expression; undefined after a report. */
export function evaluatePosition(e: Expr, ctx: Context): Scalar | undefined {
  const { world, scope } = ctx
  if (e.kind === 'name' && !e.primed && e.name !== 'step' && scope.find(e.name) === undefined) {
    const indices = [...scope.visible()].filter((n) => scope.find(n)?.index !== undefined)
    world.report('NET3010', e.span, { index: e.name, suggestion: suggest(e.name, indices) }, ctx)
    return undefined
  }
  const value = ctx.world.evaluator.expr(e, { ...inner(ctx), whole: true })
  if (value.kind === 'error') return undefined
  const tensor = asTensor(value)
  if (tensor === undefined || tensor.dtype !== 'i32') {
    ctx.world.report('NET3013', e.span, { what: describe(value) }, ctx)
    return undefined
  }
  if (tensor.shape.length > 0) {
    ctx.world.report('NET3011', e.span, { shape: describe(tensor) }, ctx)
    return undefined
  }
  return tensor.body
}

/** A position that is an input's own value: the input's values must lie within the dimension. */
export function limitIds(position: Scalar, extent: Extent, span: Span, ctx: Context): void {
  const vocab =
    position.kind === 'read' ? ctx.entry.limitRange(position.tensor, extent.size) : undefined
  if (vocab === undefined) return
  const size = ctx.world.vocabularies.get(vocab)?.tokens.length ?? 0
  ctx.world.report('NET2067', span, { vocab, size, extent: showExtent(extent) }, ctx)
}

function checkPosition(p: Position, extent: Extent, guarded: boolean, ctx: Context): boolean {
  const { world } = ctx
  const span = p.expr?.span ?? ctx.origin.span
  if (guarded || span === undefined) return true
  const interval = intervalOf(p.scalar, world.extents)
  if (interval === undefined) {
    limitIds(p.scalar, extent, span, ctx)
    if (some(p.scalar, (n) => n.kind === 'count') && extent.bound === undefined) return true
    return true
  }
  const position = p.expr === undefined ? '..' : textOf(p.expr)
  if (extent.bound !== undefined) {
    const plain = p.scalar.kind === 'index' && world.extents.get(p.scalar.name)?.bound
    if (plain === extent.bound || (interval.lo === 0 && interval.hi === 0)) return true
    const affine = affineOf(p.scalar)
    const same =
      affine?.terms.size === 1 && affine.constant === 0 && [...affine.terms.values()][0] === 1
    const id = [...(affine?.terms.keys() ?? [])][0]
    if (same && id !== undefined && world.extents.get(id)?.bound === extent.bound) return true
    world.report('NET3008', span, { dim: extent.bound, position }, ctx)
    return false
  }
  if (interval.lo >= 0 && interval.hi < extent.size) return true
  const shown = showExtent(extent)
  const args = { position, lo: interval.lo, hi: interval.hi, extent: shown, size: extent.size }
  world.report('NET3005', span, args, ctx)
  return false
}
