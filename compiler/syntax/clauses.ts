/** The grammar of the statements that start with a keyword and have no block: `param state over using average report yield`. */
import type { IToken } from 'chevrotain'
import { diagnostic } from '../support/catalogue.ts'
import type { Expr, Name, Statement } from './ast.ts'
import { SyntaxFailure } from './failure.ts'
import type { GrammarRule } from './rules.ts'
import { SignatureParser } from './signatures.ts'
import * as t from './tokens.ts'

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

  /** `state m = 0, v: [C] = 0` */
  protected readonly state: GrammarRule<Statement> = this.RULE('state', () => {
    const start = this.CONSUME(t.State).startOffset
    const cells = [this.SUBRULE1(this.cell, { ARGS: ['state'] })]
    this.MANY(() => {
      this.CONSUME(t.Comma)
      cells.push(this.SUBRULE2(this.cell, { ARGS: ['state'] }))
    })
    return this.ACTION((): Statement => ({ kind: 'state', span: this.spanFrom(start), cells }))
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

  /** `average 0.999` */
  protected readonly average: GrammarRule<Statement> = this.RULE('average', () => {
    const start = this.CONSUME(t.Average).startOffset
    const decay = this.SUBRULE(this.expression)
    return this.ACTION((): Statement => ({ kind: 'average', span: this.spanFrom(start), decay }))
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

  /** `yield a, b` */
  protected readonly yielded: GrammarRule<Statement> = this.RULE('yielded', () => {
    const start = this.CONSUME(t.Yield).startOffset
    const values = [this.SUBRULE1(this.expression)]
    this.MANY(() => {
      this.CONSUME(t.Comma)
      values.push(this.SUBRULE2(this.expression))
    })
    return this.ACTION((): Statement => ({ kind: 'yield', span: this.spanFrom(start), values }))
  })
}
