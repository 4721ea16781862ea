/**
 * The source lines of a span with the span underlined, for render.ts. Tabs become spaces, wide characters count two
 * columns, controls are made harmless, a long line is cut to a window around the span, and of a span over many lines
 * the first two and the last are shown.
 */
import { positionAt, type Span } from './span.ts'

export interface FrameLine {
  /** Undefined for an underline or for left-out lines. */
  readonly number: number | undefined
  readonly text: string
  /** For colours. */
  readonly kind: 'source' | 'underline' | 'gap'
}

const tabWidth = 4
/** Columns of source shown of one line. */
const maxWidth = 100

/** `mark` is the character of the underline. */
export function frame(span: Span, label: string, mark: '^' | '-'): readonly FrameLine[] {
  const { text } = span.source
  const start = Math.min(span.start, text.length)
  const end = Math.max(start, Math.min(span.end, text.length))
  const first = positionAt(span.source, start).line
  // A span that ends with a newline ends on the line before it.
  const last = positionAt(span.source, Math.max(start, end - 1)).line
  const lines: FrameLine[] = []
  let lineStart = text.lastIndexOf('\n', start - 1) + 1
  for (let number = first; number <= last; number++) {
    if (number === first + 2 && number < last) {
      lines.push({ number: undefined, text: '…', kind: 'gap' })
      lineStart = text.lastIndexOf('\n', Math.max(start, end - 1) - 1) + 1
      number = last
    }
    let lineEnd = text.indexOf('\n', lineStart)
    if (lineEnd < 0) lineEnd = text.length
    const line = text.slice(lineStart, lineEnd).replace(/\r$/, '')
    let from = Math.max(0, start - lineStart)
    if (number > first) from = line.length - line.trimStart().length
    const to = Math.min(line.length, end - lineStart)
    lines.push(...oneLine(number, line, from, to, number === last ? label : '', mark))
    lineStart = lineEnd + 1
  }
  return lines
}

function oneLine(
  number: number,
  line: string,
  from: number,
  to: number,
  label: string,
  mark: string,
): FrameLine[] {
  // The window is chosen in characters first, so that a line of megabytes is not laid out whole.
  const left = from > maxWidth * 0.7 ? from - Math.floor(maxWidth * 0.4) : 0
  const head = left > 0 ? '…' : ''
  const before = shown(line.slice(left, from), head.length)
  const middle = shown(line.slice(from, Math.min(to, from + maxWidth)), head.length + before.width)
  const room = maxWidth - head.length - before.width
  const marked = cut(middle.text, Math.max(1, room))
  const after = shown(line.slice(to, to + maxWidth), head.length + before.width + middle.width)
  const rest = marked.cut
    ? { text: '', cut: true }
    : cut(after.text, Math.max(0, room - middle.width))
  const more = marked.cut || from + maxWidth < to || rest.cut || to + maxWidth < line.length
  const source = head + before.text + marked.text + rest.text + (more ? '…' : '')
  const underline = ' '.repeat(head.length + before.width) + mark.repeat(Math.max(1, marked.width))
  return [
    { number, text: source.trimEnd(), kind: 'source' },
    {
      number: undefined,
      text: label === '' ? underline : `${underline} ${label}`,
      kind: 'underline',
    },
  ]
}

/** Text as it is shown from a column on, and its width. */
function shown(text: string, column: number): { text: string; width: number } {
  let out = ''
  let width = 0
  for (const c of text) {
    const code = c.codePointAt(0)!
    if (c === '\t') {
      const spaces = tabWidth - ((column + width) % tabWidth)
      out += ' '.repeat(spaces)
      width += spaces
    } else {
      out += isHidden(code) ? '\ufffd' : c
      width += isHidden(code) ? 1 : widthOf(code)
    }
  }
  return { text: out, width }
}

function cut(text: string, room: number): { text: string; width: number; cut: boolean } {
  let out = ''
  let width = 0
  for (const c of text) {
    const w = widthOf(c.codePointAt(0)!)
    if (width + w > room) return { text: out, width, cut: true }
    out += c
    width += w
  }
  return { text: out, width, cut: false }
}

/** Controls, lone surrogates and marks that change the direction of text. */
const isHidden = (code: number): boolean =>
  code < 0x20 ||
  (code >= 0x7f && code < 0xa0) ||
  (code >= 0xd800 && code < 0xe000) ||
  (code >= 0x2028 && code <= 0x202e) ||
  (code >= 0x2066 && code <= 0x2069)

/** Terminal columns: 0 for combining marks, 2 for East Asian wide characters and emoji. */
function widthOf(code: number): number {
  if (code < 0x300) return 1
  if (code <= 0x36f || (code >= 0x200b && code <= 0x200f) || (code >= 0xfe00 && code <= 0xfe0f))
    return 0
  const wide =
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1faff) ||
    (code >= 0x20000 && code <= 0x3fffd)
  return wide ? 2 : 1
}
