/**
 * `average 0.999`: an exponential moving average of every parameter that a step trains, kept as the state
 * `NAME.average` beside the parameter `NAME` and updated after it (where gradients are accumulated, with it). Evaluations and predict blocks compute with the
 * averages. Polyak and Juditsky 1992 (averaging); the decay grows with the steps, min(d, (1 + step) / (10 + step)), so
 * that the start values are soon forgotten, as in TensorFlow's ExponentialMovingAverage.
 */

import { add, binary, cast, constant, div, mul, read, select, sub } from '../ir/build.ts'
import type { Scalar } from '../ir/types.ts'
import type { Expr } from '../syntax/ast.ts'
import type { Gathered } from './accumulate.ts'
import { addCell, averageOf, freshCell } from './cells.ts'
import { type Context, inner } from './context.ts'
import { store } from './store.ts'
import { elementAt, lazy, placeholders, storedTensor, type TensorValue } from './values.ts'

/** Adds the averages' updates to the stage that has just updated the parameters. */
export function averageParameters(
  train: string,
  decay: Expr,
  params: readonly TensorValue[],
  { gate, clock }: Gathered,
  ctx: Context,
): void {
  const { world, entry } = ctx
  const value = world.evaluator.expr(decay, inner(ctx))
  if (value.kind === 'error') return
  if (value.kind !== 'number' || !(value.value >= 0 && value.value < 1)) {
    const { text } = decay.span.source
    const given = text.slice(decay.span.start, decay.span.end)
    world.report('NET4066', decay.span, { decay: `\`${given}\`` }, ctx)
    return
  }
  const rate = freshCell(world, `${train}.average`)
  addCell(world, rate, 'hyper', [], decay.span, undefined, Math.fround(value.value))
  const step = cast('f32', clock?.body ?? read({ name: 'step', dtype: 'i32' }, []))
  const start = div(add(step, constant(1)), add(step, constant(10)))
  const d: Scalar = binary('min', read({ name: rate, dtype: 'f32' }, []), start)
  const next = new Map(entry.stage.updates.map((u) => [u.target, u.value]))
  for (const param of params) {
    const name = param.stored ?? ''
    const to = next.get(name)
    if (to === undefined) continue
    world.averages.add(name)
    const target = averageOf(name)
    // The first round only finds out which parameters are averaged.
    if (!world.cells.has(target)) continue
    const at = placeholders(param.shape.length)
    const old = elementAt(storedTensor(target, 'f32', param.shape), at)
    const gap = sub(elementAt(storedTensor(to, 'f32', param.shape), at), old)
    const moved = add(old, mul(sub(constant(1), d), gap))
    const body = gate === undefined ? moved : select(gate.body, moved, old)
    const origin = { span: decay.span, note: `average of ${name}` }
    const made = store(
      lazy('f32', param.shape, body, param.indices),
      `${train}.${target}_next`,
      { ...inner(ctx), origin, frame: { ...ctx.frame, shared: `${train}.average` } },
      decay.span,
    )
    if (made.stored !== undefined) entry.stage.updates.push({ target, value: made.stored })
  }
}
