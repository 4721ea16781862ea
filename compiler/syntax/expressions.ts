/**
 * The grammar of expressions, types and parameter lists, as chevrotain rules that build the tree while they parse.
 * grammar.ts adds statements and declarations. A rule looks before it consumes, so that errors are its own
 * (`failure.ts`); code inside `ACTION` runs while parsing only, not while chevrotain records the grammar.
 *
 * There is one rule for all operators: it collects a flat list that operators.ts folds. The stack is used only where
 * brackets nest, and layout.ts bounds that.
 */
import {
  EmbeddedActionsParser,
  EOF,
  type IToken,
  type ParserMethod,
  type TokenType,
  tokenMatcher,
} from 'chevrotain'
import { diagnostic } from '../support/catalogue.ts'
import { type Diagnostic, Diagnostics } from '../support/diagnostic.ts'
import type { Source, Span } from '../support/span.ts'
import type {
  BinaryOp,
  Block,
  DimExpr,
  Expr,
  IndexArg,
  Name,
  Param,
  ReduceOp,
  Rest,
  Type,
} from './ast.ts'
import { type Expected, SyntaxFailure, spanOfToken, unexpected } from './failure.ts'
import { stringValue } from './lex.ts'
import { fold, type Infix, type Piece } from './operators.ts'
import * as t from './tokens.ts'

export type GrammarRule<T, A extends unknown[] = []> = ParserMethod<A, T>

type CallArg = Extract<Expr, { kind: 'call' }>['args'][number]
type ReduceIndex = Extract<Expr, { kind: 'reduce' }>['indices'][number]
type If = Extract<Expr, { kind: 'if' }>

const dtypes = { int: 'i32', bool: 'bool', f32: 'f32' } as const

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

export abstract class ExpressionParser extends EmbeddedActionsParser {
  protected source: Source = { file: '', text: '' }
  protected diagnostics = new Diagnostics(0)
  /** Where `n: extent` was met; an equation takes back those of its left side. */
  protected extents: Span[] = []

  abstract readonly block: GrammarRule<Block, [owner: string]>

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

  // Expressions

  readonly expression: GrammarRule<Expr> = this.RULE('expression', () => {
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
    this.OR([
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
    ]),
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

  /** `(a, b, name = c)` */
  private readonly args: GrammarRule<readonly CallArg[]> = this.RULE('args', () => {
    const args: CallArg[] = []
    this.CONSUME(t.LParen)
    this.MANY(() => {
      args.push(this.SUBRULE(this.arg))
      this.afterElement(t.RParen, ')')
      this.OPTION(() => this.CONSUME(t.Comma))
    })
    this.expectCloser(t.RParen)
    this.CONSUME(t.RParen)
    this.ACTION(() => {
      let named = false
      for (const arg of args) {
        if (arg.name !== undefined) named = true
        else if (named) this.report(diagnostic('NET1051', arg.span, undefined))
      }
    })
    return args
  })

  private readonly arg: GrammarRule<CallArg> = this.RULE('arg', () => {
    const start = this.ACTION(() => this.here)
    const name = this.OPTION({
      GATE: () => this.LA(2).tokenType === t.Equal,
      DEF: () => {
        const token = this.OR([
          { ALT: () => this.CONSUME(t.Word) },
          { ALT: () => this.CONSUME(t.Reduce) },
        ])
        this.CONSUME(t.Equal)
        return this.ACTION(() => this.name(token))
      },
    })
    const value = this.SUBRULE(this.expression)
    return this.ACTION(() => ({ name, value, span: this.spanFrom(start) }))
  })

  /** `sum[i, j: 8](body)`, `sum(x)`, `max(a, b)`, and the bare word as a stage of a pipeline. */
  private readonly reduction: GrammarRule<Expr> = this.RULE('reduction', () => {
    const token = this.CONSUME(t.Reduce)
    const piped = this.ACTION(() => this.LA(-1).tokenType === t.Pipe)
    const indices = this.OPTION1(() => this.SUBRULE(this.reduceIndices))
    const args = this.OPTION2(() => this.SUBRULE(this.args))
    return this.ACTION((): Expr => {
      const op = token.image as ReduceOp
      const span = this.spanFrom(token.startOffset)
      const callee = this.name(token)
      if (args === undefined) {
        if (piped && indices === undefined) return { kind: 'name', span, name: op, primed: false }
        if (!this.startsExpression(this.LA(1)) && !this.next(t.Separator))
          this.fail({ kind: 'expression' })
        throw new SyntaxFailure(diagnostic('NET1045', span, { op }))
      }
      const isBinary = op === 'max' || op === 'min'
      if (indices === undefined && (piped || (isBinary && args.length === 2))) {
        return { kind: 'call', span, callee, args }
      }
      const body = args[0]
      if (body === undefined || args.length > 1 || body.name !== undefined) {
        this.report(diagnostic('NET1059', span, { op, count: args.length }))
        return { kind: 'error', span }
      }
      return { kind: 'reduce', span, op, indices: indices ?? [], body: body.value }
    })
  })

  private readonly reduceIndices: GrammarRule<readonly ReduceIndex[]> = this.RULE(
    'reduceIndices',
    () => {
      const indices: ReduceIndex[] = []
      const open = this.CONSUME(t.LBracket)
      this.MANY(() => {
        const start = this.ACTION(() => this.here)
        const token = this.CONSUME(t.Word)
        const extent = this.OPTION1(() => {
          this.CONSUME(t.Colon)
          return this.SUBRULE1(this.expression)
        })
        const within = this.OPTION2(() => {
          this.CONSUME(t.In)
          return this.SUBRULE2(this.expression)
        })
        this.ACTION(() =>
          indices.push({ name: this.name(token), extent, within, span: this.spanFrom(start) }),
        )
        this.afterElement(t.RBracket, ']')
        this.OPTION3(() => this.CONSUME(t.Comma))
      })
      this.ACTION(() => {
        if (!this.next(t.RBracket)) this.fail({ kind: 'name', what: 'the name of an index' })
      })
      this.CONSUME(t.RBracket)
      this.ACTION(() => {
        if (indices.length > 0) return
        this.report(
          diagnostic('NET1058', this.spanFrom(open.startOffset), {
            what: 'a reduction in brackets',
          }),
        )
      })
      return indices
    },
  )

  /** What follows `[` or `?[`, with the closing bracket. */
  private readonly indices: GrammarRule<readonly (IndexArg | Rest)[]> = this.RULE('indices', () => {
    const at: (IndexArg | Rest)[] = []
    const start = this.ACTION(() => t.startOf(this.LA(0)))
    this.MANY(() => {
      this.OR([
        {
          ALT: () => {
            const token = this.CONSUME(t.DotDot)
            this.ACTION(() => {
              const span = this.tokenSpan(token)
              if (at.length > 0) this.report(diagnostic('NET1049', span, undefined))
              else at.push({ kind: 'rest', span })
            })
          },
        },
        {
          ALT: () => {
            const from = this.ACTION(() => this.here)
            const value = this.SUBRULE1(this.expression)
            const extent = this.OPTION1(() => {
              this.CONSUME(t.Colon)
              return this.SUBRULE2(this.expression)
            })
            this.ACTION(() => {
              const span = this.spanFrom(from)
              if (extent !== undefined) this.extents.push(span)
              at.push({ kind: 'at', span, value, extent })
            })
          },
        },
      ])
      this.afterElement(t.RBracket, ']')
      this.OPTION2(() => this.CONSUME(t.Comma))
    })
    this.expectCloser(t.RBracket)
    this.CONSUME(t.RBracket)
    this.ACTION(() => {
      if (at.length === 0)
        this.report(diagnostic('NET1058', this.spanFrom(start), { what: 'a read' }))
    })
    return at
  })

  /** `(e)`, `(a, b)` */
  private readonly group: GrammarRule<Expr> = this.RULE('group', () => {
    const parts: Expr[] = []
    const open = this.CONSUME(t.LParen)
    this.MANY(() => {
      parts.push(this.SUBRULE(this.expression))
      this.afterElement(t.RParen, ')')
      this.OPTION(() => this.CONSUME(t.Comma))
    })
    this.ACTION(() => {
      if (parts.length === 0 || !this.next(t.RParen)) this.fail({ kind: 'expression' })
    })
    this.CONSUME(t.RParen)
    return this.ACTION((): Expr => {
      if (parts.length === 1) return parts[0]!
      return { kind: 'tuple', span: this.spanFrom(open.startOffset), parts }
    })
  })

  /** `[batch, 64]` */
  private readonly shape: GrammarRule<Expr> = this.RULE('shape', () => {
    const dims: Expr[] = []
    const open = this.CONSUME(t.LBracket)
    this.MANY(() => {
      dims.push(this.SUBRULE(this.expression))
      this.afterElement(t.RBracket, ']')
      this.OPTION(() => this.CONSUME(t.Comma))
    })
    this.expectCloser(t.RBracket)
    this.CONSUME(t.RBracket)
    return this.ACTION((): Expr => ({ kind: 'shape', span: this.spanFrom(open.startOffset), dims }))
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
      this.SUBRULE1(this.expression),
      this.SUBRULE1(this.block, { ARGS: ['`if`'] }),
    )
    this.MANY(() => {
      this.CONSUME(t.Else)
      this.OR([
        {
          ALT: () =>
            head(
              this.CONSUME2(t.If),
              this.SUBRULE2(this.expression),
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

  // Types and parameters

  readonly type: GrammarRule<Type> = this.RULE('type', () => {
    const start = this.ACTION(() => this.checkType())
    const word = this.OPTION1(() => this.CONSUME(t.Word))
    const dims = this.OPTION2(() => this.SUBRULE(this.dims))
    return this.ACTION((): Type => {
      const span = this.spanFrom(start)
      if (word?.image === 'dim' || word?.image === 'params') return { kind: word.image, span }
      const dtype = dtypes[(word?.image ?? 'f32') as keyof typeof dtypes]
      return { kind: 'tensor', dtype, dims: dims ?? [], span }
    })
  })

  private checkType(): number {
    const token = this.LA(1)
    const isWord =
      Object.hasOwn(dtypes, token.image) || token.image === 'dim' || token.image === 'params'
    if (token.tokenType !== t.LBracket && !(isWord && this.isWord(token)))
      this.fail({ kind: 'type' })
    return t.startOf(token)
  }

  private readonly dims: GrammarRule<readonly DimExpr[]> = this.RULE('dims', () => {
    const dims: DimExpr[] = []
    this.CONSUME(t.LBracket)
    this.MANY(() => {
      this.OR([
        {
          ALT: () => {
            const token = this.CONSUME(t.DotDot)
            this.ACTION(() => {
              const span = this.tokenSpan(token)
              if (dims.length > 0) this.report(diagnostic('NET1049', span, undefined))
              else dims.push({ kind: 'rest', span })
            })
          },
        },
        {
          ALT: () => {
            dims.push(this.SUBRULE(this.expression))
          },
        },
      ])
      this.afterElement(t.RBracket, ']')
      this.OPTION(() => this.CONSUME(t.Comma))
    })
    this.expectCloser(t.RBracket)
    this.CONSUME(t.RBracket)
    return dims
  })

  /** `(x: [.., I], O: dim, lr = 1e-3)` behind the name of `owner`. */
  readonly params: GrammarRule<readonly Param[], [owner: string]> = this.RULE('params', (owner) => {
    const params: Param[] = []
    this.expect(t.LParen, { kind: 'params', owner })
    this.CONSUME(t.LParen)
    this.MANY(() => {
      params.push(this.SUBRULE(this.param))
      this.afterElement(t.RParen, ')')
      this.OPTION(() => this.CONSUME(t.Comma))
    })
    this.ACTION(() => {
      if (!this.next(t.RParen)) this.fail({ kind: 'name', what: 'the name of a parameter' })
    })
    this.CONSUME(t.RParen)
    return params
  })

  private readonly param: GrammarRule<Param> = this.RULE('param', () => {
    const token = this.CONSUME(t.Word)
    const type = this.OPTION1(() => {
      this.CONSUME(t.Colon)
      return this.SUBRULE(this.type)
    })
    const initial = this.OPTION2(() => {
      this.CONSUME(t.Equal)
      return this.SUBRULE(this.expression)
    })
    return this.ACTION(() => ({
      name: this.name(token),
      type,
      initial,
      span: this.spanFrom(token.startOffset),
    }))
  })
}
