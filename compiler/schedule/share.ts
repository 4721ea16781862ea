/**
 * Which index of a kernel threads share. In: a kernel's nest. Out: the index whose range is cut into one piece a thread, and
 * at which multiples it may be cut.
 *
 * It is an output index, never one that a reduction runs over, and never one along which two points write to the same
 * element. So every element is computed by one thread, by the same operations in the same order as without
 * threads: the bits are the same for any number of them.
 */
import type { LoopNest, Nest, Share } from './types.ts'

/** Numbers of threads that pieces should suit. */
const teams = [2, 3, 4, 8]
/** How evenly the work must be spread for an outer index to be preferred to one further in. */
const even = 0.85

/** How a kernel is split; undefined where nothing can be, as in a sum that gives one number. */
export function shareOf(nest: Nest): Share | undefined {
  const candidates = nest.kind === 'rows' ? [{ index: nest.row, grain: 1 }] : inLoops(nest)
  let best: Share | undefined
  let most = 0
  for (const share of candidates) {
    const { size } = share.index.extent
    if (size <= share.grain) continue
    const units = Math.ceil(size / share.grain)
    const spread =
      teams.reduce((sum, n) => sum + units / (n * Math.ceil(units / n)), 0) / teams.length
    if (spread >= even) return share
    if (spread > most) {
      most = spread
      best = share
    }
  }
  return best
}

function inLoops({ loops, rows, lanes, laneTile, values }: LoopNest): Share[] {
  const all = [
    ...loops.map((index) => ({ index, grain: 1 })),
    ...(rows ? [{ index: rows, grain: 1 }] : []),
    ...(lanes ? [{ index: lanes, grain: 4 * laneTile }] : []),
  ]
  // What is scattered must stay in the thread's own part of the target.
  return all.filter(({ index }) =>
    values.every(({ at }) => !at || at.some((p) => p.kind === 'index' && p.name === index.name)),
  )
}
