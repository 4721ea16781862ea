/**
 * Class weights: `balance = "species"` gives a further column `weight` with which all classes together count alike, however
 * many rows each has: rows / (classes · rows of the class), by the training rows; the mean over these is 1. A loss takes
 * it as the weights of its rows: `cross_entropy(logits, species, weights = weight)`.
 */
import { type Args, bad, type SourceCall } from './args.ts'
import type { Tensor } from './tensor.ts'

type Column = Tensor & { readonly name: string }

/** The column for all `rows`; undefined where none is asked for, or its labels are not read. */
export function weightColumn(
  call: SourceCall,
  args: Args,
  columns: readonly Column[],
  rows: number,
  training: Uint32Array,
  weights: Map<string, ReadonlyMap<number, number>>,
): Column | undefined {
  const asked = args.option('balance', 'string', 'boolean')
  if (asked === undefined || asked === false) return undefined
  const found = asked === true ? columns.at(-1) : columns.find((c) => c.name === asked)
  const label = found ?? bad(call, `balance names ${asked}, which it does not read`)
  if (columns.some((c) => c.name === 'weight')) {
    bad(call, 'balance makes a column weight, and there is one already')
  }
  if (label.data.length !== rows) {
    bad(call, `balance takes one class a row, and ${label.name || 'its column'} has several values`)
  }
  let known = weights.get(label.name)
  if (!known) {
    const counts = new Map<number, number>()
    for (const row of training) {
      const value = label.data[row]!
      if (!Number.isInteger(value)) {
        bad(call, `balance takes classes, and ${label.name || 'its column'} holds ${value}`)
      }
      counts.set(value, (counts.get(value) ?? 0) + 1)
    }
    const { size } = counts
    known = new Map([...counts].map(([value, n]) => [value, training.length / (size * n)]))
    weights.set(label.name, known)
  }
  const classes = known
  // A class that no training row has weighs like the mean.
  const data = Float32Array.from(label.data, (value) => classes.get(value) ?? 1)
  return { name: 'weight', shape: [rows], data }
}
