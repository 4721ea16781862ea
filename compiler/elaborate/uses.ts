/**
 * How a definition uses its parameters, and what follows for its arguments: one that the body would compute again and
 * again is stored first. Counted once per definition, from the text.
 */

import { size } from '../ir/traverse.ts'
import type { Block, Expr, Statement } from '../syntax/ast.ts'
import { type Context, limits } from './context.ts'
import { store } from './store.ts'
import { isTrivial, type TensorValue } from './values.ts'

export interface Use {
  readonly count: number
  /** Read by index, or inside a reduction, so that an unstored value would be computed again and again. */
  readonly indexed: boolean
}

const useCache = new WeakMap<object, Map<string, Use>>()

/** How often, and how, the body of a definition uses each name. */
export function usesOf(item: { readonly body: Block }): ReadonlyMap<string, Use> {
  const known = useCache.get(item)
  if (known !== undefined) return known
  const uses = new Map<string, Use>()
  const note = (name: string, by: number, indexed: boolean): void => {
    const before = uses.get(name)
    uses.set(name, {
      count: (before?.count ?? 0) + by,
      indexed: indexed || (before?.indexed ?? false),
    })
  }
  const expr = (e: Expr, by: number): void => {
    switch (e.kind) {
      case 'name':
        note(e.name, by, false)
        return
      case 'read':
        if (e.base.kind === 'name') note(e.base.name, by, true)
        else expr(e.base, by)
        for (const p of e.at) if (p.kind === 'at') expr(p.value, by)
        return
      case 'call':
        // `shape(x)` and `rank(x)` compute nothing.
        if (e.callee.text === 'shape' || e.callee.text === 'rank') return
        for (const a of e.args) expr(a.value, by)
        return
      case 'reduce':
        expr(e.body, e.indices.length > 0 ? by * 2 : by)
        return
      case 'unary':
        expr(e.value, by)
        return
      case 'binary':
      case 'pipe':
        expr(e.left, by)
        expr(e.right, by)
        return
      case 'tuple':
        for (const p of e.parts) expr(p, by)
        return
      case 'if':
        expr(e.test, by)
        block(e.then, by)
        block(e.otherwise, by)
        return
      case 'scan':
        if (e.downIf !== undefined) expr(e.downIf, by)
        for (const c of e.carries) expr(c.initial, by)
        block(e.body, by * 2)
        return
      default:
    }
  }
  const statement = (s: Statement, by: number): void => {
    if (s.kind === 'bind' || s.kind === 'value' || s.kind === 'equation') expr(s.value, by)
    else if (s.kind === 'yield') for (const e of s.values) expr(e, by)
    else if (s.kind === 'for') block(s.body, by * 2)
    else if (s.kind === 'if') {
      block(s.then, by)
      if (s.otherwise !== undefined) block(s.otherwise, by)
    }
  }
  const block = (b: Block, by: number): void => {
    for (const s of b.statements) statement(s, by)
  }
  block(item.body, 1)
  useCache.set(item, uses)
  return uses
}

/** Stores an argument that the body would otherwise compute again and again. */
export function storeRepeated(
  value: TensorValue,
  use: Use,
  name: string,
  ctx: Context,
): TensorValue {
  if (value.stored !== undefined || use.count === 0 || value.body.kind === 'const') return value
  const large = size(value.body, limits.inline + 1) > limits.inline
  const perElement = value.shape.length === 0 || ctx.frame.scalar
  const cheap = perElement ? !large : !use.indexed && isTrivial(value)
  const repeated = use.count > 1 || use.indexed
  if (repeated ? cheap && !use.indexed : !large) return value
  if (use.indexed && value.shape.length === 0) return value
  const made = store(value, value.hint ?? name, { ...ctx, want: undefined })
  return made.indices.length > 0 ? made : { ...made, indices: value.indices }
}
