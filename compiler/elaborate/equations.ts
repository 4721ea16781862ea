/**
 * `y[n, o] = …` and `d[ids[t], k] += …`: from an index equation to a stored tensor. A final value with free indices in
 * a function with a declared result is the same thing, its left side being the declared result.
 */

import { freeIndices } from '../ir/traverse.ts'
import type { Extent, Index, Scalar } from '../ir/types.ts'
import type { Span } from '../support/span.ts'
import type { Expr, IndexArg, Rest, Statement } from '../syntax/ast.ts'
import { type Context, childScope, inner, limits } from './context.ts'
import { evalDim, textOf } from './dims.ts'
import { converted, nounOf } from './elementwise.ts'
import type { Naming } from './entry.ts'
import { inferExtents, mentions, type Wanted } from './extents.ts'
import { evaluatePosition, limitIds } from './reads.ts'
import { checkShape, placed, readAround, variables } from './store.ts'
import {
  asTensor,
  describe,
  errorValue,
  indexNames,
  scalar,
  showShape,
  storedTensor,
  type TensorValue,
  type Value,
} from './values.ts'

type Equation = Extract<Statement, { readonly kind: 'equation' }>

/** The declared extents of the result, where this is the last statement of a function. */
export type Declared = readonly (Extent | undefined)[] | undefined

export function evaluateEquation(
  e: Equation,
  name: Naming,
  declared: Declared,
  ctx: Context,
): Value {
  return e.accumulate ? scatter(e, name, declared, ctx) : plain(e, name, declared, ctx)
}

/** The left side as index names; undefined after a report. */
function leftNames(e: Equation, ctx: Context): (IndexArg | Rest)[] | undefined {
  const seen = new Set<string>()
  for (const p of e.at) {
    if (p.kind === 'rest') {
      if (seen.has('..') || ctx.frame.rest === undefined) {
        const place = seen.has('..') ? 'twice' : 'on this left side'
        ctx.world.report('NET3019', p.span, { place }, ctx)
        return undefined
      }
      seen.add('..')
      continue
    }
    if (p.value.kind === 'error') return undefined
    if (p.value.kind !== 'name' || p.value.primed) {
      ctx.world.report('NET3020', p.span, { target: e.target.name.text }, ctx)
      return undefined
    }
    if (seen.has(p.value.name)) {
      ctx.world.report('NET3028', p.span, { name: p.value.name }, ctx)
      return undefined
    }
    seen.add(p.value.name)
  }
  return [...e.at]
}

function plain(e: Equation, name: Naming, declared: Declared, ctx: Context): Value {
  const left = leftNames(e, ctx)
  if (left === undefined) return errorValue
  const rest = ctx.frame.rest ?? []
  const rank = left.reduce((n, p) => n + (p.kind === 'rest' ? rest.length : 1), 0)
  let known = declared
  if (declared !== undefined && declared.length !== rank) {
    // Reported where the result is checked; here the shape follows from the uses.
    known = undefined
  }
  const wanted: Wanted[] = []
  const { target } = e
  const carried = target.primed && ctx.carries?.shapeOf(target.name.text) !== undefined
  let at = 0
  let bad = false
  for (const p of left) {
    if (p.kind === 'rest') {
      at += rest.length
      continue
    }
    let extent = known?.[at++]
    if (p.extent !== undefined) {
      extent = evalDim(p.extent, ctx)
      if (extent === undefined) bad = true
    }
    const { name: text } = p.value as { name: string }
    wanted.push({ name: text, span: p.span, extent, fixed: carried && extent !== undefined })
  }
  return bad ? errorValue : build(left, wanted, e.value, name, e.span, ctx)
}

/** Defines the indices, evaluates the body and emits. */
function build(
  left: readonly (IndexArg | Rest)[],
  wanted: readonly Wanted[],
  body: Expr,
  name: Naming,
  span: Span,
  ctx: Context,
): Value {
  const { world } = ctx
  const scan: Context = { ...inner(ctx), bases: new Map() }
  const extents = inferExtents(wanted, [body], scan)
  const within = childScope(scan)
  const rest = ctx.frame.rest ?? []
  const usesRest = left.some((p) => p.kind === 'rest')
  const restNames = indexNames(rest)
  const restIndices = usesRest ? rest.map((x, k) => world.index(restNames[k] ?? 'i', x)) : undefined
  const outs: Index[] = []
  let bad = false
  for (const p of left) {
    if (p.kind === 'rest') {
      outs.push(...(restIndices ?? []))
      continue
    }
    const text = (p.value as { name: string }).name
    const extent = extents.get(text)
    if (extent === undefined) {
      bad = true
      within.scope.define(text, errorValue, p.span)
      continue
    }
    const index = world.index(text, extent)
    outs.push(index)
    const position: Scalar = { kind: 'index', name: index.name }
    within.scope.define(text, scalar('i32', position), p.span, index)
  }
  const value = world.evaluator.expr(body, { ...within, restIndices })
  if (bad) return errorValue
  return emit(value, outs, undefined, undefined, body, name, span, ctx)
}

function emit(
  value: Value,
  outs: readonly Index[],
  at: readonly Scalar[] | undefined,
  shape: readonly Extent[] | undefined,
  body: Expr,
  name: Naming,
  span: Span,
  ctx: Context,
): Value {
  const { world } = ctx
  if (value.kind === 'error') return errorValue
  const given = asTensor(value)
  if (given === undefined || given.shape.length > 0) {
    const text = given === undefined ? describe(value) : showShape(given.shape)
    world.report('NET3011', body.span, { shape: text }, ctx)
    return errorValue
  }
  const tensor = typed(given, name, span, ctx)
  if (tensor === undefined) return errorValue
  const own = shape ?? outs.map((i) => i.extent)
  const inside = new Set(outs.map((i) => i.name))
  const parts = [tensor.body, ...(at ?? [])]
  const free = parts.flatMap((part) => [...freeIndices(part)].filter((id) => !inside.has(id)))
  const around = variables(new Set(free), ctx)
  const made = placed(around, (i) => i.extent, own, own)
  const shown = typeof name === 'string' ? name : name.reserved
  if (!checkShape(made, shown, ctx, span)) return errorValue
  if (++world.equations > limits.equations) {
    world.stop('NET5003', span, { limit: limits.equations }, ctx)
    return errorValue
  }
  const all = at === undefined ? placed(around, (i) => i, own, outs) : [...around, ...outs]
  const stored = ctx.entry.emit({
    name,
    dtype: tensor.dtype,
    shape: made,
    outs: all.toSorted((a, b) => Number(isBounded(b)) - Number(isBounded(a))),
    at: at && placed(around, (i) => ({ kind: 'index', name: i.name }) as const, own, at),
    body: tensor.body,
    origin: ctx.origin,
    span,
    path: ctx.frame.path,
    shared: ctx.frame.shared,
  })
  const names = at === undefined ? outs.map((i) => i.name.slice(0, i.name.indexOf('#'))) : []
  return around.length === 0
    ? storedTensor(stored, tensor.dtype, own, names)
    : readAround(stored, tensor.dtype, around, own, names)
}

/** As others have taken it to be, where they read it before it is defined. */
function typed(
  value: TensorValue,
  name: Naming,
  span: Span,
  ctx: Context,
): TensorValue | undefined {
  if (typeof name === 'string' || value.dtype === name.dtype) return value
  if (name.dtype === 'f32' && value.dtype === 'i32') return converted(value, 'f32')
  const args = {
    target: name.reserved,
    wanted: nounOf(name.dtype),
    given: nounOf(value.dtype),
  }
  ctx.world.report('NET3068', span, args, ctx)
  return undefined
}

const isBounded = (i: Index): boolean => i.extent.bound !== undefined

/** `+=`: the domain is every index that either side uses; the positions say where each product is added. */
function scatter(e: Equation, name: Naming, declared: Declared, ctx: Context): Value {
  const { world } = ctx
  const rest = ctx.frame.rest ?? []
  const usesRest = e.at.some((p) => p.kind === 'rest' || hasRest(p.value)) || hasRest(e.value)
  if (usesRest && ctx.frame.rest === undefined) {
    world.report('NET3019', e.span, { place: 'in this equation' }, ctx)
    return errorValue
  }
  const positions = e.at.flatMap((p) => (p.kind === 'at' ? [p.value] : []))
  const inPositions = positions.flatMap((x) => freeNames(x, ctx, true))
  const free = [...new Set([...inPositions, ...freeNames(e.value, ctx)])]
  const fixed = new Map<string, Extent>()
  let at = 0
  const shape: (Extent | undefined)[] = e.at.flatMap((p) => {
    if (p.kind === 'rest') {
      at += rest.length
      return [...rest]
    }
    const extent = p.extent === undefined ? declared?.[at] : evalDim(p.extent, ctx)
    at++
    if (p.value.kind === 'name' && extent !== undefined) fixed.set(p.value.name, extent)
    return [extent]
  })
  const wanted = free.map((n) => ({ name: n, span: e.span, extent: fixed.get(n) }))
  const scan: Context = { ...inner(ctx), bases: new Map() }
  const extents = inferExtents(wanted, [...positions, e.value], scan)
  if (extents.size < free.length) return errorValue
  const within = childScope(scan)
  const restNames = indexNames(rest)
  const restIndices = usesRest ? rest.map((x, k) => world.index(restNames[k] ?? 'i', x)) : undefined
  const outs: Index[] = [...(restIndices ?? [])]
  for (const n of free) {
    const index = world.index(n, extents.get(n)!)
    outs.push(index)
    within.scope.define(n, scalar('i32', { kind: 'index', name: index.name }), e.span, index)
  }
  outs.sort((a, b) => Number(isBounded(b)) - Number(isBounded(a)))
  const context = { ...within, restIndices }
  const targets: Scalar[] = []
  const sizes: Extent[] = []
  let next = 0
  for (const p of e.at) {
    if (p.kind === 'rest') {
      for (const index of restIndices ?? []) {
        targets.push({ kind: 'index', name: index.name })
        sizes.push(index.extent)
        next++
      }
      continue
    }
    const target = evaluatePosition(p.value, context)
    if (target === undefined) return errorValue
    let size = shape[next++]
    if (size === undefined && target.kind === 'index') size = world.extents.get(target.name)
    if (size === undefined) {
      world.report('NET3021', p.span, { target: textOf(e.target.name) }, ctx)
      return errorValue
    }
    limitIds(target, size, p.span, context)
    targets.push(target)
    sizes.push(size)
  }
  const value = world.evaluator.expr(e.value, context)
  return emit(value, outs, targets, sizes, e.value, name, e.span, ctx)
}

/** Names in positions and bodies that nothing in scope explains: index variables, in order of appearance. */
export function freeNames(e: Expr, ctx: Context, isPosition = false): string[] {
  const found: string[] = []
  const go = (x: Expr, hidden: ReadonlySet<string>, position: boolean): void => {
    switch (x.kind) {
      case 'name':
        if (position && !x.primed && !hidden.has(x.name) && ctx.scope.find(x.name) === undefined) {
          found.push(x.name)
        }
        return
      case 'read':
        go(x.base, hidden, false)
        for (const p of x.at) if (p.kind === 'at') go(p.value, hidden, true)
        return
      case 'call':
        for (const a of x.args) go(a.value, hidden, position)
        return
      case 'reduce':
        go(x.body, new Set([...hidden, ...x.indices.map((i) => i.name.text)]), position)
        return
      case 'unary':
        go(x.value, hidden, position)
        return
      case 'binary':
      case 'pipe':
        go(x.left, hidden, position)
        go(x.right, hidden, position)
        return
      case 'tuple':
        for (const p of x.parts) go(p, hidden, position)
        return
      default:
    }
  }
  go(e, new Set(), isPosition)
  return [...new Set(found)]
}

export function hasRest(e: Expr): boolean {
  return mentions(e, { has: () => false })
}

/**
 * The last value of a function with a declared result, when it has free indices: `e[.., s] / z[..]`. Undefined when
 * it has none.
 */
export function implicitEquation(
  e: Expr,
  name: string,
  declared: NonNullable<Declared>,
  shown: string,
  ctx: Context,
): Value | undefined {
  const free = freeNames(e, ctx)
  const usesRest = ctx.frame.rest !== undefined && hasRest(e)
  if (free.length === 0 && !usesRest) return undefined
  const rest = usesRest ? (ctx.frame.rest?.length ?? 0) : 0
  if (free.length + rest !== declared.length) {
    const given = free.length + rest
    ctx.world.report('NET3022', e.span, { wanted: shown, given }, ctx)
    return errorValue
  }
  const left: (IndexArg | Rest)[] = usesRest ? [{ kind: 'rest', span: e.span }] : []
  const wanted: Wanted[] = []
  free.forEach((n, k) => {
    const value: Expr = { kind: 'name', span: e.span, name: n, primed: false }
    left.push({ kind: 'at', span: e.span, value, extent: undefined })
    wanted.push({ name: n, span: e.span, extent: declared[rest + k] })
  })
  return build(left, wanted, e, name, e.span, ctx)
}
