/**
 * Parameter groups: which `using` clause of a step each parameter belongs to. In: the clauses in their order and the
 * parameters that the step trains. A clause without `for` is the default; a parameter belongs to the last clause one
 * of whose patterns fits its name, where `*` stands for any text.
 */
import { suggest } from '../support/suggest.ts'
import type { Expr, Statement } from '../syntax/ast.ts'
import type { Context } from './context.ts'
import { describe, type TensorValue } from './values.ts'

type Call = Extract<Expr, { readonly kind: 'call' }>
export type Using = Extract<Statement, { readonly kind: 'using' }>

export interface Group {
  readonly using: Using
  /** Positions in the list of the parameters. */
  readonly members: readonly number[]
}

export const isDefault = (using: Using): boolean => using.patterns.length === 0

/** The groups, in the order of their clauses; undefined after a report. */
export function groupsOf(
  usings: readonly Using[],
  params: readonly TensorValue[],
  ctx: Context,
): readonly Group[] | undefined {
  const { world } = ctx
  const names = params.map((p) => p.stored ?? '')
  const owner: (Using | undefined)[] = names.map(() => usings.find(isDefault))
  let isFine = true
  for (const using of usings) {
    for (const e of using.patterns) {
      const fits = matcher(e, names, ctx)
      if (fits === undefined) isFine = false
      else {
        names.forEach((name, k) => {
          if (fits(name)) owner[k] = using
        })
      }
    }
  }
  if (!isFine) return undefined
  const lost = owner.indexOf(undefined)
  if (lost >= 0) {
    const span = usings[0]!.span
    const others = owner.filter((u) => u === undefined).length - 1
    world.report('NET4082', span, { name: names[lost]!, others }, ctx)
    return undefined
  }
  const groups = usings.map((using) => ({
    using,
    members: owner.flatMap((u, k) => (u === using ? [k] : [])),
  }))
  const idle = groups.find((g) => g.members.length === 0 && !isDefault(g.using))
  if (idle !== undefined) {
    world.report('NET4083', idle.using.span, {}, ctx)
    return undefined
  }
  return groups.filter((g) => g.members.length > 0)
}

/** Whether a name fits the pattern; undefined after a report. */
function matcher(
  e: Expr,
  names: readonly string[],
  ctx: Context,
): ((name: string) => boolean) | undefined {
  const { world } = ctx
  const value = world.evaluator.expr(e, ctx)
  if (value.kind !== 'string') {
    if (value.kind !== 'error') world.report('NET4080', e.span, { given: describe(value) }, ctx)
    return undefined
  }
  const parts = value.value.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  const form = new RegExp(`^${parts.join('.*')}$`, 's')
  const fits = (name: string): boolean => form.test(name)
  if (names.some(fits)) return fits
  const all = names.flatMap((name) => [name, `*${name.slice(name.lastIndexOf('.'))}`])
  // `*.b` is one letter from `*.W`.
  const lower = value.value.toLowerCase()
  const known = all.filter((name) => name.length > 4 || name.toLowerCase() === lower)
  const suggestion = suggest(value.value, known)
  const args = { pattern: value.value, suggestion, names: names.slice(0, 6), count: names.length }
  world.report('NET4081', e.span, args, ctx)
  return undefined
}

/** `adam` is `adam()`. */
export const asCall = (e: Expr): Call | undefined =>
  e.kind === 'call'
    ? e
    : e.kind === 'name'
      ? { kind: 'call', span: e.span, callee: { text: e.name, span: e.span }, args: [] }
      : undefined
