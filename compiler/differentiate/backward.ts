/**
 * The backward pass of one objective. In: the equations that its loss may depend on, normalised. Out: the equations of
 * cotangents and gradients, in an order in which they can be computed.
 *
 * Steps are taken from the last to the first; when one is reached, all uses of what it defines have been seen. The
 * equations of a loop are one step: what reads them inside is among them, so their cotangents are named first, then
 * each equation passes on what it receives, then the cotangents are defined. A read at t - 1 sends to the cotangent
 * at t + 1, so they are a loop again, in the other direction, and what flows out of it to parameters and inputs does not
 * come back: it is summed after the loop.
 */
import { read } from '../ir/build.ts'
import { flatten, order, type Step, Unordered } from '../ir/recurrence.ts'
import { readsOf } from '../ir/traverse.ts'
import type { After, Equation, Objective, RuleCall, Scalar, Tensor } from '../ir/types.ts'
import { InternalError } from '../support/diagnostic.ts'
import { accumulate } from './accumulate.ts'
import type { Activity } from './activity.ts'
import { Checkpoints } from './checkpoints.ts'
import { Recomputation } from './recompute.ts'
import { adjointOf, type Contribution } from './reverse.ts'
import { adjointOfRule } from './rules.ts'
import { RunningSums } from './running.ts'
import { cotangentName, type Scope } from './scope.ts'

/** Calls with a derivative by hand, by the tensor that holds their result. */
export type Rules = ReadonlyMap<string, RuleCall>

type Cotangent = (at: readonly Scalar[]) => Scalar

export class Backward {
  readonly #steps: readonly Step[]
  readonly #objective: Objective
  readonly #rules: Rules
  readonly #activity: Activity
  readonly #scope: Scope
  readonly #made: Equation[] = []
  readonly #flows = new Map<string, Contribution[]>()
  readonly #cotangents = new Map<string, Tensor>()
  readonly #checkpoints: Checkpoints
  readonly #recomputation: Recomputation
  readonly #running: RunningSums
  /** Names of the indices over which each tensor is defined. */
  readonly #indexNames: ReadonlyMap<string, readonly string[]>

  constructor(
    equations: readonly Equation[],
    objective: Objective,
    rules: Rules,
    activity: Activity,
    scope: Scope,
  ) {
    this.#steps = order(equations)
    this.#objective = objective
    this.#rules = rules
    this.#activity = activity
    this.#scope = scope
    this.#checkpoints = new Checkpoints(this.#steps, equations, this.#cotangents, scope)
    this.#recomputation = new Recomputation(this.#checkpoints, scope)
    this.#running = new RunningSums(this.#checkpoints, scope)
    this.#indexNames = new Map(
      equations.filter((eq) => !eq.at).map((eq) => [eq.target, eq.outs.map((i) => i.name)]),
    )
  }

  run(): readonly Equation[] {
    const gradients = new Map(this.#objective.gradients.map((g) => [g.param, g.gradient]))
    const firstUses = this.#firstUses(gradients)
    // By the step that uses them first; -1 for those that none does.
    const due = new Map<number, (readonly [string, string])[]>()
    for (const entry of gradients) {
      const at = firstUses.get(entry[0]) ?? -1
      const known = due.get(at)
      if (known) known.push(entry)
      else due.set(at, [entry])
    }
    for (let k = this.#steps.length - 1; k >= 0; k--) {
      const step = this.#steps[k]!
      if (step.kind === 'loop') this.#loop(this.#active(step))
      else for (const eq of this.#active(step)) this.#single(eq)
      // Every use has been seen: the gradient is complete here, and its inputs are fresh.
      for (const [param, gradient] of due.get(k) ?? [])
        this.#define(param, this.#scope.get(gradient))
    }
    for (const [param, gradient] of due.get(-1) ?? [])
      this.#define(param, this.#scope.get(gradient))
    return this.#arranged()
  }

  #active(step: Step): Equation[] {
    return flatten([step]).filter((eq) => this.#activity.isActive(eq.target))
  }

  #firstUses(params: ReadonlyMap<string, string>): Map<string, number> {
    const first = new Map<string, number>()
    this.#steps.forEach((step, k) => {
      for (const eq of this.#active(step)) {
        const rule = this.#rules.get(eq.target)
        for (const tensor of rule ? rule.args : readsOf(eq)) {
          if (params.has(tensor) && !first.has(tensor)) first.set(tensor, k)
        }
      }
    })
    return first
  }

  #single(eq: Equation): void {
    const isLoss = eq.target === this.#objective.loss
    if (!isLoss && !this.#flows.has(eq.target)) return
    this.#propagate(eq, this.#cotangentOf(eq.target, isLoss ? 1 : 0))
  }

  /** Last to first, so that flows and names come in the order that single equations would give. */
  #loop(active: readonly Equation[]): void {
    if (!active.some((eq) => this.#flows.has(eq.target))) return
    const backwards = active.toReversed().map((eq) => ({ eq, own: this.#named(eq.target) }))
    for (const { eq, own } of backwards) this.#propagate(eq, (at) => read(own, at))
    for (const { eq, own } of backwards) this.#define(eq.target, own)
  }

  /** What forward equations wait for. */
  forward(): ReadonlyMap<string, After> {
    return this.#checkpoints.forward()
  }

  #propagate(eq: Equation, cotangent: Cotangent): void {
    const rule = this.#rules.get(eq.target)
    const adjoint = rule
      ? adjointOfRule(rule, cotangent, this.#activity.isActive, this.#scope)
      : adjointOf(eq, cotangent, this.#activity, this.#scope)
    const again = this.#recomputation
    const helpers = adjoint.helpers.map((helper) => again.equation(eq.target, helper))
    const sums: Equation[] = []
    for (const { tensor, to } of adjoint.contributions) {
      const contribution = again.contribution(eq.target, to)
      const running = this.#running.of(eq, tensor, contribution)
      if (running) sums.push(...running.equations)
      const flows = this.#flows.get(tensor)
      const flow = running?.contribution ?? contribution
      if (flows) flows.push(flow)
      else this.#flows.set(tensor, [flow])
    }
    this.#made.push(...again.take(), ...helpers, ...sums)
  }

  #named(tensor: string): Tensor {
    const like = this.#scope.get(tensor)
    const own = this.#scope.temp(cotangentName(tensor), like.shape, like)
    this.#cotangents.set(tensor, own)
    return own
  }

  /** Defines the cotangent of a tensor; constants are used as such, without a tensor. */
  #cotangentOf(tensor: string, seed: number): Cotangent {
    if (!this.#flows.has(tensor)) return () => ({ kind: 'const', type: 'f32', value: seed })
    const own = this.#named(tensor)
    this.#define(tensor, own, seed)
    return (at) => read(own, at)
  }

  #define(tensor: string, cotangent: Tensor, seed = 0): void {
    const contributions = this.#flows.get(tensor) ?? []
    const names = this.#indexNames.get(tensor) ?? []
    this.#made.push(...accumulate(cotangent, { contributions, seed }, names, this.#scope))
  }

  #arranged(): readonly Equation[] {
    try {
      return flatten(order(this.#running.behind(this.#made, this.#cotangents)))
    } catch (error) {
      if (error instanceof Unordered) throw new InternalError(`differentiate: ${error.message}`)
      throw error
    }
  }
}
