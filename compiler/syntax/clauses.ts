/** The grammar of the statements that start with a keyword and declare or train: `param state over using report`. */
import type { IToken } from 'chevrotain'
import { diagnostic } from '../support/catalogue.ts'
import type { Expr, Name, Statement } from './ast.ts'
import { SyntaxFailure } from './failure.ts'
import type { GrammarRule } from './rules.ts'
import { SignatureParser } from './signatures.ts'
import * as t from './tokens.ts'

type Cell = Extract<Statement, { kind: 'state' }>['cells'][number]
type Metric = Extract<Statement, { kind: 'report' }>['metrics'][number]

export abstract class ClauseParser extends SignatureParser {
  /** `param W: [I, O] = glorot_uniform(I, O)` */
  protected readonly parameter: GrammarRule<Statement> = this.RULE('parameter', () => {
    const start = this.CONSUME(t.Param).startOffset
    this.expectWord('the name of the parameter')
    const token = this.CONSUME(t.Word)
    this.ACTION(() => {
      if (this.next(t.Colon)) return
      throw new SyntaxFailure(diagnostic('NET1046', this.tokenSpan(token), { name: token.image }))
    })
    this.CONSUME(t.Colon)
    const type = this.SUBRULE(this.type)
    this.expectEqual(
      'parameter',
      this.ACTION(() => this.name(token)),
    )
    this.CONSUME(t.Equal)
    const initial = this.SUBRULE(this.expression)
    return this.ACTION(
      (): Statement => ({
        kind: 'param',
        span: this.spanFrom(start),
        name: this.name(token),
        type,
        initial,
      }),
    )
  })

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

  /** `state m = 0, v: [C] = 0` */
  protected readonly state: GrammarRule<Statement> = this.RULE('state', () => {
    const start = this.CONSUME(t.State).startOffset
    const cells = [this.SUBRULE1(this.cell)]
    this.MANY(() => {
      this.CONSUME(t.Comma)
      cells.push(this.SUBRULE2(this.cell))
    })
    return this.ACTION((): Statement => ({ kind: 'state', span: this.spanFrom(start), cells }))
  })

  private readonly cell: GrammarRule<Cell> = this.RULE('cell', () => {
    this.expectWord('the name of a state')
    const token = this.CONSUME(t.Word)
    const type = this.OPTION(() => {
      this.CONSUME(t.Colon)
      return this.SUBRULE(this.type)
    })
    this.expectEqual(
      'state',
      this.ACTION(() => this.name(token)),
    )
    this.CONSUME(t.Equal)
    const initial = this.SUBRULE(this.expression)
    return this.ACTION(() => ({
      name: this.name(token),
      type,
      initial,
      span: this.spanFrom(token.startOffset),
    }))
  })

  /** `over a, b` */
  protected readonly over: GrammarRule<Statement> = this.RULE('over', () => {
    const start = this.CONSUME(t.Over).startOffset
    const nets: Name[] = []
    const one = (token: IToken): void => {
      nets.push(this.name(token))
    }
    this.expectWord('the name of a net')
    const first = this.CONSUME1(t.Word)
    this.ACTION(() => one(first))
    this.MANY(() => {
      this.CONSUME(t.Comma)
      this.expectWord('the name of a net')
      const token = this.CONSUME2(t.Word)
      this.ACTION(() => one(token))
    })
    return this.ACTION((): Statement => ({ kind: 'over', span: this.spanFrom(start), nets }))
  })

  /** `using adam(lr = 1e-3) for "*.b" with clip_norm(1.0), decay(1e-4) every 4`, in this order */
  protected readonly using: GrammarRule<Statement> = this.RULE('using', () => {
    const start = this.CONSUME(t.Using).startOffset
    const optimizer = this.SUBRULE1(this.expression)
    const patterns = this.OPTION1(() => {
      this.CONSUME(t.For)
      return this.SUBRULE1(this.several)
    })
    const transforms = this.OPTION2(() => {
      this.CONSUME(t.With)
      return this.SUBRULE2(this.several)
    })
    const every = this.OPTION3(() => {
      this.CONSUME(t.Every)
      return this.SUBRULE2(this.expression)
    })
    return this.ACTION(
      (): Statement => ({
        kind: 'using',
        span: this.spanFrom(start),
        optimizer,
        patterns: patterns ?? [],
        transforms: transforms ?? [],
        every,
      }),
    )
  })

  /** Expressions with commas between them. */
  private readonly several: GrammarRule<Expr[]> = this.RULE('several', () => {
    const all = [this.SUBRULE1(this.expression)]
    this.MANY(() => {
      this.CONSUME(t.Comma)
      all.push(this.SUBRULE2(this.expression))
    })
    return all
  })

  /** `report accuracy(logits, label), name = b(y)` */
  protected readonly metrics: GrammarRule<Statement> = this.RULE('metrics', () => {
    const start = this.CONSUME(t.Report).startOffset
    const metrics = [this.SUBRULE1(this.metric)]
    this.MANY(() => {
      this.CONSUME(t.Comma)
      metrics.push(this.SUBRULE2(this.metric))
    })
    return this.ACTION((): Statement => ({ kind: 'report', span: this.spanFrom(start), metrics }))
  })

  private readonly metric: GrammarRule<Metric> = this.RULE('metric', () => {
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
    return { name, value }
  })
}
