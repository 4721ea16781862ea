/**
 * Text → tokens and comments. Names keywords, takes comments out, and reports what is wrong with single tokens; a
 * mistaken operator of another language (`&&`, `**`) is reported and replaced by the right one, so that the parser
 * sees what was meant and says nothing more about it. Newlines stay in, for layout.ts.
 */
import type { IToken } from 'chevrotain'
import { type Code, diagnostic } from '../support/catalogue.ts'
import type { Diagnostics } from '../support/diagnostic.ts'
import type { Source, Span } from '../support/span.ts'
import type { Comment } from './ast.ts'
import * as t from './tokens.ts'

export interface Lexed {
  readonly tokens: readonly IToken[]
  readonly comments: readonly Comment[]
}

/** What is meant by an operator of another language. */
const replacements = new Map([
  [t.AndAnd, { right: 'and', type: t.And }],
  [t.OrOr, { right: 'or', type: t.Or }],
  [t.Bang, { right: 'not', type: t.Not }],
  [t.StarStar, { right: '^', type: t.Caret }],
  [t.TripleEqual, { right: '==', type: t.EqualEqual }],
  [t.NotTripleEqual, { right: '!=', type: t.NotEqual }],
  [t.FatArrow, { right: '->', type: t.Arrow }],
])

export function lex(source: Source, diagnostics: Diagnostics): Lexed {
  const tokens: IToken[] = []
  const comments: Comment[] = []
  let strayEnd = -1

  const spanOf = (token: IToken): Span => ({ source, start: t.startOf(token), end: t.endOf(token) })
  const report = (code: Code, token: IToken, args?: object): void =>
    diagnostics.add(diagnostic(code, spanOf(token), args as never))
  const comment = (token: IToken): void => {
    comments.push({ span: spanOf(token), text: token.image.trimEnd() })
  }

  for (const token of t.tokenize(source.text)) {
    switch (token.tokenType) {
      case t.Identifier:
        tokens.push(t.retype(token, t.keywords.get(token.image) ?? t.Identifier))
        break
      case t.Comment:
        comment(token)
        break
      case t.HashComment:
      case t.BlockComment:
        report('NET1005', token, { text: token.image.slice(0, token.image[0] === '#' ? 1 : 2) })
        // The newline inside a block comment still ends a statement.
        if (token.image.includes('\n')) tokens.push({ ...token, tokenType: t.Newline })
        break
      case t.NumberLit: {
        const wrong = numberProblem(token.image)
        if (wrong !== undefined) report('NET1003', token, { text: shorten(token.image), ...wrong })
        tokens.push(token)
        break
      }
      case t.StringToken: {
        const bad = /^"(?:[^\\]|\\["\\nt])*(\\[^"\\nt])/.exec(token.image)
        if (bad?.[1] !== undefined) report('NET1004', token, { escape: bad[1] })
        tokens.push(token)
        break
      }
      case t.UnterminatedString:
        report('NET1002', token)
        tokens.push(t.retype(token, t.StringToken))
        break
      case t.QuotedString:
        report('NET1007', token)
        tokens.push(t.retype(token, t.StringToken))
        break
      case t.Stray:
        // One message for a run of them.
        if (t.startOf(token) !== strayEnd) report('NET1001', token, { text: visible(token.image) })
        strayEnd = t.endOf(token)
        break
      case t.MinusEqual:
      case t.StarEqual:
      case t.SlashEqual:
        report('NET1008', token, { text: token.image })
        tokens.push(t.retype(token, t.Equal))
        break
      case t.AtSign:
        report('NET1009', token)
        tokens.push(t.retype(token, t.Star))
        break
      default: {
        const meant = replacements.get(token.tokenType)
        if (meant !== undefined) {
          report('NET1006', token, { text: token.image, right: meant.right })
          t.retype(token, meant.type)
        }
        tokens.push(token)
      }
    }
  }
  return { tokens, comments }
}

function numberProblem(text: string): { why: string; fix: string } | undefined {
  if (/^\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)) {
    if (Number.isFinite(Number(text))) return undefined
    return { why: 'too large', fix: 'The largest 32-bit float is about 3.4e38.' }
  }
  if (/^\.\d+$/.test(text))
    return { why: 'starts with a point', fix: `Write \`0${shorten(text)}\`.` }
  if (/^\d+\.$/.test(text)) return { why: 'ends with a point', fix: `Write \`${shorten(text)}0\`.` }
  if (/^\d[\d_]*$/.test(text)) return { why: 'has `_` in it', fix: 'Write the digits together.' }
  if (/^0[xXbBoO]/.test(text)) return { why: 'not decimal', fix: 'Write it as a decimal number.' }
  if (/^\d+(?:\.\d+)?[A-Za-z_]/.test(text)) {
    return {
      why: 'letters follow the digits',
      fix: 'Numbers look like `42`, `0.1` and `1e-3`; a product needs `*`, and a name starts with a letter.',
    }
  }
  return { why: 'malformed', fix: 'Numbers look like `42`, `0.1` and `1e-3`.' }
}

const shorten = (text: string): string => (text.length > 30 ? `${text.slice(0, 30)}…` : text)

/** A character as it can be shown: controls by their number. */
function visible(text: string): string {
  const code = text.codePointAt(0) ?? 0
  const hidden =
    code < 0x20 ||
    (code >= 0x7f && code < 0xa1) ||
    (code >= 0xd800 && code < 0xe000) ||
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x2028 && code <= 0x202f) ||
    code === 0xfffe
  return hidden ? `U+${code.toString(16).toUpperCase().padStart(4, '0')}` : text
}

/** The value of a string token; a missing end quote is tolerated. */
export function stringValue(image: string): string {
  const closed = image.length > 1 && image.at(-1) === image[0]
  return image
    .slice(1, closed ? -1 : image.length)
    .replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c === 't' ? '\t' : c))
}
