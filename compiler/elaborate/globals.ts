/** Dims, consts and vocabularies (their sizes): compile-time numbers, evaluated on demand so that their order does not matter. */

import type { BoundedDim } from '../ir/types.ts'
import type { Span } from '../support/span.ts'
import { suggest } from '../support/suggest.ts'
import type { Const, Dim, Expr, Vocab } from '../syntax/ast.ts'
import type { Context, World } from './context.ts'
import type { Items } from './modules.ts'
import { Scope } from './scope.ts'
import { describe, errorValue, number, type Value } from './values.ts'
import { readVocabulary } from './vocabulary.ts'

/** Fills the global scopes; gives the bounded dims in source order. */
export function defineGlobals(
  { dims, consts, vocabs }: Pick<Items, 'dims' | 'consts' | 'vocabs'>,
  stdConsts: readonly Const[],
  overrides: Readonly<Record<string, number>>,
  fileSpan: Span,
  base: Context,
): BoundedDim[] {
  const { world } = base
  for (const item of stdConsts) {
    world.stdGlobals.define(item.name.text, evaluateIn(item.value, world.stdGlobals, base))
  }
  checkOverrides([...dims, ...consts], overrides, fileSpan, world)
  for (const [name, binding] of world.stdGlobals.names) world.globals.names.set(name, binding)
  const items = new Map<string, Dim | Const | Vocab>(
    [...dims, ...consts, ...vocabs].map((i) => [i.name.text, i]),
  )
  const active = new Set<string>()
  const resolve = (item: Dim | Const | Vocab): void => {
    const name = item.name.text
    const known = world.globals.names.get(name)
    if (known?.span === item.name.span) return
    if (active.has(name)) {
      world.report('NET2015', item.name.span, { name })
      world.globals.define(name, errorValue, item.name.span)
      return
    }
    active.add(name)
    for (const needed of namesIn(item.value)) {
      const other = items.get(needed)
      if (other !== undefined) resolve(other)
    }
    active.delete(name)
    if (world.globals.names.get(name)?.span === item.name.span) return
    const value =
      item.kind === 'vocab' ? vocabularySize(item, base) : compileTimeValue(item, overrides, base)
    world.globals.define(name, value, item.name.span)
  }
  for (const item of items.values()) resolve(item)
  return dims.flatMap((d) => {
    const value = world.globals.find(d.name.text)?.value
    return value?.kind === 'dim' ? [{ name: d.name.text, max: value.extent.size }] : []
  })
}

/** Reads the vocabulary into the world; its size is what its name means in an expression. */
function vocabularySize(item: Vocab, base: Context): Value {
  const { world } = base
  const vocabulary = readVocabulary(item, { ...base, scope: world.globals })
  if (vocabulary === undefined) return errorValue
  world.vocabularies.set(item.name.text, vocabulary)
  return number(vocabulary.tokens.length, true, item.name.text)
}

const evaluateIn = (e: Expr, scope: Scope, base: Context, whole = false): Value =>
  base.world.evaluator.expr(e, { ...base, scope: new Scope(scope), whole })

function compileTimeValue(
  item: Dim | Const,
  overrides: Readonly<Record<string, number>>,
  base: Context,
): Value {
  const { world } = base
  const name = item.name.text
  let value = evaluateIn(item.value, world.globals, base, item.kind === 'dim')
  if (value.kind === 'error') return value
  const given = overrides[name]
  if (item.kind === 'const') {
    if (value.kind === 'bool' || value.kind === 'string') {
      if (given === undefined) return value
      if (value.kind === 'bool' && (given === 0 || given === 1)) {
        return { ...value, value: given === 1 }
      }
      const wanted = value.kind === 'bool' ? '0 or 1' : 'a text'
      const text = `${given}`
      world.report('NET5008', item.span, { name, value: text, wanted, good: '1' })
      return errorValue
    }
    if (value.kind === 'number' && Number.isFinite(value.value)) {
      if (given === undefined) return number(value.value, value.isInt)
      return number(given, value.isInt && Number.isInteger(given))
    }
  } else {
    if (given !== undefined && validSize(given)) value = number(given, true)
    if (value.kind === 'number') {
      if (!validSize(value.value)) {
        const text = `${value.value}`
        world.report('NET3016', item.value.span, { name: `the dim \`${name}\``, value: text })
        return errorValue
      }
      const extent = { size: value.value, bound: name, name }
      return item.bounded ? { kind: 'dim', extent } : number(value.value, true, name)
    }
  }
  world.report('NET2016', item.value.span, { name, kind: item.kind }, undefined, {
    label: `this is ${describe(value)}`,
  })
  return errorValue
}

const validSize = (x: number): boolean => Number.isInteger(x) && x >= 1 && x < 2 ** 31

function checkOverrides(
  items: readonly (Dim | Const)[],
  overrides: Readonly<Record<string, number>>,
  fileSpan: Span,
  world: World,
): void {
  for (const [name, value] of Object.entries(overrides)) {
    const item = items.find((i) => i.name.text === name)
    if (item === undefined) {
      const suggestion = suggest(
        name,
        items.map((i) => i.name.text),
      )
      world.report('NET5007', fileSpan, { name, suggestion })
    } else if (item.kind === 'dim' && !validSize(value)) {
      const wanted = 'a whole number from 1'
      world.report('NET5008', item.span, { name, value: `${value}`, wanted, good: '64' })
    }
  }
}

function namesIn(e: Expr): string[] {
  switch (e.kind) {
    case 'name':
      return [e.name]
    case 'unary':
      return namesIn(e.value)
    case 'binary':
      return [...namesIn(e.left), ...namesIn(e.right)]
    case 'call':
      return e.args.flatMap((a) => namesIn(a.value))
    case 'if':
      return namesIn(e.test)
    default:
      return []
  }
}
