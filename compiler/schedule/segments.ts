/**
 * A stage's equations as code runs them: straight pieces, and loops over time around further pieces. In: canonical
 * equations, which may be systems of recurrence equations (ir/recurrence.ts). Out: segments, where
 *
 * - the time of a loop is called the same in all its equations (`@0`, `@1` by depth): to them it is an index that is
 *   already fixed, to a kernel a parameter;
 * - a read of another time of a tensor that the loop makes has a name of its own (`h@0:-1` is h one step before), so that what is
 *   inside a loop has no cycles: another time is other memory.
 */
import { affineOf } from '../ir/affine.ts'
import { index } from '../ir/build.ts'
import { dimensionOf, type Loop, order, type Step } from '../ir/recurrence.ts'
import { mapChildren, substitute } from '../ir/traverse.ts'
import type { Equation, Index, Scalar } from '../ir/types.ts'

export interface LoopSegment {
  readonly kind: 'loop'
  readonly time: Index
  readonly down: boolean
  readonly segments: readonly Segment[]
}

export type Segment =
  | { readonly kind: 'straight'; readonly equations: readonly Equation[] }
  | LoopSegment

/** What a name for another time stands for. */
export interface Alias {
  readonly tensor: string
  /** The time of the loop, `@0`. */
  readonly time: string
}

export interface Segmented {
  readonly segments: readonly Segment[]
  readonly aliases: ReadonlyMap<string, Alias>
}

export function segmentsOf(equations: readonly Equation[]): Segmented {
  const aliases = new Map<string, Alias>()
  return { segments: segments(order(equations), 0, (eq) => eq, aliases), aliases }
}

/** All equations of segments, those in loops too. */
export function equationsOf(all: readonly Segment[]): readonly Equation[] {
  return all.flatMap((s) => (s.kind === 'loop' ? equationsOf(s.segments) : s.equations))
}

type Rename = (equation: Equation) => Equation

function segments(
  steps: readonly Step[],
  depth: number,
  rename: Rename,
  aliases: Map<string, Alias>,
): Segment[] {
  const found: Segment[] = []
  let straight: Equation[] = []
  const close = (): void => {
    if (straight.length > 0) found.push({ kind: 'straight', equations: straight })
    straight = []
  }
  for (const step of steps) {
    if (step.kind === 'equation') {
      straight.push(rename(step.equation))
      continue
    }
    close()
    const time: Index = { name: `@${depth}`, extent: step.extent }
    const dimensions = dimensionsOf(step)
    const inLoop: Rename = (eq) => rename(atTime(eq, step, time, dimensions, depth, aliases))
    const inside = segments(step.steps, depth + 1, inLoop, aliases)
    found.push({ kind: 'loop', time, down: step.down, segments: inside })
  }
  close()
  return found
}

/** Per tensor that the loop makes, its dimension of time. */
function dimensionsOf(loop: Loop): Map<string, number> {
  const dimensions = new Map<string, number>()
  const walk = (steps: readonly Step[]): void => {
    for (const s of steps) {
      if (s.kind === 'loop') walk(s.steps)
      else {
        const { target } = s.equation
        dimensions.set(target, dimensionOf(s.equation, loop.time.get(target)!)!)
      }
    }
  }
  walk(loop.steps)
  return dimensions
}

function atTime(
  equation: Equation,
  loop: Loop,
  time: Index,
  dimensions: ReadonlyMap<string, number>,
  depth: number,
  aliases: Map<string, Alias>,
): Equation {
  const old = loop.time.get(equation.target)!
  const by = new Map<string, Scalar>([[old, index(time)]])
  const apart = (e: Scalar): Scalar => {
    const inside = mapChildren(e, apart)
    if (inside.kind !== 'read') return inside
    const dimension = dimensions.get(inside.tensor)
    const gap = dimension === undefined ? 0 : affineOf(inside.at[dimension]!)!.constant
    if (gap === 0) return inside
    const tensor = `${inside.tensor}@${depth}:${gap}`
    aliases.set(tensor, { tensor: inside.tensor, time: time.name })
    return { ...inside, tensor }
  }
  return {
    ...equation,
    outs: equation.outs.map((i) => (i.name === old ? { ...i, name: time.name } : i)),
    at: equation.at?.map((p) => apart(substitute(p, by))),
    body: apart(substitute(equation.body, by)),
  }
}
