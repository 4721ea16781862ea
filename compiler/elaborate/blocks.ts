/** Blocks: statements in order, each binding or adding something, and the value of the last. */

import { sameExtent } from '../ir/build.ts'
import { size } from '../ir/traverse.ts'
import type { Origin } from '../ir/types.ts'
import { assertNever } from '../support/diagnostic.ts'
import type { Span } from '../support/span.ts'
import type { Block, Statement, Target } from '../syntax/ast.ts'
import { declareParam } from './cells.ts'
import { type BlockOptions, type Context, childScope, inner, join, limits } from './context.ts'
import { chooseBlock, evalShape, textOf } from './dims.ts'
import { converted } from './elementwise.ts'
import { evaluateEquation, implicitEquation } from './equations.ts'
import type { StateBinding } from './scope.ts'
import { assignState, declareStates, stateOf } from './state.ts'
import { freeVariables, store } from './store.ts'
import { evaluateSystem, isSystem } from './system.ts'
import { asTensor, describe, errorValue, number, showShape, type Value } from './values.ts'

export function evaluateBlock(block: Block, ctx: Context, options: BlockOptions = {}): Value {
  let value: Value | undefined
  const { statements } = block
  for (const [k, statement] of statements.entries()) {
    const { world } = ctx
    if (world.stopped) return errorValue
    if (++world.statements > limits.statements) {
      world.stop('NET5009', statement.span, { limit: limits.statements }, ctx)
      return errorValue
    }
    const last = k === statements.length - 1
    const at: Context = last ? ctx : { ...inner(ctx) }
    const made = evaluateStatement(
      statement,
      { ...at, origin: originOf(statement.span, ctx) },
      {
        ...options,
        result: last ? options.result : undefined,
      },
    )
    if (last) value = made
  }
  if (value !== undefined) return value
  if (options.hook === undefined && ctx.frame.item?.kind !== 'optimizer') {
    const name = ctx.frame.callee
    const span = statements.at(-1)?.span ?? block.span
    ctx.world.report('NET2018', span, { name }, ctx)
  }
  return errorValue
}

/** The user's statement, or his call where the text is the library's. */
const originOf = (span: Span, ctx: Context): Origin =>
  ctx.frame.std
    ? ctx.origin
    : { span, note: ctx.frame.item?.kind === 'rule' ? ctx.origin.note : '' }

/** Executes one statement; its value when it has one. */
function evaluateStatement(s: Statement, ctx: Context, options: BlockOptions): Value | undefined {
  const { world } = ctx
  if (options.hook?.(s, ctx)) return undefined
  switch (s.kind) {
    case 'bind':
      return bind(s, ctx)
    case 'equation': {
      const want = ctx.want !== undefined && options.result !== undefined ? ctx.want : undefined
      const state = s.target.primed ? nextOf(s.target, ctx) : undefined
      const carried = s.target.primed ? ctx.carries?.shapeOf(s.target.name.text) : undefined
      const declared = carried ?? state?.cell?.shape ?? options.result
      const path = want ?? localName(s.target, ctx)
      const value = evaluateEquation(s, path, declared, ctx)
      if (state !== undefined) return assignState(s.target, state, value, s.value, ctx)
      define(s.target, value, ctx)
      return value
    }
    case 'value': {
      if (s.value.kind === 'scan' && isSystem(s.value)) {
        return evaluateSystem(s.value, (target, value) => define(target, value, ctx), ctx)
      }
      const { result, resultNames } = options
      if (result !== undefined) {
        const name = ctx.want ?? join(ctx.frame.path, 'result')
        const made = implicitEquation(s.value, name, result, resultNames ?? '', ctx)
        if (made !== undefined) return made
      }
      return hinted(world.evaluator.expr(s.value, ctx), ctx)
    }
    case 'param':
      declareParam(s, ctx)
      return undefined
    case 'for':
      repeat(s, ctx, options)
      return undefined
    case 'if': {
      const test = world.evaluator.expr(s.test, inner(ctx))
      const chosen = chooseBlock(test, s.test, ctx)
      if (chosen === undefined) return errorValue
      const block = chosen ? s.then : s.otherwise
      if (block === undefined || block.statements.length === 0) return undefined
      return evaluateBlock(block, childScope(ctx, true), options)
    }
    case 'reserved': {
      const construct = `\`${s.construct}\``
      world.report('NET2014', s.span, { name: s.construct, construct }, ctx)
      return errorValue
    }
    case 'state':
      declareStates(s.cells, ctx)
      return undefined
    case 'minimize':
    case 'over':
    case 'using':
    case 'average':
    case 'report':
    case 'yield':
    case 'step': {
      const where = ctx.frame.item === undefined ? 'this place' : `a ${ctx.frame.item.kind}`
      world.report('NET2017', s.span, { statement: s.kind, where }, ctx)
      return errorValue
    }
    default: {
      return assertNever(s)
    }
  }
}

/** A lazy value takes the name that is wanted for it, should it be stored later. */
function hinted(value: Value, ctx: Context): Value {
  if (value.kind !== 'tensor' || value.stored !== undefined || ctx.want === undefined) return value
  return value.hint === undefined && freeVariables(value).length === 0
    ? { ...value, hint: ctx.want, origin: ctx.origin }
    : value
}

function bind(s: Extract<Statement, { readonly kind: 'bind' }>, ctx: Context): Value {
  const { world } = ctx
  const [first] = s.targets
  if (first === undefined) return errorValue
  if (s.targets.length > 1) {
    const value = world.evaluator.expr(s.value, inner(ctx))
    const parts = value.kind === 'tuple' ? value.parts : undefined
    if (parts?.length !== s.targets.length && value.kind !== 'error') {
      const args = { wanted: s.targets.length, given: describe(value) }
      world.report('NET2025', s.span, args, ctx)
    }
    s.targets.forEach((target, k) => {
      const part = parts?.[k]
      const state = target.primed ? nextOf(target, ctx) : undefined
      if (state !== undefined) assignState(target, state, part ?? errorValue, s.value, ctx)
      else define(target, part === undefined ? errorValue : bound(part, target, ctx), ctx)
    })
    return value
  }
  const name = localName(first, ctx)
  const naming = { ...ctx, want: ctx.frame.scalar ? undefined : name, part: first.name.text }
  let value = world.evaluator.expr(s.value, { ...naming, filling: undefined })
  if (s.type !== undefined) value = checkType(value, s, ctx)
  const state = first.primed ? nextOf(first, ctx) : undefined
  if (state !== undefined) return assignState(first, state, value, s.value, ctx)
  const kept = bound(value, first, ctx)
  define(first, kept, ctx)
  return kept
}

/** The state of which a primed target is the next value; those of optimizers and scans are read off their scopes. */
function nextOf(target: Target, ctx: Context): StateBinding | undefined {
  if (ctx.frame.item?.kind === 'optimizer') return undefined
  const isState = ctx.scope.find(target.name.text)?.state !== undefined
  return isState || ctx.carries === undefined ? stateOf(target, ctx) : undefined
}

function localName(target: Target, ctx: Context): string {
  const { text } = target.name
  const isNext = target.primed && ctx.carries?.shapeOf(text) === undefined
  return join(ctx.frame.path, isNext ? `${text}_next` : text)
}

/** A tensor is stored when it gets a name; inside somebody's equation only when it has grown large. */
function bound(value: Value, target: Target, ctx: Context): Value {
  if (value.kind !== 'tensor') return value
  const small = ctx.frame.scalar && size(value.body, limits.inline + 1) <= limits.inline
  if (value.stored !== undefined || small) return value
  const own = { ...value, hint: undefined }
  return store(own, localName(target, ctx), ctx, target.name.span)
}

function define(target: Target, value: Value, ctx: Context): void {
  if (target.primed && ctx.carries !== undefined) {
    ctx.carries.assign(target.name.text, value, target.name.span, ctx)
    return
  }
  const name = target.primed ? `${target.name.text}'` : target.name.text
  const home = ctx.scope.homeOf(name)
  if (home === undefined) {
    const before = ctx.scope.find(name)?.span
    const related = before === undefined ? [] : [{ span: before, text: 'bound here first' }]
    ctx.world.report('NET2004', target.name.span, { name }, ctx, { related })
    return
  }
  home.define(name, value, target.name.span)
}

function checkType(
  value: Value,
  s: Extract<Statement, { readonly kind: 'bind' }>,
  ctx: Context,
): Value {
  const tensor = asTensor(value)
  if (s.type?.kind !== 'tensor' || value.kind === 'error') return value
  const shape = evalShape(s.type.dims, ctx)
  if (shape === undefined) return errorValue
  const { dtype } = s.type
  const fits =
    tensor !== undefined &&
    tensor.shape.length === shape.length &&
    tensor.shape.every((e, k) => sameExtent(e, shape[k]!)) &&
    (tensor.dtype === dtype || (dtype === 'f32' && tensor.dtype === 'i32'))
  if (!fits || tensor === undefined) {
    const wanted = dtype === 'f32' ? showShape(shape) : textOf(s.type)
    const of = `\`${s.targets[0]?.name.text}\``
    ctx.world.report('NET3003', s.value.span, { wanted, given: describe(value), of }, ctx)
    return errorValue
  }
  return converted({ ...tensor, shape }, dtype)
}

function repeat(
  s: Extract<Statement, { readonly kind: 'for' }>,
  ctx: Context,
  options: BlockOptions,
): void {
  const { world } = ctx
  const bounds = [s.from, s.to].map((e) => {
    const value = world.evaluator.expr(e, { ...inner(ctx), whole: true })
    if (value.kind === 'number' && Number.isInteger(value.value)) return value.value
    if (value.kind !== 'error') {
      world.report('NET2016', e.span, { name: s.name.text, kind: 'the bound of' }, ctx)
    }
    return undefined
  })
  const [from, to] = bounds
  if (from === undefined || to === undefined) return
  if (to - from > limits.rounds) {
    world.stop('NET5002', s.span, { count: to - from, limit: limits.rounds }, ctx)
    return
  }
  for (let i = from; i < to && !world.stopped; i++) {
    const round = childScope(inner(ctx), true)
    round.scope.define(s.name.text, number(i, true), s.name.span)
    const made = round.scope.find(s.name.text)
    if (made !== undefined) made.used = true
    if (s.body.statements.length > 0) {
      evaluateBlock(s.body, round, { hook: options.hook ?? (() => false) })
    }
  }
}
