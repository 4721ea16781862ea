/**
 * Reverse-mode differentiation, graph to graph: every stage with an objective gets the equations that define its
 * gradient tensors, placed after what the loss is made of and before what reads them.
 *
 *   y[n, o] = sum[i](x[n, i] * W[i, o])      d_W[i, o] = sum[n](x[n, i] * d_y[n, o])
 *                                            d_x[n, i] = sum[o](d_y[n, o] * W[i, o])
 *
 * Per stage: find what is active, split equations whose parts are needed again (normalise.ts), then walk them from the
 * loss backwards (reverse.ts), define each cotangent once all its uses are seen (accumulate.ts, invert.ts). The
 * objectives, rules and `stopgrad`s are consumed. Limit: a forward value may not read, in an active equation of an earlier stage, a
 * parameter that was updated in between.
 */

import { read } from '../ir/build.ts'
import { mapChildren } from '../ir/traverse.ts'
import type { Entry, Equation, Objective, Program, RuleCall, Scalar, Stage } from '../ir/types.ts'
import { readsOf } from '../passes/dce.ts'
import { mapEntries, mapEquations, type Pass } from '../passes/pass.ts'
import { InternalError } from '../support/diagnostic.ts'
import { accumulate } from './accumulate.ts'
import { type Activity, activityOf } from './activity.ts'
import { normalise } from './normalise.ts'
import { adjointOf, type Contribution } from './reverse.ts'
import { adjointOfRule } from './rules.ts'
import { cotangentName, Scope } from './scope.ts'

export const differentiate: Pass = {
  name: 'differentiate',
  description: 'define the gradients of every objective',
  run: (program) =>
    mapEntries(program, (entry) => {
      const done = differentiateEntry(program, entry)
      return mapEquations(done, (eq) => ({ ...eq, body: withoutStops(eq.body) }))
    }),
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
    ...entry,
    tensors: [...entry.tensors, ...scope.added],
    stages: stages.map((stage) => ({ ...stage, objective: undefined, rules: [] })),
  }
}

type Rules = ReadonlyMap<string, RuleCall>

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
  const backward = new Backward(equations, objective, rules, activity, scope).run()
  return split.map((stage, k) => (k === at ? insert(stage, objective, backward) : stage))
}

/** The backward pass goes after what the loss depends on; the rest of the stage may read the gradients. */
function insert(stage: Stage, objective: Objective, backward: readonly Equation[]): Stage {
  const needed = new Set([objective.loss, ...backward.flatMap((eq) => [...readsOf(eq)])])
  for (const eq of [...stage.equations].reverse()) {
    if (needed.has(eq.target)) for (const tensor of readsOf(eq)) needed.add(tensor)
  }
  const forward = stage.equations.filter((eq) => needed.has(eq.target))
  const rest = stage.equations.filter((eq) => !needed.has(eq.target))
  return { ...stage, equations: [...forward, ...backward, ...rest] }
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

class Backward {
  readonly #equations: readonly Equation[]
  readonly #objective: Objective
  readonly #rules: Rules
  readonly #activity: Activity
  readonly #scope: Scope
  readonly #made: Equation[] = []
  readonly #flows = new Map<string, Contribution[]>()
  /** Names of the indices over which each tensor is defined. */
  readonly #indexNames = new Map<string, readonly string[]>()

  constructor(
    equations: readonly Equation[],
    objective: Objective,
    rules: Rules,
    activity: Activity,
    scope: Scope,
  ) {
    this.#equations = equations
    this.#objective = objective
    this.#rules = rules
    this.#activity = activity
    this.#scope = scope
    for (const eq of equations) {
      if (!eq.at)
        this.#indexNames.set(
          eq.target,
          eq.outs.map((i) => i.name),
        )
    }
  }

  run(): readonly Equation[] {
    const open = new Map(this.#objective.gradients.map((g) => [g.param, g.gradient]))
    const firstUse = this.#firstUses(open)
    for (let k = this.#equations.length - 1; k >= 0; k--) {
      const eq = this.#equations[k]!
      if (this.#activity.isActive(eq.target)) this.#propagate(eq)
      for (const [param, gradient] of open) {
        if (firstUse.get(param) !== k) continue
        // Every use has been seen: the gradient is complete here, and its inputs are fresh.
        this.#define(param, gradient)
        open.delete(param)
      }
    }
    for (const [param, gradient] of open) this.#define(param, gradient)
    return this.#made
  }

  #firstUses(params: ReadonlyMap<string, string>): Map<string, number> {
    const first = new Map<string, number>()
    this.#equations.forEach((eq, k) => {
      if (!this.#activity.isActive(eq.target)) return
      const rule = this.#rules.get(eq.target)
      for (const tensor of rule ? rule.args : readsOf(eq)) {
        if (params.has(tensor) && !first.has(tensor)) first.set(tensor, k)
      }
    })
    return first
  }

  #propagate(eq: Equation): void {
    const isLoss = eq.target === this.#objective.loss
    if (!isLoss && !this.#flows.has(eq.target)) return
    const cotangent = this.#cotangentOf(eq.target, isLoss ? 1 : 0)
    const rule = this.#rules.get(eq.target)
    const adjoint = rule
      ? adjointOfRule(rule, cotangent, this.#activity.isActive, this.#scope)
      : adjointOf(eq, cotangent, this.#activity, this.#scope)
    this.#made.push(...adjoint.helpers)
    for (const { tensor, to } of adjoint.contributions) {
      const flows = this.#flows.get(tensor)
      if (flows) flows.push(to)
      else this.#flows.set(tensor, [to])
    }
  }

  /** Defines the cotangent of a tensor; constants are used as such, without a tensor. */
  #cotangentOf(tensor: string, seed: number): (at: readonly Scalar[]) => Scalar {
    const like = this.#scope.get(tensor)
    const contributions = this.#flows.get(tensor) ?? []
    if (contributions.length === 0) return () => ({ kind: 'const', type: 'f32', value: seed })
    const own = this.#scope.temp(cotangentName(tensor), like.shape, like)
    const names = this.#indexNames.get(tensor) ?? []
    this.#made.push(...accumulate(own, { contributions, seed }, names, this.#scope))
    return (at) => read(own, at)
  }

  #define(param: string, gradient: string): void {
    const contributions = this.#flows.get(param) ?? []
    const own = this.#scope.get(gradient)
    const names = this.#indexNames.get(param) ?? []
    this.#made.push(...accumulate(own, { contributions, seed: 0 }, names, this.#scope))
  }
}
