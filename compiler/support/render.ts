/**
 * Diagnostics as text for people and as JSON for machines.
 *
 *     models/x.net:11:7: error NET1011: `(` is never closed
 *        |
 *     11 |   a = (1 + 2
 *        |       ^ `)` is missing for this
 *       in the call `dense` at models/x.net:3:5
 *       help: Add `)`.
 */
import type { Diagnostic } from './diagnostic.ts'
import { frame } from './frame.ts'
import { positionAt, type Span, showPlace } from './span.ts'

export interface RenderOptions {
  /** ANSI colours; off by default. */
  readonly color?: boolean
}

const codes = { red: 31, yellow: 33, blue: 34, bold: 1 } as const
type Style = keyof typeof codes

export function render(d: Diagnostic, options: RenderOptions = {}): string {
  const paint = (style: Style, text: string): string =>
    options.color === true ? `\u001b[${codes[style]}m${text}\u001b[0m` : text
  const main: Style = d.severity === 'error' ? 'red' : 'yellow'
  const out: string[] = []

  const show = (span: Span, label: string, mark: '^' | '-', style: Style): void => {
    const lines = frame(span, label, mark)
    const width = Math.max(...lines.map((line) => String(line.number ?? '').length))
    out.push(`${' '.repeat(width)} ${paint('blue', '|')}`)
    for (const line of lines) {
      const gutter = String(line.number ?? '').padStart(width)
      const text = line.kind === 'underline' ? paint(style, line.text) : line.text
      out.push(`${paint('blue', `${gutter} |`)} ${text}`.trimEnd())
    }
  }

  out.push(
    `${paint('bold', showPlace(d.span))}: ${paint(main, `${d.severity} ${d.code}`)}: ${paint('bold', d.message)}`,
  )
  show(d.span, d.label, '^', main)
  for (const related of d.related) {
    out.push(`  ${showPlace(related.span)}: ${related.text}`)
    show(related.span, '', '-', 'blue')
  }
  // The innermost call first: that is where the place lies.
  for (const call of d.callPath.toReversed()) {
    out.push(`  in the call \`${call.callee}\` at ${showPlace(call.span)}`)
  }
  if (d.help !== '') out.push(`  ${paint('blue', 'help:')} ${d.help}`)
  return out.join('\n')
}

/** All of them with a line between and a count at the end; '' when there are none. */
export function renderAll(diagnostics: readonly Diagnostic[], options: RenderOptions = {}): string {
  if (diagnostics.length === 0) return ''
  const errors = diagnostics.filter((d) => d.severity === 'error').length
  const warnings = diagnostics.length - errors
  const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`
  const parts = [
    ...(errors > 0 ? [count(errors, 'error')] : []),
    ...(warnings > 0 ? [count(warnings, 'warning')] : []),
  ]
  return [...diagnostics.map((d) => render(d, options)), parts.join(', ')].join('\n\n')
}

export interface JsonPlace {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly endLine: number
  readonly endColumn: number
}

export interface JsonDiagnostic extends JsonPlace {
  readonly severity: 'error' | 'warning'
  readonly code: string
  readonly message: string
  readonly label: string
  readonly help: string
  readonly related: readonly (JsonPlace & { readonly text: string })[]
  readonly callPath: readonly (JsonPlace & { readonly callee: string })[]
}

/** Lines and columns count from 1, columns in UTF-16 code units; the end is exclusive. */
export function diagnosticJson(d: Diagnostic): JsonDiagnostic {
  return {
    severity: d.severity,
    code: d.code,
    message: d.message,
    ...place(d.span),
    label: d.label,
    help: d.help,
    related: d.related.map((r) => ({ text: r.text, ...place(r.span) })),
    callPath: d.callPath.map((c) => ({ callee: c.callee, ...place(c.span) })),
  }
}

function place(span: Span): JsonPlace {
  const start = positionAt(span.source, span.start)
  const end = positionAt(span.source, span.end)
  return {
    file: span.source.file,
    line: start.line,
    column: start.column,
    endLine: end.line,
    endColumn: end.column,
  }
}
