/**
 * What all rules of the grammar are written with: looking ahead, spans, failing with an error of one's own, and
 * recovering from it. A rule looks before it consumes, so that errors are its own (failure.ts); code inside `ACTION`
 * runs while parsing only, not while chevrotain records the grammar.
 */
import {
  EmbeddedActionsParser,
  EOF,
  type IRecognitionException,
  type IToken,
  isRecognitionException,
  type ParserMethod,
  type TokenType,
  tokenMatcher,
} from 'chevrotain'
import { diagnostic } from '../support/catalogue.ts'
import { type Diagnostic, Diagnostics } from '../support/diagnostic.ts'
import type { Source, Span } from '../support/span.ts'
import { suggest } from '../support/suggest.ts'
import type { Name } from './ast.ts'
import { type Expected, SyntaxFailure, spanOfToken, unexpected } from './failure.ts'
import * as t from './tokens.ts'

export type GrammarRule<T, A extends unknown[] = []> = ParserMethod<A, T>

const statements = [
  'minimize',
  'over',
  'using',
  'report',
  'yield',
  'param',
  'state',
  'step',
  'average',
  'scan',
]

const expressionStarts: ReadonlySet<TokenType> = new Set([
  t.Primed,
  t.NumberLit,
  t.StringToken,
  t.True,
  t.False,
  t.Reduce,
  t.LParen,
  t.LBracket,
  t.If,
  t.Minus,
  t.Not,
])

const maxConditions = 20

export abstract class RuleParser extends EmbeddedActionsParser {
  protected source: Source = { file: '', text: '' }
  protected diagnostics = new Diagnostics(0)
  /** Where `n: extent` was met; an equation takes back those of its left side. */
  protected extents: Span[] = []
  private conditions = 0
  /** Where the lexer and layout found something wrong. */
  protected spoiled: readonly number[] = []

  constructor() {
    super(t.vocabulary, { maxLookahead: 1, recoveryEnabled: false })
  }

  // Helpers for rules. All but the spans must run in ACTION.

  protected report(d: Diagnostic): void {
    this.diagnostics.add(d)
  }

  protected fail(expected: Expected): never {
    const dangling = this.next(t.Equal) ? this.danglingOperator() : undefined
    if (dangling !== undefined) throw new SyntaxFailure(dangling)
    throw new SyntaxFailure(unexpected(this.source, expected, this.LA(1), this.LA(2)))
  }

  /** `a = b +` and on the next line `c = d`: the operator before the name is what is wrong, not the `=`. */
  private danglingOperator(): Diagnostic | undefined {
    const operator = this.LA(-1)
    const name = this.LA(0)
    if (operator.tokenType === EOF || !tokenMatcher(operator, t.BinaryOperator)) return undefined
    const between = this.source.text.slice(t.endOf(operator), t.startOf(name))
    if (!this.isWord(name) || !between.includes('\n')) return undefined
    return diagnostic('NET1064', this.tokenSpan(operator), { operator: operator.image })
  }

  protected next(type: TokenType): boolean {
    return this.LA(1).tokenType === type
  }

  protected isWord(token: IToken): boolean {
    return tokenMatcher(token, t.Word)
  }

  protected tokenSpan(token: IToken): Span {
    return spanOfToken(this.source, token)
  }

  /** From `start` to the end of the last token consumed. */
  protected spanFrom(start: number): Span {
    const last = this.LA(0)
    const end = last.tokenType === EOF ? start : t.endOf(last)
    return { source: this.source, start, end: Math.max(start, end) }
  }

  /** The start of the next token. */
  protected get here(): number {
    return this.tokenSpan(this.LA(1)).start
  }

  protected name(token: IToken): Name {
    return { text: token.image, span: this.tokenSpan(token) }
  }

  /** Fails unless the next token has the type. */
  protected expect(type: TokenType, expected: Expected): void {
    this.ACTION(() => {
      if (!this.next(type)) this.fail(expected)
    })
  }

  protected expectWord(what: string): void {
    this.ACTION(() => {
      if (!this.isWord(this.LA(1))) this.fail({ kind: 'name', what })
    })
  }

  /** The `=` before a value that must be there. */
  protected expectEqual(what: string, name: Name): void {
    this.ACTION(() => {
      this.acceptEqual(`the ${what}`)
      if (this.next(t.Equal)) return
      const code = diagnostic('NET1047', name.span, { what: `the ${what}`, name: name.text })
      if (this.next(t.Separator) || this.next(t.RCurly)) throw new SyntaxFailure(code)
      this.fail({ kind: 'token', what: '`=`' })
    })
  }

  /** Takes `==` for `=` where only that can be meant. */
  protected acceptEqual(what: string): void {
    if (!this.next(t.EqualEqual)) return
    this.report(diagnostic('NET1042', this.tokenSpan(this.LA(1)), { what }))
    t.retype(this.LA(1), t.Equal)
  }

  protected startsExpression(token: IToken): boolean {
    return expressionStarts.has(token.tokenType) || this.isWord(token)
  }

  /** After an element of a list: a comma, or the closer that ends it. */
  protected afterElement(closer: TokenType, text: string): void {
    this.ACTION(() => {
      if (!this.next(t.Comma) && !this.next(closer)) this.fail({ kind: 'list', closer: text })
    })
  }

  /** Where an element or the closer must stand, and it is not an element. */
  protected expectCloser(closer: TokenType): void {
    this.ACTION(() => {
      if (!this.next(closer)) this.fail({ kind: 'expression' })
    })
  }

  /** Runs a rule that recurs without brackets: the condition of an `if` may hold an `if`. */
  protected nested<T>(one: () => T): T {
    if (this.conditions >= maxConditions) {
      const args = { limit: maxConditions, what: 'conditions are' }
      throw new SyntaxFailure(diagnostic('NET1013', this.tokenSpan(this.LA(1)), args))
    }
    this.conditions++
    try {
      return one()
    } finally {
      this.conditions--
    }
  }

  // Recovery

  /** Runs `one` until `done` holds; the grammar recorder sees it once. */
  protected repeat(done: () => boolean, one: () => void): void {
    if (this.RECORDING_PHASE) one()
    else while (!done()) one()
  }

  /** Runs a rule; when it fails, reports and skips to where `depth` brackets are open and the statement ends. */
  protected recover(depth: number, one: () => void): boolean {
    const start = this.here
    const pending = this.extents.length
    let clean = true
    try {
      one()
    } catch (error) {
      if (!this.isFailure(error)) throw error
      clean = false
      const stuck = this.here === start
      const found = this.LA(1)
      this.skipStatement(depth)
      this.reportFailure(error, start, found)
      // Always forward, whatever happened.
      if (stuck && this.here === start && !this.next(t.RCurly)) this.SKIP_TOKEN()
    }
    for (const span of this.extents.splice(pending))
      this.report(diagnostic('NET1048', span, undefined))
    return clean
  }

  protected isFailure(error: unknown): error is SyntaxFailure | IRecognitionException {
    return error instanceof SyntaxFailure || isRecognitionException(error as Error)
  }

  /** Says nothing where the lexer or the bracket matcher has already said what is wrong with this text. */
  protected reportFailure(
    error: SyntaxFailure | IRecognitionException,
    start: number,
    found = this.LA(1),
  ): void {
    const end =
      found.tokenType === EOF ? this.source.text.length : Math.max(t.endOf(found), this.here)
    if (this.spoiled.some((at) => at >= start && at <= end)) return
    if (error instanceof SyntaxFailure) this.report(error.diagnostic)
    else this.report(unexpected(this.source, { kind: 'end' }, found, this.LA(2)))
  }

  /** Skips up to the first token for which `isThere` holds, or the end. */
  protected skipTo(isThere: (token: IToken) => boolean): void {
    for (let next = this.LA(1); next.tokenType !== EOF && !isThere(next); ) next = this.SKIP_TOKEN()
  }

  protected skipStatement(depth: number): void {
    this.skipTo(
      ({ payload, tokenType }) =>
        payload < depth || (payload === depth && tokenType === t.Separator),
    )
  }

  /** The depth inside the bracket that was consumed last. */
  protected get depthInside(): number {
    return (this.LA(0).payload as number) + 1
  }

  /** After a statement or entry: its end must be here. */
  protected endOfStatement(): void {
    const type = this.LA(1).tokenType
    if (type === t.Separator || type === t.RCurly || type === EOF) return
    const before = this.LA(0)
    const named = before.tokenType === t.Identifier
    this.fail({ kind: 'end', suggestion: named ? suggest(before.image, statements) : undefined })
  }
}
