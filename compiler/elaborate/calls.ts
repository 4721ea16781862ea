/**
 * Calls of functions, layers and nets. Arguments are matched with the signature, dim variables bound, and the body is
 * elaborated anew with concrete sizes. An argument that the body uses more than once, or by index, is stored first, so
 * that no work is written twice.
 */

import { sameExtent } from '../ir/build.ts'
import type { Extent, Origin } from '../ir/types.ts'
import type { Span } from '../support/span.ts'
import type { Block, DimExpr, Param } from '../syntax/ast.ts'
import { argumentSpans } from './arguments.ts'
import {
  type Callable,
  type Context,
  type Definition,
  type Frame,
  inner,
  join,
  limits,
  numbered,
} from './context.ts'
import {
  type Bound,
  defineDims,
  evalDim,
  evalShape,
  matchShape,
  needsOthers,
  type TensorType,
  textOf,
  toExtent,
} from './dims.ts'
import { converted } from './elementwise.ts'
import { applyRule } from './rules.ts'
import { Scope } from './scope.ts'
import { freeVariables } from './store.ts'
import { storeRepeated, usesOf } from './uses.ts'
import {
  asTensor,
  describe,
  errorValue,
  lazy,
  number,
  renamed,
  scalar,
  showShape,
  type TensorValue,
  type Value,
} from './values.ts'

export function applyDefinition(
  def: Definition,
  args: ReadonlyMap<string, Value>,
  site: Span,
  ctx: Context,
): Value {
  const { world } = ctx
  const item = def.item
  if (item.kind === 'optimizer' || world.stopped) return errorValue
  const callee = item.name.text
  for (let at: Frame | undefined = ctx.frame; at !== undefined; at = at.parent) {
    if (at.item === item) {
      world.report('NET2010', site, { name: callee, kind: item.kind }, ctx)
      return errorValue
    }
  }
  if (ctx.frame.depth >= limits.callDepth) {
    world.stop('NET5005', site, { limit: limits.callDepth }, ctx)
    return errorValue
  }
  if (++world.calls > limits.calls) {
    world.stop('NET5004', site, { limit: limits.calls }, ctx)
    return errorValue
  }
  if (item.kind === 'layer' && ctx.frame.owner === undefined) {
    world.report('NET2011', site, { name: callee }, ctx)
    return errorValue
  }
  const values = [...args.values()]
  if (values.some((v) => v.kind === 'error')) {
    if (item.kind === 'net') ctx.entry.nets.add(callee)
    return errorValue
  }
  const isTime = (id: string): boolean => ctx.times.some((i) => i.name === id)
  const perElement = values.some(
    (v) => v.kind === 'tensor' && freeVariables(v).some((id) => !isTime(id)),
  )
  const rule = world.rules.get(callee)
  // Rules are for what the name means in the user's program; the library keeps its own.
  const isOwn = world.definition(callee, false) === def
  if (rule !== undefined && ctx.entry.training && !insideRule(ctx.frame, callee) && isOwn) {
    return applyRule(rule, item, def, args, site, ctx)
  }
  return elaborateCall(def, item, args, site, perElement, ctx)
}

const insideRule = (frame: Frame | undefined, name: string): boolean =>
  frame !== undefined &&
  ((frame.item?.kind === 'rule' && frame.callee === name) || insideRule(frame.parent, name))

function elaborateCall(
  def: Definition,
  item: Callable,
  args: ReadonlyMap<string, Value>,
  site: Span,
  perElement: boolean,
  ctx: Context,
): Value {
  const { world } = ctx
  const callee = item.name.text
  world.instantiated.add(item)
  const frame = newFrame(def, item, site, perElement, ctx)
  const globals = def.std ? world.stdGlobals : world.globals
  const origin: Origin =
    def.std && !ctx.frame.std ? { span: site, note: `in ${callee}` } : ctx.origin
  const outer: Context = {
    ...inner(ctx),
    scope: globals,
    frame,
    origin,
    restIndices: perElement ? ctx.restIndices : undefined,
    whole: false,
    carries: undefined,
    bases: undefined,
  }
  const bound: Bound = { variables: new Map(), rest: undefined, failed: false }
  const scope = new Scope(globals)
  if (!bindDims(item, args, bound, site, ctx, outer)) return errorValue
  frame.rest = bound.rest
  defineDims(bound, scope, true)
  const within: Context = { ...outer, scope }
  const given = bindParams(item, args, bound, frame, within, ctx)
  if (given === undefined) return errorValue
  const result = item.result?.kind === 'tensor' ? item.result : undefined
  const declared = result === undefined ? undefined : declaredShape(result, within)
  if (result !== undefined && declared === undefined) return errorValue
  const value = world.evaluator.block(
    item.body,
    {
      ...within,
      want: ctx.want ?? (perElement ? undefined : frame.path),
    },
    { result: declared, resultNames: result === undefined ? undefined : textOf(result) },
  )
  return finishResult(value, item, result, declared, bound, within, ctx)
}

function newFrame(
  def: Definition,
  item: Callable,
  site: Span,
  perElement: boolean,
  ctx: Context,
): Frame {
  const callee = item.name.text
  const parent = ctx.frame
  const base = {
    callee,
    item,
    std: def.std,
    span: site,
    parent,
    depth: parent.depth + 1,
    rest: undefined,
    counters: new Map<string, number>(),
    scalar: perElement,
  }
  if (item.kind === 'net') {
    const uses = (ctx.entry.netUses.get(callee) ?? 0) + 1
    ctx.entry.netUses.set(callee, uses)
    ctx.entry.nets.add(callee)
    const path = uses === 1 ? callee : `${callee}_${uses}`
    return { ...base, path, owner: callee, key: path }
  }
  let part = numbered(parent, callee)
  if (item.kind === 'layer' && ctx.part !== undefined) {
    // The binding names it; only unbound calls count.
    parent.counters.set(callee, (parent.counters.get(callee) ?? 1) - 1)
    const same = (parent.counters.get(`=${ctx.part}`) ?? 0) + 1
    parent.counters.set(`=${ctx.part}`, same)
    part = same === 1 ? ctx.part : `${ctx.part}_${same}`
  }
  const path = join(parent.path, part)
  const owner = parent.owner === undefined ? undefined : join(parent.owner, part)
  return { ...base, path, owner, key: `${parent.key}/${part}` }
}

/** Matches sizes and shapes with the signature; false after a report. */
function bindDims(
  item: Callable,
  args: ReadonlyMap<string, Value>,
  bound: Bound,
  site: Span,
  ctx: Context,
  outer: Context,
): boolean {
  const { world } = ctx
  let fine = true
  for (const param of item.params) {
    if (param.type?.kind !== 'dim') continue
    // A number left out helps to solve `groups * C` as one that is given does.
    const left = param.initial?.kind === 'number' ? param.initial : undefined
    const value = args.get(param.name.text) ?? (left && world.evaluator.expr(left, outer))
    if (value === undefined) continue
    const at = argumentSpans.get(args)?.get(param.name.text) ?? site
    const extent = toExtent(value, param.name.text, at, ctx)
    if (extent === undefined) fine = false
    else bound.variables.set(param.name.text, extent)
  }
  const late = (param: Param): boolean => param.type?.kind === 'tensor' && needsOthers(param.type)
  const inOrder = [...item.params.filter((p) => !late(p)), ...item.params.filter(late)]
  for (const param of inOrder) {
    const value = args.get(param.name.text)
    if (value === undefined || param.type === undefined) continue
    if (param.type.kind === 'params' && value.kind !== 'params') {
      wrong(param, describe(value), 'not the parameters of a net')
    }
    if (param.type.kind !== 'tensor') continue
    const tensor = asTensor(value)
    if (tensor === undefined) {
      wrong(param, describe(value), 'not a tensor')
      continue
    }
    const { dtype } = param.type
    if (dtype !== tensor.dtype && !(dtype === 'f32' && tensor.dtype === 'i32')) {
      wrong(param, describe(tensor), 'another element type')
      continue
    }
    const mismatch = matchShape(param.type, tensor.shape, bound, outer)
    if (mismatch !== undefined) wrong(param, describe(tensor), mismatch.why)
  }
  return fine && !bound.failed

  function wrong(param: Param, given: string, why: string): void {
    fine = false
    const wanted = param.type === undefined ? '' : withSizes(textOf(param.type), bound)
    const name = param.name.text
    const at = argumentSpans.get(args)?.get(name) ?? site
    world.report('NET3002', at, { callee: item.name.text, param: name, wanted, given, why }, ctx)
  }
}

/** `[.., I]` becomes `[.., I=784]` where I is known. */
const withSizes = (text: string, bound: Bound): string =>
  text.replace(/[A-Za-z_]\w*/g, (name) => {
    const extent = bound.variables.get(name)
    if (extent === undefined) return name
    return extent.bound === undefined ? `${name}=${extent.size}` : extent.bound
  })

/** Puts the arguments and defaults into the scope of the body; undefined after a report. */
function bindParams(
  item: Callable,
  args: ReadonlyMap<string, Value>,
  bound: Bound,
  frame: Frame,
  within: Context,
  ctx: Context,
): true | undefined {
  const { scope } = within
  const uses = usesOf(item)
  let fine = true
  for (const param of item.params) {
    const name = param.name.text
    if (param.type?.kind === 'dim' && bound.variables.has(name)) continue
    let value = args.get(name)
    if (value === undefined) {
      const whole = param.type?.kind === 'dim'
      value = ctx.world.evaluator.expr(param.initial!, { ...within, whole })
      if (value.kind === 'error') fine = false
      if (whole) {
        const extent = toExtent(value, name, param.span, ctx)
        if (extent !== undefined && extent.bound === undefined)
          value = number(extent.size, true, name)
      }
    }
    const type = param.type?.kind === 'tensor' ? param.type : undefined
    const one = type === undefined ? value : asTensor(value)
    const tensor = type === undefined || args.has(name) ? one : filled(one, type, within)
    if (tensor === undefined) continue
    if (tensor.kind === 'tensor') {
      const typed = type === undefined ? tensor : converted(tensor, type.dtype)
      const use = uses.get(name) ?? { count: 0, indexed: false }
      const kept = storeRepeated(typed, use, join(frame.path, name), within)
      value = type === undefined ? kept : renamed(kept, relabel(type, tensor.shape, bound))
    }
    scope.define(name, value, param.name.span)
    const made = scope.find(name)
    if (made !== undefined) made.used = true
  }
  return fine ? true : undefined
}

/** A default of one number stands for a tensor of that number: `mask: [N, T] = 1`. */
function filled(value: Value | undefined, type: TensorType, within: Context): Value | undefined {
  if (value?.kind !== 'tensor' || value.shape.length > 0 || type.dims.length === 0) return value
  const shape = evalShape(type.dims, within)
  return shape === undefined ? errorValue : lazy(value.dtype, shape, value.body)
}

/** The shape of an argument under the names of the signature. */
function relabel(type: TensorType, given: readonly Extent[], bound: Bound): readonly Extent[] {
  const rest = bound.rest?.length ?? 0
  const names: (string | undefined)[] = type.dims.flatMap((d: DimExpr) =>
    d.kind === 'rest'
      ? Array.from<undefined>({ length: rest })
      : [d.kind === 'name' || d.kind === 'binary' ? textOf(d) : undefined],
  )
  return given.map((extent, k) =>
    extent.bound === undefined && names[k] !== undefined ? { ...extent, name: names[k] } : extent,
  )
}

/** The declared result as far as it is known; `..` spread out. */
function declaredShape(type: TensorType, ctx: Context): Extent[] | undefined {
  const shape: Extent[] = []
  for (const d of type.dims) {
    if (d.kind === 'rest') {
      if (ctx.frame.rest === undefined) {
        const place = 'in a result without `..` in a parameter'
        ctx.world.report('NET3019', d.span, { place }, ctx)
        return undefined
      }
      shape.push(...ctx.frame.rest)
      continue
    }
    const extent = evalDim(d, ctx)
    if (extent === undefined) return undefined
    shape.push(extent)
  }
  return shape
}

function finishResult(
  value: Value,
  item: Callable,
  result: TensorType | undefined,
  declared: readonly Extent[] | undefined,
  bound: Bound,
  within: Context,
  ctx: Context,
): Value {
  if (result === undefined || declared === undefined || value.kind === 'error') return value
  const tensor = asTensor(value)
  const fits =
    tensor !== undefined &&
    tensor.shape.length === declared.length &&
    tensor.shape.every((e, k) => sameExtent(e, declared[k]!))
  const at = lastSpan(item.body) ?? item.name.span
  if (!fits || tensor === undefined) {
    const wanted = showShape(declared)
    const of = `the result of \`${item.name.text}\``
    ctx.world.report('NET3003', at, { wanted, given: describe(value), of }, within)
    return errorValue
  }
  if (tensor.dtype !== result.dtype && !(result.dtype === 'f32' && tensor.dtype === 'i32')) {
    const of = `the result of \`${item.name.text}\``
    const wanted = textOf(result)
    ctx.world.report('NET3003', at, { wanted, given: describe(value), of }, within)
    return errorValue
  }
  const scope = new Scope(within.scope)
  defineDims(bound, scope, false)
  const seen = { ...within, scope }
  const shape = declaredShape(result, seen) ?? tensor.shape
  const typed = converted(tensor, result.dtype)
  return typed.shape.length === 0 ? unnamedScalar(typed) : renamed(typed, shape)
}

const unnamedScalar = (value: TensorValue): Value =>
  value.stored === undefined && value.hint === undefined && value.indices.length === 0
    ? scalar(value.dtype, value.body)
    : value

const lastSpan = (block: Block): Span | undefined => block.statements.at(-1)?.span
