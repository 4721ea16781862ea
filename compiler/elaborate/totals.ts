/**
 * `total(x)` in a train block: x itself in a call, and in metrics over many batches the sum of x over them. So that
 * `report 1 - total(wrong) / total(all)` is exact however rows fall into batches. Each total is a further output of the
 * entries `t` and `t_eval`, and an input of the entry `t_combine`, which has the equations of the metrics alone.
 */
import { visit } from '../ir/traverse.ts'
import { type Entry, type Equation, isTotal, totalName } from '../ir/types.ts'
import type { Span } from '../support/span.ts'
import type { Context, World } from './context.ts'
import { converted } from './elementwise.ts'
import type { EntryBuilder } from './entry.ts'
import { freeVariables, store } from './store.ts'
import { asTensor, describe, errorValue, showShape, storedTensor, type Value } from './values.ts'

/** The call `total(x)`. */
export function total(value: Value, span: Span, ctx: Context): Value {
  const { world, entry } = ctx
  if (value.kind === 'error') return errorValue
  const x = asTensor(value)
  const isElement = x !== undefined && freeVariables(x).length > 0
  if (x === undefined || x.dtype === 'bool' || isElement) {
    const given = isElement ? 'an element of an equation' : describe(value)
    world.report('NET4086', span, { given }, ctx)
    return errorValue
  }
  const bounded = x.shape.find((e) => e.bound !== undefined)
  if (bounded?.bound !== undefined) {
    world.report('NET4087', span, { shape: showShape(x.shape), dim: bounded.bound }, ctx)
    return errorValue
  }
  if (entry.kind === 'predict' || entry.kind === 'init') return value
  const floats = converted(x, 'f32')
  const name = totalName(entry.totals.length + 1)
  entry.totals.push(span)
  if (entry.kind === 'combine') {
    const { shape } = floats
    const role = 'input'
    entry.addTensor({ name, dtype: 'f32', shape, role, span, initial: undefined, range: undefined })
    entry.inputs.push(name)
    return storedTensor(name, 'f32', shape, x.indices)
  }
  const stored = store({ ...floats, hint: undefined }, 'total', ctx, span)
  if (stored.stored !== undefined) entry.outputs.push({ name, tensor: stored.stored })
  return stored
}

/** A total inside `if training` would be summed in one of the entries only. */
export function checkTotals(train: EntryBuilder, evaluation: EntryBuilder, world: World): void {
  const shapes = (entry: EntryBuilder): string[] =>
    entry.outputs
      .filter((o) => isTotal(o.name))
      .map((o) => showShape(entry.tensors.get(o.tensor)?.shape ?? []))
  const [a, b] = [shapes(train), shapes(evaluation)]
  const odd = Math.max(a.length, b.length)
  for (let k = 0; k < odd; k++) {
    if (a[k] === b[k]) continue
    const span = train.totals[k] ?? evaluation.totals[k]
    if (span !== undefined) world.report('NET4089', span, {})
    return
  }
}

/** What an output is computed from: names of persistent tensors, inputs and totals, and `#dim` for a count. */
function sourcesOf(
  tensor: string,
  equations: ReadonlyMap<string, readonly Equation[]>,
): Set<string> {
  const sources = new Set<string>()
  const seen = new Set<string>()
  const open = [tensor]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue
    seen.add(name)
    const made = equations.get(name)
    if (made === undefined) sources.add(name)
    for (const eq of made ?? []) {
      for (const part of [eq.body, ...(eq.at ?? [])]) {
        visit(part, (n) => {
          if (n.kind === 'read') open.push(n.tensor)
          else if (n.kind === 'count') sources.add(`#${n.dim}`)
          else if (n.kind === 'random') sources.add('#random')
        })
      }
      for (const i of eq.outs) if (i.extent.bound !== undefined) sources.add(`#${i.extent.bound}`)
    }
  }
  return sources
}

/** The entry `t_combine` with the metrics that are made of totals; undefined where there are none. */
export function finishCombine(builder: EntryBuilder, world: World): Entry | undefined {
  const entry = builder.finish()
  const equations = new Map<string, Equation[]>()
  for (const eq of entry.stages.flatMap((s) => s.equations)) {
    const known = equations.get(eq.target)
    if (known === undefined) equations.set(eq.target, [eq])
    else known.push(eq)
  }
  const outputs = entry.outputs.filter(({ name, tensor }) => {
    const sources = [...sourcesOf(tensor, equations)]
    const own = sources.filter((source) => isTotal(source))
    // A loss has no place among the reports; what it is made of is its own business.
    const span = builder.places.get(name)
    if (span === undefined) return false
    const shape = builder.tensors.get(tensor)?.shape ?? []
    if (own.length === 0) {
      if (shape.length > 0) world.report('NET4006', span, { name, shape: showShape(shape) })
      return false
    }
    if (own.length < sources.length) world.report('NET4088', span, { name })
    return true
  })
  if (outputs.length === 0) return undefined
  const needed = new Set<string>()
  const open = outputs.map((o) => o.tensor)
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (needed.has(name)) continue
    needed.add(name)
    for (const eq of equations.get(name) ?? []) {
      for (const part of [eq.body, ...(eq.at ?? [])]) {
        visit(part, (n) => {
          if (n.kind === 'read') open.push(n.tensor)
        })
      }
    }
  }
  const inputs = entry.inputs.filter(isTotal)
  return {
    ...entry,
    inputs,
    outputs,
    tensors: entry.tensors.filter((t) => inputs.includes(t.name) || needed.has(t.name)),
    stages: entry.stages.map((stage) => ({
      equations: stage.equations.filter((eq) => needed.has(eq.target)),
      updates: [],
      objective: undefined,
      rules: [],
    })),
  }
}
