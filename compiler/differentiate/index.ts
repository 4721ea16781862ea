/**
 * Reverse-mode differentiation, graph to graph: every stage with an objective gets the equations that define its
 * gradient tensors, placed after what the loss is made of and before what reads them.
 *
 *   y[n, o] = sum[i](x[n, i] * W[i, o])      d_W[i, o] = sum[n](x[n, i] * d_y[n, o])
 *                                            d_x[n, i] = sum[o](d_y[n, o] * W[i, o])
 *
 * Per stage: find what is active, split equations whose parts are needed again (normalise.ts), then walk them from the
 * loss backwards (backward.ts, reverse.ts), define each cotangent once all its uses are seen (accumulate.ts,
 * invert.ts). The objectives, rules, `stopgrad`s and checkpoints are consumed. Limit: a forward value may not read, in an active equation of an earlier stage, a
 * parameter that was updated in between.
 */

import { flatten, order } from '../ir/recurrence.ts'
import { dependencies, mapChildren, readsOf } from '../ir/traverse.ts'
import type { Entry, Equation, Objective, Program, Scalar, Stage, Tensor } from '../ir/types.ts'
import { mapEntries, mapEquations, type Pass } from '../passes/pass.ts'
import { InternalError } from '../support/diagnostic.ts'
import { type Activity, activityOf } from './activity.ts'
import { Backward, type Rules } from './backward.ts'
import { normalise } from './normalise.ts'
import { Scope } from './scope.ts'

export const differentiate: Pass = {
  name: 'differentiate',
  description: 'define the gradients of every objective',
  run: (program) =>
    mapEntries(program, (entry) => {
      const done = mapEquations(differentiateEntry(program, entry), (eq) => ({
        ...eq,
        body: withoutStops(eq.body),
      }))
      return withoutCheckpoints(done)
    }),
}

/** The entry with every value kept for its backward pass. */
export function withoutCheckpoints(entry: Entry): Entry {
  const tensors = entry.tensors.map(({ checkpoint, ...tensor }): Tensor => tensor)
  return { ...entry, tensors }
}

/** After the last derivative `stopgrad` says nothing, and would only hide equal expressions from each other. */
function withoutStops(e: Scalar): Scalar {
  const inside = mapChildren(e, withoutStops)
  return inside.kind === 'stopgrad' ? inside.value : inside
}

function differentiateEntry(program: Program, entry: Entry): Entry {
  if (!entry.stages.some((stage) => stage.objective || stage.rules.length > 0)) return entry
  const scope = new Scope(program, entry)
  const rules = new Map(entry.stages.flatMap((s) => s.rules).map((r) => [r.result, r]))
  let stages = entry.stages
  stages.forEach((stage, at) => {
    if (stage.objective) stages = differentiateStage(stages, at, stage.objective, rules, scope)
  })
  return {
    ...scope.into(entry),
    stages: stages.map((stage) => ({ ...stage, objective: undefined, rules: [] })),
  }
}

function differentiateStage(
  stages: readonly Stage[],
  at: number,
  objective: Objective,
  rules: Rules,
  scope: Scope,
): readonly Stage[] {
  const params = new Set(objective.gradients.map((g) => g.param))
  const visible = (all: readonly Stage[]): Equation[] =>
    all.slice(0, at + 1).flatMap((stage) => stage.equations)
  const before = activityOf(visible(stages), rules, objective.loss, params)
  const split = stages.map((stage, k) =>
    k > at
      ? stage
      : {
          ...stage,
          equations: stage.equations.flatMap((eq) =>
            before.isActive(eq.target) && !rules.has(eq.target)
              ? normalise(eq, before, scope)
              : [eq],
          ),
        },
  )
  const equations = visible(split)
  const activity = activityOf(equations, rules, objective.loss, params)
  refuseStaleReads(split.slice(0, at + 1), activity)
  const backward = new Backward(equations, objective, rules, activity, scope)
  const made = backward.run()
  const waits = backward.forward()
  const waiting = (eq: Equation): Equation => {
    const after = waits.get(eq.target)
    return after ? { ...eq, after } : eq
  }
  return split.map((stage, k) => {
    const forward = { ...stage, equations: stage.equations.map(waiting) }
    return k === at ? insert(forward, objective, made) : forward
  })
}

/** The backward pass goes after what the loss depends on; the rest of the stage may read the gradients. */
function insert(stage: Stage, objective: Objective, backward: readonly Equation[]): Stage {
  const needed = dependencies(stage.equations, [
    objective.loss,
    ...backward.flatMap((eq) => [...readsOf(eq)]),
  ])
  const forward = stage.equations.filter((eq) => needed.has(eq.target))
  const rest = stage.equations.filter((eq) => !needed.has(eq.target))
  return { ...stage, equations: flatten(order([...forward, ...backward, ...rest])) }
}

/** Differentiation reads persistent tensors again, in its own stage: they must still be what they were. */
function refuseStaleReads(stages: readonly Stage[], activity: Activity): void {
  const updatedLater = new Set<string>()
  for (const stage of [...stages.slice(0, -1)].reverse()) {
    for (const { target } of stage.updates) updatedLater.add(target)
    for (const eq of stage.equations) {
      if (!activity.isActive(eq.target)) continue
      for (const tensor of readsOf(eq)) {
        if (!updatedLater.has(tensor)) continue
        throw new InternalError(
          `differentiate: ${eq.target} reads ${tensor}, which changes before the backward pass`,
        )
      }
    }
  }
}
