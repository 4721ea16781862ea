/**
 * Register tiles: how many rows and how many vectors of columns a sum of products computes at once. In: extents, and what a step
 * loads. Out: tiles with what the model expects each to cost. `npm run bench -- --tiles` holds the model against measurement.
 */
import type { Index } from '../ir/types.ts'
import { cacheBytes } from './block.ts'

/** Vectors the engine can keep in registers: 16 on x86-64, less one for a temporary. */
const registers = 15

export interface Tile {
  readonly rowTile: number
  readonly laneTile: number
  /** Of one element, in multiply-adds for each of its terms. */
  readonly cost: number
}

/** Rows × 4 partial-sum vectors, one per lane of the result. */
export function dotTile(rows: Index | undefined): Tile {
  return { rowTile: rows ? Math.min(rows.extent.size, 2) : 1, laneTile: 1, cost: 1 }
}

/** The first tile of least cost. */
export function plainTile(
  rows: Index | undefined,
  vectors: number,
  laneLoads: number,
  rowLoads: number,
  far: boolean,
): Tile {
  const tiles = plainTiles(rows ? rows.extent.size : 1, vectors, laneLoads, rowLoads, far)
  return tiles.reduce((best, tile) => (tile.cost < best.cost - 1e-9 ? tile : best))
}

/** Whether the tensors that are read along the lanes, of so many elements, come from beyond the second-level cache. */
export const isFar = (elements: readonly number[]): boolean =>
  4 * elements.reduce((a, b) => a + b, 0) > cacheBytes

/**
 * All tiles that fit the registers, each with its work over the whole extent, counted in multiply-adds. Rows share what the
 * lanes load, which is worth more where that is `far`.
 */
export function plainTiles(
  extent: number,
  vectors: number,
  laneLoads: number,
  rowLoads: number,
  far: boolean,
): Tile[] {
  const tiles: Tile[] = []
  for (let r = 1; r <= Math.min(extent, 8); r++) {
    for (let c = 1; c <= Math.min(vectors, r === 1 ? 8 : 4); c++) {
      if (r * c + c * laneLoads + 1 > registers) continue
      // Fewer than eight accumulators wait for each other: a multiply-add takes four cycles, two start in each. From
      // twelve registers on the engine's allocation moves values about. Fitted to what `--tiles` measures.
      const one = (h: number, w: number): number =>
        Math.max(h * w, 8) +
        (0.6 * w + (far ? 1.4 : 0)) * laneLoads +
        0.3 * h * rowLoads +
        (h * w + w * laneLoads < 12 ? 0.3 : 1.5)
      const across = (h: number): number =>
        Math.floor(vectors / c) * one(h, c) + (vectors % c > 0 ? one(h, vectors % c) : 0)
      const total =
        Math.floor(extent / r) * across(r) +
        remainders(extent % r).reduce((sum, h) => sum + across(h), 0)
      tiles.push({ rowTile: r, laneTile: c, cost: total / (extent * vectors) })
    }
  }
  return tiles
}

/** The tiles that finish `left` rows: halves, so that any count is met by few of them. */
export function remainders(left: number): number[] {
  const tiles: number[] = []
  for (const size of [4, 2, 1]) {
    while (left >= size) {
      tiles.push(size)
      left -= size
    }
  }
  return tiles
}
