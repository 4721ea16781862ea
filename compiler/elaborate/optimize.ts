/**
 * `using adam(lr = 1e-3) with clip_norm(1.0)`: constant arguments become cells that can be set at run time, transforms
 * are functions of the gradient, and the optimizer's body is elaborated once per parameter with `p`, `g` and its state
 * as tensors of the parameter's shape.
 */

import { sameExtent } from '../ir/build.ts'
import { suggest } from '../support/suggest.ts'
import type { Expr, Optimizer, Param, Statement, Train } from '../syntax/ast.ts'
import { bindArguments, evaluateArgument, type Given } from './arguments.ts'
import { addCell, freshCell, initialise } from './cells.ts'
import { type Context, type Definition, type Frame, inner } from './context.ts'
import { evalShape } from './dims.ts'
import { converted } from './elementwise.ts'
import { Scope } from './scope.ts'
import { store } from './store.ts'
import {
  asTensor,
  describe,
  errorValue,
  lazy,
  showShape,
  storedTensor,
  type TensorValue,
  type Value,
} from './values.ts'

export type Using = Extract<Statement, { readonly kind: 'using' }>
type Call = Extract<Expr, { readonly kind: 'call' }>

const asCall = (e: Expr): Call | undefined =>
  e.kind === 'call'
    ? e
    : e.kind === 'name'
      ? { kind: 'call', span: e.span, callee: { text: e.name, span: e.span }, args: [] }
      : undefined

export function applyOptimizer(
  train: Train,
  using: Using,
  params: readonly TensorValue[],
  gradients: readonly string[],
  ctx: Context,
): void {
  const { world } = ctx
  const call = asCall(using.optimizer)
  const name = call?.callee.text ?? 'this'
  const def = world.definition(name, false)
  if (call === undefined || def?.item.kind !== 'optimizer') {
    if (using.optimizer.kind === 'error') return
    const all = [...world.stdDefinitions, ...world.definitions]
    const known = all.filter(([, d]) => d.item.kind === 'optimizer').map(([n]) => n)
    const suggestion = suggest(name, known)
    world.report('NET2024', call?.callee.span ?? using.optimizer.span, { name, suggestion }, ctx)
    return
  }
  const optimizer = def.item
  world.instantiated.add(optimizer)
  const origin = { span: using.span, note: `in ${name}` }
  const place: Context = { ...inner(ctx), origin }
  const cell = (e: Expr, param: Param, at: Context): Value => hyper(e, param, train, at)
  const args = bindArguments(optimizer, call, undefined, place, cell)
  if (args === undefined) return
  for (const param of optimizer.params) {
    if (args.has(param.name.text) || param.initial === undefined) continue
    args.set(
      param.name.text,
      hyper(param.initial, param, train, { ...place, scope: globalsOf(def, ctx) }),
    )
  }
  const tensors = params.map((p, k) => storedTensor(gradients[k]!, 'f32', p.shape, p.indices))
  const changed = transform(train, using, tensors, place)
  if (changed === undefined) return
  for (const [k, param] of params.entries()) {
    const note = `${name} update of ${param.stored}`
    updateOne(train, optimizer, def, args, param, changed[k]!, {
      ...place,
      origin: { ...origin, note },
    })
    // What is wrong with an optimizer is wrong for every parameter.
    if (world.diagnostics.hasErrors) return
  }
}

const globalsOf = (def: Definition, ctx: Context): Scope =>
  def.std ? ctx.world.stdGlobals : ctx.world.globals

/**
 * A number becomes a cell named after its parameter. In a call (a schedule), the number that goes by the name `lr` or
 * `value` does; the others stay constants.
 */
function hyper(e: Expr, param: Param, train: Train, ctx: Context): Value {
  const { world } = ctx
  if (e.kind === 'call') {
    const def = world.definition(e.callee.text, ctx.frame.std)
    if (def?.item.kind === 'fn') {
      const args = bindArguments(def.item, e, undefined, ctx, (arg, p, at) =>
        p.name.text === 'lr' || p.name.text === 'value'
          ? hyper(arg, param, train, at)
          : evaluateArgument(arg, p, at),
      )
      return args === undefined ? errorValue : world.evaluator.apply(def, args, e.span, ctx)
    }
  }
  const value = world.evaluator.expr(e, inner(ctx))
  if (value.kind !== 'number') return value
  const name = freshCell(world, `${train.name.text}.${param.name.text}`)
  return addCell(world, name, 'hyper', [], e.span, undefined, Math.fround(value.value))
}

/** The gradients after the `with` transforms; each sees the set of all of them. */
function transform(
  train: Train,
  using: Using,
  gradients: readonly TensorValue[],
  ctx: Context,
): readonly TensorValue[] | undefined {
  const { world } = ctx
  const at = (name: string): Context => ({
    ...ctx,
    origin: { span: ctx.origin.span, note: `in ${name}` },
    frame: { ...ctx.frame, shared: `${train.name.text}.${name}` },
  })
  let all = gradients
  for (const e of using.transforms) {
    const call = asCall(e)
    const def = call === undefined ? undefined : world.definition(call.callee.text, false)
    if (call === undefined || def?.item.kind !== 'fn') {
      const name = call?.callee.text ?? 'this'
      if (e.kind !== 'error') world.report('NET4016', e.span, { name }, ctx)
      return undefined
    }
    const { item } = def
    const set: Value = { kind: 'params', name: 'all', members: all }
    const next: TensorValue[] = []
    for (const gradient of all) {
      const given: Given = { value: gradient, span: e.span, name: undefined }
      const rest = { ...item, params: item.params.filter((p) => p.type?.kind !== 'params') }
      const args = bindArguments(rest, call, given, ctx)
      if (args === undefined) return undefined
      for (const p of item.params) if (p.type?.kind === 'params') args.set(p.name.text, set)
      const value = world.evaluator.apply(def, args, e.span, at(call.callee.text))
      const tensor = asTensor(value)
      if (value.kind === 'error') return undefined
      if (tensor === undefined || tensor.shape.length !== gradient.shape.length) {
        const args = {
          name: gradient.stored ?? 'g',
          wanted: showShape(gradient.shape),
          given: describe(value),
        }
        world.report('NET4009', e.span, args, ctx)
        return undefined
      }
      next.push({ ...tensor, hint: undefined })
    }
    all = next.map((t, k) =>
      store(t, `${gradients[k]!.stored}.${call.callee.text}`, at(call.callee.text), e.span),
    )
  }
  return all
}

function updateOne(
  train: Train,
  optimizer: Optimizer,
  def: Definition,
  args: ReadonlyMap<string, Value>,
  param: TensorValue,
  gradient: TensorValue,
  ctx: Context,
): void {
  const { world, entry } = ctx
  const name = optimizer.name.text
  const path = `${train.name.text}.${param.stored}`
  const frame: Frame = {
    callee: name,
    item: optimizer,
    std: true,
    span: ctx.origin.span,
    parent: ctx.frame,
    depth: ctx.frame.depth + 1,
    path,
    shared: `${train.name.text}.${name}`,
    owner: undefined,
    key: `${ctx.frame.key}/${path}`,
    scalar: false,
    rest: undefined,
    counters: new Map(),
  }
  const scope = new Scope(globalsOf(def, ctx))
  // Origins stay at the `using` clause, so the frame counts as the library's even for a user's optimizer.
  const within: Context = { ...ctx, frame: { ...frame, std: true }, scope }
  for (const [key, value] of args) scope.define(key, value)
  scope.define('p', param)
  scope.define('g', { ...gradient, shape: param.shape })
  const states: { name: string; cell: TensorValue; span: Statement['span'] }[] = []
  const hook = (s: Statement, at: Context): boolean => {
    if (s.kind !== 'state') return false
    for (const cell of s.cells) {
      const dims = cell.type?.kind === 'tensor' ? evalShape(cell.type.dims, at) : param.shape
      if (dims === undefined) continue
      const full = freshCell(world, `${path}.${cell.name.text}`)
      const made = addCell(world, full, 'state', dims, cell.span)
      initialise(made, cell.initial, cell.span, at)
      at.scope.define(cell.name.text, made, cell.name.span)
      states.push({ name: cell.name.text, cell: made, span: cell.span })
    }
    return true
  }
  world.evaluator.block(optimizer.body, within, { hook })
  const replace = (target: TensorValue, label: string): boolean => {
    const next = scope.find(`${label}'`)?.value
    if (next === undefined) return false
    const tensor = asTensor(next)
    if (next.kind === 'error') return true
    const fits =
      tensor !== undefined &&
      (tensor.shape.length === 0 ||
        (tensor.shape.length === target.shape.length &&
          tensor.shape.every((e, k) => sameExtent(e, target.shape[k]!))))
    if (!fits || tensor === undefined) {
      const args = { name: label, wanted: showShape(target.shape), given: describe(next) }
      world.report('NET4009', optimizer.name.span, args, within)
      return true
    }
    const exact = tensor.shape.length === target.shape.length && tensor.dtype === 'f32'
    const value = exact ? tensor : lazy('f32', target.shape, converted(tensor, 'f32').body)
    const stored = store(value, `${path}.${label}_next`, within)
    if (stored.stored !== undefined) {
      entry.stage.updates.push({ target: target.stored ?? '', value: stored.stored })
    }
    return true
  }
  for (const state of states) {
    if (!replace(state.cell, state.name)) {
      world.report('NET4008', state.span, { name: state.name, optimizer: name }, within)
    }
  }
  if (!replace(param, 'p')) world.report('NET4007', optimizer.name.span, { name }, within)
}
