/**
 * Gradient accumulation, `using adam(1e-3) every 4`: the gradients of 4 calls are averaged, and at every 4th call the
 * parameters and the optimizer's state change. Between, they stay as they are by selection, so that a call is one
 * straight run of kernels. The sums and the count of calls are state: a checkpoint in the middle goes on to the same bits.
 */
import { binary, cast, constant, select } from '../ir/build.ts'
import type { Scalar } from '../ir/types.ts'
import type { Expr, Train } from '../syntax/ast.ts'
import { addCell, freshCell, initialise } from './cells.ts'
import { type Context, inner } from './context.ts'
import type { Using } from './groups.ts'
import { store } from './store.ts'
import { describe, lazy, scalar, type TensorValue } from './values.ts'

export interface Gathered {
  readonly gradients: readonly TensorValue[]
  /** Whether this call updates; undefined where every call does. */
  readonly gate: TensorValue | undefined
  /** The number of the update from 1, for optimizers and schedules; undefined where it is the step's. */
  readonly clock: TensorValue | undefined
}

/** The gradients as the optimizers see them; undefined after a report. */
export function accumulate(
  train: Train,
  usings: readonly Using[],
  gradients: readonly TensorValue[],
  params: readonly TensorValue[],
  ctx: Context,
): Gathered | undefined {
  const { world, entry } = ctx
  const asked = usings.filter((u) => u.every !== undefined)
  const [first, second] = asked.map((u) => u.every!)
  if (second !== undefined) {
    world.report('NET4085', second.span, {}, ctx)
    return undefined
  }
  const calls = first === undefined ? 1 : countOf(first, ctx)
  if (first === undefined || calls === 1) return { gradients, gate: undefined, clock: undefined }
  if (calls === undefined) return undefined
  const { span } = first
  const at: Context = { ...inner(ctx), origin: { span, note: `every ${calls}` } }
  const zero: Expr = { kind: 'number', span, value: 0, text: '0', isInt: true }
  const cell = (name: string, shape: TensorValue['shape']): TensorValue => {
    const made = addCell(world, freshCell(world, name), 'state', shape, span)
    initialise(made, zero, span, at)
    return made
  }
  const update = (target: TensorValue, next: Scalar): void => {
    const value = lazy('f32', target.shape, next, target.indices)
    const stored = store(value, `${target.stored}_next`, at, span).stored
    if (stored !== undefined)
      entry.stage.updates.push({ target: target.stored ?? '', value: stored })
  }
  const plus = (a: Scalar, b: Scalar): Scalar => binary('add', a, b)
  const seen = cell(`${train.name.text}.every`, [])
  const updates = cell(`${train.name.text}.updates`, [])
  const now = plus(seen.body, constant(1))
  const gate = store(scalar('bool', binary('ge', now, constant(calls))), 'updates_now', at, span)
  update(seen, select(gate.body, constant(0), now))
  update(updates, select(gate.body, plus(updates.body, constant(1)), updates.body))
  const means = gradients.map((g, k) => {
    const { stored, shape, indices } = params[k]!
    const sum = cell(`${train.name.text}.${stored}.sum`, shape)
    const total = store(
      lazy('f32', shape, plus(sum.body, g.body), indices),
      `${g.stored}.sum`,
      at,
      span,
    )
    update(sum, select(gate.body, constant(0), total.body))
    const mean = binary('div', total.body, constant(calls))
    return store(lazy('f32', shape, mean, indices), `${g.stored}.mean`, at, span)
  })
  const clock = scalar('i32', cast('i32', plus(updates.body, constant(1))))
  return { gradients: means, gate, clock }
}

function countOf(e: Expr, ctx: Context): number | undefined {
  const { world } = ctx
  const value = world.evaluator.expr(e, { ...inner(ctx), whole: true })
  if (value.kind === 'number' && Number.isInteger(value.value) && value.value >= 1) {
    return value.value
  }
  if (value.kind !== 'error') world.report('NET4084', e.span, { given: describe(value) }, ctx)
  return undefined
}
