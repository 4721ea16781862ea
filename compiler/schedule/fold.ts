/**
 * What a loop need not keep. In: the loops over time of an entry, and the groups that share a loop over rows, with who reads what.
 * Out: per tensor the dimensions along which all steps, or all rows, share one place, because each one's part is used in it
 * only. What the backward pass or the next step reads keeps its place for every step, save a running sum: it is only ever added to,
 * and read when the loop is done.
 */
import type { Equation } from '../ir/types.ts'
import { readsOf } from './dependence.ts'
import type { Group } from './group.ts'
import type { Alias, LoopSegment, Segment } from './segments.ts'
import { equationsOf } from './segments.ts'

type Read = ReturnType<typeof readsOf>[number]

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
  const everything = stages.flatMap(equationsOf)
  const all = countReads(everything)
  const readers = new Map<string, { readonly reader: Equation; readonly read: Read }[]>()
  for (const reader of everything) {
    for (const read of readsOf(reader)) {
      const known = readers.get(base(read.tensor))
      if (known) known.push({ reader, read })
      else readers.set(base(read.tensor), [{ reader, read }])
    }
  }
  const carried = new Set([...aliases.values()].map((a) => `${a.tensor} ${a.time}`))
  const folded = new Map<string, Set<number>>()

  const visitLoop = (loop: LoopSegment): void => {
    const inside = equationsOf(loop.segments)
    const own = countReads(inside)
    for (const equation of inside) {
      const { target, outs, at } = equation
      // What is scattered to is set to zeros once, before the loop.
      if (at || kept.has(target)) continue
      if (carried.has(`${target} ${loop.time.name}`)) {
        if (!isRunning(equation, loop, inside)) continue
      } else if (own.get(target) !== all.get(target)) continue
      const dimension = outs.findIndex((i) => i.name === loop.time.name)
      if (dimension < 0) continue
      const known = folded.get(target)
      if (known) known.add(dimension)
      else folded.set(target, new Set([dimension]))
    }
    visitAll(loop.segments)
  }
  /** Reads itself one step away at the same element, and is read elsewhere at this step or, outside, at the last. */
  const isRunning = (
    equation: Equation,
    loop: LoopSegment,
    inside: readonly Equation[],
  ): boolean => {
    const { outs, target } = equation
    const dimension = outs.findIndex((i) => i.name === loop.time.name)
    const end = loop.down ? 0 : loop.time.extent.size - 1
    return (readers.get(target) ?? []).every(({ reader, read }) => {
      const time = read.at[dimension]
      if (aliases.get(read.tensor)?.time === loop.time.name) {
        const same = read.at.every(
          (p, d) => d === dimension || (p.kind === 'index' && p.name === outs[d]!.name),
        )
        return reader === equation && same
      }
      if (inside.includes(reader)) return time?.kind === 'index' && time.name === loop.time.name
      return time?.kind === 'const' && time.value === end
    })
  }
  const visitAll = (segments: readonly Segment[]): void => {
    for (const segment of segments) if (segment.kind === 'loop') visitLoop(segment)
  }
  for (const segments of stages) visitAll(segments)
  return folded
}

/**
 * Of groups with a loop over rows: the dimension of the row of what only the row's own parts read, such as the scores of
 * attention. Not where threads share the rows, each of which would need a place of its own.
 */
export function foldedRows(
  groups: readonly Group[],
  aliases: ReadonlyMap<string, Alias>,
  kept: ReadonlySet<string>,
): ReadonlyMap<string, number> {
  const members = (group: Group): readonly Equation[] => group.parts.flatMap((p) => p.equations)
  const home = new Map(groups.flatMap((g) => members(g).map((e) => [e.target, g] as const)))
  // Another time of a tensor is read of the row that made it then.
  const elsewhere = new Set([...kept, ...[...aliases.values()].map((a) => a.tensor)])
  for (const group of groups) {
    for (const { tensor } of members(group).flatMap(readsOf)) {
      if (home.get(tensor) !== group) elsewhere.add(tensor)
    }
  }
  const folded = new Map<string, number>()
  for (const group of groups) {
    if (!group.row) continue
    for (const { target, outs, at } of members(group)) {
      const dimension = outs.findIndex((i) => i.name === group.row!.name)
      if (!at && dimension >= 0 && !elsewhere.has(target)) folded.set(target, dimension)
    }
  }
  return folded
}
