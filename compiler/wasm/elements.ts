/** The vectors of a register tile. In: a row and the columns. Out: for each vector, where its lanes stand. */
import type { LoopNest } from '../schedule/types.ts'
import { type Binding, type Context, inLane, type Piece, withIndex } from './context.ts'
import type { Int, Value } from './function.ts'
import { integerOf } from './integer.ts'

/** One vector of the tile: contexts of its lanes together, and one by one for the `dot` form. */
export interface Element {
  readonly context: Context
  /** Per lane, the context in which the result's index is that lane's. */
  readonly lanes: readonly Context[]
}

/** A tile's vector: lanes from the loop's start plus `offset`. */
export interface Column {
  readonly binding: Binding | undefined
  readonly width: number
  readonly piece?: Piece
}

/** The vectors from `variable` plus `start` to before `variable` plus `end`. */
export function columnsOf(
  variable: Value | undefined,
  start: number,
  end: number,
  piece?: Piece,
): Column[] {
  const list: Column[] = []
  for (let at = start; at < end; at += 4) {
    const binding: Binding = { variable, offset: at, varying: true }
    list.push({ binding, width: Math.min(4, end - at), ...(piece && { piece }) })
  }
  return list
}

/** The vectors of one row. */
export function elementsOf(
  { lanes }: LoopNest,
  row: Context,
  columns: readonly Column[],
): readonly Element[] {
  return columns.map(({ binding, width, piece }): Element => {
    if (!lanes || !binding) return { context: { ...row, width: 1 }, lanes: [{ ...row, width: 1 }] }
    const context = { ...withIndex(row, lanes.name, binding), width, ...(piece && { piece }) }
    return {
      context,
      lanes: Array.from({ length: width }, (_, lane) => inLane(context, lane)),
    }
  })
}

/** The least or the most that an index is anywhere in these places; undefined where that is not known before they are. */
export function extreme(
  contexts: readonly Context[],
  { name }: { readonly name: string },
  side: 'least' | 'most',
): Int | undefined {
  const bindings = contexts.map((c) => c.indices.get(name))
  const variable = bindings[0]?.variable
  const offsets: number[] = []
  for (const [k, binding] of bindings.entries()) {
    if (!binding || binding.variable !== variable) return undefined
    const last = side === 'most' && binding.varying ? contexts[k]!.width - 1 : 0
    offsets.push(binding.offset + last)
  }
  const offset = side === 'least' ? Math.min(...offsets) : Math.max(...offsets)
  return variable ? integerOf('add', variable, offset, contexts[0]!) : offset
}
