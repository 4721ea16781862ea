/**
 * Running state: `state mean: [C] = 0` in a layer, a net, a train or a predict block, and `mean' = …`, its next value.
 * In: the statements. Out: persistent tensors, their equations in `init`, and in each entry the updates that take
 * effect at the end of the stage. Within a stage the uses of one state see each other in order: a net that is used
 * twice reads, the second time, what the first use assigned. No gradient flows through a state that is read.
 */

import { add, int, read, sameExtent } from '../ir/build.ts'
import type { Scalar, Stream } from '../ir/types.ts'
import type { Span } from '../support/span.ts'
import type { Expr, Statement, Target } from '../syntax/ast.ts'
import { addCell, freshCell, initialise } from './cells.ts'
import { type Context, join, type World } from './context.ts'
import { evalShape } from './dims.ts'
import { converted } from './elementwise.ts'
import { EntryBuilder } from './entry.ts'
import type { StateBinding } from './scope.ts'
import { checkShape, freeVariables, store } from './store.ts'
import {
  asTensor,
  describe,
  errorValue,
  lazy,
  showShape,
  storedTensor,
  type TensorValue,
  typeNames,
  type Value,
} from './values.ts'

type Cells = Extract<Statement, { readonly kind: 'state' }>['cells']

/** Makes each state at its first use, and binds its name to the value that it has here. */
export function declareStates(cells: Cells, ctx: Context): void {
  const { world } = ctx
  for (const cell of cells) {
    const name = cell.name.text
    if (ctx.scope.names.has(name)) {
      world.report('NET2004', cell.name.span, { name }, ctx)
      continue
    }
    const made = stateCell(cell, ctx)
    const value = made === undefined ? errorValue : current(made, ctx)
    ctx.scope.defineState(name, value, cell.name.span, made)
  }
}

/** The value as of here: that of the last assignment in this stage, or of the persistent tensor. */
function current(cell: TensorValue, ctx: Context): TensorValue {
  const assigned = ctx.entry.assigned.get(cell.stored ?? '')
  if (assigned === undefined) return cell
  const body = storedTensor(assigned, cell.dtype, cell.shape).body
  const constantly: Scalar = { kind: 'stopgrad', type: cell.dtype, value: body }
  return lazy(cell.dtype, cell.shape, constantly, cell.indices)
}

/** The persistent tensor; undefined after a report. */
function stateCell(cell: Cells[number], ctx: Context): TensorValue | undefined {
  const { world, frame, entry } = ctx
  const kind = frame.item?.kind
  const owner = frame.item === undefined ? entry.group : frame.owner
  if ((kind !== undefined && kind !== 'layer' && kind !== 'net') || owner === undefined) {
    const where = kind === undefined ? 'this block' : `a ${kind}`
    world.report('NET2017', cell.span, { statement: 'state', where }, ctx)
    return undefined
  }
  const name = cell.name.text
  if (cell.type?.kind !== 'tensor') {
    world.report('NET4060', cell.type?.span ?? cell.name.span, { name }, ctx)
    return undefined
  }
  const { dtype } = cell.type
  const shape = evalShape(cell.type.dims, ctx)
  if (shape === undefined) return undefined
  const bounded = shape.find((e) => e.bound !== undefined)
  if (bounded?.bound !== undefined) {
    world.report('NET4061', cell.type.span, { name, dim: bounded.bound }, ctx)
    return undefined
  }
  const path = join(owner, name)
  const known = world.cells.get(path)
  if (known !== undefined) {
    const { tensor } = known
    const same =
      tensor.role === 'state' &&
      tensor.dtype === dtype &&
      tensor.shape.length === shape.length &&
      shape.every((e, k) => sameExtent(e, tensor.shape[k]!))
    if (same && tensor.span?.start === cell.span.start) return { ...known.value, shape }
    const first = `${roleNames[tensor.role] ?? tensor.role} ${typeText(tensor.dtype)}${showShape(tensor.shape)}`
    const second = `state ${typeText(dtype)}${showShape(shape)}`
    world.report('NET4067', cell.span, { name: path, first, second }, ctx)
    return undefined
  }
  if (!checkShape(shape, path, ctx, cell.span)) return undefined
  const made = addCell(world, path, 'state', shape, cell.span, undefined, undefined, dtype)
  const fill = (into: EntryBuilder): void => {
    initialise(made, cell.initial, cell.span, ctx, into)
  }
  world.fills.set(path, fill)
  if (world.init !== undefined) fill(world.init)
  return made
}

const roleNames: Readonly<Record<string, string>> = {
  param: 'parameter',
  hyper: 'hyper-parameter',
}

const typeText = (dtype: TensorValue['dtype']): string => (dtype === 'f32' ? '' : typeNames[dtype])

/** The state that a primed target is the next value of; undefined after a report. */
export function stateOf(target: Target, ctx: Context): StateBinding | undefined {
  const name = target.name.text
  const bound = ctx.scope.find(name)
  if (bound?.state !== undefined) return bound.state
  if (bound?.value.kind !== 'error') {
    ctx.world.report('NET4062', target.name.span, { name }, ctx)
  }
  return undefined
}

/** Gives the state its next value; the value as it is kept. */
export function assignState(
  target: Target,
  state: StateBinding,
  value: Value,
  at: Expr,
  ctx: Context,
): Value {
  const { world, entry } = ctx
  const name = target.name.text
  const { cell, home } = state
  const next = `${name}'`
  if (ctx.times.length > 0) {
    world.report('NET4069', target.name.span, { name }, ctx)
    return errorValue
  }
  const before = home.names.get(next)
  if (before !== undefined) {
    const related =
      before.span === undefined ? [] : [{ span: before.span, text: 'given here first' }]
    world.report('NET4063', target.name.span, { name }, ctx, { related })
    return errorValue
  }
  const kept = cell === undefined ? undefined : keep(cell, name, value, at, ctx)
  home.define(next, kept ?? errorValue, target.name.span)
  if (cell?.stored === undefined || kept?.stored === undefined) return errorValue
  entry.assigned.set(cell.stored, kept.stored)
  return kept
}

/** The value as a temporary of the state's shape and type; undefined after a report. */
function keep(
  cell: TensorValue,
  name: string,
  value: Value,
  at: Expr,
  ctx: Context,
): TensorValue | undefined {
  const { world, entry } = ctx
  if (value.kind === 'error') return undefined
  const tensor = asTensor(value)
  const fits =
    tensor !== undefined &&
    (tensor.shape.length === 0 ||
      (tensor.shape.length === cell.shape.length &&
        tensor.shape.every((e, k) => sameExtent(e, cell.shape[k]!))))
  const converts = tensor?.dtype === cell.dtype || (cell.dtype === 'f32' && tensor?.dtype === 'i32')
  if (!fits || !converts || tensor === undefined) {
    const wanted = `${typeText(cell.dtype)}${showShape(cell.shape)}`
    world.report('NET4064', at.span, { name, wanted, given: describe(value) }, ctx)
    return undefined
  }
  if (freeVariables(tensor).length > 0) {
    world.report('NET4065', at.span, { name }, ctx)
    return undefined
  }
  const exact = tensor.shape.length === cell.shape.length && tensor.dtype === cell.dtype
  const isOwn = tensor.stored !== undefined && entry.tensors.get(tensor.stored)?.role === 'temp'
  if (exact && isOwn) return tensor
  const body = converted(tensor, cell.dtype).body
  const filled = lazy(cell.dtype, cell.shape, body, cell.indices)
  return store(filled, join(ctx.frame.path, `${name}_next`), { ...ctx, want: undefined }, at.span)
}

/**
 * What an entry needs for its states once its equations are there: a predict block that draws random numbers gets a
 * stream of its own, and one that updates states an entry that starts them afresh.
 */
export function finishPredict(entry: EntryBuilder, span: Span, world: World): EntryBuilder[] {
  if (entry.draws) entry.stream = ownStream(entry, span, world)
  const updated = entry.stages.flatMap((stage) => stage.updates.map((u) => u.target))
  if (updated.length === 0) return []
  const reset = new EntryBuilder(`${entry.name}_reset`, 'reset', 'init', world)
  const seeds = entry.stream === undefined ? [] : [entry.stream.seed]
  for (const tensor of seeds) reset.outputs.push({ name: 'seed', tensor })
  for (const target of [...updated, ...seeds]) world.fills.get(target)?.(reset)
  return [reset]
}

/** Two i32 states: the seed, that of the model until somebody sets another, and how many calls there were. */
function ownStream(entry: EntryBuilder, span: Span, world: World): Stream {
  const cell = (name: string, start: Scalar): string => {
    const path = freshCell(world, `${entry.name}.${name}`)
    addCell(world, path, 'state', [], span, undefined, undefined, 'i32')
    const fill = (into: EntryBuilder): void => {
      const value = emitCell(into, `${path}_0`, start, span)
      into.stage.updates.push({ target: path, value })
    }
    world.fills.set(path, fill)
    if (world.init !== undefined) fill(world.init)
    return path
  }
  const seed = cell('seed', readCell('seed'))
  const step = cell('calls', int(0))
  const value = emitCell(entry, `${step}_next`, add(readCell(step), int(1)), span)
  entry.stage.updates.push({ target: step, value })
  return { seed, step }
}

const readCell = (name: string): Scalar => read({ name, dtype: 'i32' }, [])

function emitCell(entry: EntryBuilder, name: string, body: Scalar, span: Span): string {
  return entry.emit({
    name,
    dtype: 'i32',
    shape: [],
    outs: [],
    body,
    origin: { span, note: 'random numbers' },
    span,
    path: '',
    shared: undefined,
  })
}
