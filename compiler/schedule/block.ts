/**
 * Blocks of a long reduction, for the cache. In: how a nest reduces and what it reads. Out: how many of its reduced indices
 * run outside the register tiles, so that what the tiles read again and again stays near the processor.
 *
 *     dW[i, o] = sum[n, t](x[n, t, i] * dy[n, t, o])     for each n: for each tile of dW: += sum[t](…)
 *
 * The result is added to in memory, block by block. That is the same order of the same additions: a block ends where a
 * long sum's own blocks end (`flushLevel`), or, in a sum without such blocks, the tile goes on from the value in memory.
 */
import { affineOf, isDataDependent, rangeOf } from '../ir/affine.ts'
import { staticExtent } from '../ir/build.ts'
import { freeIndices } from '../ir/traverse.ts'
import type { Index, ReduceOp, Scalar } from '../ir/types.ts'
import type { Access } from './access.ts'
import { type Strain, strainOf } from './strain.ts'

/** Sums of more terms are taken in blocks, so that their rounding errors stay small. */
const longest = 1024
/** Terms in a block where a single index is that long. */
export const blockTerms = 512

/** Bytes that may be read again and again: what the second-level cache of a small machine holds. */
export const cacheBytes = 384 * 1024
/** A block of fewer terms is not worth fetching and storing the tile for. */
const fewest = 16
/** Where all fits the cache, and only lies badly in it, the terms that the tile must be worth. */
const fewestApart = 64

export interface Blocks {
  /** Reduced indices, from the first, outside the tiles. */
  readonly levels: number
  /** Whether the next one, then the last, runs outside in blocks of `blockTerms`. */
  readonly within: boolean
}

/** Elements a read touches while each index runs over the given extent. */
export type Footprint = (extentOf: (name: string) => number) => number

export function footprint(at: readonly Scalar[], shape: readonly number[]): Footprint {
  const dims = at.map((position, d) => ({
    position,
    affine: affineOf(position),
    indices: [...freeIndices(position)],
    size: shape[d]!,
  }))
  return (extentOf) =>
    dims.reduce((elements, { position, affine, indices, size }) => {
      let span = 1
      if (affine) {
        for (const [name, factor] of affine.terms) span += Math.abs(factor) * (extentOf(name) - 1)
      } else {
        // The quotients and remainders of packed operands; what comes from data may be anywhere.
        const running = new Map(indices.map((name) => [name, staticExtent(extentOf(name))]))
        const range = isDataDependent(position) ? undefined : rangeOf(position, running)
        span = range ? range.max - range.min + 1 : size
      }
      return elements * Math.min(span, size)
    }, 1)
}

/**
 * The level of `over` from which a sum of floats is one block; `over.length` where the last index has blocks of its own,
 * undefined where the whole sum is short. `lane` is the index that runs along the lanes, innermost.
 */
export function flushLevel(
  over: readonly Index[],
  op: ReduceOp,
  isFloat: boolean,
  lane: string | undefined,
): number | undefined {
  if (op !== 'sum' || !isFloat) return undefined
  const turns = over.map((i) => (i.name === lane ? Math.ceil(i.extent.size / 4) : i.extent.size))
  let level = turns.length
  let product = 1
  while (level > 0 && product * turns[level - 1]! <= longest) product *= turns[--level]!
  return level === 0 ? undefined : level
}

/** The loops of a nest from the outermost, each with what runs within it, and what they read. */
export interface Reuse {
  readonly loops: readonly Index[]
  /** The outer index of the tile, of which one tile is done at a time. */
  readonly outer: { readonly index: Index; readonly tile: number }
  readonly inner: Index
  readonly over: readonly Index[]
  readonly reads: readonly Footprint[]
}

/** How a sum with an output index along the lanes is cut, or undefined where it runs as a whole. */
export function blocksOf(reuse: Reuse, cache: number): Blocks | undefined {
  const { loops, outer, inner, over, reads } = reuse
  const bytesOver = (running: readonly Index[], tile = 1): number => {
    const extents = new Map(running.map((i) => [i.name, i.extent.size]))
    if (tile > 1) extents.set(outer.index.name, tile)
    return reads.reduce((sum, read) => sum + 4 * read((name) => extents.get(name) ?? 1), 0)
  }
  // What is read again for each tile of the outer index.
  if (bytesOver([inner, ...over], outer.tile) <= cache) return undefined
  const flush = flushLevel(over, 'sum', true, undefined)
  const bytes = (levels: number): number =>
    bytesOver([...loops, outer.index, inner, ...over.slice(levels)])
  const terms = (levels: number): number =>
    over.slice(levels).reduce((n, i) => n * i.extent.size, 1)
  // A level deeper than the sum's own blocks would need their partial sums in memory too.
  const deepest = Math.min(flush ?? over.length, over.length - 1)
  let levels = 0
  while (levels < deepest && bytes(levels) > cache && terms(levels + 1) >= fewest) levels++
  const within = flush === over.length && levels === over.length - 1 && bytes(levels) > cache
  return levels > 0 || within ? { levels, within } : undefined
}

/** The tile of a sum and how its operands lie in memory. */
export interface Lie {
  readonly over: readonly Index[]
  /** What the rows of the tile read, and what its lanes do, each with how many neighbours at once. */
  readonly rows: { readonly reads: readonly Access[]; readonly span: number }
  readonly lanes: { readonly reads: readonly Access[]; readonly span: number }
}

/**
 * How a sum is cut whose operands fit the cache, but whose steps lie in few places of it or on many pages. In a block they are
 * few: what the copies of pack.ts would cost is saved.
 */
export function blocksApart({ over, rows, lanes }: Lie): Blocks | undefined {
  const strained = (side: Lie['rows'], levels: number): readonly Strain[] =>
    side.reads.map((access) => strainOf(access, over.slice(levels), side.span))
  if (strained(lanes, 0).every((s) => s === 'none')) return undefined
  const deepest = Math.min(flushLevel(over, 'sum', true, undefined) ?? over.length, over.length - 1)
  for (let levels = 1; levels <= deepest; levels++) {
    const terms = over.slice(levels).reduce((n, i) => n * i.extent.size, 1)
    if (terms < fewestApart) return undefined
    if (strained(rows, levels).some((s) => s !== 'none')) continue
    if (strained(lanes, levels).every((s) => s !== 'far')) return { levels, within: false }
  }
  return undefined
}
