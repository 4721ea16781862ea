/** Evaluates expressions to values, in the context of a call and an equation. */

import { cast, constant, div, reduce } from '../ir/build.ts'
import type { Index, ReduceOp, Scalar } from '../ir/types.ts'
import { assertNever } from '../support/diagnostic.ts'
import { suggest } from '../support/suggest.ts'
import type { Expr } from '../syntax/ast.ts'
import { bindArguments, type Given } from './arguments.ts'
import { callBuiltin, isBuiltin, reservedCalls } from './builtins.ts'
import { inUse } from './cells.ts'
import { type Context, childScope, inner, join, numbered } from './context.ts'
import { chooseBlock, evalDim, evalShape } from './dims.ts'
import { applyBinary, applyMinMax, applyUnary, nounOf } from './elementwise.ts'
import { inferExtents, type Wanted } from './extents.ts'
import { readElement } from './reads.ts'
import { evaluateScan } from './scan.ts'
import {
  asTensor,
  describe,
  errorValue,
  indexNames,
  instantiate,
  number,
  type ParamsValue,
  scalar,
  showShape,
  storedTensor,
  type TensorValue,
  type Value,
} from './values.ts'

type Reduction = Extract<Expr, { readonly kind: 'reduce' }>
type Call = Extract<Expr, { readonly kind: 'call' }>

export function evaluate(e: Expr, ctx: Context): Value {
  if (ctx.world.stopped) return errorValue
  switch (e.kind) {
    case 'number':
      return number(e.value, e.isInt)
    case 'string':
      return { kind: 'string', value: e.value }
    case 'bool':
      return { kind: 'bool', value: e.value }
    case 'name':
      return evaluateName(e, ctx)
    case 'call':
      return isCheckpoint(e.callee.text, ctx)
        ? ctx.entry.checkpoint(() => evaluateCall(e, undefined, ctx))
        : evaluateCall(e, undefined, ctx)
    case 'pipe':
      return isCheckpoint(calleeOf(e.right), ctx)
        ? ctx.entry.checkpoint(() => evaluatePipe(e, ctx))
        : evaluatePipe(e, ctx)
    case 'read':
      return readElement(e, ctx)
    case 'reduce':
      return evaluateReduce(e, ctx)
    case 'unary': {
      const value = evaluate(e.value, inner(ctx))
      if (e.op === '-' && value.kind === 'number') return number(-value.value, value.isInt)
      if (e.op === 'not' && value.kind === 'bool') return { kind: 'bool', value: !value.value }
      return applyUnary(e.op === '-' ? 'neg' : 'not', e.op, value, e.span, ctx)
    }
    case 'binary': {
      const part = inner(ctx)
      return applyBinary(e.op, evaluate(e.left, part), evaluate(e.right, part), e.span, ctx)
    }
    case 'shape': {
      const shape = evalShape(e.dims, inner(ctx))
      return shape === undefined ? errorValue : { kind: 'shape', shape }
    }
    case 'tuple':
      return { kind: 'tuple', parts: e.parts.map((p) => evaluate(p, inner(ctx))) }
    case 'if': {
      const chosen = chooseBlock(evaluate(e.test, inner(ctx)), e.test, ctx)
      if (chosen === undefined) return errorValue
      return ctx.world.evaluator.block(chosen ? e.then : e.otherwise, childScope(ctx))
    }
    case 'scan':
      return evaluateScan(e, ctx)
    case 'error':
      return errorValue
    default:
      return assertNever(e)
  }
}

function evaluateName(e: Extract<Expr, { readonly kind: 'name' }>, ctx: Context): Value {
  const { world } = ctx
  const bound = ctx.scope.find(e.primed ? `${e.name}'` : e.name)
  if (bound !== undefined) {
    bound.used = true
    return bound.value
  }
  if (e.primed) {
    world.report('NET2028', e.span, { name: e.name }, ctx)
    return errorValue
  }
  if (e.name === 'training') return { kind: 'bool', value: ctx.entry.training }
  if (e.name === 'step') return ctx.clock ?? storedTensor('step', 'i32', [])
  const def = world.definition(e.name, ctx.frame.std)
  if (def?.item.kind === 'net') {
    const set = world.parameters(e.name)
    return { ...set, members: set.members.map((p) => inUse(p, ctx)) }
  }
  if (def !== undefined) {
    const wanted = 'a value'
    world.report('NET3014', e.span, { wanted, given: `the ${def.item.kind} \`${e.name}\`` }, ctx)
    return errorValue
  }
  const known = [...ctx.scope.visible(), 'training', 'step', ...world.definitions.keys()]
  world.report('NET2001', e.span, { name: e.name, suggestion: suggest(e.name, known) }, ctx)
  return errorValue
}

/** `checkpoint(e)` or `… |> checkpoint`: what is stored while e is evaluated belongs to it. */
const isCheckpoint = (callee: string | undefined, { world, frame }: Context): boolean =>
  callee === 'checkpoint' && (world.definition(callee, frame.std)?.std ?? true)

const calleeOf = (e: Expr): string | undefined =>
  e.kind === 'call' ? e.callee.text : e.kind === 'name' ? e.name : undefined

function evaluatePipe(e: Extract<Expr, { readonly kind: 'pipe' }>, ctx: Context): Value {
  const value = evaluate(e.left, inner(ctx))
  const given: Given = { value, span: e.left.span, name: undefined }
  const { right } = e
  if (right.kind === 'call') return evaluateCall(right, given, ctx)
  if (right.kind === 'name' && isReduction(right.name)) {
    const { span } = right
    return reduceAll(
      right.name,
      value,
      { kind: 'reduce', span, op: right.name, indices: [], body: e.left },
      ctx,
    )
  }
  if (right.kind === 'name') {
    const callee = { text: right.name, span: right.span }
    return evaluateCall({ kind: 'call', span: right.span, callee, args: [] }, given, ctx)
  }
  if (right.kind !== 'error') {
    const given = 'an expression'
    ctx.world.report('NET3014', right.span, { wanted: 'a function to pipe into', given }, ctx)
  }
  return errorValue
}

const reductions = ['sum', 'max', 'min', 'mean', 'prod', 'argmax', 'argmin'] as const

const isReduction = (name: string): name is Reduction['op'] =>
  (reductions as readonly string[]).includes(name)

function evaluateCall(e: Call, piped: Given | undefined, ctx: Context): Value {
  const { world } = ctx
  const name = e.callee.text
  const def = world.definition(name, ctx.frame.std)
  if ((def === undefined || def.std) && isBuiltin(name)) {
    return numberedResult(callBuiltin(e, piped, ctx, evaluate), e, ctx)
  }
  if (def === undefined) {
    const local = ctx.scope.find(name)
    if (reservedCalls.has(name)) {
      world.report('NET2014', e.span, { name, construct: `\`${name}\`` }, ctx)
    } else if (local !== undefined) {
      local.used = true
      if (local.value.kind !== 'error') {
        world.report('NET2009', e.callee.span, { name, what: describe(local.value) }, ctx)
      }
    } else {
      const known = [...world.definitions.keys(), ...world.stdDefinitions.keys()]
      world.report('NET2002', e.callee.span, { name, suggestion: suggest(name, known) }, ctx)
    }
    for (const arg of e.args) evaluate(arg.value, inner(ctx))
    return errorValue
  }
  if (def.item.kind === 'optimizer') {
    world.report('NET2027', e.callee.span, { name }, ctx)
    return errorValue
  }
  const args = bindArguments(def.item, e, piped, ctx)
  return args === undefined ? errorValue : world.evaluator.apply(def, args, e.span, ctx)
}

/** `tanh(x)` is called `tanh_1` should it be stored, like the result of any other call. */
function numberedResult(value: Value, e: Call, ctx: Context): Value {
  if (value.kind !== 'tensor' || value.stored !== undefined || value.shape.length === 0)
    return value
  if (ctx.want !== undefined || ctx.frame.scalar) return value
  const hint = join(ctx.frame.path, numbered(ctx.frame, e.callee.text))
  const span = ctx.frame.std ? ctx.origin.span : e.span
  return { ...value, hint, origin: { span, note: ctx.origin.note } }
}

function evaluateReduce(e: Reduction, ctx: Context): Value {
  if (e.indices.length === 0) return reduceAll(e.op, evaluate(e.body, inner(ctx)), e, ctx)
  if (e.indices.some((i) => i.within !== undefined)) return reduceOverSet(e, ctx)
  const { world } = ctx
  const rest = restOf(e, ctx)
  if (rest === undefined) return errorValue
  const named = e.indices.filter((i) => i.name.text !== '..')
  const seen = new Set<string>()
  for (const { name } of named) {
    if (seen.has(name.text)) {
      world.report('NET3028', name.span, { name: name.text }, ctx)
      return errorValue
    }
    seen.add(name.text)
  }
  const scan = { ...inner(ctx), bases: ctx.bases ?? new Map<Expr, Value>() }
  const wanted: Wanted[] = []
  for (const { name, extent } of named) {
    const size = extent === undefined ? undefined : evalDim(extent, inner(ctx))
    if (extent !== undefined && size === undefined) return errorValue
    wanted.push({ name: name.text, span: name.span, extent: size })
  }
  const extents = inferExtents(wanted, [e.body], scan)
  const within = childScope(scan)
  const over: Index[] = [...rest]
  for (const w of wanted) {
    const extent = extents.get(w.name)
    if (extent === undefined) {
      within.scope.define(w.name, errorValue, w.span)
      continue
    }
    const index = world.index(w.name, extent)
    over.push(index)
    const body: Scalar = { kind: 'index', name: index.name }
    within.scope.define(w.name, scalar('i32', body), w.span, index)
  }
  const all = rest.length > 0 || named.length < e.indices.length
  const value = evaluate(e.body, all ? { ...within, restIndices: rest } : within)
  if (over.length < rest.length + wanted.length || value.kind === 'error') return errorValue
  const body = asTensor(value)
  if (body === undefined || body.shape.length > 0) {
    const shape = body === undefined ? describe(value) : showShape(body.shape)
    world.report('NET3011', e.body.span, { shape }, ctx)
    return errorValue
  }
  return finishReduce(e, over, body.body, body.dtype, ctx)
}

/** The indices of `sum[..](…)`, none where there is no `..`; undefined after a report. */
function restOf(e: Reduction, ctx: Context): Index[] | undefined {
  const { world, frame } = ctx
  const rests = e.indices.filter((i) => i.name.text === '..')
  const [first, second] = rests
  if (first === undefined) return []
  if (second !== undefined || frame.rest === undefined || ctx.restIndices !== undefined) {
    const place =
      frame.rest === undefined
        ? 'in this reduction'
        : second === undefined
          ? 'in this reduction, which stands where it is an index already'
          : 'twice in this reduction'
    world.report('NET3019', (second ?? first).span, { place }, ctx)
    return undefined
  }
  const names = indexNames(frame.rest)
  return frame.rest.map((extent, k) => world.index(names[k] ?? 'i', extent))
}

/** `sum(x)`: over every element. */
function reduceAll(op: Reduction['op'], value: Value, e: Reduction, ctx: Context): Value {
  if (value.kind === 'error') return errorValue
  if (value.kind !== 'tensor') {
    ctx.world.report('NET3024', e.body.span, { op }, ctx)
    return errorValue
  }
  const { outs, body } = instantiate(value, (base, extent) => ctx.world.index(base, extent))
  return finishReduce(e, outs, body, value.dtype, ctx)
}

function finishReduce(
  e: Reduction,
  over: readonly Index[],
  body: Scalar,
  dtype: TensorValue['dtype'],
  ctx: Context,
): Value {
  if (dtype === 'bool') {
    ctx.world.report('NET3012', e.span, { op: e.op, type: nounOf(dtype) }, ctx)
    return errorValue
  }
  if (e.op === 'mean') {
    const size = over.reduce((n, i) => (i.extent.bound === undefined ? n * i.extent.size : n), 1)
    let count: Scalar = constant(size)
    for (const i of over) {
      if (i.extent.bound === undefined) continue
      const run = cast('f32', { kind: 'count', dim: i.extent.bound })
      count = size === 1 ? run : { kind: 'binary', op: 'mul', type: 'f32', left: run, right: count }
    }
    return scalar('f32', div(reduce('sum', over, cast('f32', body)), count))
  }
  const op: ReduceOp = e.op
  const type = op === 'argmax' || op === 'argmin' ? 'i32' : dtype
  return scalar(type, reduce(op, over, body))
}

/** `sum[p in w](…)`: written out for the tensors of a parameter set. */
function reduceOverSet(e: Reduction, ctx: Context): Value {
  const { world } = ctx
  const [index] = e.indices
  if (index?.within === undefined || e.indices.length > 1) {
    const given = 'several indices'
    world.report('NET3014', e.span, { wanted: 'one index over a parameter set', given }, ctx)
    return errorValue
  }
  const set = evaluate(index.within, inner(ctx))
  if (set.kind === 'error') return errorValue
  if (set.kind !== 'params') {
    const args = { wanted: 'a parameter set', given: describe(set) }
    world.report('NET3014', index.within.span, args, ctx)
    return errorValue
  }
  if (set.members.length === 0) {
    if (world.known.size > 0) world.report('NET3025', index.within.span, { name: set.name }, ctx)
    return scalar('f32', constant(0))
  }
  if (e.op === 'argmax' || e.op === 'argmin') {
    world.report('NET3012', e.span, { op: e.op, type: 'a parameter set' }, ctx)
    return errorValue
  }
  return fold(e, index.name.text, set, ctx)
}

function fold(e: Reduction, name: string, set: ParamsValue, ctx: Context): Value {
  let total: Value | undefined
  for (const member of set.members) {
    const within = childScope(inner(ctx))
    within.scope.define(name, member)
    const value = evaluate(e.body, within)
    if (total === undefined) total = value
    else if (e.op === 'max' || e.op === 'min') total = applyMinMax(e.op, total, value, e.span, ctx)
    else total = applyBinary(e.op === 'prod' ? '*' : '+', total, value, e.span, ctx)
  }
  const all = total ?? errorValue
  if (e.op !== 'mean') return all
  return applyBinary('/', all, number(set.members.length, true), e.span, ctx)
}
