/**
 * The grammar of expressions, as chevrotain rules that build the tree while they parse. There is one rule for all
 * operators: it collects a flat list that operators.ts folds. The stack is used only where brackets nest, and layout.ts
 * bounds that.
 */
import type { IToken, TokenType } from 'chevrotain'
import { diagnostic } from '../support/catalogue.ts'
import type { BinaryOp, Block, Expr } from './ast.ts'
import { SyntaxFailure, unexpected } from './failure.ts'
import { stringValue } from './lex.ts'
import { fold, type Infix, type Piece } from './operators.ts'
import type { GrammarRule } from './rules.ts'
import { ScanParser } from './scans.ts'
import * as t from './tokens.ts'

type If = Extract<Expr, { kind: 'if' }>

const afterForeignWord: ReadonlySet<TokenType> = new Set([
  t.Identifier,
  t.Primed,
  t.NumberLit,
  t.StringToken,
  t.Reduce,
  t.If,
  t.True,
  t.False,
])

export abstract class ExpressionParser extends ScanParser {
  override readonly expression: GrammarRule<Expr> = this.RULE('expression', () => {
    const pieces: Piece[] = []
    const prefix = (token: IToken): void => {
      const op = token.tokenType === t.Minus ? '-' : 'not'
      pieces.push({ kind: 'prefix', op, start: token.startOffset })
    }
    this.MANY1(() => prefix(this.CONSUME1(t.PrefixOperator)))
    pieces.push({ kind: 'operand', value: this.SUBRULE1(this.operand) })
    this.MANY2(() => {
      const op = this.CONSUME(t.BinaryOperator)
      pieces.push({ kind: 'infix', op: op.image === '' ? '*' : this.infix(op) })
      this.MANY3(() => prefix(this.CONSUME2(t.PrefixOperator)))
      pieces.push({ kind: 'operand', value: this.SUBRULE2(this.operand) })
    })
    return this.ACTION(() =>
      fold(pieces, {
        chained: (whole) => this.report(diagnostic('NET1044', whole.span, undefined)),
        stage: (right) => this.stage(right),
      }),
    )
  })

  /** Its text may be that of another language's operator; its type is right. */
  private infix(token: IToken): Infix {
    const type = token.tokenType
    if (type === t.And) return 'and'
    if (type === t.Or) return 'or'
    if (type === t.Caret) return '^'
    if (type === t.EqualEqual) return '=='
    if (type === t.NotEqual) return '!='
    if (type === t.Star) return '*'
    return token.image as BinaryOp | '|>'
  }

  /** The right side of `|>`: `x |> mean(…)` and `x |> max(0)` are calls like any other. */
  private stage(right: Expr): Expr {
    if (right.kind === 'call' || (right.kind === 'name' && !right.primed)) return right
    if (right.kind === 'reduce' && right.indices.length === 0) {
      const { span } = right
      const callee = { text: right.op, span: { ...span, end: span.start + right.op.length } }
      const value = right.body
      return { kind: 'call', span, callee, args: [{ name: undefined, value, span: value.span }] }
    }
    if (right.kind !== 'error') this.report(diagnostic('NET1050', right.span, undefined))
    return { kind: 'error', span: right.span }
  }

  /** A primary and the reads and field accesses behind it. */
  readonly operand: GrammarRule<Expr> = this.RULE('operand', () => {
    const start = this.ACTION(() => this.checkOperand())
    let value = this.SUBRULE(this.primary)
    this.MANY(() => {
      this.OR([
        {
          ALT: () => {
            const base = value
            const guarded = this.OR2([
              {
                ALT: () => {
                  this.CONSUME(t.LBracket)
                  return false
                },
              },
              {
                ALT: () => {
                  this.CONSUME(t.GuardedBracket)
                  return true
                },
              },
            ])
            const at = this.SUBRULE(this.indices)
            value = this.ACTION(
              (): Expr => ({ kind: 'read', span: this.spanFrom(start), base, guarded, at }),
            )
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.Dot)
            this.ACTION(() => this.failField())
          },
        },
      ])
    })
    this.ACTION(() => {
      if (this.next(t.LParen)) this.fail({ kind: 'end' })
    })
    return value
  })

  private checkOperand(): number {
    const token = this.LA(1)
    const following = this.LA(2).tokenType
    if (!this.startsExpression(token)) this.fail({ kind: 'expression' })
    if (token.tokenType === t.Identifier && afterForeignWord.has(following)) {
      const failure = unexpected(this.source, { kind: 'item' }, token, this.LA(2))
      if (failure.code === 'NET1021') throw new SyntaxFailure(failure)
    }
    return this.here
  }

  private failField(): never {
    const field = this.LA(1)
    const dot = this.LA(0)
    const span = { source: this.source, start: t.startOf(dot), end: this.tokenSpan(field).end }
    const call = this.LA(2).tokenType === t.LParen
    if (!this.isWord(field) && field.tokenType !== t.Reduce) this.fail({ kind: 'expression' })
    throw new SyntaxFailure(diagnostic('NET1056', span, { name: field.image, call }))
  }

  private readonly primary: GrammarRule<Expr> = this.RULE('primary', () =>
    this.OR({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        {
          ALT: () => {
            const token = this.CONSUME(t.NumberLit)
            return this.ACTION((): Expr => {
              const text = token.image
              const value = Number(text)
              const isInt = /^\d+$/.test(text)
              // A malformed number was reported by the lexer.
              return {
                kind: 'number',
                span: this.tokenSpan(token),
                value: Number.isNaN(value) ? 0 : value,
                isInt,
                text,
              }
            })
          },
        },
        {
          ALT: () => {
            const token = this.CONSUME(t.StringToken)
            return this.ACTION(
              (): Expr => ({
                kind: 'string',
                span: this.tokenSpan(token),
                value: stringValue(token.image),
              }),
            )
          },
        },
        {
          ALT: () => {
            const token = this.CONSUME(t.True)
            return this.ACTION(
              (): Expr => ({ kind: 'bool', span: this.tokenSpan(token), value: true }),
            )
          },
        },
        {
          ALT: () => {
            const token = this.CONSUME(t.False)
            return this.ACTION(
              (): Expr => ({ kind: 'bool', span: this.tokenSpan(token), value: false }),
            )
          },
        },
        { ALT: () => this.SUBRULE(this.reduction) },
        { GATE: () => this.startsScan(), ALT: () => this.SUBRULE(this.scan) },
        { ALT: () => this.SUBRULE(this.nameOrCall) },
        {
          ALT: () => {
            const token = this.CONSUME(t.Primed)
            return this.ACTION((): Expr => {
              if (this.next(t.LParen)) this.fail({ kind: 'end' })
              const span = this.tokenSpan(token)
              return { kind: 'name', span, name: token.image.slice(0, -1), primed: true }
            })
          },
        },
        { ALT: () => this.SUBRULE(this.group) },
        { ALT: () => this.SUBRULE(this.shape) },
        { ALT: () => this.SUBRULE(this.ifValue) },
      ],
    }),
  )

  private readonly nameOrCall: GrammarRule<Expr> = this.RULE('nameOrCall', () => {
    const token = this.CONSUME(t.Word)
    const args = this.OPTION(() => this.SUBRULE(this.args))
    return this.ACTION((): Expr => {
      const callee = this.name(token)
      if (args === undefined)
        return { kind: 'name', span: callee.span, name: callee.text, primed: false }
      return { kind: 'call', span: this.spanFrom(token.startOffset), callee, args }
    })
  })
  /** `if c { a } else if d { b } else { e }`; a chain is a loop here, and nests in the tree. */
  private readonly ifValue: GrammarRule<Expr> = this.RULE('ifValue', () => {
    const arms: { start: number; test: Expr; then: Block }[] = []
    let last: Block | undefined
    const head = (token: IToken, test: Expr, then: Block): void => {
      arms.push({ start: token.startOffset, test, then })
    }
    head(
      this.CONSUME1(t.If),
      this.nested(() => this.SUBRULE1(this.expression)),
      this.SUBRULE1(this.block, { ARGS: ['`if`'] }),
    )
    this.MANY(() => {
      this.CONSUME(t.Else)
      this.OR([
        {
          ALT: () =>
            head(
              this.CONSUME2(t.If),
              this.nested(() => this.SUBRULE2(this.expression)),
              this.SUBRULE2(this.block, { ARGS: ['`if`'] }),
            ),
        },
        {
          ALT: () => {
            last = this.SUBRULE3(this.block, { ARGS: ['`else`'] })
          },
        },
      ])
    })
    return this.ACTION((): Expr => {
      const end = this.spanFrom(arms[0]!.start)
      let otherwise = last
      let value: If | undefined
      for (const { start, test, then } of arms.reverse()) {
        const span = { ...end, start }
        if (otherwise === undefined) {
          throw new SyntaxFailure(diagnostic('NET1061', span, undefined))
        }
        value = { kind: 'if', span, test, then, otherwise }
        otherwise = { span, statements: [{ kind: 'value', span, value }] }
      }
      return value!
    })
  })
}
