/**
 * Sums over the steps of a loop that is computed again step by step. In: what an equation of a checkpoint in a loop sends
 * to a tensor outside the loop, a weight mostly. Out: the same, added up as the backward loop goes:
 *
 *   d_W_step[s, k, j] = sum[n, u](h_again[n, s, u, k] * d_z[n, s, u, j])
 *   d_W_sum[s, k, j] = d_W_step[s, k, j] + d_W_sum?[s + 1, k, j]          d_W = d_W_sum[0]
 *
 * One sum after the loop would need `h_again` and `d_z` of all steps, which the checkpoint is there to avoid. What the
 * backward loop carries on to the next step waits for the sums (`Equation.after`): so they are in that loop and not in
 * one of their own.
 */
import { add, index, int, read, sub } from '../ir/build.ts'
import { dimensionOf } from '../ir/recurrence.ts'
import { freeIndices } from '../ir/traverse.ts'
import type { After, Equation, Tensor } from '../ir/types.ts'
import { accumulate } from './accumulate.ts'
import type { Checkpoints, Steps } from './checkpoints.ts'
import { gatherOf } from './invert.ts'
import type { Contribution } from './reverse.ts'
import { cotangentName, type Scope } from './scope.ts'

export interface Running {
  readonly equations: readonly Equation[]
  /** What is left to add to the cotangent of the tensor. */
  readonly contribution: Contribution
}

export class RunningSums {
  readonly #checkpoints: Checkpoints
  readonly #scope: Scope
  /** Per checkpoint the last of its sums: each waits for the one before it. */
  readonly #last = new Map<string, { readonly tensor: string; readonly dimension: number }>()
  /** Tensors of a loop, outside of a checkpoint, to which something of the checkpoint flows back. */
  readonly #carriers = new Map<string, Steps>()

  constructor(checkpoints: Checkpoints, scope: Scope) {
    this.#checkpoints = checkpoints
    this.#scope = scope
  }

  /** Undefined where the contribution stays as it is. */
  of(equation: Equation, tensor: string, c: Contribution): Running | undefined {
    const steps = this.#checkpoints.stepsOf(equation.target)
    const time = steps?.time.get(equation.target)
    if (!steps || time === undefined || steps.isInside(tensor)) return undefined
    if (steps.loop.time.has(tensor)) {
      if (steps.readsAtTime(equation, tensor)) this.#carriers.set(tensor, steps)
      return undefined
    }
    if (c.at.some((p) => freeIndices(p).has(time))) return undefined
    return this.#sum(steps, time, tensor, c)
  }

  #sum(steps: Steps, time: string, tensor: string, c: Contribution): Running | undefined {
    const { loop, level } = steps
    const like = this.#scope.get(tensor)
    const dimension = like.shape.findIndex((x) => x.bound === undefined)
    const place = dimension < 0 ? like.shape.length : dimension
    const shape = like.shape.toSpliced(place, 0, loop.extent)
    const own = { ...c, at: c.at.toSpliced(place, 0, index(time)) }
    // A scatter needs the memory of all steps: better one after the loop.
    if (!gatherOf(own, shape, this.#scope.find)) return undefined
    const name = cotangentName(tensor)
    const step = this.#scope.temp(`${name}_step`, shape, like)
    const sum = this.#scope.temp(`${name}_sum`, shape, like)
    const flow = { contributions: [own], seed: 0 }
    const made = accumulate(step, flow, [], this.#scope)
    const { outs } = made.at(-1)!
    const at = outs.map((i) => index(i))
    const before = (loop.down ? sub : add)(at[place]!, int(1))
    const body = add(read(step, at), read(sum, at.with(place, before), true))
    const known = this.#last.get(level)
    const after = known && waitFor(known, this.#scope, outs[place]!.name)
    this.#last.set(level, { tensor: sum.name, dimension: place })
    const { origin } = c
    const end = int(loop.down ? loop.extent.size - 1 : 0)
    return {
      equations: [
        ...made,
        { target: sum.name, outs, at: undefined, body, ...(after && { after }), origin },
      ],
      contribution: {
        domain: outs.toSpliced(place, 1),
        at: at.toSpliced(place, 1),
        guarded: false,
        value: read(sum, at.with(place, end)),
        origin,
      },
    }
  }

  /** The backward pass with what carries its loops on behind the sums of each step. */
  behind(
    equations: readonly Equation[],
    cotangents: ReadonlyMap<string, Tensor>,
  ): readonly Equation[] {
    const waits = new Map<string, After>()
    for (const [tensor, { level, loop }] of this.#carriers) {
      const last = this.#last.get(level)
      const forward = this.#checkpoints.definition(tensor)
      const cotangent = cotangents.get(tensor)?.name
      const own = equations.find((eq) => eq.target === cotangent)
      if (!last || !forward || !own || own.at) continue
      const dimension = dimensionOf(forward, loop.time.get(tensor)!)!
      waits.set(own.target, waitFor(last, this.#scope, own.outs[dimension]!.name))
    }
    return equations.map((eq) => {
      const after = waits.get(eq.target)
      return after ? { ...eq, after } : eq
    })
  }
}

function waitFor(
  { tensor, dimension }: { readonly tensor: string; readonly dimension: number },
  scope: Scope,
  time: string,
): After {
  const at = scope.get(tensor).shape.map((_, d) => (d === dimension ? time : undefined))
  return { tensor, at }
}
