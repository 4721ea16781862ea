/**
 * Comma-separated values (RFC 4180): quoted fields with doubled quotes and line breaks, LF or CRLF, a header line.
 * Every line has as many fields as the header; empty lines are left out.
 */
import type { Table } from './table.ts'
import { malformed } from './tensor.ts'

export interface CsvOptions {
  readonly separator?: string
  /** False: the columns are called 0, 1, …. */
  readonly header?: boolean
}

export function readCsv(bytes: Uint8Array, file: string, options: CsvOptions = {}): Table {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return malformed(file, 'this is no text in UTF-8')
  }
  const { separator = ',', header = true } = options
  if (separator.length !== 1 || /["\r\n]/.test(separator)) {
    malformed(file, `${JSON.stringify(separator)} cannot separate columns`)
  }
  const { records, lines } = split(text, file, separator)
  const first = records[0]
  if (!first) return malformed(file, 'it is empty')
  const names = header ? first : first.map((_, k) => String(k))
  records.forEach((record, k) => {
    if (record.length === names.length) return
    malformed(
      file,
      `line ${lines[k]} has ${record.length} fields and the first has ${names.length}`,
      {
        line: lines[k]!,
      },
    )
  })
  const skip = header ? 1 : 0
  return {
    file,
    names,
    rows: records.slice(skip),
    place: (row, column) => `line ${lines[row + skip]}, field ${column + 1}`,
  }
}

function split(text: string, file: string, separator: string) {
  const records: string[][] = []
  const lines: number[] = []
  let record: string[] = []
  let line = 1
  let began = 1
  let at = 0
  const endRecord = (): void => {
    if (record.length > 1 || record[0] !== '') {
      records.push(record)
      lines.push(began)
    }
    record = []
  }
  while (at < text.length || record.length > 0) {
    if (record.length === 0) began = line
    if (text[at] === '"') {
      const opened = line
      let field = ''
      for (at++; ; at++) {
        const end = text.indexOf('"', at)
        if (end < 0)
          malformed(file, `line ${opened}: a quoted field is never closed`, { line: opened })
        field += text.slice(at, end)
        at = end + 1
        if (text[at] !== '"') break
        field += '"'
      }
      for (const char of field) if (char === '\n') line++
      if (at < text.length && text[at] !== separator && text[at] !== '\n' && text[at] !== '\r') {
        malformed(file, `line ${line}: ${JSON.stringify(text[at])} follows a quoted field`, {
          line,
        })
      }
      record.push(field)
    } else {
      const from = at
      while (at < text.length && text[at] !== separator && text[at] !== '\n') at++
      const end = text[at] !== separator && text[at - 1] === '\r' && at > from ? at - 1 : at
      record.push(text.slice(from, end))
    }
    if (text[at] === separator) {
      at++
      // A separator at the very end opens one more, empty, field.
      if (at === text.length) record.push('')
      else continue
    }
    if (text[at] === '\r') at++
    if (at < text.length && text[at] !== '\n') {
      malformed(file, `line ${line}: a carriage return without a line feed`, { line })
    }
    at++
    line++
    endRecord()
  }
  return { records, lines }
}
