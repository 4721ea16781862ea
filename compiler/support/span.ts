/** Places in source text. Offsets count UTF-16 code units from 0; lines and columns count from 1. */

export interface Source {
  /** The name shown in messages: a path as the user gave it, or `std/losses.net`. */
  readonly file: string
  readonly text: string
}

export interface Span {
  readonly source: Source
  readonly start: number
  /** Exclusive. */
  readonly end: number
}

export interface Position {
  readonly line: number
  readonly column: number
}

/** The line and column of an offset. */
export function positionAt(source: Source, offset: number): Position {
  let line = 1
  let lineStart = 0
  for (let at = source.text.indexOf('\n'); at >= 0 && at < offset; ) {
    line++
    lineStart = at + 1
    at = source.text.indexOf('\n', lineStart)
  }
  return { line, column: offset - lineStart + 1 }
}

/** `models/mnist.net:12:7`. */
export function showPlace(span: Span): string {
  const { line, column } = positionAt(span.source, span.start)
  return `${span.source.file}:${line}:${column}`
}

/** The smallest span that holds both; they must lie in one source. */
export function joinSpans(first: Span, last: Span): Span {
  return { source: first.source, start: first.start, end: Math.max(first.end, last.end) }
}
