/**
 * Checks that need no instantiation: names in definitions that nothing calls, so that a misspelt one is found all the
 * same, and bindings and inputs that nothing uses (warnings, given only when there are no errors).
 */

import { suggest } from '../support/suggest.ts'
import type { Block, Expr, Item, Name, Param, Rule, Statement, Type } from '../syntax/ast.ts'
import { walk } from '../syntax/walk.ts'
import { isBuiltin, reservedCalls } from './builtins.ts'
import type { Callable, Definition, World } from './context.ts'
import { isDimVariable } from './dims.ts'
import type { Items } from './modules.ts'

interface Body {
  readonly kind: Item['kind']
  readonly name: Name
  readonly params: readonly Param[]
  readonly body: Block
}

export function checkDefinitions(items: Items, world: World): void {
  const own = [...world.definitions.values()].map((d: Definition) => d.item)
  checkTypes([...own, ...items.trains, ...items.predicts, ...items.rules], items, world)
  for (const item of own) {
    if (!world.instantiated.has(item)) {
      checkNames(item, item.kind === 'optimizer' ? ['p', 'g'] : [], world)
    }
  }
  for (const rule of items.rules) checkNames(rule, ruleNames(rule), world)
  if (world.diagnostics.hasErrors) return
  for (const item of [...own, ...items.trains, ...items.predicts]) warnUnused(item, world)
}

/** Every vocabulary that a type names is declared. */
function checkTypes(all: readonly Item[], items: Items, world: World): void {
  const names = [...items.vocabs.map((v) => v.name.text), 'int', 'bool']
  walk(all, (node) => {
    const type = node as Expr | Statement | Type
    if (type.kind === 'tensor' && type.vocab !== undefined && !names.includes(type.vocab.text)) {
      const { text: name, span } = type.vocab
      world.report('NET2060', span, { name, suggestion: suggest(name, names) })
    }
    return undefined
  })
}

/** What a pipe may end in by its bare name. */
const reductions = ['sum', 'max', 'min', 'mean', 'prod', 'argmax', 'argmin']

const ruleNames = (rule: Rule): string[] => rule.seeds.map((s) => s.text)

/** Every name that the body binds anywhere, index variables included. */
function boundNames(item: Body): Set<string> {
  const names = new Set<string>()
  for (const param of item.params) {
    names.add(param.name.text)
    walk(param.type, (e) => {
      if (e.kind === 'name' && isDimVariable(e.name)) names.add(e.name)
      return undefined
    })
  }
  walk(item.body, (s) => {
    if (s.kind === 'bind') for (const t of s.targets) names.add(t.name.text)
    else if (s.kind === 'equation') {
      names.add(s.target.name.text)
      walk(s.at, (e) => {
        if (e.kind === 'name') names.add(e.name)
        return undefined
      })
    } else if (s.kind === 'param' || s.kind === 'for') names.add(s.name.text)
    else if (s.kind === 'state') for (const c of s.cells) names.add(c.name.text)
    else if (s.kind === 'scan') {
      names.add(s.index.text)
      for (const c of s.carries) names.add(c.name.text)
    } else if (s.kind === 'reduce') for (const i of s.indices) names.add(i.name.text)
    // A name alone in a position may be an index of the result.
    else if (s.kind === 'read') {
      for (const p of s.at) {
        walk(p, (e) => {
          if (e.kind === 'name') names.add(e.name)
          return undefined
        })
      }
    }
    return undefined
  })
  return names
}

function checkNames(item: Callable | Rule | Body, more: readonly string[], world: World): void {
  const bound = new Set([...boundNames(item), ...more, 'training', 'step', ...reductions])
  walk(item.body, (e) => {
    if (e.kind === 'reserved') return false
    if (e.kind === 'name' && !e.primed && !bound.has(e.name)) {
      const known = isBuiltin(e.name) || world.definition(e.name, false) !== undefined
      if (!known && world.globals.find(e.name) === undefined) {
        const all = [...bound, ...world.globals.names.keys(), ...world.definitions.keys()]
        world.report('NET2001', e.span, { name: e.name, suggestion: suggest(e.name, all) })
      }
    }
    if (e.kind === 'call') {
      const name = e.callee.text
      const known = isBuiltin(name) || world.definition(name, false) !== undefined
      if (!known && !reservedCalls.has(name) && !bound.has(name)) {
        const all = [...world.definitions.keys(), ...world.stdDefinitions.keys()]
        world.report('NET2002', e.callee.span, { name, suggestion: suggest(name, all) })
      }
    }
    return undefined
  })
}

function warnUnused(item: Body, world: World): void {
  const used = new Set<string>()
  walk(item.body, (e) => {
    if (e.kind === 'name') used.add(e.name)
    if (e.kind === 'call') used.add(e.callee.text)
    return undefined
  })
  const owner = item.name.text
  if (item.kind === 'net' || item.kind === 'train' || item.kind === 'predict') {
    for (const { name } of item.params) {
      if (used.has(name.text) || name.text.startsWith('_')) continue
      world.report('NET2020', name.span, { name: name.text, kind: item.kind, owner })
    }
  }
  const visit = (block: Block): void => {
    for (const [k, s] of block.statements.entries()) {
      if (s.kind === 'for') visit(s.body)
      else if (s.kind === 'if') {
        visit(s.then)
        if (s.otherwise !== undefined) visit(s.otherwise)
      } else if (s.kind === 'step') visit(s.body)
      else if ((s.kind === 'bind' || s.kind === 'value') && s.value.kind === 'scan') {
        visit(s.value.body)
      }
      const last = k === block.statements.length - 1 && item.kind !== 'train'
      if (last) continue
      const targets = s.kind === 'bind' ? s.targets : s.kind === 'equation' ? [s.target] : undefined
      for (const t of targets ?? []) {
        const name = t.name.text
        if (t.primed || used.has(name) || name.startsWith('_')) continue
        world.report('NET2019', t.name.span, { name })
      }
    }
  }
  visit(item.body)
}
