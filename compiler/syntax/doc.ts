/**
 * Layout of formatted text: documents of text and possible line breaks, printed so that lines stay within a width.
 * A group is printed on one line when it fits and otherwise breaks at all its own lines. Comments are part of the
 * document: whatever follows one starts a new line.
 */
import { assertNever } from '../support/diagnostic.ts'

export type Doc =
  | string
  | readonly Doc[]
  /** A newline if the enclosing group is broken, otherwise `flat`; a hard line always breaks. */
  | { readonly kind: 'line'; readonly flat: string; readonly hard: boolean }
  | { readonly kind: 'indent'; readonly doc: Doc }
  /** Lines inside start in the column where this begins. */
  | { readonly kind: 'align'; readonly doc: Doc }
  | { readonly kind: 'group'; readonly doc: Doc; readonly broken: boolean }
  /** A comment to the end of the line; on a line of its own, or behind what was printed last. */
  | { readonly kind: 'comment'; readonly text: string; readonly own: boolean }
  /** Text with newlines, printed as it is. */
  | { readonly kind: 'verbatim'; readonly text: string }

export const line: Doc = { kind: 'line', flat: ' ', hard: false }
export const softline: Doc = { kind: 'line', flat: '', hard: false }
export const hardline: Doc = { kind: 'line', flat: '', hard: true }
export const indent = (doc: Doc): Doc => ({ kind: 'indent', doc })
export const align = (doc: Doc): Doc => ({ kind: 'align', doc })
export const group = (doc: Doc): Doc => ({ kind: 'group', doc, broken: mustBreak(doc) })

export function join(docs: readonly Doc[], separator: Doc): Doc {
  return docs.flatMap((doc, i) => (i === 0 ? [doc] : [separator, doc]))
}

/** Whether the document has a break that always happens. */
export function mustBreak(doc: Doc): boolean {
  if (typeof doc === 'string') return false
  if (!('kind' in doc)) return doc.some(mustBreak)
  switch (doc.kind) {
    case 'line':
      return doc.hard
    case 'indent':
    case 'align':
      return mustBreak(doc.doc)
    case 'group':
      return doc.broken
    case 'comment':
      return true
    case 'verbatim':
      return doc.text.includes('\n')
    default:
      return assertNever(doc)
  }
}

/** The width on one line; undefined when it cannot be on one. */
export function flatWidth(doc: Doc): number | undefined {
  return mustBreak(doc) ? undefined : print(doc, Number.POSITIVE_INFINITY).length
}

interface Command {
  readonly column: number
  readonly flat: boolean
  readonly doc: Doc
}

export function print(doc: Doc, width: number): string {
  /** Finished lines, and the one being written. */
  const done: string[] = []
  let current = ''
  /** After a comment nothing may follow on its line. */
  let owed = false
  const stack: Command[] = [{ column: 0, flat: false, doc }]

  const newline = (column: number): void => {
    done.push(current.trimEnd())
    current = ' '.repeat(column)
    owed = false
  }
  const write = (text: string, column: number): void => {
    if (!owed) {
      current += text
      return
    }
    const rest = text.trimStart()
    if (rest === '') return
    newline(column)
    current += rest
  }

  for (let command = stack.pop(); command !== undefined; command = stack.pop()) {
    const { column, flat, doc } = command
    if (typeof doc === 'string') {
      write(doc, column)
      continue
    }
    if (!('kind' in doc)) {
      for (let i = doc.length - 1; i >= 0; i--) stack.push({ column, flat, doc: doc[i]! })
      continue
    }
    switch (doc.kind) {
      case 'line':
        if (doc.hard || !flat) newline(column)
        else write(doc.flat, column)
        break
      case 'indent':
        stack.push({ column: column + 2, flat, doc: doc.doc })
        break
      case 'align':
        if (owed) newline(column)
        stack.push({ column: current.length, flat, doc: doc.doc })
        break
      case 'group': {
        const attempt: Command = { column, flat: true, doc: doc.doc }
        const fitsHere = flat || (!doc.broken && fits(attempt, stack, width - current.length))
        stack.push({ column, flat: fitsHere, doc: doc.doc })
        break
      }
      case 'comment': {
        let isBehind = !doc.own && !owed
        if (isBehind) {
          while (current.trim() === '' && done.length > 0) current = done.pop()!
          isBehind = current.trim() !== ''
        }
        if (isBehind) current = `${current.trimEnd()}  ${doc.text}`
        else {
          if (current.trim() !== '') newline(column)
          current += doc.text
        }
        owed = true
        break
      }
      case 'verbatim': {
        const lines = doc.text.split('\n')
        write(lines[0]!, column)
        for (const text of lines.slice(1)) {
          done.push(current)
          current = text
        }
        break
      }
      default:
        assertNever(doc)
    }
  }
  return [...done, current.trimEnd()].join('\n')
}

/** Whether the next commands, up to the first newline, fit into `room` columns. */
function fits(first: Command, rest: readonly Command[], room: number): boolean {
  const stack: Command[] = [first]
  let restAt = rest.length
  let left = room
  while (left >= 0) {
    const command = stack.pop() ?? rest[--restAt]
    if (command === undefined) return true
    const { doc, flat, column } = command
    if (typeof doc === 'string') {
      left -= doc.length
      continue
    }
    if (!('kind' in doc)) {
      for (let i = doc.length - 1; i >= 0; i--) stack.push({ column, flat, doc: doc[i]! })
      continue
    }
    switch (doc.kind) {
      case 'line':
        if (doc.hard || !flat) return true
        left -= doc.flat.length
        break
      case 'indent':
      case 'align':
        stack.push({ column, flat, doc: doc.doc })
        break
      case 'group':
        // What comes after the first group may break, as far as its parent may.
        stack.push({ column, flat: flat && !doc.broken, doc: doc.doc })
        break
      case 'comment':
        return true
      case 'verbatim':
        left -= doc.text.length
        break
      default:
        assertNever(doc)
    }
  }
  return false
}
