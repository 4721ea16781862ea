/**
 * Which values of a tile are made in a loop. In: the values of a nest that reduces, and its tile. Out: the value in whose place in
 * memory the tile's sums wait for that loop, or undefined where all is written out.
 *
 * A scalar function is some thirty instructions. Written out for each vector of a tile they are more than a processor keeps decoded
 * from one tile to the next, and take twice the time of those in a loop; the sums stay in the nearest cache meanwhile.
 */
import { typeOf } from '../ir/build.ts'
import { children } from '../ir/traverse.ts'
import type { Scalar } from '../ir/types.ts'
import type { Value } from './types.ts'

/** Tiles of fewer rows are written out. */
export const fewestStaged = 3

/** The position of the value. Never one that is written over what the values read. */
export function stagedValue(
  values: readonly Value[],
  reduction: Scalar,
  rowTile: number,
  isInPlace: (target: string) => boolean,
): number | undefined {
  if (rowTile < fewestStaged || !values.some((v) => callsFunction(v.body, reduction))) {
    return undefined
  }
  const at = values.findIndex(
    (v) => v.stored && !v.at && !v.flushed && typeOf(v.body) === 'f32' && !isInPlace(v.target),
  )
  return at < 0 ? undefined : at
}

const inlined: ReadonlySet<string> = new Set(['neg', 'abs', 'sign', 'sqrt', 'floor', 'ceil', 'not'])

/** Whether the expression outside of the reduction calls a function of wasm/math. */
function callsFunction(e: Scalar, reduction: Scalar): boolean {
  if (e === reduction) return false
  if (e.kind === 'random' || (e.kind === 'unary' && !inlined.has(e.op))) return true
  if (e.kind === 'binary' && e.op === 'pow') return true
  return children(e).some((child) => callsFunction(child, reduction))
}
