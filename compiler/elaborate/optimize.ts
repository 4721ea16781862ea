/**
 * `using adam(lr = 1e-3) with clip_norm(1.0)`: constant arguments become cells that can be set at run time, and the
 * optimizer's body is elaborated once per parameter with `p`, `g` and its state as tensors of the parameter's shape.
 * Several clauses are groups of parameters (groups.ts); `with` changes gradients (transforms.ts), `every` gathers them
 * over calls (accumulate.ts).
 */

import { sameExtent, select } from '../ir/build.ts'
import { suggest } from '../support/suggest.ts'
import type { Expr, Optimizer, Param, Statement, Train } from '../syntax/ast.ts'
import { accumulate, type Gathered } from './accumulate.ts'
import { bindArguments, evaluateArgument } from './arguments.ts'
import { addCell, freshCell, initialise } from './cells.ts'
import { type Context, type Definition, type Frame, inner } from './context.ts'
import { evalShape } from './dims.ts'
import { converted } from './elementwise.ts'
import { asCall, groupsOf, isDefault, type Using } from './groups.ts'
import { Scope } from './scope.ts'
import { store } from './store.ts'
import { transform } from './transforms.ts'
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

/** What the clauses of one step share. */
interface Plan {
  readonly train: Train
  readonly params: readonly TensorValue[]
  /** Set where gradients of several calls make one update. */
  readonly gate: TensorValue | undefined
}

/**
 * Adds to the stage what the `using` clauses of a step say: gradients are changed, parameters and state updated. Gives
 * when that happens; undefined after a report.
 */
export function applyOptimizers(
  train: Train,
  usings: readonly Using[],
  params: readonly TensorValue[],
  gradients: readonly string[],
  ctx: Context,
): Gathered | undefined {
  const groups = groupsOf(usings, params, ctx)
  if (groups === undefined) return undefined
  const given = params.map((p, k) => storedTensor(gradients[k]!, 'f32', p.shape, p.indices))
  const gathered = accumulate(train, usings, given, params, ctx)
  if (gathered === undefined) return undefined
  const plan: Plan = { train, params, gate: gathered.gate }
  const at: Context = { ...ctx, clock: gathered.clock }
  let all: readonly TensorValue[] | undefined = gathered.gradients
  // What the default clause does to gradients it does to all: a norm is that of the whole model.
  const common = usings.find(isDefault)
  if (common !== undefined) all = transform(train, common, all, placeOf(common, at))
  for (const { using, members } of groups) {
    if (all === undefined) return undefined
    const before: readonly TensorValue[] = all
    const own = members.map((k) => before[k]!)
    const place = placeOf(using, at)
    const changed = isDefault(using) ? own : transform(train, using, own, place)
    if (changed === undefined || !applyOptimizer(plan, using, members, changed, place))
      return undefined
  }
  return gathered
}

const nameOf = (using: Using): string => asCall(using.optimizer)?.callee.text ?? 'this'

const placeOf = (using: Using, ctx: Context): Context => ({
  ...inner(ctx),
  origin: { span: using.span, note: `in ${nameOf(using)}` },
})

/** One clause for its parameters; false after a report. */
function applyOptimizer(
  plan: Plan,
  using: Using,
  members: readonly number[],
  gradients: readonly TensorValue[],
  place: Context,
): boolean {
  const { world } = place
  const { train } = plan
  const call = asCall(using.optimizer)
  const name = nameOf(using)
  const def = world.definition(name, false)
  if (call === undefined || def?.item.kind !== 'optimizer') {
    if (using.optimizer.kind === 'error') return false
    const all = [...world.stdDefinitions, ...world.definitions]
    const known = all.filter(([, d]) => d.item.kind === 'optimizer').map(([n]) => n)
    const suggestion = suggest(name, known)
    world.report('NET2024', call?.callee.span ?? using.optimizer.span, { name, suggestion }, place)
    return false
  }
  const optimizer = def.item
  world.instantiated.add(optimizer)
  const cell = (e: Expr, param: Param, at: Context): Value => hyper(e, param, train, at)
  const args = bindArguments(optimizer, call, undefined, place, cell)
  if (args === undefined) return false
  for (const param of optimizer.params) {
    if (args.has(param.name.text) || param.initial === undefined) continue
    args.set(
      param.name.text,
      hyper(param.initial, param, train, { ...place, scope: globalsOf(def, place) }),
    )
  }
  for (const [k, member] of members.entries()) {
    const param = plan.params[member]!
    const note = `${name} update of ${param.stored}`
    const origin = { span: using.span, note }
    updateOne(plan, optimizer, def, args, param, gradients[k]!, { ...place, origin })
    // What is wrong with an optimizer is wrong for every parameter.
    if (world.diagnostics.hasErrors) return false
  }
  return true
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

function updateOne(
  plan: Plan,
  optimizer: Optimizer,
  def: Definition,
  args: ReadonlyMap<string, Value>,
  param: TensorValue,
  gradient: TensorValue,
  ctx: Context,
): void {
  const { world, entry } = ctx
  const { train, gate } = plan
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
  // Of the body and of the chosen branches of its `if`: next values are bound in any of them.
  const scopes = new Set([scope])
  const hook = (s: Statement, at: Context): boolean => {
    scopes.add(at.scope)
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
    const next = [...scopes].flatMap((s) => s.names.get(`${label}'`) ?? []).at(-1)?.value
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
    const made = exact ? tensor : lazy('f32', target.shape, converted(tensor, 'f32').body)
    const value =
      gate === undefined
        ? made
        : lazy('f32', target.shape, select(gate.body, made.body, target.body))
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
