/**
 * The functions the language itself has; everything else is written in `.net`. Elementwise: exp log tanh sigmoid erf
 * sqrt sin cos abs sign floor ceil, min(a, b) max(a, b), where(test, a, b), float(x) int(x), stopgrad(x),
 * checkpoint(e), onehot(label, c). With shapes: shape(x), rank(x), full(shape, value), and random(shape), uniform in
 * [0, 1): a pure function of seed, step, site and element; random(site, element) names the site, and is keyed by seed and
 * step in predict blocks too (`netc grad` writes it).
 */

import { binary, cast, constant, index, int, select } from '../ir/build.ts'
import type { DType, Extent, Index, Scalar, UnaryOp } from '../ir/types.ts'
import type { Span } from '../support/span.ts'
import type { Expr } from '../syntax/ast.ts'
import type { Given } from './arguments.ts'
import { type Context, inner, join, numbered } from './context.ts'
import { aligned, applyMinMax, applyUnary, converted, nounOf } from './elementwise.ts'
import { limitIds } from './reads.ts'
import { store } from './store.ts'
import { total } from './totals.ts'
import {
  asTensor,
  describe,
  errorValue,
  lazy,
  number,
  placeholders,
  scalar,
  type TensorValue,
  type Value,
} from './values.ts'

type Call = Extract<Expr, { readonly kind: 'call' }>

const unaries: Readonly<Record<string, UnaryOp>> = {
  exp: 'exp',
  log: 'log',
  tanh: 'tanh',
  sigmoid: 'sigmoid',
  erf: 'erf',
  sqrt: 'sqrt',
  sin: 'sin',
  cos: 'cos',
  abs: 'abs',
  sign: 'sign',
  floor: 'floor',
  ceil: 'ceil',
}

/** What a constant argument gives, so that constants stay constants. */
const folds: Readonly<Record<string, (x: number) => number>> = {
  exp: Math.exp,
  log: Math.log,
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  sqrt: Math.sqrt,
  sin: Math.sin,
  cos: Math.cos,
  abs: Math.abs,
  sign: Math.sign,
  floor: Math.floor,
  ceil: Math.ceil,
}

const arities: Readonly<Record<string, readonly [number, number]>> = {
  min: [2, 2],
  max: [2, 2],
  where: [3, 3],
  float: [1, 1],
  int: [1, 1],
  stopgrad: [1, 1],
  checkpoint: [1, 1],
  onehot: [2, 2],
  shape: [1, 1],
  rank: [1, 1],
  total: [1, 1],
  full: [2, 2],
  random: [0, 2],
}

/** Calls that the grammar knows and a later version will give meaning. */
export const reservedCalls: ReadonlySet<string> = new Set(['grad', 'jvp'])

export const isBuiltin = (name: string): boolean =>
  Object.hasOwn(unaries, name) || Object.hasOwn(arities, name)

export const builtinNames: readonly string[] = [...Object.keys(unaries), ...Object.keys(arities)]

export function callBuiltin(
  e: Call,
  piped: Given | undefined,
  ctx: Context,
  evaluate: (e: Expr, ctx: Context) => Value,
): Value {
  const { world } = ctx
  const name = e.callee.text
  const values = [
    ...(piped === undefined ? [] : [piped.value]),
    ...e.args.map((a) => evaluate(a.value, inner(ctx))),
  ]
  const named = e.args.find((a) => a.name !== undefined)
  if (named?.name !== undefined) {
    const given = named.name.text
    const args = { callee: name, name: given, suggestion: undefined, signature: undefined }
    world.report('NET2005', named.name.span, args, ctx)
    return errorValue
  }
  const [least, most] = arities[name] ?? [1, 1]
  if (values.length > most) {
    const args = {
      callee: name,
      signature: signatures[name] ?? `${name}(x)`,
      given: values.length,
      most,
    }
    world.report('NET2006', e.args.at(-1)?.span ?? e.span, args, ctx)
    return errorValue
  }
  if (values.length < least) {
    const signature = signatures[name] ?? `${name}(x)`
    const names = signature.slice(name.length + 1, -1).split(', ')
    const args = { callee: name, name: names[values.length] ?? 'x', signature }
    world.report('NET2007', e.span, args, ctx)
    return errorValue
  }
  if (values.some((v) => v.kind === 'error')) return errorValue
  const [a, b, c] = values as [Value, Value, Value]
  const op = unaries[name]
  if (op !== undefined) {
    const fold = folds[name]
    if (a.kind === 'number' && fold !== undefined) {
      const keepsInt = op === 'abs' || op === 'sign'
      const whole = op === 'floor' || op === 'ceil'
      return number(fold(a.value), (keepsInt && a.isInt) || (whole && ctx.whole))
    }
    return applyUnary(op, name, a, e.span, ctx)
  }
  switch (name) {
    case 'min':
    case 'max':
      return applyMinMax(name, a, b, e.span, ctx)
    case 'where':
      return where(a, b, c, e.span, ctx)
    case 'float':
    case 'int':
      return convert(name === 'float' ? 'f32' : 'i32', a, e.span, ctx)
    case 'stopgrad': {
      const x = asTensor(a)
      if (x === undefined) return misfit(name, a, e.span, ctx)
      const body: Scalar = { kind: 'stopgrad', type: x.dtype, value: x.body }
      return a.kind === 'number' ? a : lazy(x.dtype, x.shape, body, x.indices)
    }
    case 'checkpoint':
      return checkpointed(a, ctx)
    case 'onehot':
      return onehot(a, b, e.span, ctx)
    case 'shape':
      return a.kind === 'tensor' ? { kind: 'shape', shape: a.shape } : misfit(name, a, e.span, ctx)
    case 'total':
      return total(a, e.span, ctx)
    case 'rank':
      return a.kind === 'number' || a.kind === 'tensor'
        ? number(a.kind === 'number' ? 0 : a.shape.length, true)
        : misfit(name, a, e.span, ctx)
    case 'full':
      return full(a, b, e.span, ctx)
    default:
      return random(values, e.span, ctx)
  }
}

const signatures: Readonly<Record<string, string>> = {
  min: 'min(a, b)',
  max: 'max(a, b)',
  where: 'where(test, then, otherwise)',
  onehot: 'onehot(label, index)',
  full: 'full(shape, value)',
  random: 'random(shape)',
}

function misfit(op: string, value: Value, span: Span, ctx: Context): Value {
  if (value.kind !== 'error') {
    ctx.world.report('NET3012', span, { op, type: describe(value) }, ctx)
  }
  return errorValue
}

function where(test: Value, then: Value, otherwise: Value, span: Span, ctx: Context): Value {
  if (test.kind === 'bool') return test.value ? then : otherwise
  const all = aligned('where', [test, then, otherwise], span, ctx)
  if (all === undefined) return errorValue
  const [t, a, b] = all.parts as [TensorValue, TensorValue, TensorValue]
  if (t.dtype !== 'bool') {
    ctx.world.report('NET3012', span, { op: 'where', type: `${nounOf(t.dtype)} as its test` }, ctx)
    return errorValue
  }
  const dtype = a.dtype === b.dtype ? a.dtype : 'f32'
  if (a.dtype !== b.dtype && (a.dtype === 'bool' || b.dtype === 'bool')) {
    ctx.world.report('NET3012', span, { op: 'where', type: 'a bool and a number' }, ctx)
    return errorValue
  }
  const body = select(t.body, cast(dtype, a.body), cast(dtype, b.body))
  return lazy(dtype, all.shape, body, all.indices)
}

function convert(dtype: DType, value: Value, span: Span, ctx: Context): Value {
  if (value.kind === 'number') {
    return number(dtype === 'i32' ? Math.trunc(value.value) : value.value, dtype === 'i32')
  }
  const x = asTensor(value)
  return x === undefined
    ? misfit(dtype === 'f32' ? 'float' : 'int', value, span, ctx)
    : converted({ ...x, hint: undefined }, dtype)
}

/** Stores the value: it is kept, what it was made of is not. */
function checkpointed(value: Value, ctx: Context): Value {
  if (value.kind === 'tuple') {
    return { ...value, parts: value.parts.map((part) => checkpointed(part, ctx)) }
  }
  if (value.kind !== 'tensor') return value
  const name = ctx.want ?? join(ctx.frame.path, numbered(ctx.frame, 'checkpoint'))
  return store(value, name, ctx)
}

/** 1 where the label is the index, else 0; an input label gets the index's extent as its range. */
function onehot(label: Value, index: Value, span: Span, ctx: Context): Value {
  const all = aligned('onehot', [label, index], span, ctx)
  if (all === undefined) return errorValue
  const [a, b] = all.parts as [TensorValue, TensorValue]
  if (a.dtype !== 'i32' || b.dtype !== 'i32') {
    const type = nounOf(a.dtype === 'i32' ? b.dtype : a.dtype)
    ctx.world.report('NET3012', span, { op: 'onehot', type }, ctx)
    return errorValue
  }
  const extent = b.body.kind === 'index' ? ctx.world.extents.get(b.body.name) : undefined
  if (extent !== undefined && extent.bound === undefined) limitIds(a.body, extent, span, ctx)
  return lazy('f32', all.shape, cast('f32', binary('eq', b.body, a.body)), all.indices)
}

function full(shape: Value, value: Value, span: Span, ctx: Context): Value {
  if (shape.kind !== 'shape') {
    ctx.world.report('NET3014', span, { wanted: 'a shape', given: describe(shape) }, ctx)
    return errorValue
  }
  if (shape.shape.length === 0) return value
  const x = asTensor(value.kind === 'number' ? number(value.value, false) : value)
  if (x === undefined || x.shape.length > 0) {
    ctx.world.report('NET3011', span, { shape: describe(value) }, ctx)
    return errorValue
  }
  return lazy(x.dtype, shape.shape, x.body)
}

function random(values: readonly Value[], span: Span, ctx: Context): Value {
  const { world, frame } = ctx
  const [first, second] = values
  if (second !== undefined) {
    const element = asTensor(second)
    if (first?.kind !== 'number' || !first.isInt || first.value < 0) {
      const given = first === undefined ? 'nothing' : describe(first)
      world.report('NET3014', span, { wanted: 'a constant site', given }, ctx)
      return errorValue
    }
    if (element === undefined || element.dtype !== 'i32') return misfit('random', second, span, ctx)
    const body: Scalar = { kind: 'random', site: first.value, element: element.body }
    return lazy('f32', element.shape, body, element.indices)
  }
  if (first !== undefined && first.kind !== 'shape') {
    const args = { wanted: 'a shape', given: describe(first) }
    world.report('NET3014', span, args, ctx)
    return errorValue
  }
  const count = (frame.counters.get('random(') ?? 0) + 1
  frame.counters.set('random(', count)
  ctx.entry.draws = true
  const site = world.site(`${ctx.entry.group}/${frame.key}/${count}`)
  const shape = first?.shape ?? ctx.filling ?? []
  const element = linearElement(shape, ctx.times)
  return shape.length === 0
    ? scalar('f32', { kind: 'random', site, element })
    : lazy('f32', shape, { kind: 'random', site, element })
}

/** The row-major number of the element at the times of the scans around and the placeholders. */
function linearElement(shape: readonly Extent[], times: readonly Index[]): Scalar {
  let element: Scalar = int(0)
  const positions = [...times.map((i): Scalar => index(i)), ...placeholders(shape.length)]
  const extents = [...times.map((i) => i.extent), ...shape]
  positions.forEach((position, k) => {
    const size = constant(extents[k]?.size ?? 1, 'i32')
    element = k === 0 ? position : binary('add', binary('mul', element, size), position)
  })
  return element
}
