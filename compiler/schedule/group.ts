/**
 * Fusion: which equations share loops. In: canonical equations without cycles. Out: groups in the order they run.
 *
 * - A loop group has one domain: at most one reduction, then equations that read what came before at the same element.
 *   `h = max(sum[i](…) + b, 0)` runs on the accumulators; so does an optimizer's update of the gradient it follows.
 * - A row group is loop groups whose first index is the same row and which meet only within a row: soft-max,
 *   cross-entropy and layer norm touch a row several times while it is in cache. Contractions that reuse an
 *   operand across rows stay out: they want to tile the rows.
 *
 * In a loop over time the time is fixed: it is no row, and no domain differs by it.
 *
 * Nothing is computed twice: fusing here only moves work together.
 */
import { index, sameExtent } from '../ir/build.ts'
import { mapChildren, substitute } from '../ir/traverse.ts'
import type { Equation, Index, Scalar } from '../ir/types.ts'
import { accessOf, laneStride } from './access.ts'
import { reductionOf } from './canonical.ts'
import {
  type DependenceGraph,
  dependencesOf,
  isIdentity,
  readsOf,
  type UpdateOptions,
} from './dependence.ts'
import { runsInBlocks } from './tile.ts'

export interface LoopGroup {
  readonly equations: readonly Equation[]
}

export interface Group {
  /** Set when the loop groups share one loop over rows. */
  readonly row: Index | undefined
  readonly parts: readonly LoopGroup[]
}

export interface Grouped {
  readonly groups: readonly Group[]
  readonly inPlace: ReadonlyMap<string, string>
}

export interface GroupOptions extends UpdateOptions {
  /** False keeps every equation a kernel of its own. */
  readonly fuse: boolean
  /** See `ScheduleOptions`. */
  readonly cache: number
  readonly shapeOf: (tensor: string) => readonly number[]
  /** Indices of loops around. */
  readonly times: ReadonlySet<string>
}

export function groupEquations(equations: readonly Equation[], options: GroupOptions): Grouped {
  const { graph, inPlace } = dependencesOf(equations, options)
  const updated = new Map([...inPlace].map(([target, value]) => [value, target]))
  const loops: Equation[][] = equations.map((e) => [e])
  if (options.fuse) fuseLoops(equations, loops, graph, updated, options)
  const rows = options.fuse ? fuseRows(loops, graph, updated, options) : new Map<number, number[]>()

  const groups: Group[] = []
  for (const node of graph.order()) {
    const members = rows.get(node)
    if (members) {
      const row = rowOf(loops[members[0]!]![0]!, options)!
      groups.push({
        row,
        parts: orderWithin(members.map((k) => loops[k]!)).map((e) => ({
          equations: e.map((equation) => renameRow(equation, row, options)),
        })),
      })
    } else {
      groups.push({ row: undefined, parts: [{ equations: loops[node]! }] })
    }
  }
  return { groups, inPlace }
}

/** Where the outermost index stands that is not the time of a loop around; -1 if there is none. */
const rowAt = (equation: Equation, { times }: GroupOptions): number =>
  equation.outs.findIndex((i) => !times.has(i.name))

const rowOf = (equation: Equation, options: GroupOptions): Index | undefined =>
  equation.outs[rowAt(equation, options)]

/** Moves each element-wise equation into the group of a producer with the same domain. `loops` is by node. */
function fuseLoops(
  equations: readonly Equation[],
  loops: Equation[][],
  graph: DependenceGraph,
  updated: ReadonlyMap<string, string>,
  options: GroupOptions,
): void {
  const { shapeOf, cache, times } = options
  const isInPlace = (target: string): boolean => updated.has(target)
  const inBlocks = new Set(
    equations
      .filter((e) => times.size === 0 && runsInBlocks(e, { shapeOf, cache, isInPlace }))
      .map((e) => e.target),
  )
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
        touched([...group, equation]) <= mostTensors &&
        !inBlocks.has(group[0]!.target) &&
        sameDomain(group[0]!, equation, options) &&
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

/** A kernel has a parameter for each tensor it touches, and engines take no more than a thousand. */
const mostTensors = 200

const touched = (equations: readonly Equation[]): number =>
  new Set(equations.flatMap((e) => [e.target, ...readsOf(e).map((r) => r.tensor)])).size

function sameDomain(a: Equation, b: Equation, { times }: GroupOptions): boolean {
  const fits = (i: Index, j: Index): boolean =>
    sameExtent(i.extent, j.extent) &&
    (i.name === j.name || !(times.has(i.name) || times.has(j.name)))
  return (
    !a.at && !b.at && a.outs.length === b.outs.length && a.outs.every((i, d) => fits(i, b.outs[d]!))
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
  const touching = new Touching()
  for (const node of light) {
    const own = loops[node]!
    let merged = false
    for (const head of touching.latest(own)) {
      const members = rows.get(head)!
      if (members.length >= mostParts) continue
      const together = members.flatMap((k) => loops[k]!)
      const [a, b] = [rowOf(own[0]!, options)!, rowOf(together[0]!, options)!]
      if (!sameExtent(a.extent, b.extent)) continue
      if (!meetInRows(together, own, options) || !graph.merge(head, node)) continue
      rows.set(head, [...members, node])
      touching.add(head, own)
      merged = true
      break
    }
    if (!merged) {
      rows.set(node, [node])
      touching.add(node, own)
    }
  }
  for (const [node, members] of [...rows]) if (members.length < 2) rows.delete(node)
  return rows
}

/** Which row groups make and read a tensor: only those that share one come into question for each other (`meetInRows`). */
class Touching {
  readonly #makers = new Map<string, Set<number>>()
  readonly #readers = new Map<string, Set<number>>()
  /** When a group last grew. */
  readonly #grown = new Map<number, number>()
  #time = 0

  add(head: number, equations: readonly Equation[]): void {
    this.#grown.set(head, this.#time++)
    const note = (heads: Map<string, Set<number>>, name: string): void => {
      const known = heads.get(name)
      if (known) known.add(head)
      else heads.set(name, new Set([head]))
    }
    for (const e of equations) {
      note(this.#makers, e.target)
      for (const r of readsOf(e)) note(this.#readers, r.tensor)
    }
  }

  /** Those that share a tensor with the equations, the last to have grown first. */
  latest(equations: readonly Equation[]): number[] {
    const found = new Set<number>()
    const find = (heads: ReadonlyMap<string, Iterable<number>>, name: string): void => {
      for (const head of heads.get(name) ?? []) found.add(head)
    }
    for (const e of equations) {
      find(this.#readers, e.target)
      for (const r of readsOf(e)) {
        find(this.#makers, r.tensor)
        if (r.at.length > 1) find(this.#readers, r.tensor)
      }
    }
    return [...found].sort((a, b) => this.#grown.get(b)! - this.#grown.get(a)!)
  }
}

/** A vector of weights that every row reads: with this many elements it stays in the nearest cache. */
const smallVector = 1024

/** A group that no operand of is reused from row to row, so that row by row costs nothing. */
function isLight(group: readonly Equation[], options: GroupOptions): boolean {
  const first = group[0]!
  const row = rowOf(first, options)
  if (first.at || !row) return false
  const reduction = reductionOf(first)
  if (!reduction) {
    const free = first.outs.filter((i) => !options.times.has(i.name))
    return free.length > 1 || row.extent.bound !== undefined
  }
  const over = new Set(reduction.over.map((i) => i.name))
  return readsOf({ ...first, body: reduction.body }).every((r) => {
    const access = accessOf(r.at, options.shapeOf(r.tensor))
    const touches = (name: string): boolean =>
      access.strides.has(name) || access.computedBy.has(name)
    if (![...over].some(touches)) return true
    const alone = first.outs.every((i) => !touches(i.name))
    const elements = options.shapeOf(r.tensor).reduce((n, size) => n * size, 1)
    if (alone && elements <= smallVector) return true
    // Neighbouring rows that lie side by side, as the columns of a matrix do, want to go along the lanes.
    return touches(row.name) && laneStride(access, row.name) !== 1
  })
}

/** Whether the two sides share data, and only ever within one row. */
function meetInRows(
  members: readonly Equation[],
  others: readonly Equation[],
  options: GroupOptions,
): boolean {
  let shared = false
  const check = (reader: Equation, written: ReadonlyMap<string, number>): boolean => {
    for (const r of readsOf(reader)) {
      const dimension = written.get(r.tensor)
      if (dimension === undefined) continue
      shared = true
      const p = r.at[dimension]
      const row = rowOf(reader, options)
      if (r.guarded || p?.kind !== 'index' || p.name !== row?.name) return false
    }
    return true
  }
  const rowsOf = (all: readonly Equation[]): Map<string, number> =>
    new Map(all.map((e) => [e.target, rowAt(e, options)]))
  const made = rowsOf(members)
  const theirs = rowsOf(others)
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

function renameRow(equation: Equation, row: Index, options: GroupOptions): Equation {
  const own = rowOf(equation, options)!
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
