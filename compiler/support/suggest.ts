/** Damerau–Levenshtein distance (adjacent transpositions count one), given up beyond `limit`. */
export function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let best = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + (same ? 0 : 1),
      )
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (before[j - 2] ?? 0) + 1)
      }
      row.push(best)
    }
    before = last
    last = row
  }
  return last[b.length] ?? limit + 1
}

/** The nearest of the known names, if it is near enough to be meant. */
export function suggest(name: string, known: Iterable<string>): string | undefined {
  const limit = name.length <= 2 ? 0 : name.length <= 5 ? 1 : 2
  let best: string | undefined
  let nearest = limit + 1
  for (const candidate of known) {
    if (candidate === name) continue
    const far =
      candidate.toLowerCase() === name.toLowerCase()
        ? 0
        : distance(name.slice(0, 60), candidate, limit)
    if (far < nearest) {
      nearest = far
      best = candidate
    }
  }
  return best
}

/** The beginning of a remedy where a suggestion was found. */
export const meant = (suggestion: string | undefined): string =>
  suggestion === undefined ? '' : `Did you mean \`${suggestion}\`? `
