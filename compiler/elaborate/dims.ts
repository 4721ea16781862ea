/** Shapes: evaluating dim expressions, matching declared shapes against given ones, and binding dim variables. */

import { sameExtent, staticExtent } from '../ir/build.ts'
import { visit } from '../ir/traverse.ts'
import type { Extent } from '../ir/types.ts'
import type { Span } from '../support/span.ts'
import type { DimExpr, Expr, Type } from '../syntax/ast.ts'
import type { Context } from './context.ts'
import type { Scope } from './scope.ts'
import { describe, number, showExtent, type Value } from './values.ts'

export type TensorType = Extract<Type, { readonly kind: 'tensor' }>

/** A value as an extent; reports what is no size. */
export function toExtent(value: Value, text: string, span: Span, ctx: Context): Extent | undefined {
  if (value.kind === 'dim') return value.extent
  if (value.kind === 'number') {
    if (Number.isInteger(value.value) && value.value >= 1 && value.value <= 2 ** 31 - 1) {
      return staticExtent(value.value, value.name)
    }
    ctx.world.report('NET3016', span, { name: `\`${text}\``, value: `${value.value}` }, ctx)
    return undefined
  }
  if (value.kind === 'error') return undefined
  const dim = countIn(value)
  if (dim !== undefined) {
    ctx.world.report('NET3017', span, { dim }, ctx)
    return undefined
  }
  const given = describe(value)
  ctx.world.report('NET3014', span, { wanted: 'a size', given }, ctx)
  return undefined
}

export const textOf = (e: { readonly span: Span }): string =>
  e.span.source.text.slice(e.span.start, Math.min(e.span.end, e.span.start + 80)).trim()

export function evalDim(e: Expr, ctx: Context): Extent | undefined {
  const value = ctx.world.evaluator.expr(e, {
    ...ctx,
    whole: true,
    want: undefined,
    part: undefined,
  })
  return toExtent(value, textOf(e), e.span, ctx)
}

/** The bounded dim that a value is computed from. */
function countIn(value: Value): string | undefined {
  let dim: string | undefined
  if (value.kind === 'tensor') {
    visit(value.body, (n) => {
      if (n.kind === 'count') dim = n.dim
    })
  }
  return dim
}

/** A shape all of whose names are known; undefined after a report. */
export function evalShape(dims: readonly DimExpr[], ctx: Context): Extent[] | undefined {
  const shape: Extent[] = []
  let bad = false
  let rests = 0
  for (const dim of dims) {
    if (dim.kind === 'rest') {
      if (ctx.frame.rest === undefined || rests++ > 0) {
        ctx.world.report('NET3019', dim.span, { place: rests > 1 ? 'twice' : 'in this shape' }, ctx)
        bad = true
      } else shape.push(...ctx.frame.rest)
      continue
    }
    const extent = evalDim(dim, ctx)
    if (extent === undefined) bad = true
    else shape.push(extent)
  }
  return bad ? undefined : shape
}

export const isDimVariable = (name: string): boolean => /^[A-Z]/.test(name)

/** What a signature has bound so far: dim variables under the caller's names, and `..`. */
export interface Bound {
  readonly variables: Map<string, Extent>
  rest: readonly Extent[] | undefined
  /** Something was reported. */
  failed: boolean
}

const asValue = (extent: Extent, name: string | undefined): Value =>
  extent.bound === undefined
    ? number(extent.size, true, name)
    : { kind: 'dim', extent: { ...extent, name: extent.name ?? extent.bound } }

/** Makes the dim variables known in a scope: inside under their own names, for the caller under his. */
export function defineDims(bound: Bound, scope: Scope, inside: boolean): void {
  for (const [name, extent] of bound.variables) {
    scope.define(name, asValue(extent, inside ? name : extent.name))
    const made = scope.find(name)
    if (made !== undefined) made.used = true
  }
}

export interface Mismatch {
  readonly why: string
}

/**
 * Matches a declared shape against a given one and binds the dim variables that are still open. Only bare variables
 * bind in the first round; arithmetic like `4*H` is solved in the second when one variable is open.
 */
export function matchShape(
  type: TensorType,
  given: readonly Extent[],
  bound: Bound,
  ctx: Context,
): Mismatch | undefined {
  const rests = type.dims.filter((d) => d.kind === 'rest').length
  const fixed = type.dims.length - rests
  if (rests === 0 ? given.length !== fixed : given.length < fixed) {
    const wants = `${rests > 0 ? 'at least ' : ''}${fixed} dimension${fixed === 1 ? '' : 's'}`
    return { why: `${wants} wanted, ${given.length} given` }
  }
  let at = 0
  for (const dim of type.dims) {
    if (dim.kind === 'rest') {
      const taken = given.slice(at, at + given.length - fixed)
      at += taken.length
      if (bound.rest === undefined) bound.rest = taken
      else if (
        bound.rest.length !== taken.length ||
        !bound.rest.every((e, k) => sameExtent(e, taken[k]!))
      ) {
        const show = (shape: readonly Extent[]) => `[${shape.map(showExtent).join(', ')}]`
        return { why: `\`..\` is ${show(bound.rest)} and ${show(taken)}` }
      }
      continue
    }
    const extent = given[at++]!
    const why = matchDim(dim, extent, bound, ctx)
    if (why !== undefined) return { why }
  }
  return undefined
}

function matchDim(dim: Expr, given: Extent, bound: Bound, ctx: Context): string | undefined {
  if (dim.kind === 'name' && isDimVariable(dim.name)) {
    const known = bound.variables.get(dim.name)
    if (known === undefined && ctx.scope.find(dim.name) === undefined) {
      bound.variables.set(dim.name, given)
      return undefined
    }
    if (known !== undefined) {
      if (sameExtent(known, given)) return undefined
      return `\`${dim.name}\` is ${showExtent(known)} and ${showExtent(given)}`
    }
  }
  const open = openVariables(dim, bound, ctx)
  if (open.length === 1 && given.bound === undefined) {
    const solved = solve(dim, open[0]!, given.size, bound)
    if (solved !== undefined) bound.variables.set(open[0]!, staticExtent(solved))
    else return `no whole \`${open[0]}\` makes \`${textOf(dim)}\` ${given.size}`
    return undefined
  }
  if (open.length > 0) {
    ctx.world.report('NET3018', dim.span, { name: open[0]! }, ctx)
    bound.failed = true
    return undefined
  }
  const wanted = evalDim(dim, withDims(bound, ctx))
  if (wanted === undefined || sameExtent(wanted, given)) return undefined
  return `${showExtent(wanted)} wanted, ${showExtent(given)} given`
}

/** The context in which the dim variables bound so far are known under the caller's names. */
export function withDims(bound: Bound, ctx: Context): Context {
  const scope = new (ctx.scope.constructor as typeof Scope)(ctx.scope)
  defineDims(bound, scope, true)
  return { ...ctx, scope }
}

function openVariables(e: Expr, bound: Bound, ctx: Context): string[] {
  switch (e.kind) {
    case 'name':
      return isDimVariable(e.name) &&
        !bound.variables.has(e.name) &&
        ctx.scope.find(e.name) === undefined
        ? [e.name]
        : []
    case 'unary':
      return openVariables(e.value, bound, ctx)
    case 'binary':
      return [
        ...new Set([...openVariables(e.left, bound, ctx), ...openVariables(e.right, bound, ctx)]),
      ]
    default:
      return []
  }
}

/** A type with a dim of several variables, `groups * R`: other parameters must have bound all but one of them. */
export const needsOthers = (type: TensorType): boolean =>
  type.dims.some((d) => d.kind !== 'rest' && variablesIn(d).size > 1)

function variablesIn(e: Expr): Set<string> {
  if (e.kind === 'name') return new Set(isDimVariable(e.name) ? [e.name] : [])
  if (e.kind === 'unary') return variablesIn(e.value)
  if (e.kind !== 'binary') return new Set()
  return new Set([...variablesIn(e.left), ...variablesIn(e.right)])
}

/** Solves `a * V + b = size` for a whole V of at least 1, where the expression is of this form. */
function solve(e: Expr, variable: string, size: number, bound: Bound): number | undefined {
  const at = (v: number): number => {
    const go = (n: Expr): number => {
      switch (n.kind) {
        case 'number':
          return n.value
        case 'name':
          return n.name === variable ? v : (bound.variables.get(n.name)?.size ?? Number.NaN)
        case 'unary':
          return -go(n.value)
        case 'binary':
          if (n.op === '+') return go(n.left) + go(n.right)
          if (n.op === '-') return go(n.left) - go(n.right)
          if (n.op === '*') return go(n.left) * go(n.right)
          return Number.NaN
        default:
          return Number.NaN
      }
    }
    return go(e)
  }
  const slope = at(1) - at(0)
  const value = (size - at(0)) / slope
  return Number.isInteger(value) && value >= 1 && at(value) === size ? value : undefined
}

/** Whether a compile-time condition holds; undefined after a report. */
export function chooseBlock(test: Value, at: Expr, ctx: Context): boolean | undefined {
  if (test.kind === 'bool') return test.value
  if (test.kind === 'number') return test.value !== 0
  if (test.kind !== 'error') ctx.world.report('NET2026', at.span, { what: describe(test) }, ctx)
  return undefined
}
