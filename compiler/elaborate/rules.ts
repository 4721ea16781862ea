/**
 * `rule f(x) vjp(dy) = …`: a call of `f` in training keeps its arguments and its result as tensors, and carries the
 * equations of its cotangents with it, so that differentiation uses them instead of looking inside.
 */

import { sameExtent } from '../ir/build.ts'
import type { Tensor } from '../ir/types.ts'
import type { Span } from '../support/span.ts'
import type { Rule } from '../syntax/ast.ts'
import {
  type Callable,
  type Context,
  type Definition,
  type Frame,
  inner,
  join,
  numbered,
} from './context.ts'
import { converted } from './elementwise.ts'
import { Scope } from './scope.ts'
import { freeVariables, placed, readAround, store, tensorOf, variables } from './store.ts'
import {
  asTensor,
  baseName,
  describe,
  errorValue,
  lazy,
  placeholders,
  scalar,
  shift,
  showShape,
  storedTensor,
  type TensorValue,
  type Value,
} from './values.ts'

/** Checks a rule against its function; false after a report. */
export function checkRule(rule: Rule, fn: Callable, ctx: Context): boolean {
  const name = rule.name.text
  if (rule.params.length !== fn.params.length) {
    const args = { name, wanted: fn.params.length, given: rule.params.length }
    ctx.world.report('NET4010', rule.span, args, ctx)
    return false
  }
  if (rule.mode === 'vjp' && rule.seeds.length !== 1) {
    ctx.world.report('NET4014', rule.span, { name, given: rule.seeds.length }, ctx)
    return false
  }
  return true
}

export function applyRule(
  rule: Rule,
  fn: Callable,
  def: Definition,
  args: ReadonlyMap<string, Value>,
  site: Span,
  ctx: Context,
): Value {
  const { world, entry } = ctx
  const name = rule.name.text
  if (!checkRule(rule, fn, ctx)) return errorValue
  const part = numbered(ctx.frame, name)
  const path = join(ctx.frame.path, part)
  const ids = [...args.values()].flatMap((v) => (v.kind === 'tensor' ? freeVariables(v) : []))
  const around = variables(new Set(ids), ctx)
  // A whole value inside a scan stays what it is at each time; an element becomes a tensor of all elements.
  const inScan = around.every((i) => ctx.times.some((time) => time.name === i.name))
  const over = inScan ? around : []
  const free = inScan ? [] : around.map((i) => i.name)
  const extents = free.map((id) => world.extents.get(id)!)
  const times = over.map((i) => i.name)
  const stored: Store = (value, wish, at, by) => store(value, wish, at, by, times)
  const plain = { ...inner(ctx), origin: { span: site, note: `in ${name}` } }
  // Arguments and result become tensors over the variables of the equation around, so that they can be kept.
  const widen = (value: TensorValue): TensorValue => {
    if (free.length === 0) return value
    const at = placeholders(extents.length + value.shape.length)
    const by = new Map(free.map((id, k) => [id, at[k]!]))
    const shifted = shift(value, extents.length, by)
    const names = [...free.map(baseName), ...value.indices]
    return lazy(value.dtype, [...extents, ...value.shape], shifted, names)
  }
  const kept = new Map<string, Value>()
  const names: (string | undefined)[] = []
  for (const param of fn.params) {
    const given = args.get(param.name.text) ?? world.evaluator.expr(param.initial!, plain)
    if (given.kind !== 'tensor') {
      kept.set(param.name.text, given)
      names.push(undefined)
      continue
    }
    const typed = param.type?.kind === 'tensor' ? converted(given, param.type.dtype) : given
    const made = stored(widen(typed), join(path, param.name.text), plain)
    kept.set(param.name.text, made)
    names.push(tensorOf(made))
  }
  const frame: Frame = {
    callee: name,
    item: rule,
    std: false,
    span: site,
    parent: ctx.frame,
    depth: ctx.frame.depth + 1,
    path,
    owner: undefined,
    key: `${ctx.frame.key}/${part}`,
    scalar: false,
    rest: undefined,
    counters: new Map(),
  }
  const within: Context = {
    ...plain,
    frame,
    scope: new Scope(world.globals),
    restIndices: undefined,
    carries: undefined,
    bases: undefined,
    whole: false,
  }
  const before = entry.stage.equations.length
  const forward = world.evaluator.apply(def, kept, site, { ...within, want: path })
  const result = asTensor(forward)
  if (result === undefined) return errorValue
  // The result is a tensor of its own: not an argument passed on, nor a number shared with another call.
  const alone = { ...plain, frame: { ...plain.frame, path: '' } }
  const target = tensorOf(result)
  const depends = freeVariables(result)
  const isNew =
    over.every((i) => depends.includes(i.name)) &&
    entry.stage.equations.slice(before).some((e) => e.target === target)
  const fresh = isNew ? result : lazy(result.dtype, result.shape, result.body, result.indices)
  const y = isNew ? result : stored(fresh, path, alone)
  const yName = tensorOf(y)
  if (yName === undefined) return errorValue
  // A result that depends on no argument, or is no float, has no derivative to override.
  if (y.dtype !== 'f32' || names.every((n) => n === undefined)) return atVariables(y, free)
  const cotangent: Tensor = {
    name: entry.freshName(join(path, `d_${name}`)),
    dtype: 'f32',
    shape: placed(over, (i) => i.extent, y.shape, y.shape),
    role: 'temp',
    span: rule.span,
    initial: undefined,
    range: undefined,
  }
  entry.reserve(cotangent.name)
  const seed =
    over.length === 0
      ? storedTensor(cotangent.name, 'f32', y.shape)
      : readAround(cotangent.name, 'f32', over, y.shape, y.indices)
  const apart = entry.apart(() => cotangentsOf(rule, fn, kept, seed, stored, within))
  if (apart.result !== undefined) {
    entry.stage.rules.push({
      fn: name,
      result: yName,
      args: names.filter((n) => n !== undefined),
      cotangent,
      tensors: apart.tensors,
      equations: apart.equations,
      cotangents: names.flatMap((n, k) => (n === undefined ? [] : [apart.result?.[k]])),
    })
  }
  return atVariables(y, free)
}

/** Stores a value over the times of the scans around the call. */
type Store = (value: TensorValue, wish: string, ctx: Context, span?: Span) => TensorValue

/** The element of a kept result that the equation around asks for. */
function atVariables(y: TensorValue, free: readonly string[]): Value {
  if (free.length === 0 || y.shape.length === 0) return y
  if (y.shape.length !== free.length || y.stored === undefined) return errorValue
  const at = free.map((id) => ({ kind: 'index', name: id }) as const)
  return scalar(y.dtype, { kind: 'read', tensor: y.stored, type: y.dtype, at, guarded: false })
}

/** The names of the cotangent tensors, one per parameter. */
function cotangentsOf(
  rule: Rule,
  fn: Callable,
  kept: ReadonlyMap<string, Value>,
  seed: TensorValue,
  stored: Store,
  ctx: Context,
): (string | undefined)[] | undefined {
  const { world } = ctx
  const name = rule.name.text
  rule.params.forEach((param, k) => {
    ctx.scope.define(param.name.text, kept.get(fn.params[k]!.name.text) ?? errorValue)
  })
  ctx.scope.define(rule.seeds[0]!.text, seed)
  const value = world.evaluator.block(rule.body, ctx)
  if (value.kind === 'error') return undefined
  const parts = value.kind === 'tuple' ? value.parts : [value]
  if (parts.length !== fn.params.length) {
    const args = { name, wanted: fn.params.length, given: parts.length }
    world.report('NET4011', rule.span, args, ctx)
    return undefined
  }
  return parts.map((part, k) => {
    const param = fn.params[k]!
    const of = kept.get(param.name.text)
    if (of?.kind !== 'tensor' || of.dtype !== 'f32' || part.kind === 'number') return undefined
    const tensor = asTensor(part)
    const fits =
      tensor !== undefined &&
      (tensor.shape.length === 0 ||
        (tensor.shape.length === of.shape.length &&
          tensor.shape.every((e, i) => sameExtent(e, of.shape[i]!))))
    if (!fits || tensor === undefined) {
      const args = {
        name,
        param: param.name.text,
        wanted: showShape(of.shape),
        given: describe(part),
      }
      world.report('NET4012', rule.span, args, ctx)
      return undefined
    }
    const wide = lazy('f32', of.shape, converted(tensor, 'f32').body, of.indices)
    return tensorOf(stored(wide, join(ctx.frame.path, `d_${param.name.text}`), ctx, rule.span))
  })
}
