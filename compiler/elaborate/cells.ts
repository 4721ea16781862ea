/** Persistent tensors: parameters of nets, optimizer state, and the equations of `init` that give their first values. */

import { sameExtent } from '../ir/build.ts'
import { freshName, visit } from '../ir/traverse.ts'
import type { DType, Extent, Role, Scalar, Tensor } from '../ir/types.ts'
import type { Span } from '../support/span.ts'
import type { Expr, Statement } from '../syntax/ast.ts'
import { type Context, type Frame, inner, join, type World } from './context.ts'
import { evalShape } from './dims.ts'
import { converted } from './elementwise.ts'
import type { EntryBuilder } from './entry.ts'
import { checkShape, freeVariables, store } from './store.ts'
import {
  asTensor,
  baseName,
  describe,
  errorValue,
  indexNames,
  lazy,
  showShape,
  storedTensor,
  type TensorValue,
  typeNames,
} from './values.ts'

/** `param W: [I, O] = …`: made at the first use of its net, found again at every other. */
export function declareParam(
  s: Extract<Statement, { readonly kind: 'param' }>,
  ctx: Context,
): void {
  const name = s.name.text
  if (ctx.scope.names.has(name)) ctx.world.report('NET2004', s.name.span, { name }, ctx)
  ctx.scope.define(name, paramValue(s, ctx) ?? errorValue, s.name.span)
}

/** The parameter's tensor; undefined after a report. */
function paramValue(
  s: Extract<Statement, { readonly kind: 'param' }>,
  ctx: Context,
): TensorValue | undefined {
  const { world, frame } = ctx
  const kind = frame.item?.kind
  if ((kind !== 'layer' && kind !== 'net') || frame.owner === undefined) {
    const where = kind === undefined ? 'this block' : `a ${kind}`
    world.report('NET2017', s.span, { statement: 'param', where }, ctx)
    return undefined
  }
  if (s.type.kind !== 'tensor' || s.type.dtype !== 'f32') {
    const given = s.type.kind === 'tensor' ? 'another element type' : `a ${s.type.kind}`
    world.report('NET3014', s.type.span, { wanted: 'a shape of floats', given }, ctx)
    return undefined
  }
  const shape = evalShape(s.type.dims, ctx)
  if (shape === undefined) return undefined
  const bounded = shape.find((e) => e.bound !== undefined)
  if (bounded?.bound !== undefined) {
    world.report('NET3017', s.type.span, { dim: bounded.bound }, ctx)
    return undefined
  }
  const path = join(frame.owner, s.name.text)
  const known = world.cells.get(path)
  if (known !== undefined) {
    const same =
      known.tensor.shape.length === shape.length &&
      shape.every((e, k) => sameExtent(e, known.tensor.shape[k]!))
    if (same) return inUse({ ...known.value, shape }, ctx)
    const args = { name: path, first: showShape(known.tensor.shape), second: showShape(shape) }
    world.report('NET3023', s.span, args, ctx)
    return undefined
  }
  if (!checkShape(shape, path, ctx, s.span)) return undefined
  const net = frame.owner.split('.')[0] ?? frame.owner
  const value = addCell(world, path, 'param', shape, s.span, net)
  const members = world.netParams.get(net)
  if (members === undefined) world.netParams.set(net, [value])
  else members.push(value)
  const first = initialise(value, s.initial, s.span, ctx)
  if (first !== undefined) addAverage(world, world.cells.get(path)!.tensor, first)
  return inUse(value, ctx)
}

/** Creates a persistent tensor. */
export function addCell(
  world: World,
  name: string,
  role: Role,
  shape: readonly Extent[],
  span: Span | undefined,
  net?: string,
  initial?: number,
  dtype: DType = role === 'step' || role === 'seed' ? 'i32' : 'f32',
): TensorValue {
  const tensor: Tensor = { name, dtype, shape, role, span, initial, range: undefined }
  const value = storedTensor(name, dtype, shape, indexNames(shape))
  world.cells.set(name, { tensor, value, net })
  return value
}

/** The tensors that an expression reads. */
function readsOf(e: Scalar): string[] {
  const found: string[] = []
  visit(e, (node) => {
    if (node.kind === 'read') found.push(node.tensor)
  })
  return found
}

/** The state that holds the average of a parameter. */
export const averageOf = (param: string): string => `${param}.average`

/** Makes the average of a parameter that an earlier round found to have one; `first` is its tensor in `init`. */
function addAverage(world: World, param: Tensor, first: string): void {
  if (!world.averaged.has(param.name)) return
  const name = averageOf(param.name)
  addCell(world, name, 'state', param.shape, param.span)
  world.init?.stage.updates.push({ target: name, value: first })
}

/** The parameter as the entry at hand uses it: outside training its average, where it has one. */
export function inUse(param: TensorValue, ctx: Context): TensorValue {
  const { kind } = ctx.entry
  if (kind === 'train' || kind === 'init') return param
  const average = ctx.world.cells.get(averageOf(param.stored ?? ''))
  return average === undefined ? param : { ...average.value, shape: param.shape }
}

export const freshCell = (world: World, wish: string): string =>
  world.cells.has(wish) ? freshName(`${wish}_2`, world.cells) : wish

/**
 * Adds to `init`, or `into`, what fills the cell: an initializer of its shape, or one number for every element. Gives
 * the tensor of the start value; undefined after a report.
 */
export function initialise(
  cell: TensorValue,
  e: Expr,
  span: Span,
  ctx: Context,
  into?: EntryBuilder,
): string | undefined {
  const { world } = ctx
  const name = cell.stored ?? ''
  const entry = into ?? world.init
  if (entry === undefined) return undefined
  const frame: Frame = {
    ...ctx.frame,
    path: name,
    key: name,
    owner: undefined,
    scalar: false,
    counters: new Map(),
  }
  const before = entry.stage.equations.length
  const value = world.evaluator.expr(e, {
    ...inner(ctx),
    entry,
    frame,
    restIndices: undefined,
    times: [],
    carries: undefined,
    filling: cell.shape,
  })
  const tensor = asTensor(value)
  if (value.kind === 'error') return undefined
  const fits =
    tensor !== undefined &&
    (tensor.shape.length === 0 ||
      (tensor.shape.length === cell.shape.length &&
        tensor.shape.every((x, k) => sameExtent(x, cell.shape[k]!))))
  const converts = tensor?.dtype === cell.dtype || (cell.dtype === 'f32' && tensor?.dtype === 'i32')
  if (!fits || tensor === undefined || !converts) {
    const type = cell.dtype === 'f32' ? '' : typeNames[cell.dtype]
    const wanted = `${type}${showShape(cell.shape)}`
    const of = `\`${name}\``
    world.report('NET3003', e.span, { wanted, given: describe(value), of }, ctx)
    return undefined
  }
  const time = ctx.times.find((i) => freeVariables(tensor).includes(i.name))
  if (time !== undefined) {
    world.report('NET3063', e.span, { name, index: baseName(time.name) }, ctx)
    return undefined
  }
  const { body } = converted(tensor, cell.dtype)
  const added = entry.stage.equations.slice(before).map((eq) => eq.body)
  const foreign = [body, ...added].flatMap(readsOf).find((t) => {
    return !entry.tensors.has(t) && !world.cells.has(t)
  })
  if (foreign !== undefined) {
    world.report('NET4068', e.span, { name, value: foreign }, ctx)
    return undefined
  }
  const filled = lazy(cell.dtype, cell.shape, body, cell.indices)
  const origin = { span, note: '' }
  const made = store(filled, `${name}_0`, { ...ctx, entry, frame, origin, want: undefined }, span)
  if (made.stored !== undefined) {
    entry.stage.updates.push({ target: name, value: made.stored })
  }
  return made.stored
}
