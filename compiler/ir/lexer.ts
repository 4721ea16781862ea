/**
 * Tokens of the IR's text form and a cursor over them. In: text. Out: tokens, or an `IrSyntaxError` with the place.
 * Whitespace and `//` comments separate and mean nothing.
 */
import { positionAt, type Source } from '../support/span.ts'
import { tokenPattern } from './text.ts'

/** The text is not a program. */
export class IrSyntaxError extends Error {
  override readonly name = 'IrSyntaxError'
  readonly line: number
  readonly column: number

  constructor(message: string, source: Source, offset: number) {
    const { line, column } = positionAt(source, offset)
    super(`${source.file}:${line}:${column}: ${message}`)
    this.line = line
    this.column = column
  }
}

export interface Token {
  readonly kind: 'string' | 'number' | 'word' | 'mark' | 'end'
  /** As written; a string's content. */
  readonly text: string
  readonly offset: number
}

export function tokenize(source: Source): Token[] {
  const tokens: Token[] = []
  const pattern = new RegExp(tokenPattern)
  const text = source.text
  let offset = 0
  while (offset < text.length) {
    pattern.lastIndex = offset
    const match = pattern.exec(text)
    if (!match) {
      throw new IrSyntaxError(`unexpected ${JSON.stringify(text[offset])}`, source, offset)
    }
    const [whole, space, string, number, word] = match
    if (string !== undefined) {
      tokens.push({ kind: 'string', text: unquote(string, source, offset), offset })
    } else if (space === undefined) {
      const kind = number !== undefined ? 'number' : word !== undefined ? 'word' : 'mark'
      tokens.push({ kind, text: whole, offset })
    }
    offset += whole.length
  }
  tokens.push({ kind: 'end', text: 'end of text', offset })
  return tokens
}

function unquote(text: string, source: Source, offset: number): string {
  try {
    return JSON.parse(text)
  } catch {
    throw new IrSyntaxError('a string that is not JSON', source, offset)
  }
}

/** Reads tokens one after the other. */
export class Cursor {
  readonly #source: Source
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(source: Source) {
    this.#source = source
    this.#tokens = tokenize(source)
  }

  peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)]!
  }

  next(): Token {
    const token = this.peek()
    this.#at++
    return token
  }

  fail(message: string, at: Token = this.peek()): never {
    throw new IrSyntaxError(message, this.#source, at.offset)
  }

  /** Whether an unquoted word or mark comes next. */
  at(text: string, ahead = 0): boolean {
    const token = this.peek(ahead)
    return token.text === text && (token.kind === 'word' || token.kind === 'mark')
  }

  take(text: string): boolean {
    if (!this.at(text)) return false
    this.#at++
    return true
  }

  expect(text: string): void {
    if (!this.take(text)) this.fail(`expected ${text}, found ${this.peek().text}`)
  }

  string(): string {
    const token = this.next()
    return token.kind === 'string' ? token.text : this.fail('expected a string', token)
  }

  /** A name, quoted or not. */
  name(): string {
    const token = this.next()
    if (token.kind === 'string' || token.kind === 'word') return token.text
    return this.fail(`expected a name, found ${token.text}`, token)
  }

  /** A keyword. */
  word(): string {
    const token = this.next()
    return token.kind === 'word' ? token.text : this.fail('expected a word', token)
  }

  /** A number with its sign, `nan` and `inf` among them. */
  number(): number {
    const sign = this.take('-') ? -1 : 1
    const token = this.next()
    if (token.kind === 'word' && token.text === 'nan') return Number.NaN
    if (token.kind === 'word' && token.text === 'inf') return sign * Number.POSITIVE_INFINITY
    if (token.kind !== 'number') return this.fail(`expected a number, found ${token.text}`, token)
    return sign * numberValue(token.text)
  }

  /** `open item, item close`; the list may be empty. */
  list<T>(open: string, close: string, item: () => T): T[] {
    this.expect(open)
    const items: T[] = []
    if (this.take(close)) return items
    do items.push(item())
    while (this.take(','))
    this.expect(close)
    return items
  }
}

/** `0.1f` is 0.1 rounded to f32; everything else is a double. */
export function numberValue(text: string): number {
  return text.endsWith('f') ? Math.fround(Number(text.slice(0, -1))) : Number(text)
}
