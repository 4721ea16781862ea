/**
 * Lines of a printed program: long equations are continued behind an operator or a comma, as deep in parentheses as
 * need be and no deeper; the comments of a section stand in one column.
 */

export interface Line {
  readonly text: string
  readonly comment: string
}

const width = 88

interface Break {
  /** Where the next line starts. */
  readonly at: number
  readonly depth: number
}

/** Of places equally deep: arguments come apart before sums, sums before products; then the whole body moves down. */
const order: Readonly<Record<string, number>> = {
  ',': -0.25,
  '*': 0.5,
  '/': 0.5,
  '=': 0.75,
  '+=': 0.75,
}

/** Places after ` = `, ` + `, ` - `, ` * `, ` / `, ` and ` and after commas between arguments; never between positions. */
function breaksOf(text: string): Break[] {
  const found: Break[] = []
  const open: string[] = []
  for (let k = 0; k < text.length; k++) {
    const c = text[k]!
    if (c === '(' || c === '[') open.push(c)
    else if (c === ')' || c === ']') open.pop()
    else if (c === ' ' && open.at(-1) !== '[' && !open.includes('[')) {
      const before = text.slice(0, k)
      const mark = / (\+?=|[+\-*/]|and)$|,$/.exec(before)?.[0].trim()
      if (mark !== undefined) found.push({ at: k + 1, depth: open.length + (order[mark] ?? 0) })
    }
  }
  return found
}

/** The text in lines of at most `width`, where it has places to break. */
export function wrap(text: string): string[] {
  const continuation = `${/^ */.exec(text)![0]}    `
  const equals = text.indexOf(' = ') + 3
  const body = text.length - equals + continuation.length
  // A body that fits on a line of its own stays whole.
  if (text.length > width && equals > 2 && body <= width) {
    return [text.slice(0, equals - 1), continuation + text.slice(equals)]
  }
  const lines: string[] = []
  let rest = text
  let breaks = breaksOf(rest)
  while (rest.length > width) {
    const fitting = breaks.filter((b) => b.at <= width && b.at > continuation.length)
    const lowest = Math.min(...fitting.map((b) => b.depth))
    const chosen = fitting.filter((b) => b.depth === lowest).at(-1)
    if (!chosen) break
    lines.push(rest.slice(0, chosen.at).trimEnd())
    const shift = continuation.length - chosen.at
    breaks = breaks.filter((b) => b.at > chosen.at).map((b) => ({ ...b, at: b.at + shift }))
    rest = continuation + rest.slice(chosen.at)
  }
  return [...lines, rest]
}

/** The lines of a section; a comment stands at the end of its equation's first line. */
export function section(lines: readonly Line[]): string[] {
  const wrapped = lines.map((line) => ({ parts: wrap(line.text), comment: line.comment }))
  const starts = wrapped.map(({ parts }) => parts[0]!.length)
  const column = Math.max(0, ...starts.filter((n) => n <= width))
  return wrapped.flatMap(({ parts: [first, ...rest], comment }) => [
    comment === '' ? first! : `${first!.padEnd(column)}  // ${comment}`,
    ...rest,
  ])
}
