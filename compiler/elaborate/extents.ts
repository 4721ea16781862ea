/**
 * How far an index runs. In order: its explicit or declared extent; the dimension of every read in which it stands
 * alone, unguarded, as a position (all must agree); the largest extent that keeps an affine position, in which
 * everything else is known, in range (a valid convolution). The body is scanned before it is evaluated.
 */

import { sameExtent, staticExtent } from '../ir/build.ts'
import type { Extent } from '../ir/types.ts'
import type { Span } from '../support/span.ts'
import type { Expr, IndexArg, Rest } from '../syntax/ast.ts'
import { walk } from '../syntax/walk.ts'
import type { Context } from './context.ts'
import { evalDim } from './dims.ts'
import { type Affine, product, scale, sum } from './ranges.ts'
import { showExtent, type Value } from './values.ts'

export interface Wanted {
  readonly name: string
  readonly span: Span
  /** Explicit or declared. */
  readonly extent: Extent | undefined
  /** Reads of longer dimensions take part of them: the extent is that of what is carried. */
  readonly fixed?: boolean
}

/** Extents of the index names in scope of a scan; undefined where not known (yet). */
type Known = ReadonlyMap<string, Extent | undefined>

type Visit = (position: Expr, extent: Extent, known: Known) => void

/** The extent of each wanted index; one that cannot be had is reported and left out. */
export function inferExtents(
  wanted: readonly Wanted[],
  bodies: readonly Expr[],
  ctx: Context,
): Map<string, Extent> {
  const { world } = ctx
  const found = new Map<string, Extent>()
  for (const w of wanted) if (w.extent !== undefined) found.set(w.name, w.extent)
  const clashes = new Set<string>()
  const fixed = new Set(wanted.filter((w) => w.fixed).map((w) => w.name))
  const names: Known = new Map(wanted.map((w) => [w.name, w.extent]))
  const mine = (e: Expr, known: Known): string | undefined =>
    e.kind === 'name' && !e.primed && known.get(e.name) === names.get(e.name) && names.has(e.name)
      ? e.name
      : undefined
  for (const body of bodies) {
    scan(body, names, ctx, (position, extent, known) => {
      const name = mine(position, known)
      if (name === undefined || clashes.has(name) || fixed.has(name)) return
      const before = found.get(name)
      if (before === undefined) found.set(name, extent)
      else if (!sameExtent(before, extent)) {
        clashes.add(name)
        const args = { index: name, first: showExtent(before), second: showExtent(extent) }
        world.report('NET3007', position.span, args, ctx)
      } else if (before.name === undefined && extent.name !== undefined) found.set(name, extent)
    })
  }
  if (wanted.some((w) => !found.has(w.name))) {
    const fits = new Map<string, number>()
    for (const body of bodies) {
      scan(body, names, ctx, (position, extent, known) => {
        const fit = largestFit(position, extent, known, found, names, ctx)
        if (fit !== undefined)
          fits.set(fit.name, Math.min(fits.get(fit.name) ?? fit.size, fit.size))
      })
    }
    for (const [name, size] of fits) if (size >= 1) found.set(name, staticExtent(size))
  }
  for (const name of clashes) found.delete(name)
  // What reads a value that failed has no extents to find, and that was reported.
  const failed = bodies.some((body) => readsFailed(body, ctx))
  for (const w of wanted) {
    if (!found.has(w.name) && !clashes.has(w.name) && !failed) {
      world.report('NET3006', w.span, { index: w.name }, ctx)
    }
  }
  return found
}

/** The one index of an affine position without extent, and the largest extent that stays in range. */
function largestFit(
  position: Expr,
  extent: Extent,
  known: Known,
  found: ReadonlyMap<string, Extent>,
  names: Known,
  ctx: Context,
): { name: string; size: number } | undefined {
  if (extent.bound !== undefined) return undefined
  const affine = affineOfExpr(position, known, ctx)
  if (affine === undefined) return undefined
  let open: string | undefined
  let hi = affine.constant
  for (const [name, by] of affine.terms) {
    const size = names.get(name) === known.get(name) ? found.get(name)?.size : known.get(name)?.size
    if (size !== undefined) hi += Math.max(0, by * (size - 1))
    else if (open === undefined && names.has(name)) open = name
    else return undefined
  }
  const by = open === undefined ? 0 : (affine.terms.get(open) ?? 0)
  if (open === undefined || by <= 0) return undefined
  return { name: open, size: Math.floor((extent.size - 1 - hi) / by) + 1 }
}

/** Calls `visit` for each position of an unguarded read in `e`, with the indices of the reductions around it. */
function scan(e: Expr, known: Known, ctx: Context, visit: Visit): void {
  switch (e.kind) {
    case 'read': {
      const shape = shapeOfBase(e.base, known, ctx)
      for (const p of e.at) if (p.kind === 'at') scan(p.value, known, ctx, visit)
      if (e.base.kind !== 'name') scan(e.base, known, ctx, visit)
      if (shape === undefined || e.guarded) return
      for (const [position, extent] of pairPositions(e.at, shape)) visit(position, extent, known)
      return
    }
    case 'reduce': {
      if (e.indices.some((i) => i.within !== undefined)) return
      const inner = new Map(known)
      for (const i of e.indices) {
        inner.set(i.name.text, i.extent === undefined ? undefined : quietDim(i.extent, ctx))
      }
      const open = e.indices.filter((i) => inner.get(i.name.text) === undefined)
      if (open.length > 0) {
        scan(e.body, inner, ctx, (position, extent) => {
          if (position.kind !== 'name') return
          if (!open.some((i) => i.name.text === position.name)) return
          if (inner.get(position.name) === undefined) inner.set(position.name, extent)
        })
      }
      scan(e.body, inner, ctx, visit)
      return
    }
    case 'call':
      for (const arg of e.args) scan(arg.value, known, ctx, visit)
      return
    case 'unary':
      scan(e.value, known, ctx, visit)
      return
    case 'binary':
    case 'pipe':
      scan(e.left, known, ctx, visit)
      scan(e.right, known, ctx, visit)
      return
    case 'tuple':
      for (const part of e.parts) scan(part, known, ctx, visit)
      return
    default:
  }
}

function quietDim(e: Expr, ctx: Context): Extent | undefined {
  return evalDim(e, ctx)
}

/** Positions beside the extents they go into; `..` takes the leading ones. */
export function pairPositions(
  at: readonly (IndexArg | Rest)[],
  shape: readonly Extent[],
): [Expr, Extent][] {
  const rest = at.findIndex((p) => p.kind === 'rest')
  const pairs: [Expr, Extent][] = []
  at.forEach((p, k) => {
    if (p.kind === 'rest') return
    const extent = shape[rest >= 0 && k > rest ? shape.length - (at.length - k) : k]
    if (extent !== undefined) pairs.push([p.value, extent])
  })
  return pairs
}

/** The shape of what is read. A base that is more than a name is evaluated here, once, unless it uses an index. */
function shapeOfBase(base: Expr, known: Known, ctx: Context): readonly Extent[] | undefined {
  let value: Value | undefined
  if (base.kind === 'name') {
    if (!base.primed && known.has(base.name)) return undefined
    value = ctx.scope.find(base.primed ? `${base.name}'` : base.name)?.value
  } else if (ctx.bases !== undefined && !mentions(base, known)) {
    value = ctx.bases.get(base) ?? ctx.world.evaluator.expr(base, ctx)
    ctx.bases.set(base, value)
  }
  return value?.kind === 'tensor' ? value.shape : undefined
}

function readsFailed(body: Expr, ctx: Context): boolean {
  let failed = false
  walk(body, (e) => {
    if (e.kind === 'read' && e.base.kind === 'name') {
      failed ||= ctx.scope.find(e.base.name)?.value.kind === 'error'
    }
    return failed ? false : undefined
  })
  return failed
}

/** Whether an expression uses one of the names. */
export function mentions(e: Expr, names: { has(name: string): boolean }, rest = true): boolean {
  switch (e.kind) {
    case 'name':
      return names.has(e.name)
    case 'call':
      return e.args.some((a) => mentions(a.value, names, rest))
    case 'read':
      return (
        mentions(e.base, names, rest) ||
        e.at.some((p) => (p.kind === 'rest' ? rest : mentions(p.value, names, rest)))
      )
    case 'reduce':
      return mentions(e.body, names, rest && e.indices.every((i) => i.name.text !== '..'))
    case 'unary':
      return mentions(e.value, names, rest)
    case 'binary':
    case 'pipe':
      return mentions(e.left, names, rest) || mentions(e.right, names, rest)
    case 'shape':
      return e.dims.some((d) => mentions(d, names, rest))
    case 'tuple':
      return e.parts.some((p) => mentions(p, names, rest))
    default:
      return false
  }
}

function affineOfExpr(e: Expr, known: Known, ctx: Context): Affine | undefined {
  const constant = (value: number): Affine => ({ constant: value, terms: new Map() })
  switch (e.kind) {
    case 'number':
      return e.isInt ? constant(e.value) : undefined
    case 'name': {
      if (!e.primed && known.has(e.name)) return { constant: 0, terms: new Map([[e.name, 1]]) }
      const value = ctx.scope.find(e.name)?.value
      return value?.kind === 'number' && value.isInt ? constant(value.value) : undefined
    }
    case 'unary': {
      const value = affineOfExpr(e.value, known, ctx)
      return value && e.op === '-' ? scale(value, -1) : undefined
    }
    case 'binary': {
      const left = affineOfExpr(e.left, known, ctx)
      const right = affineOfExpr(e.right, known, ctx)
      if (left === undefined || right === undefined) return undefined
      if (e.op === '+') return sum(left, right)
      if (e.op === '-') return sum(left, scale(right, -1))
      if (e.op === '*') return product(left, right)
      const whole = left.terms.size === 0 && right.terms.size === 0 && e.op === '/'
      return whole ? constant(Math.floor(left.constant / right.constant)) : undefined
    }
    default:
      return undefined
  }
}
