/**
 * How a register tile comes by what it reads at each step of a sum. In: how a read moves, the reduced indices, and how many neighbours
 * the tile reads at once. Out: whether the lines it touches stay in the first-level cache, and how many pages they are on.
 */
import type { Index } from '../ir/types.ts'
import type { Access } from './access.ts'

const page = 4096
const line = 64
/** Pages whose addresses a processor keeps at hand. */
const nearPages = 64
/** Lines of the first-level cache that share their place in it. */
const ways = 8

/** So many lines in one or two places of the first-level cache keep each other out of it altogether. */
const crammedLines = 128

/**
 * How hard it is to come by what a tile reads: from the first-level cache; more or less from the second; only from that; or on too
 * many pages.
 */
export type Strain = 'none' | 'crowded' | 'crammed' | 'far'

export function strainOf(access: Access, over: readonly Index[], span: number): Strain {
  let bytes = 4 * span
  let runs = 1
  let period = page
  const steps = over
    .map((k) => ({ by: 4 * Math.abs(access.strides.get(k.name) ?? 0), turns: k.extent.size }))
    .filter(({ by }) => by > 0)
    .sort((a, b) => a.by - b.by)
  let reach = bytes
  for (const { by, turns } of steps) {
    reach += by * (turns - 1)
    if (by <= Math.max(bytes, line) && runs === 1) bytes += by * (turns - 1)
    else {
      runs *= turns
      period = Math.min(period, by & -by)
    }
  }
  const lines = runs * Math.ceil(bytes / line)
  const pages = Math.min(lines, Math.ceil(reach / page))
  if (pages > nearPages && runs > 1) return 'far'
  const places = Math.max(page / Math.max(period, line), Math.ceil(bytes / line))
  if (runs === 1 || lines <= places * ways) return 'none'
  return lines >= crammedLines && places <= 2 ? 'crammed' : 'crowded'
}
