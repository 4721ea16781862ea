/**
 * What a loop over time need not keep. In: the loops of an entry and who reads what. Out: per tensor the dimensions of
 * time along which all steps share one place, because each step's part is used in that step only. What the backward pass or
 * the next step reads keeps its place for every step.
 */
import type { Equation } from '../ir/types.ts'
import { readsOf } from './dependence.ts'
import type { Alias, LoopSegment, Segment } from './segments.ts'
import { equationsOf } from './segments.ts'

/** `kept` are tensors that somebody outside the equations needs. */
export function foldedTimes(
  stages: readonly (readonly Segment[])[],
  aliases: ReadonlyMap<string, Alias>,
  kept: ReadonlySet<string>,
): ReadonlyMap<string, ReadonlySet<number>> {
  const base = (name: string): string => aliases.get(name)?.tensor ?? name
  const countReads = (equations: readonly Equation[]): Map<string, number> => {
    const counts = new Map<string, number>()
    for (const { tensor } of equations.flatMap(readsOf)) {
      counts.set(base(tensor), (counts.get(base(tensor)) ?? 0) + 1)
    }
    return counts
  }
  const all = countReads(stages.flatMap(equationsOf))
  const carried = new Set([...aliases.values()].map((a) => `${a.tensor} ${a.time}`))
  const folded = new Map<string, Set<number>>()

  const visitLoop = (loop: LoopSegment): void => {
    const inside = equationsOf(loop.segments)
    const own = countReads(inside)
    for (const { target, outs, at } of inside) {
      // What is scattered to is set to zeros once, before the loop.
      if (at || kept.has(target) || carried.has(`${target} ${loop.time.name}`)) continue
      if (own.get(target) !== all.get(target)) continue
      const dimension = outs.findIndex((i) => i.name === loop.time.name)
      if (dimension < 0) continue
      const known = folded.get(target)
      if (known) known.add(dimension)
      else folded.set(target, new Set([dimension]))
    }
    visitAll(loop.segments)
  }
  const visitAll = (segments: readonly Segment[]): void => {
    for (const segment of segments) if (segment.kind === 'loop') visitLoop(segment)
  }
  for (const segments of stages) visitAll(segments)
  return folded
}
