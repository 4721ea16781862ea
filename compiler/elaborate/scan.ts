/**
 * `scan t in T with h: [N, H] = 0 { …  h' = …  yield h' }` as a system of recurrence equations. The body is elaborated
 * once, in a context where `t` is an index: what depends on it is stored over all times, what does not is stored once.
 * A carry is read from an equation of its own, which is the next value one step away or, at the first step, the first:
 *
 *   h_prev[n, t, k] = h?[n, t - 1, k]                              // first value 0
 *   c_prev[n, t, k] = select(t == 0, c0[n, k], c?[n, t - 1, k])
 *
 * The value is what is yielded, with the time as its second dimension; a number becomes [T]. ir/recurrence.ts finds the
 * loops again.
 */

import { add, binary, constant, index, int, sameExtent, select, sub } from '../ir/build.ts'
import type { Extent, Index } from '../ir/types.ts'
import type { Span } from '../support/span.ts'
import type { Cell, Expr, Statement } from '../syntax/ast.ts'
import { type Carries, type Context, childScope, inner, join } from './context.ts'
import { chooseBlock, evalDim, evalShape, textOf } from './dims.ts'
import { converted } from './elementwise.ts'
import type { Scope } from './scope.ts'
import { checkShape, freeVariables, kept, placed, readAround, store, tensorOf } from './store.ts'
import {
  asTensor,
  baseName,
  describe,
  elementAt,
  errorValue,
  indexNames,
  isTrivial,
  lazy,
  placeholder,
  placeholders,
  scalar,
  shift,
  storedTensor,
  type TensorValue,
  type Value,
} from './values.ts'

export type Scan = Extract<Expr, { readonly kind: 'scan' }>

interface Carry {
  readonly name: string
  readonly span: Span
  /** Undefined where it is 0. */
  readonly first: TensorValue | undefined
  /** What the body reads: the element at hand of the tensor `previous`. */
  readonly value: TensorValue
  readonly previous: string
  next: TensorValue | 'failed' | undefined
}

export function evaluateScan(e: Scan, ctx: Context): Value {
  const { world, entry } = ctx
  if (isInsideEquation(ctx)) {
    world.report('NET3060', e.span, { what: 'a scan' }, ctx)
    return errorValue
  }
  const extent = timeOf(e, ctx)
  const down = directionOf(e, ctx)
  if (extent === undefined || down === undefined) return errorValue
  const time = world.index(e.index.text, extent)
  const times = [...ctx.times, time]
  const carries = new Map<string, Carry>()
  let failed = false
  for (const cell of e.carries) {
    const name = cell.name.text
    if (carries.has(name)) {
      world.report('NET2003', cell.name.span, { name }, ctx)
      return errorValue
    }
    const carry = begin(cell, times, ctx)
    if (carry === undefined) failed = true
    else carries.set(name, carry)
  }
  if (failed) return errorValue
  const place = entry.stage.equations.length
  const body = childScope(inner(ctx))
  const next = nextValues(carries, body.scope)
  const within: Context = { ...body, times, carries: next, bases: undefined }
  within.scope.define(
    e.index.text,
    scalar('i32', { kind: 'index', name: time.name }),
    e.index.span,
    time,
  )
  for (const [name, carry] of carries) within.scope.define(name, carry.value, carry.span)
  let yielded: readonly Value[] | undefined
  const hook = (s: Statement, at: Context): boolean => {
    if (s.kind !== 'yield') return false
    if (yielded !== undefined) world.report('NET2073', s.span, undefined, at)
    yielded = s.values.map((v) => result(v, time, at))
    return true
  }
  world.evaluator.block(e.body, within, { hook })
  if (world.stopped) return errorValue
  for (const [name, carry] of carries) {
    if (carry.next === undefined) world.report('NET2070', carry.span, { name }, ctx)
    if (carry.next === undefined || carry.next === 'failed') failed = true
  }
  if (yielded === undefined) {
    world.report('NET2072', e.index.span, { index: e.index.text }, ctx)
    failed = true
  }
  if (failed || yielded === undefined) return errorValue
  for (const carry of carries.values()) emitPrevious(carry, time, down, { ...ctx, times })
  entry.order(place)
  const [only] = yielded
  return yielded.length === 1 && only !== undefined
    ? hinted(only, ctx)
    : { kind: 'tuple', parts: yielded }
}

/** The static extent of the time; undefined after a report. */
export function timeOf(e: Scan, ctx: Context): Extent | undefined {
  const extent = evalDim(e.extent, inner(ctx))
  if (extent?.bound === undefined) return extent
  ctx.world.report('NET3061', e.extent.span, { dim: extent.name ?? extent.bound }, ctx)
  return undefined
}

/** Whether it runs downwards; undefined after a report. */
export function directionOf(e: Scan, ctx: Context): boolean | undefined {
  if (e.downIf === undefined) return e.down
  return chooseBlock(ctx.world.evaluator.expr(e.downIf, inner(ctx)), e.downIf, ctx)
}

/** Whether an index other than a time of a scan is in scope, so that a value would be one element. */
export function isInsideEquation(ctx: Context): boolean {
  if (ctx.frame.scalar || (ctx.restIndices ?? []).length > 0) return true
  for (const name of ctx.scope.visible()) {
    const index = ctx.scope.find(name)?.index
    if (index !== undefined && !ctx.times.some((i) => i.name === index.name)) return true
  }
  return false
}

/** A carry with its first value; undefined after a report. */
function begin(cell: Cell, times: readonly Index[], ctx: Context): Carry | undefined {
  const { world, entry, frame } = ctx
  const name = cell.name.text
  const type = cell.type
  if (type !== undefined && type.kind !== 'tensor') {
    world.report('NET3014', type.span, { wanted: 'a shape', given: textOf(type) }, ctx)
    return undefined
  }
  const declared = type === undefined ? undefined : evalShape(type.dims, ctx)
  if (type !== undefined && declared === undefined) return undefined
  const value = world.evaluator.expr(cell.initial, inner(ctx))
  if (value.kind === 'error') return undefined
  const given = asTensor(value)
  const shape = declared ?? given?.shape ?? []
  const dtype = type?.dtype ?? given?.dtype ?? 'f32'
  const fits =
    given !== undefined &&
    (given.shape.length === 0 || sameShape(given.shape, shape)) &&
    (given.dtype === dtype || (dtype === 'f32' && given.dtype === 'i32'))
  if (!fits) {
    const wanted = describe(lazy(dtype, shape, int(0)))
    world.report(
      'NET3003',
      cell.initial.span,
      { wanted, given: describe(value), of: `\`${name}\`` },
      ctx,
    )
    return undefined
  }
  const whole = placed(times, (i) => i.extent, shape, shape)
  if (!checkShape(whole, name, ctx, cell.span)) return undefined
  const previous = entry.freshName(join(frame.path, `${name}_prev`))
  entry.reserve(previous)
  const names = indexNames(shape, given.indices)
  return {
    name,
    span: cell.name.span,
    first: isZero(given) ? undefined : firstValue(converted(given, dtype), shape, name, ctx),
    value: readAround(previous, dtype, times, shape, names),
    previous,
    next: undefined,
  }
}

/** Stored, unless it is cheap to have again at each step. */
function firstValue(
  given: TensorValue,
  shape: readonly Extent[],
  name: string,
  ctx: Context,
): TensorValue {
  const first = isTrivial(given) ? given : store(given, join(ctx.frame.path, `${name}_0`), ctx)
  return lazy(given.dtype, shape, first.body, first.indices)
}

const isZero = ({ body }: TensorValue): boolean => body.kind === 'const' && Object.is(body.value, 0)

const sameShape = (a: readonly Extent[], b: readonly Extent[]): boolean =>
  a.length === b.length && a.every((x, k) => sameExtent(x, b[k]!))

function nextValues(carries: ReadonlyMap<string, Carry>, scope: Scope): Carries {
  return {
    shapeOf: (name) => carries.get(name)?.value.shape,
    assign(name, value, span, ctx) {
      const carry = carries.get(name)
      if (carry === undefined) {
        ctx.world.report('NET2074', span, { name, carried: [...carries.keys()] }, ctx)
        return
      }
      if (carry.next !== undefined) {
        ctx.world.report('NET2071', span, { name }, ctx)
        return
      }
      const next = fitting(carry, value, span, ctx)
      carry.next = next ?? 'failed'
      scope.define(`${name}'`, next ?? errorValue, span)
    },
  }
}

/** The next value, stored; undefined after a report. */
function fitting(carry: Carry, value: Value, span: Span, ctx: Context): TensorValue | undefined {
  const { name } = carry
  const { shape, dtype } = carry.value
  const tensor = asTensor(value)
  if (value.kind === 'error') return undefined
  const fits =
    tensor !== undefined &&
    sameShape(tensor.shape, shape) &&
    (tensor.dtype === dtype || (dtype === 'f32' && tensor.dtype === 'i32'))
  if (!fits) {
    const args = { name, wanted: describe(carry.value), given: describe(value) }
    ctx.world.report('NET3062', span, args, ctx)
    return undefined
  }
  return store(converted(tensor, dtype), join(ctx.frame.path, name), ctx, span)
}

/** A yielded value with the time as its second dimension, its first if it is a number. */
function result(e: Expr, time: Index, ctx: Context): Value {
  const value = ctx.world.evaluator.expr(e, inner(ctx))
  if (value.kind === 'error') return errorValue
  const tensor = asTensor(value)
  if (tensor === undefined) {
    ctx.world.report('NET3014', e.span, { wanted: 'a tensor', given: describe(value) }, ctx)
    return errorValue
  }
  const ahead = Math.min(1, tensor.shape.length)
  const insert = <T>(own: readonly T[], one: T): T[] => own.toSpliced(ahead, 0, one)
  const shape = insert(tensor.shape, time.extent)
  const at = placeholders(shape.length)
  const own = scalar(tensor.dtype, elementAt(tensor, at.toSpliced(ahead, 1)))
  const body = shift(own, 0, new Map([[time.name, at[ahead]!]]))
  const indices = insert(indexNames(tensor.shape, tensor.indices), baseName(time.name))
  const made = lazy(tensor.dtype, shape, body, indices)
  const name = tensorOf(tensor)
  if (name === undefined || body.kind !== 'read') return made
  if (freeVariables(made).length > 0) return kept(made)
  const isPlain = body.at.every((p, k) => p.kind === 'index' && p.name === placeholder(k))
  return isPlain && body.at.length === shape.length
    ? storedTensor(name, tensor.dtype, shape, indices)
    : made
}

/** The equation of the value before. */
function emitPrevious(carry: Carry, time: Index, down: boolean, ctx: Context): void {
  const { world, frame } = ctx
  const { next, value, first } = carry
  if (next === undefined || next === 'failed') return
  const names = indexNames(value.shape, value.indices)
  const own = value.shape.map((extent, k) => world.index(names[k] ?? 'i', extent))
  const outs = placed(ctx.times, (i) => i, value.shape, own)
  const at = own.map((i) => index(i))
  const after = scalar(value.dtype, elementAt(next, at))
  const t = index(time)
  const before = down ? add(t, int(1)) : sub(t, int(1))
  const varies = freeVariables(after).includes(time.name)
  const shifted = shift(after, 0, new Map([[time.name, before]]))
  const last = varies && shifted.kind === 'read' ? { ...shifted, guarded: true } : shifted
  const start = binary('eq', t, int(down ? time.extent.size - 1 : 0))
  const zero = constant(0, value.dtype)
  const isGuarded = first === undefined && varies
  world.equations++
  ctx.entry.emit({
    name: { reserved: carry.previous, dtype: value.dtype },
    dtype: value.dtype,
    shape: outs.map((i) => i.extent),
    outs,
    body: isGuarded ? last : select(start, first === undefined ? zero : elementAt(first, at), last),
    origin: frame.std ? ctx.origin : { span: carry.span, note: ctx.origin.note },
    span: carry.span,
    path: frame.path,
    shared: frame.shared,
  })
}

/** The name that is wanted for the result, should it be stored later. */
const hinted = (value: Value, ctx: Context): Value =>
  value.kind === 'tensor' && value.stored === undefined && value.memo.tensor === undefined
    ? { ...value, hint: ctx.want, origin: ctx.origin }
    : value
