/** The vectors of a register tile. In: a row and the columns. Out: for each vector, where its lanes stand. */
import type { LoopNest } from '../schedule/types.ts'
import { type Binding, type Context, inLane, withIndex } from './context.ts'
import type { Element } from './reduction.ts'

/** A tile's vector: lanes from the loop's start plus `offset`. */
export interface Column {
  readonly binding: Binding | undefined
  readonly width: number
}

/** The vectors of one row. */
export function elementsOf(
  { lanes }: LoopNest,
  row: Context,
  columns: readonly Column[],
): readonly Element[] {
  return columns.map(({ binding, width }): Element => {
    if (!lanes || !binding) return { context: { ...row, width: 1 }, lanes: [{ ...row, width: 1 }] }
    const context = { ...withIndex(row, lanes.name, binding), width }
    return {
      context,
      lanes: Array.from({ length: width }, (_, lane) => inLane(context, lane)),
    }
  })
}
