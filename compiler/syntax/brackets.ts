/**
 * The grammar of lists in brackets: arguments, indices, reductions, tuples and shapes. expressions.ts has the rest of
 * an expression.
 */
import { diagnostic } from '../support/catalogue.ts'
import type { Expr, IndexArg, ReduceOp, Rest } from './ast.ts'
import { SyntaxFailure } from './failure.ts'
import { type GrammarRule, RuleParser } from './rules.ts'
import * as t from './tokens.ts'

export type CallArg = Extract<Expr, { kind: 'call' }>['args'][number]
type ReduceIndex = Extract<Expr, { kind: 'reduce' }>['indices'][number]

export abstract class BracketParser extends RuleParser {
  abstract readonly expression: GrammarRule<Expr>

  /** `(a, b, name = c)` */
  protected readonly args: GrammarRule<readonly CallArg[]> = this.RULE('args', () => {
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
  protected readonly reduction: GrammarRule<Expr> = this.RULE('reduction', () => {
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
        const token = this.OR([
          { ALT: () => this.CONSUME(t.Word) },
          { ALT: () => this.CONSUME(t.DotDot) },
        ])
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
  protected readonly indices: GrammarRule<readonly (IndexArg | Rest)[]> = this.RULE(
    'indices',
    () => {
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
    },
  )

  /** `(e)`, `(a, b)` */
  protected readonly group: GrammarRule<Expr> = this.RULE('group', () => {
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
  protected readonly shape: GrammarRule<Expr> = this.RULE('shape', () => {
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
}
