/** Who waits for whom, as sets that grow when nodes merge, against a plain search over random graphs. */
import { expect, test } from 'vitest'
import { DependenceGraph } from '../../compiler/schedule/dependence.ts'
import { randomFrom } from '../support/random.ts'

/** The same by searching. */
class Plain {
  readonly node: number[]
  readonly edges: [number, number][] = []

  constructor(count: number) {
    this.node = Array.from({ length: count }, (_, k) => k)
  }

  reaches(from: number, to: number, indirect = false): boolean {
    const [start, goal] = [this.node[from]!, this.node[to]!]
    const next = (k: number): number[] =>
      this.edges
        .map(([a, b]) => [this.node[a]!, this.node[b]!] as const)
        .filter(([a, b]) => a === k && b !== k)
        .map(([, b]) => b)
    const seen = new Set<number>()
    const queue = next(start).filter((k) => !(indirect && k === goal))
    for (let k = queue.pop(); k !== undefined; k = queue.pop()) {
      if (k === goal) return true
      if (seen.has(k)) continue
      seen.add(k)
      queue.push(...next(k))
    }
    return false
  }

  merge(a: number, b: number): boolean {
    const [into, from] = [this.node[a]!, this.node[b]!]
    if (into === from) return true
    if (this.reaches(into, from, true) || this.reaches(from, into, true)) return false
    this.node.forEach((k, at) => {
      if (k === from) this.node[at] = into
    })
    return true
  }
}

test.each([1, 2, 3, 4, 5, 6])('random graph %i', (seed) => {
  const random = randomFrom(seed)
  const below = (n: number): number => Math.floor(random() * n)
  const count = 20 + 15 * seed
  const graph = new DependenceGraph(count)
  const plain = new Plain(count)
  const edge = (): void => {
    const [a, b] = [below(count), below(count)].sort((x, y) => x - y) as [number, number]
    // Nodes may be merged by now: an edge backwards would close a cycle.
    if (plain.node[a] === plain.node[b] || plain.reaches(b, a)) return
    graph.addEdge(a, b)
    plain.edges.push([a, b])
  }
  for (let k = 0; k < count; k++) edge()
  let merged = 0
  for (let k = 0; k < 6 * count; k++) {
    const [a, b] = [below(count), below(count)]
    if (k % 9 === 0) edge()
    else if (k % 3 === 0) {
      if (plain.node[a] === plain.node[b]) continue
      const indirect = k % 2 === 0
      expect(graph.reaches(a, b, indirect)).toBe(plain.reaches(a, b, indirect))
    } else {
      const same = graph.merge(a, b)
      expect(same).toBe(plain.merge(a, b))
      if (same) merged++
    }
    expect(graph.nodeOf(a)).toBe(plain.node[a])
  }
  expect(merged).toBeGreaterThan(count / 4)
  const order = graph.order()
  expect(new Set(order)).toEqual(new Set(plain.node))
  const place = new Map(order.map((node, k) => [node, k]))
  for (const [a, b] of plain.edges) {
    const [x, y] = [place.get(plain.node[a]!)!, place.get(plain.node[b]!)!]
    expect(x).toBeLessThanOrEqual(y)
  }
})
