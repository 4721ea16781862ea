/**
 * Syntax errors while they travel: thrown by a rule of the grammar, caught by the statement or declaration that it
 * breaks, never seen outside compiler/syntax. `unexpected` picks the most helpful message for a token that does not
 * fit, by what stood there.
 */
import { EOF, type IToken } from 'chevrotain'
import { isForeignWord } from '../support/catalogue/syntax.ts'
import { type Code, diagnostic } from '../support/catalogue.ts'
import type { Diagnostic } from '../support/diagnostic.ts'
import type { Source, Span } from '../support/span.ts'
import { suggest } from '../support/suggest.ts'
import * as t from './tokens.ts'

/** Thrown, but no `Error`: it never leaves the parser, and a stack trace would be most of its cost. */
export class SyntaxFailure {
  readonly diagnostic: Diagnostic

  constructor(d: Diagnostic) {
    this.diagnostic = d
  }
}

export function spanOfToken(source: Source, token: IToken): Span {
  if (token.tokenType === EOF) {
    return { source, start: source.text.length, end: source.text.length }
  }
  return { source, start: t.startOf(token), end: t.endOf(token) }
}

/** A token as a message names it. */
export function describe(token: IToken): string {
  if (token.tokenType === EOF) return 'the end of the file'
  if (token.tokenType === t.Separator) return token.image === ';' ? '`;`' : 'the end of the line'
  if (token.tokenType === t.StringToken) return 'a string'
  if (token.image === '') return 'the end of the line'
  const text = token.image.length > 30 ? `${token.image.slice(0, 30)}…` : token.image
  return `\`${text}\``
}

/** What could have stood where the token stands. */
export type Expected =
  | { readonly kind: 'item' }
  | { readonly kind: 'expression' }
  | { readonly kind: 'type' }
  | { readonly kind: 'end'; readonly suggestion?: string | undefined }
  | { readonly kind: 'body'; readonly owner: string }
  | { readonly kind: 'params'; readonly owner: string }
  | { readonly kind: 'list'; readonly closer: string }
  | { readonly kind: 'source' }
  | { readonly kind: 'derivative' }
  | { readonly kind: 'name'; readonly what: string }
  | { readonly kind: 'token'; readonly what: string }

const declarations = [...t.itemKeywords].map((type) => type.name.replace('Keyword', ''))

export function unexpected(
  source: Source,
  expected: Expected,
  found: IToken,
  next: IToken,
): Diagnostic {
  const span = spanOfToken(source, found)
  const make = <C extends Code>(code: C, args: Parameters<typeof diagnostic<C>>[2]): Diagnostic =>
    diagnostic(code, span, args)
  const what = describe(found)
  const type = found.tokenType

  // What another language would have here, wherever it is.
  const called = next.tokenType === t.Identifier || next.tokenType === t.NumberLit
  if (type === t.Identifier && isForeignWord(found.image) && (called || expected.kind === 'item')) {
    return make('NET1021', { word: found.image })
  }
  if (type === t.Question) return make('NET1054', undefined)
  if (type === t.Else && expected.kind !== 'name') return make('NET1062', undefined)
  if (t.itemKeywords.has(type) && startsDeclaration(found, next) && expected.kind !== 'item') {
    return make('NET1057', { word: found.image })
  }

  switch (expected.kind) {
    case 'item':
      return make('NET1020', { found: what, suggestion: suggest(found.image, declarations) })
    case 'expression':
      if (type === t.Equal) return make('NET1041', undefined)
      return make('NET1040', { found: what })
    case 'type':
      return make('NET1028', { found: what })
    case 'end':
      if (type === t.Equal) return make('NET1041', undefined)
      if (type === t.LParen) return make('NET1060', undefined)
      return make('NET1043', { found: what, suggestion: expected.suggestion })
    case 'body':
      if (type === t.Colon) return make('NET1023', undefined)
      if (type === t.Equal) return make('NET1041', undefined)
      return make('NET1024', { owner: expected.owner, found: what })
    case 'params':
      return make('NET1027', { owner: expected.owner, found: what })
    case 'list':
      if (type === t.Equal) return make('NET1041', undefined)
      return make('NET1055', { found: what, closer: expected.closer })
    case 'source':
      return make('NET1031', { found: what })
    case 'derivative':
      return make('NET1030', { found: what })
    case 'name':
      if (t.keywords.has(found.image)) return make('NET1026', { word: found.image })
      return make('NET1025', { what: expected.what, found: what })
    case 'token':
      return make('NET1025', { what: expected.what, found: what })
  }
}

function startsDeclaration(found: IToken, next: IToken): boolean {
  if (next.tokenType === t.Identifier || next.tokenType === t.StringToken) return true
  return found.tokenType === t.Data && next.tokenType === t.LCurly
}
