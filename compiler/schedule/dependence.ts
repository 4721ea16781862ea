/**
 * Which equations must run before which. In: equations without cycles and the updates of their stage. Out: a graph whose nodes can be
 * merged while it stays free of cycles. Besides producer → consumer there is reader → updater: where the next value of
 * a persistent tensor is written over the old one, every reader of the old one comes first.
 */
import { visit } from '../ir/traverse.ts'
import type { Equation, Scalar, Stage } from '../ir/types.ts'

type Read = Extract<Scalar, { kind: 'read' }>

/** An equation never changes, and scheduling asks each of them many times. */
const known = new WeakMap<Equation, readonly Read[]>()

export function readsOf(equation: Equation): readonly Read[] {
  const before = known.get(equation)
  if (before) return before
  const reads: Read[] = []
  for (const e of [equation.body, ...(equation.at ?? [])]) {
    visit(e, (node) => {
      if (node.kind === 'read') reads.push(node)
    })
  }
  known.set(equation, reads)
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

/** Both in one, without walking through the larger one; neither is of use any more. */
function united(a: Set<number>, b: Set<number>): Set<number> {
  const [small, large] = a.size < b.size ? [a, b] : [b, a]
  for (const k of small) large.add(k)
  return large
}

/**
 * Who must wait for whom is kept as a set of bits for each node, so that a question takes no search: programs of many layers ask
 * for nearly every pair of neighbours, and the way from a layer's forward to its backward pass goes through all others.
 */
export class DependenceGraph {
  /** Node of each equation, by position; merged equations share one. */
  readonly #node: number[]
  readonly #successors: Set<number>[]
  readonly #predecessors: Set<number>[]
  /** Per node, which nodes it must wait for, `#words` words each; bits of those that are part of another by now say nothing. */
  readonly #before: Uint32Array
  readonly #words: number

  constructor(count: number) {
    this.#node = Array.from({ length: count }, (_, k) => k)
    this.#successors = Array.from({ length: count }, () => new Set<number>())
    this.#predecessors = Array.from({ length: count }, () => new Set<number>())
    this.#words = (count + 31) >> 5
    this.#before = new Uint32Array(this.#words * count)
  }

  nodeOf(equation: number): number {
    let node = equation
    while (this.#node[node] !== node) node = this.#node[node]!
    this.#node[equation] = node
    return node
  }

  addEdge(before: number, after: number): void {
    const [from, to] = [this.nodeOf(before), this.nodeOf(after)]
    if (from === to) return
    this.#successors[from]!.add(to)
    this.#predecessors[to]!.add(from)
    this.#wait(from, to)
  }

  /** Whether `to` must wait for `from`; with `indirect`, through some third node. */
  reaches(from: number, to: number, indirect = false): boolean {
    const start = this.nodeOf(from)
    const goal = this.nodeOf(to)
    if (!indirect) return this.#waits(goal, start)
    for (const k of this.#predecessors[goal]!) {
      const third = this.nodeOf(k)
      if (third !== start && third !== goal && this.#waits(third, start)) return true
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
    const before = this.#before
    const [x, y] = [into * this.#words, from * this.#words]
    for (const row of [x, y])
      for (const k of [into, from]) before[row + (k >> 5)]! &= ~(1 << (k & 31))
    let more = false
    for (let w = 0; w < this.#words; w++) {
      const both = (before[x + w]! | before[y + w]!) >>> 0
      if (both === before[x + w]) continue
      before[x + w] = both
      more = true
    }
    // What waits for `into` knows of it, and often of all that `from` waits for.
    const waiting = [this.#successors[from]!, ...(more ? [this.#successors[into]!] : [])]
    for (const next of waiting.flatMap((all) => [...all])) this.#wait(into, this.nodeOf(next))
    for (const neighbours of [this.#successors, this.#predecessors]) {
      neighbours[into] = united(neighbours[into]!, neighbours[from]!)
    }
    return true
  }

  #waits(node: number, before: number): boolean {
    return (this.#before[node * this.#words + (before >> 5)]! & (1 << (before & 31))) !== 0
  }

  /** `node`, and what waits for it, waits for `first` and for what that waits for. */
  #wait(first: number, node: number): void {
    if (first === node) return
    const before = this.#before
    const own = before.slice(first * this.#words, (first + 1) * this.#words)
    own[first >> 5]! |= 1 << (first & 31)
    const queue = [node]
    for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
      const start = at * this.#words
      let changed = false
      for (let w = 0; w < own.length; w++) {
        const word = before[start + w]!
        const more = (word | own[w]!) >>> 0
        if (more === word) continue
        before[start + w] = more
        changed = true
      }
      if (!changed) continue
      for (const next of this.#successors[at]!) queue.push(this.nodeOf(next))
    }
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
  const later = (x: number, y: number): number => rank(y) - rank(x) || y - x
  // The next one at the end.
  const ready = [...after.keys()].filter((node) => waiting.get(node) === 0).sort(later)
  const insert = (node: number): void => {
    let [low, high] = [0, ready.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (later(ready[middle]!, node) < 0) low = middle + 1
      else high = middle
    }
    ready.splice(low, 0, node)
  }
  const order: number[] = []
  for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
    order.push(node)
    for (const next of after.get(node)!) {
      const left = waiting.get(next)! - 1
      waiting.set(next, left)
      if (left === 0) insert(next)
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
