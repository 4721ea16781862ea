/**
 * Tokens with newlines → balanced tokens with statement ends. After this pass every bracket has its partner, none is
 * nested deeper than `maxNesting`, and a `Separator` stands where a statement ends; so the parser has no bracket
 * errors to think about, and can skip a broken statement by depth alone.
 *
 * A newline ends a statement unless it lies inside ( ) or [ ], follows an operator, comma or opening bracket, or
 * precedes a binary operator other than `-`. A closer without an opener is dropped; a missing closer is put in at the
 * end of the opener's statement, or for `{` before the next declaration at the start of a line. Tokens put in have no
 * width. Every token's `payload` is its depth: how many brackets are open around it.
 */
import type { IToken, TokenType } from 'chevrotain'
import { createTokenInstance } from 'chevrotain'
import { diagnostic } from '../support/catalogue.ts'
import type { Diagnostics } from '../support/diagnostic.ts'
import type { Source, Span } from '../support/span.ts'
import * as t from './tokens.ts'

export const maxNesting = 200

interface Open {
  readonly token: IToken
  /** Whether its partner exists. */
  readonly closed: boolean
}

const closers: ReadonlyMap<TokenType, TokenType> = new Map([
  [t.LParen, t.RParen],
  [t.LBracket, t.RBracket],
  [t.GuardedBracket, t.RBracket],
  [t.LCurly, t.RCurly],
])
const closerTypes: ReadonlySet<TokenType> = new Set(closers.values())

/** What stands between two parts of one statement, whichever line it is on. */
const between: readonly TokenType[] = [
  t.Pipe,
  t.Arrow,
  t.EqualEqual,
  t.NotEqual,
  t.LessEqual,
  t.GreaterEqual,
  t.Less,
  t.Greater,
  t.PlusEqual,
  t.Equal,
  t.Plus,
  t.Star,
  t.Slash,
  t.Percent,
  t.Caret,
  t.And,
  t.Or,
  t.Comma,
  t.With,
]

const joinsNextLine: ReadonlySet<TokenType> = new Set([
  ...between,
  t.Minus,
  t.Not,
  t.Colon,
  t.LParen,
  t.LBracket,
  t.GuardedBracket,
  t.LCurly,
  t.Minimize,
  t.Over,
  t.Using,
  t.Report,
  t.Yield,
  t.In,
])

const joinsLineBefore: ReadonlySet<TokenType> = new Set([...between, t.Else])

/** Undefined when the nesting is too deep to go on. */
export function layout(
  raw: readonly IToken[],
  source: Source,
  diagnostics: Diagnostics,
): IToken[] | undefined {
  const partners = matchBrackets(raw, source, diagnostics)
  if (partners === undefined) return undefined
  const out: IToken[] = []
  const open: Open[] = []
  let newline = false

  const put = (token: IToken): void => {
    token.payload = open.length
    out.push(token)
  }
  const putVirtual = (type: TokenType, at: number): void =>
    put(createTokenInstance(type, '', at, at - 1, 0, 0, 0, 0))
  const lastEnd = (): number => (out.length > 0 ? t.endOf(out[out.length - 1]!) : 0)
  /** Closes what has no partner, from the top of the stack down to the first that has one. */
  const closeDangling = (includingBlocks: boolean): void => {
    for (let top = open.at(-1); top !== undefined && !top.closed; top = open.at(-1)) {
      if (top.token.tokenType === t.LCurly && !includingBlocks) break
      open.pop()
      putVirtual(closers.get(top.token.tokenType)!, lastEnd())
    }
  }

  for (let i = 0; i < raw.length; i++) {
    const token = raw[i]!
    if (token.tokenType === t.Newline) {
      newline = true
      continue
    }
    const previous = out.at(-1)
    if (newline && startsItem(raw, i, source)) closeDangling(true)
    if (
      newline &&
      previous !== undefined &&
      !joinsNextLine.has(previous.tokenType) &&
      !joinsLineBefore.has(token.tokenType)
    ) {
      closeDangling(false)
      const inside = open.at(-1)
      if (
        token.tokenType !== t.RCurly &&
        (inside === undefined || inside.token.tokenType === t.LCurly)
      ) {
        putVirtual(t.Separator, lastEnd())
      }
    }
    newline = false
    if (token.tokenType === t.Semicolon) {
      closeDangling(false)
      put(t.retype(token, t.Separator))
    } else if (closers.has(token.tokenType)) {
      put(token)
      open.push({ token, closed: partners.has(token) })
    } else if (closerTypes.has(token.tokenType)) {
      if (!partners.has(token)) continue
      closeDangling(true)
      open.pop()
      put(token)
    } else {
      put(token)
    }
  }
  closeDangling(true)
  putVirtual(t.Separator, lastEnd())
  return out
}

/** A keyword of a declaration in the first column, followed by what follows it in a declaration. */
function startsItem(raw: readonly IToken[], i: number, source: Source): boolean {
  const token = raw[i]!
  if (!t.itemKeywords.has(token.tokenType)) return false
  const start = t.startOf(token)
  if (start > 0 && source.text[start - 1] !== '\n') return false
  const next = raw[i + 1]?.tokenType
  return next === t.Identifier || next === t.StringToken || next === t.LCurly
}

/** The brackets that have a partner; reports the others, and nesting too deep. */
function matchBrackets(
  raw: readonly IToken[],
  source: Source,
  diagnostics: Diagnostics,
): ReadonlySet<IToken> | undefined {
  const matched = new Set<IToken>()
  const stack: IToken[] = []
  const spanOf = (token: IToken): Span => ({ source, start: t.startOf(token), end: t.endOf(token) })
  /** A block whose `}` stands further left than the line of its `{`: that `}` was meant for an outer block. */
  let suspect: IToken | undefined
  let indentation = 0
  const indentations = new Map<IToken, number>()
  const unclosed = (outer: IToken): void => {
    const isSuspect = suspect !== undefined && outer.tokenType === t.LCurly
    const opener = isSuspect && t.startOf(suspect!) > t.startOf(outer) ? suspect! : outer
    const closer = closerText(opener)
    diagnostics.add(diagnostic('NET1011', spanOf(opener), { opener: opener.image, closer }))
  }
  const mismatch = (opener: IToken, found: IToken): void => {
    const args = { opener: opener.image, closer: closerText(opener), found: found.image }
    const related = [{ span: spanOf(opener), text: 'opened here' }]
    diagnostics.add(diagnostic('NET1012', spanOf(found), args, { related }))
  }

  for (let i = 0; i < raw.length; i++) {
    const token = raw[i]!
    if (token.tokenType === t.Newline) {
      const next = raw[i + 1]
      indentation = next === undefined ? 0 : t.startOf(next) - t.endOf(token)
      continue
    }
    if (stack.length > 0 && startsItem(raw, i, source)) {
      for (const opener of stack.splice(0)) unclosed(opener)
      suspect = undefined
    }
    if (closers.has(token.tokenType)) {
      stack.push(token)
      if (token.tokenType === t.LCurly) indentations.set(token, indentation)
      if (stack.length > maxNesting) {
        const what = token.tokenType === t.LCurly ? 'blocks are' : 'brackets are'
        diagnostics.add(diagnostic('NET1013', spanOf(token), { limit: maxNesting, what }))
        return undefined
      }
    } else if (closerTypes.has(token.tokenType)) {
      const at = stack.findLastIndex((opener) => closers.get(opener.tokenType) === token.tokenType)
      const top = stack.at(-1)
      // A closing parenthesis never closes over an open block.
      const block = stack.findLastIndex((opener) => opener.tokenType === t.LCurly)
      if (at >= 0 && at >= block) {
        const next = raw[i + 1]
        if (at === stack.length - 2 && next !== undefined && fits(top!, next)) {
          // `([)]`: two closers exchanged. Exchange them back.
          mismatch(top!, token)
          t.retype(next, token.tokenType)
          t.retype(token, closers.get(top!.tokenType)!)
        } else {
          for (const opener of stack.splice(at + 1)) unclosed(opener)
        }
        const opener = stack.pop()!
        matched.add(token)
        matched.add(opener)
        if (token.tokenType === t.RCurly && suspect === undefined) {
          if (indentation < (indentations.get(opener) ?? 0)) suspect = opener
        }
      } else if (top !== undefined && top.tokenType !== t.LCurly) {
        mismatch(top, token)
        // It was meant to close what is open: let it.
        t.retype(token, closers.get(top.tokenType)!)
        matched.add(token)
        matched.add(stack.pop()!)
      } else {
        diagnostics.add(diagnostic('NET1010', spanOf(token), { closer: token.image }))
      }
    }
  }
  for (const opener of stack) unclosed(opener)
  return matched
}

const fits = (opener: IToken, closer: IToken): boolean =>
  closers.get(opener.tokenType) === closer.tokenType

const closerText = (opener: IToken): string =>
  opener.tokenType === t.LCurly ? '}' : opener.tokenType === t.LParen ? ')' : ']'
