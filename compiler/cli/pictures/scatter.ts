/** Points of a plane with their names, such as embeddings along their two principal components. Pure. */
import { element, label, type Part, widthOf } from './svg.ts'

export interface Scatter {
  readonly title: string
  readonly points: readonly { readonly x: number; readonly y: number; readonly name: string }[]
  /** What lies along each axis. */
  readonly axes: readonly [x: string, y: string]
}

/** A square, so that distances are what they seem. Names are left out where they would cover others. */
export function scatter({ title, points, axes }: Scatter, size = 640): Part {
  const top = 30
  const shown = points.filter((p) => Number.isFinite(p.x) && Number.isFinite(p.y))
  const [minX, maxX] = ends(shown.map((p) => p.x))
  const [minY, maxY] = ends(shown.map((p) => p.y))
  const span = Math.max(maxX - minX, maxY - minY) || 1
  const margin = 24
  const unit = (size - 2 * margin) / span
  const height = Math.max(160, (maxY - minY) * unit + 2 * margin)
  const X = (x: number): number => size / 2 + (x - (minX + maxX) / 2) * unit
  const Y = (y: number): number => top + height / 2 - (y - (minY + maxY) / 2) * unit
  const parts = [
    label(title, { class: 'title', x: 0, y: 14 }),
    element('rect', { class: 'rule', x: 0.5, y: top + 0.5, width: size, height, fill: 'none' }),
  ]
  const taken = new Boxes()
  const places = shown.map((p) => ({ ...p, x: X(p.x), y: Y(p.y) }))
  for (const { x, y } of places) {
    parts.push(element('circle', { class: 'f0', cx: x, cy: y, r: 2.5 }))
    taken.add({ x: x - 2, y: y - 2, width: 4, height: 4 })
  }
  for (const { x, y, name } of places) {
    const width = widthOf(name, 11)
    const sides = [
      [x + 5, y + 4],
      [x - width - 5, y + 4],
      [x - width / 2, y - 6],
      [x - width / 2, y + 14],
    ] as const
    const isInside = (left: number): boolean => left >= 2 && left + width <= size - 2
    const free = sides.find(
      ([left, base]) => isInside(left) && taken.isFree({ x: left, y: base - 9, width, height: 11 }),
    )
    if (!free) continue
    taken.add({ x: free[0], y: free[1] - 9, width, height: 11 })
    parts.push(label(name, { x: free[0], y: free[1], 'font-size': '11' }))
  }
  parts.push(label(`${axes[0]} →, ${axes[1]} ↑`, { class: 'soft', x: 0, y: top + height + 18 }))
  return { width: size + 1, height: top + height + 24, body: parts.join('\n') }
}

const ends = (values: readonly number[]): readonly [number, number] =>
  values.length === 0
    ? [0, 1]
    : [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))]

interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** Rectangles in cells of a coarse grid, so that thousands of points are quick to look among. */
class Boxes {
  readonly #cells = new Map<string, Box[]>()

  #near(box: Box): Box[][] {
    const found: Box[][] = []
    for (let x = Math.floor(box.x / 32); x <= Math.floor((box.x + box.width) / 32); x++) {
      for (let y = Math.floor(box.y / 32); y <= Math.floor((box.y + box.height) / 32); y++) {
        const key = `${x},${y}`
        if (!this.#cells.has(key)) this.#cells.set(key, [])
        found.push(this.#cells.get(key)!)
      }
    }
    return found
  }

  add(box: Box): void {
    for (const cell of this.#near(box)) cell.push(box)
  }

  isFree(box: Box): boolean {
    const meets = (other: Box): boolean =>
      box.x < other.x + other.width &&
      other.x < box.x + box.width &&
      box.y < other.y + other.height &&
      other.y < box.y + box.height
    return !this.#near(box).some((cell) => cell.some(meets))
  }
}
