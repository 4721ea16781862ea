/**
 * Which equations must run before which. In: equations without cycles and the updates of their stage. Out: a graph whose nodes can be
 * merged while it stays free of cycles. Besides producer → consumer there is reader → updater: where the next value of
 * a persistent tensor is written over the old one, every reader of the old one comes first.
 */
import { visit } from '../ir/traverse.ts'
import type { Equation, Scalar, Stage } from '../ir/types.ts'

type Read = Extract<Scalar, { kind: 'read' }>

export function readsOf(equation: Equation): Read[] {
  const reads: Read[] = []
  for (const e of [equation.body, ...(equation.at ?? [])]) {
    visit(e, (node) => {
      if (node.kind === 'read') reads.push(node)
    })
  }
  return reads
}

/** Whether every read of `tensor` is of the very element that the equation defines. */
export function readsInPlace(equation: Equation, tensor: string): boolean {
  return readsOf(equation).every((r) => r.tensor !== tensor || isIdentity(r, equation))
}

export function isIdentity(r: Read, equation: Equation): boolean {
  return (
    !equation.at &&
    r.at.length === equation.outs.length &&
    r.at.every((p, d) => p.kind === 'index' && p.name === equation.outs[d]!.name)
  )
}

export class DependenceGraph {
  /** Node of each equation, by position; merged equations share one. */
  readonly #node: number[]
  readonly #successors: Set<number>[]

  constructor(count: number) {
    this.#node = Array.from({ length: count }, (_, k) => k)
    this.#successors = Array.from({ length: count }, () => new Set<number>())
  }

  nodeOf(equation: number): number {
    let node = equation
    while (this.#node[node] !== node) node = this.#node[node]!
    this.#node[equation] = node
    return node
  }

  addEdge(before: number, after: number): void {
    if (before !== after) this.#successors[this.nodeOf(before)]!.add(after)
  }

  /** Whether `to` must wait for `from`; with `indirect`, through some third node. */
  reaches(from: number, to: number, indirect = false): boolean {
    const start = this.nodeOf(from)
    const goal = this.nodeOf(to)
    const seen = new Set<number>([start])
    const queue: number[] = []
    for (const next of this.#successors[start]!) {
      const node = this.nodeOf(next)
      if (node === goal) {
        if (!indirect) return true
      } else if (!seen.has(node)) {
        seen.add(node)
        queue.push(node)
      }
    }
    for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
      for (const next of this.#successors[node]!) {
        const following = this.nodeOf(next)
        if (following === goal) return true
        if (!seen.has(following)) {
          seen.add(following)
          queue.push(following)
        }
      }
    }
    return false
  }

  /** Makes one node of two unless something must run between them. */
  merge(a: number, b: number): boolean {
    const into = this.nodeOf(a)
    const from = this.nodeOf(b)
    if (into === from) return true
    if (this.reaches(into, from, true) || this.reaches(from, into, true)) return false
    this.#node[from] = into
    const successors = this.#successors[into]!
    for (const next of this.#successors[from]!) successors.add(next)
    for (const next of [...successors]) if (this.nodeOf(next) === into) successors.delete(next)
    return true
  }

  /**
   * The nodes in an order that respects the edges and otherwise that of the equations. What a node waits for comes as early
   * as the node itself would: else a factor of the optimizer, listed behind the backward pass, would hold up all updates
   * until then, with everything that they read kept in memory and out of the cache.
   */
  order(): number[] {
    const after = new Map<number, ReadonlySet<number>>()
    for (const node of new Set(this.#node.map((_, k) => this.nodeOf(k)))) {
      const following = new Set([...this.#successors[node]!].map((k) => this.nodeOf(k)))
      following.delete(node)
      after.set(node, following)
    }
    const wanted = new Map<number, number>()
    for (const node of topological(after, (node) => node).reverse()) {
      const next = [...after.get(node)!].map((k) => wanted.get(k)!)
      wanted.set(node, Math.min(node, ...next))
    }
    return topological(after, (node) => wanted.get(node)!)
  }
}

/** The nodes, each behind those it follows; of several that could come next the one of least rank, then of least number. */
function topological(
  after: ReadonlyMap<number, ReadonlySet<number>>,
  rank: (node: number) => number,
): number[] {
  const waiting = new Map<number, number>([...after.keys()].map((node) => [node, 0]))
  for (const following of after.values()) {
    for (const next of following) waiting.set(next, waiting.get(next)! + 1)
  }
  const ready = [...after.keys()].filter((node) => waiting.get(node) === 0)
  const order: number[] = []
  while (ready.length > 0) {
    ready.sort((x, y) => rank(x) - rank(y) || x - y)
    const node = ready.shift()!
    order.push(node)
    for (const next of after.get(node)!) {
      const left = waiting.get(next)! - 1
      waiting.set(next, left)
      if (left === 0) ready.push(next)
    }
  }
  return order
}

export interface StageDependences {
  readonly graph: DependenceGraph
  /** Per persistent tensor the temp that is written straight over it. */
  readonly inPlace: ReadonlyMap<string, string>
}

export interface UpdateOptions {
  readonly updates: Stage['updates']
  /** Tensors that are read after the piece. */
  readonly later: ReadonlySet<string>
  /** The stage's loss: nothing persistent changes before it is known to be finite. */
  readonly loss: string | undefined
  /** Values of updates that need memory of their own. */
  readonly kept: ReadonlySet<string>
}

/** Builds the graph of a straight piece of a stage and decides which of the updates are written in place. */
export function dependencesOf(
  equations: readonly Equation[],
  { updates, later, loss, kept }: UpdateOptions,
): StageDependences {
  const graph = new DependenceGraph(equations.length)
  const producer = new Map(equations.map((e, k) => [e.target, k]))
  const readers = new Map<string, number[]>()
  equations.forEach((equation, k) => {
    const awaited = producer.get(equation.after?.tensor ?? '')
    if (awaited !== undefined) graph.addEdge(awaited, k)
    for (const r of readsOf(equation)) {
      const from = producer.get(r.tensor)
      if (from !== undefined) graph.addEdge(from, k)
      const known = readers.get(r.tensor)
      if (known) known.push(k)
      else readers.set(r.tensor, [k])
    }
  })
  const inPlace = new Map<string, string>()
  const used = new Set<string>()
  const check = loss === undefined ? undefined : producer.get(loss)
  for (const { target, value } of updates) {
    const writer = producer.get(value)
    if (writer === undefined || used.has(value)) continue
    if (later.has(target) || kept.has(value)) continue
    const equation = equations[writer]!
    if (equation.at || !readsInPlace(equation, target)) continue
    const before = (readers.get(target) ?? []).filter((k) => k !== writer)
    if (check !== undefined && check !== writer) before.push(check)
    if (before.some((k) => graph.reaches(writer, k))) continue
    for (const k of before) graph.addEdge(k, writer)
    used.add(value)
    inPlace.set(target, value)
  }
  return { graph, inPlace }
}
