/**
 * Fusion: which equations share loops. In: a stage of canonical equations. Out: groups in the order they run.
 *
 * - A loop group has one domain: at most one reduction, then equations that read what came before at the same element.
 *   `h = max(sum[i](…) + b, 0)` runs on the accumulators; so does an optimizer's update of the gradient it follows.
 * - A row group is loop groups whose first index is the same row and which meet only within a row: soft-max,
 *   cross-entropy and layer norm touch a row several times while it is in cache. Contractions that reuse an
 *   operand across rows stay out: they want to tile the rows.
 *
 * Nothing is computed twice: fusing here only moves work together.
 */
import { index, sameExtent } from '../ir/build.ts'
import { mapChildren, substitute } from '../ir/traverse.ts'
import type { Equation, Index, Scalar, Stage } from '../ir/types.ts'
import { accessOf } from './access.ts'
import { reductionOf } from './canonical.ts'
import { type DependenceGraph, dependencesOf, isIdentity, readsOf } from './dependence.ts'

export interface LoopGroup {
  readonly equations: readonly Equation[]
}

export interface Group {
  /** Set when the loop groups share one loop over rows. */
  readonly row: Index | undefined
  readonly parts: readonly LoopGroup[]
}

export interface GroupedStage {
  readonly groups: readonly Group[]
  readonly inPlace: ReadonlyMap<string, string>
}

export interface GroupOptions {
  /** False keeps every equation a kernel of its own. */
  readonly fuse: boolean
  readonly shapeOf: (tensor: string) => readonly number[]
}

export function groupStage(stage: Stage, options: GroupOptions): GroupedStage {
  const { graph, inPlace } = dependencesOf(stage)
  const { equations } = stage
  const updated = new Map([...inPlace].map(([target, value]) => [value, target]))
  const loops: Equation[][] = equations.map((e) => [e])
  if (options.fuse) fuseLoops(equations, loops, graph, updated)
  const rows = options.fuse ? fuseRows(loops, graph, updated, options) : new Map<number, number[]>()

  const groups: Group[] = []
  for (const node of graph.order()) {
    const members = rows.get(node)
    if (members) {
      const row = loops[members[0]!]![0]!.outs[0]!
      groups.push({
        row,
        parts: orderWithin(members.map((k) => loops[k]!)).map((e) => ({
          equations: e.map((equation) => renameRow(equation, row)),
        })),
      })
    } else {
      groups.push({ row: undefined, parts: [{ equations: loops[node]! }] })
    }
  }
  return { groups, inPlace }
}

/** Moves each element-wise equation into the group of a producer with the same domain. `loops` is by node. */
function fuseLoops(
  equations: readonly Equation[],
  loops: Equation[][],
  graph: DependenceGraph,
  updated: ReadonlyMap<string, string>,
): void {
  const producer = new Map(equations.map((e, k) => [e.target, k]))
  equations.forEach((equation, k) => {
    if (equation.at || reductionOf(equation)) return
    const from = new Set<number>()
    for (const r of readsOf(equation)) {
      const p = producer.get(r.tensor)
      if (p !== undefined && p !== k) from.add(graph.nodeOf(p))
    }
    for (const node of [...from].sort((a, b) => b - a)) {
      const group = loops[node]!
      const fits =
        sameDomain(group[0]!, equation) &&
        readsOf(equation).every(
          (r) => !group.some((e) => e.target === r.tensor) || isIdentity(r, equation),
        ) &&
        !overwrites(group, equation, updated)
      if (!fits || !graph.merge(node, k)) continue
      const into = graph.nodeOf(node)
      const merged = [...loops[node]!, ...loops[k]!.map((e) => overDomain(e, group[0]!.outs))]
      loops[into] = merged
      return
    }
  })
}

function sameDomain(a: Equation, b: Equation): boolean {
  return (
    !a.at &&
    !b.at &&
    a.outs.length === b.outs.length &&
    a.outs.every((i, d) => sameExtent(i.extent, b.outs[d]!.extent))
  )
}

/** Whether joining would write a tensor in place that the other side reads at other elements. */
function overwrites(
  group: readonly Equation[],
  equation: Equation,
  updated: ReadonlyMap<string, string>,
): boolean {
  const elsewhere = (reader: Equation, written: string | undefined): boolean =>
    written !== undefined &&
    readsOf(reader).some((r) => r.tensor === written && !isIdentity(r, reader))
  return group.some(
    (e) => elsewhere(e, updated.get(equation.target)) || elsewhere(equation, updated.get(e.target)),
  )
}

/** The equation with its output indices called as in `outs`. */
function overDomain(equation: Equation, outs: readonly Index[]): Equation {
  const by = new Map<string, Scalar>()
  equation.outs.forEach((i, d) => {
    if (i.name !== outs[d]!.name) by.set(i.name, index(outs[d]!))
  })
  return { ...equation, outs, body: substitute(equation.body, by) }
}

const mostParts = 12

/** Merges light loop groups over the same rows; gives the member groups of each merged node. */
function fuseRows(
  loops: Equation[][],
  graph: DependenceGraph,
  updated: ReadonlyMap<string, string>,
  options: GroupOptions,
): Map<number, number[]> {
  const rows = new Map<number, number[]>()
  const light = graph
    .order()
    .filter((node) => isLight(loops[node]!, options))
    // What is written over a persistent tensor may be read at other rows by the rest.
    .filter((node) => !loops[node]!.some((e) => updated.has(e.target)))
  for (const node of light) {
    const own = loops[node]!
    for (const [head, members] of [...rows].reverse()) {
      if (members.length >= mostParts) continue
      const together = members.flatMap((k) => loops[k]!)
      if (!sameExtent(own[0]!.outs[0]!.extent, together[0]!.outs[0]!.extent)) continue
      if (!meetInRows(together, own) || !graph.merge(head, node)) continue
      const into = graph.nodeOf(head)
      rows.delete(head)
      rows.set(into, [...members, node])
      break
    }
    if (graph.nodeOf(node) === node && !rows.has(node) && !inAny(rows, node)) rows.set(node, [node])
  }
  for (const [node, members] of [...rows]) if (members.length < 2) rows.delete(node)
  return rows
}

const inAny = (rows: ReadonlyMap<number, readonly number[]>, node: number): boolean =>
  [...rows.values()].some((members) => members.includes(node))

/** A group that no operand of is reused from row to row, so that row by row costs nothing. */
function isLight(group: readonly Equation[], options: GroupOptions): boolean {
  const first = group[0]!
  if (first.at || first.outs.length === 0) return false
  const row = first.outs[0]!
  const reduction = reductionOf(first)
  if (!reduction) return first.outs.length > 1 || row.extent.bound !== undefined
  const over = new Set(reduction.over.map((i) => i.name))
  return readsOf({ ...first, body: reduction.body }).every((r) => {
    const access = accessOf(r.at, options.shapeOf(r.tensor))
    const touches = (name: string): boolean =>
      access.strides.has(name) || access.computedBy.has(name)
    return touches(row.name) || ![...over].some(touches)
  })
}

/** Whether the two sides share data, and only ever within one row. */
function meetInRows(members: readonly Equation[], others: readonly Equation[]): boolean {
  let shared = false
  const check = (reader: Equation, written: ReadonlySet<string>): boolean => {
    for (const r of readsOf(reader)) {
      if (!written.has(r.tensor)) continue
      shared = true
      const first = r.at[0]
      if (r.guarded || first?.kind !== 'index' || first.name !== reader.outs[0]!.name) return false
    }
    return true
  }
  const made = new Set(members.map((e) => e.target))
  const theirs = new Set(others.map((e) => e.target))
  if (!others.every((e) => check(e, made)) || !members.every((e) => check(e, theirs))) return false
  if (shared) return true
  const read = new Set(members.flatMap((e) => readsOf(e).map((r) => r.tensor)))
  return others.some((e) => readsOf(e).some((r) => read.has(r.tensor) && r.at.length > 1))
}

/** Producers before consumers; the members are few. */
function orderWithin(parts: readonly (readonly Equation[])[]): (readonly Equation[])[] {
  const left = [...parts]
  const order: (readonly Equation[])[] = []
  while (left.length > 0) {
    const next = left.findIndex((part) =>
      part.every((e) =>
        readsOf(e).every(
          (r) => !left.some((other) => other !== part && other.some((o) => o.target === r.tensor)),
        ),
      ),
    )
    order.push(...left.splice(Math.max(next, 0), 1))
  }
  return order
}

function renameRow(equation: Equation, row: Index): Equation {
  const own = equation.outs[0]!
  if (own.name === row.name) return equation
  // The row's name may already be another index here: the names of an equation are unique, so swap the two.
  const by = new Map<string, Scalar>([
    [own.name, index(row)],
    [row.name, index(own.name)],
  ])
  const rename = (i: Index): Index =>
    i.name === own.name
      ? { ...i, name: row.name }
      : i.name === row.name
        ? { ...i, name: own.name }
        : i
  return {
    ...equation,
    outs: equation.outs.map(rename),
    body: swapIndices(equation.body, by, rename),
  }
}

function swapIndices(
  e: Scalar,
  by: ReadonlyMap<string, Scalar>,
  rename: (i: Index) => Index,
): Scalar {
  const replaced = substitute(e, by)
  const inner = (node: Scalar): Scalar => {
    if (node.kind === 'reduce')
      return { ...node, over: node.over.map(rename), body: inner(node.body) }
    return mapChildren(node, inner)
  }
  return inner(replaced)
}
