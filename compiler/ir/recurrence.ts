/**
 * Systems of recurrence equations. In: equations that may read each other in cycles, each cycle one step apart along one
 * of its indices:
 *
 *   h[n, t, j] = tanh(u[n, t, j] + sum[k](h?[n, t - 1, k] * W[k, j]))
 *
 * Out: the order in which they are computed. A strongly connected component of the graph "reads" becomes a loop over
 * the index that all its cycles step along (upwards where they read t - 1, downwards where they read t + 1), and what is
 * inside is ordered the same way by the reads that remain (nested loops). What is in no cycle is in no loop, so
 * work that does not depend on what is carried leaves the loop by itself. Allen and Kennedy 1987, "Automatic translation
 * of Fortran programs to vector form".
 *
 * Limits: the index of a loop is static, and reads inside it are at that index plus a constant.
 */
import { affineOf } from './affine.ts'
import { index } from './build.ts'
import { visit } from './traverse.ts'
import type { Equation, Extent, Index, Scalar } from './types.ts'

export interface Loop {
  readonly kind: 'loop'
  readonly extent: Extent
  /** From the last step to the first. */
  readonly down: boolean
  /** Per target of an equation inside, the name of its index that is the loop's time. */
  readonly time: ReadonlyMap<string, string>
  readonly steps: readonly Step[]
}

export type Step = { readonly kind: 'equation'; readonly equation: Equation } | Loop

/** Equations that read each other in a cycle which no index puts in order. */
export class Unordered extends Error {
  readonly targets: readonly string[]

  constructor(targets: readonly string[]) {
    super(`no order for ${targets.join(', ')}, which read each other`)
    this.targets = targets
  }
}

/**
 * Steps in an order in which each reads only what is there; equations keep their order where they can.
 * Throws `Unordered`.
 */
export function order(equations: readonly Equation[]): readonly Step[] {
  const targets = new Set(equations.map((eq) => eq.target))
  return arrange(equations.map((equation) => ({ equation, reads: readsAmong(equation, targets) })))
}

/** The equations of all steps, those of a loop together. */
export function flatten(steps: readonly Step[]): readonly Equation[] {
  return steps.flatMap((s) => (s.kind === 'loop' ? flatten(s.steps) : [s.equation]))
}

/** The targets of the equations in loops: none of them is whole before its loop ends. */
export function targetsInLoops(equations: readonly Equation[]): ReadonlySet<string> {
  const loops = order(equations).filter((step) => step.kind === 'loop')
  return new Set(flatten(loops).map((eq) => eq.target))
}

/** The position in its tensor of the dimension that the index runs along, undefined where there is none. */
export function dimensionOf(equation: Equation, index: string): number | undefined {
  const k = equation.at
    ? equation.at.findIndex((p) => p.kind === 'index' && p.name === index)
    : equation.outs.findIndex((i) => i.name === index)
  return k < 0 ? undefined : k
}

interface Reading {
  readonly tensor: string
  readonly at: readonly (Scalar | undefined)[]
}

interface Node {
  readonly equation: Equation
  /** Reads of tensors of the system that no loop around has settled. */
  readonly reads: readonly Reading[]
}

function readsAmong(equation: Equation, targets: ReadonlySet<string>): Reading[] {
  const reads: Reading[] = []
  const { after } = equation
  if (after && targets.has(after.tensor)) {
    const at = after.at.map((i): Scalar | undefined => (i === undefined ? i : index(i)))
    reads.push({ tensor: after.tensor, at })
  }
  for (const part of [equation.body, ...(equation.at ?? [])]) {
    visit(part, (e) => {
      if (e.kind === 'read' && targets.has(e.tensor)) reads.push({ tensor: e.tensor, at: e.at })
    })
  }
  return reads
}

function arrange(nodes: readonly Node[]): Step[] {
  return components(nodes).map((members): Step => {
    const [only] = members
    const alone = members.length === 1 && only !== undefined
    if (alone && !only.reads.some((r) => r.tensor === only.equation.target)) {
      return { kind: 'equation', equation: only.equation }
    }
    return loopOf(members)
  })
}

/** A loop over the first index along which the cycles of the component can be run. */
function loopOf(members: readonly Node[]): Loop {
  const inside = new Set(members.map((m) => m.equation.target))
  const own = members.map((m) => ({ ...m, reads: m.reads.filter((r) => inside.has(r.tensor)) }))
  const first = own[0]!.equation
  for (const candidate of first.outs) {
    if (candidate.extent.bound !== undefined) continue
    if (dimensionOf(first, candidate.name) === undefined) continue
    const found = timeFrom(candidate, own)
    if (!found) continue
    try {
      return {
        kind: 'loop',
        extent: candidate.extent,
        down: found.down,
        time: new Map([...found.time].map(([target, index]) => [target, index.name])),
        steps: arrange(found.left),
      }
    } catch (e) {
      if (!(e instanceof Unordered)) throw e
    }
  }
  throw new Unordered([...inside])
}

interface Found {
  readonly time: ReadonlyMap<string, Index>
  readonly down: boolean
  readonly left: readonly Node[]
}

/** Follows the reads from one equation's index to those of all others; undefined where they do not fit. */
function timeFrom(candidate: Index, members: readonly Node[]): Found | undefined {
  const equations = new Map(members.map((m) => [m.equation.target, m.equation]))
  const time = new Map([[members[0]!.equation.target, candidate]])
  const choose = (target: string, index: Index | undefined): boolean => {
    if (!index || index.extent.bound !== undefined) return false
    if (index.extent.size !== candidate.extent.size) return false
    if (dimensionOf(equations.get(target)!, index.name) === undefined) return false
    time.set(target, index)
    return true
  }
  // The component is strongly connected, so every round reaches further until all are known.
  while (time.size < members.length) {
    for (const { equation, reads } of members) {
      const own = time.get(equation.target)
      for (const { tensor, at } of reads) {
        const theirs = time.get(tensor)
        const source = equations.get(tensor)!
        if (own && !theirs) {
          const k = at.findIndex((p) => distance(p, own.name) !== undefined)
          if (!choose(tensor, indexAt(source, k))) return undefined
        } else if (!own && theirs) {
          const p = at[dimensionOf(source, theirs.name)!]
          const step = equation.outs.find((i) => distance(p, i.name) !== undefined)
          if (!choose(equation.target, step)) return undefined
          break
        }
      }
    }
  }
  let least = 0
  let most = 0
  const left: Node[] = []
  for (const { equation, reads } of members) {
    const open: Reading[] = []
    for (const reading of reads) {
      const k = dimensionOf(equations.get(reading.tensor)!, time.get(reading.tensor)!.name)!
      const gap = distance(reading.at[k], time.get(equation.target)!.name)
      if (gap === undefined) return undefined
      least = Math.min(least, gap)
      most = Math.max(most, gap)
      if (gap === 0) open.push(reading)
    }
    left.push({ equation, reads: open })
  }
  if (least < 0 === most > 0) return undefined
  return { time, down: most > 0, left }
}

function indexAt(equation: Equation, dimension: number): Index | undefined {
  if (!equation.at) return equation.outs[dimension]
  const p = equation.at[dimension]
  return p?.kind === 'index' ? equation.outs.find((i) => i.name === p.name) : undefined
}

/** c where the position is index + c. */
function distance(position: Scalar | undefined, time: string): number | undefined {
  const form = position && affineOf(position)
  return form?.terms.size === 1 && form.terms.get(time) === 1 ? form.constant : undefined
}

/** Strongly connected components, those read before those that read them. Tarjan 1972, without recursion. */
function components(nodes: readonly Node[]): Node[][] {
  const at = new Map(nodes.map((node, k) => [node.equation.target, k]))
  const edges = nodes.map((node) => [...new Set(node.reads.flatMap((r) => at.get(r.tensor) ?? []))])
  const seen: number[] = nodes.map(() => -1)
  const low: number[] = nodes.map(() => -1)
  const open: number[] = []
  const isOpen = nodes.map(() => false)
  const found: Node[][] = []
  let count = 0
  for (const root of nodes.keys()) {
    if (seen[root] !== -1) continue
    const path = [{ node: root, next: 0 }]
    while (path.length > 0) {
      const top = path.at(-1)!
      const k = top.node
      if (top.next === 0) {
        seen[k] = low[k] = count++
        open.push(k)
        isOpen[k] = true
      }
      const to = edges[k]![top.next++]
      if (to !== undefined) {
        if (seen[to] === -1) path.push({ node: to, next: 0 })
        else if (isOpen[to]) low[k] = Math.min(low[k]!, seen[to]!)
        continue
      }
      path.pop()
      const parent = path.at(-1)?.node
      if (parent !== undefined) low[parent] = Math.min(low[parent]!, low[k]!)
      if (low[k] !== seen[k]) continue
      const members = open.splice(open.indexOf(k))
      for (const m of members) isOpen[m] = false
      found.push(members.sort((a, b) => a - b).map((m) => nodes[m]!))
    }
  }
  return found
}
