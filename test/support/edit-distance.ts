/** How far sequences are from those that were asked for. */

/** Insertions, deletions and substitutions that make `to` of `from`, at least. Levenshtein 1966. */
export function editDistance(from: ArrayLike<number>, to: ArrayLike<number>): number {
  let row = Array.from({ length: to.length + 1 }, (_, k) => k)
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1]
    for (let k = 0; k < to.length; k++) {
      const changed = row[k]! + (from[i] === to[k] ? 0 : 1)
      next.push(Math.min(changed, row[k + 1]! + 1, next[k]! + 1))
    }
    row = next
  }
  return row.at(-1)!
}

export interface ErrorRates {
  /** Edits over the length of the references. */
  readonly tokens: number
  /** Share of sequences that are none of their references. */
  readonly sequences: number
}

/**
 * Of guesses against their references, of which there may be several; the nearest counts, of equally near ones the
 * shortest, with which the rate is highest.
 */
export function errorRates(
  guesses: readonly ArrayLike<number>[],
  references: readonly (readonly ArrayLike<number>[])[],
): ErrorRates {
  let [edits, length, wrong] = [0, 0, 0]
  guesses.forEach((guess, k) => {
    const [nearest] = references[k]!.map((reference) => ({
      edits: editDistance(guess, reference),
      length: reference.length,
    })).sort((a, b) => a.edits - b.edits || a.length - b.length)
    edits += nearest!.edits
    length += nearest!.length
    if (nearest!.edits > 0) wrong++
  })
  return { tokens: edits / length, sequences: wrong / guesses.length }
}
