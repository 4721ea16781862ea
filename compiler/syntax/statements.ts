/**
 * The grammar of blocks and statements. A statement that fails is reported and skipped up to its end, which layout.ts
 * has marked, so the ones after it are read as usual.
 */
import {
  EOF,
  type IRecognitionException,
  type IToken,
  isRecognitionException,
  type TokenType,
} from 'chevrotain'
import { diagnostic } from '../support/catalogue.ts'
import type { Block, Expr, Name, Statement, Target, Type } from './ast.ts'
import { ExpressionParser, type GrammarRule } from './expressions.ts'
import { SyntaxFailure, unexpected } from './failure.ts'
import * as t from './tokens.ts'

type Cell = Extract<Statement, { kind: 'state' }>['cells'][number]
type Metric = Extract<Statement, { kind: 'report' }>['metrics'][number]
type If = Extract<Statement, { kind: 'if' }>

/** These may follow another statement on its line. */
const clauses: ReadonlySet<TokenType> = new Set([t.Over, t.Using, t.Report])

export abstract class StatementParser extends ExpressionParser {
  /** Where the lexer and layout found something wrong. */
  protected spoiled: readonly number[] = []

  /** Runs `one` until `done` holds; the grammar recorder sees it once. */
  protected repeat(done: () => boolean, one: () => void): void {
    if (this.RECORDING_PHASE) one()
    else while (!done()) one()
  }

  /** Runs a rule; when it fails, reports and skips to where `depth` brackets are open and the statement ends. */
  protected recover(depth: number, one: () => void): boolean {
    const start = this.here
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
    for (const span of this.extents.splice(0)) this.report(diagnostic('NET1048', span, undefined))
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
    this.fail({ kind: 'end' })
  }

  override readonly block: GrammarRule<Block, [owner: string]> = this.RULE('block', (owner) => {
    const statements: Statement[] = []
    this.expect(t.LCurly, { kind: 'body', owner })
    const open = this.CONSUME(t.LCurly)
    const depth = this.ACTION(() => this.depthInside)
    this.repeat(
      () => this.next(t.RCurly) || this.next(EOF),
      () => {
        if (this.next(t.Separator)) {
          this.SKIP_TOKEN()
          return
        }
        this.recover(depth, () => {
          const statement = this.SUBRULE(this.statement)
          this.ACTION(() => {
            statements.push(statement)
            if (!clauses.has(this.LA(1).tokenType)) this.endOfStatement()
          })
        })
      },
    )
    this.CONSUME(t.RCurly)
    return this.ACTION(() => ({ span: this.spanFrom(open.startOffset), statements }))
  })

  private readonly statement: GrammarRule<Statement> = this.RULE('statement', () => {
    const start = this.ACTION(() => this.here)
    // A reserved word too, so that it can be said that it is one.
    const beforeName = (): boolean => {
      const next = this.LA(2)
      if (next.tokenType === t.And || next.tokenType === t.Or) return false
      return this.isWord(next) || t.keywords.has(next.image)
    }
    return this.OR({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        { GATE: beforeName, ALT: () => this.SUBRULE(this.parameter) },
        { GATE: beforeName, ALT: () => this.SUBRULE(this.state) },
        {
          ALT: () => {
            this.CONSUME(t.Minimize)
            const loss = this.SUBRULE1(this.expression)
            return this.ACTION(
              (): Statement => ({ kind: 'minimize', span: this.spanFrom(start), loss }),
            )
          },
        },
        { ALT: () => this.SUBRULE(this.over) },
        { ALT: () => this.SUBRULE(this.using) },
        { ALT: () => this.SUBRULE(this.metrics) },
        {
          GATE: () => this.LA(2).tokenType === t.LCurly,
          ALT: () => {
            this.CONSUME(t.Step)
            const body = this.SUBRULE(this.block, { ARGS: ['`step`'] })
            return this.ACTION(
              (): Statement => ({ kind: 'step', span: this.spanFrom(start), body }),
            )
          },
        },
        { ALT: () => this.SUBRULE(this.loop) },
        { ALT: () => this.SUBRULE(this.choice) },
        {
          GATE: beforeName,
          ALT: () => {
            this.CONSUME(t.Scan)
            return this.reserved('scan', start)
          },
        },
        {
          GATE: beforeName,
          ALT: () => {
            this.CONSUME(t.Fixpoint)
            return this.reserved('fixpoint', start)
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.Yield)
            return this.reserved('yield', start)
          },
        },
        { ALT: () => this.SUBRULE(this.assignment) },
      ],
    })
  })

  /** Reads over a construct of a later version; `scan` and `fixpoint` end with their block. */
  private reserved(construct: 'scan' | 'fixpoint' | 'yield', start: number): Statement {
    return this.ACTION(() => {
      const depth = this.LA(0).payload as number
      this.skipTo(({ payload, tokenType }) => {
        if (payload < depth) return true
        return payload === depth && (tokenType === t.Separator || tokenType === t.LCurly)
      })
      if (this.next(t.LCurly) && construct !== 'yield') {
        this.skipTo(({ payload, tokenType }) => payload === depth && tokenType === t.RCurly)
        this.SKIP_TOKEN()
      } else this.skipStatement(depth)
      return { kind: 'reserved', span: this.spanFrom(start), construct }
    })
  }

  /** `param W: [I, O] = glorot_uniform(I, O)` */
  private readonly parameter: GrammarRule<Statement> = this.RULE('parameter', () => {
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
  private readonly state: GrammarRule<Statement> = this.RULE('state', () => {
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
  private readonly over: GrammarRule<Statement> = this.RULE('over', () => {
    const start = this.CONSUME(t.Over).startOffset
    const nets: Name[] = []
    const one = (token: { image: string }): void => {
      nets.push(this.name(token as Parameters<typeof this.name>[0]))
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

  /** `using adam(lr = 1e-3) with clip_norm(1.0), decay(1e-4)` */
  private readonly using: GrammarRule<Statement> = this.RULE('using', () => {
    const start = this.CONSUME(t.Using).startOffset
    const optimizer = this.SUBRULE1(this.expression)
    const transforms: Expr[] = []
    this.OPTION(() => {
      this.CONSUME(t.With)
      transforms.push(this.SUBRULE2(this.expression))
      this.MANY(() => {
        this.CONSUME(t.Comma)
        transforms.push(this.SUBRULE3(this.expression))
      })
    })
    return this.ACTION(
      (): Statement => ({ kind: 'using', span: this.spanFrom(start), optimizer, transforms }),
    )
  })

  /** `report accuracy(logits, label), name = b(y)` */
  private readonly metrics: GrammarRule<Statement> = this.RULE('metrics', () => {
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

  /** `for i in 0..3 { … }` */
  private readonly loop: GrammarRule<Statement> = this.RULE('loop', () => {
    const start = this.CONSUME(t.For).startOffset
    this.expectWord('the name of the counter')
    const token = this.CONSUME(t.Word)
    this.expect(t.In, { kind: 'token', what: '`in`' })
    this.CONSUME(t.In)
    const from = this.SUBRULE1(this.expression)
    this.ACTION(() => {
      if (!this.next(t.DotDot)) throw new SyntaxFailure(diagnostic('NET1053', from.span, undefined))
    })
    this.CONSUME(t.DotDot)
    const to = this.SUBRULE2(this.expression)
    const body = this.SUBRULE(this.block, { ARGS: ['`for`'] })
    return this.ACTION(
      (): Statement => ({
        kind: 'for',
        span: this.spanFrom(start),
        name: this.name(token),
        from,
        to,
        body,
      }),
    )
  })

  /** `if c { … } else if d { … }`, a loop as in expressions. */
  private readonly choice: GrammarRule<Statement> = this.RULE('choice', () => {
    const arms: { start: number; test: Expr; then: Block }[] = []
    let last: Block | undefined
    const arm = (start: number, test: Expr, then: Block): void => {
      arms.push({ start, test, then })
    }
    arm(
      this.CONSUME1(t.If).startOffset,
      this.SUBRULE1(this.expression),
      this.SUBRULE1(this.block, { ARGS: ['`if`'] }),
    )
    this.MANY({
      GATE: () => last === undefined,
      DEF: () => {
        this.CONSUME(t.Else)
        this.OR([
          {
            ALT: () =>
              arm(
                this.CONSUME2(t.If).startOffset,
                this.SUBRULE2(this.expression),
                this.SUBRULE2(this.block, { ARGS: ['`if`'] }),
              ),
          },
          {
            ALT: () => {
              this.expect(t.LCurly, { kind: 'body', owner: '`else`' })
              last = this.SUBRULE3(this.block, { ARGS: ['`else`'] })
            },
          },
        ])
      },
    })
    return this.ACTION((): Statement => {
      const end = this.spanFrom(arms[0]!.start)
      let otherwise = last
      let value: If | undefined
      for (const { start, test, then } of arms.reverse()) {
        const span = { ...end, start }
        value = { kind: 'if', span, test, then, otherwise }
        otherwise = { span, statements: [value] }
      }
      return value!
    })
  })

  /** What starts with an expression: a value, `h = e`, `h: T = e`, `(a, b) = e`, `y[n, o] = e`, `y[i] += e`. */
  private readonly assignment: GrammarRule<Statement> = this.RULE('assignment', () => {
    const start = this.ACTION(() => this.here)
    const left = this.SUBRULE1(this.expression)
    const type = this.OPTION1(() => {
      this.CONSUME(t.Colon)
      return this.SUBRULE(this.type)
    })
    this.ACTION(() => {
      if (type !== undefined) this.acceptEqual('a name')
    })
    const operator = this.OPTION2(() => {
      const token = this.OR([
        { ALT: () => this.CONSUME(t.Equal) },
        { ALT: () => this.CONSUME(t.PlusEqual) },
      ])
      const value = this.SUBRULE2(this.expression)
      return this.ACTION(() => ({ token, value }))
    })
    return this.ACTION((): Statement => {
      const span = this.spanFrom(start)
      if (operator === undefined) {
        if (type !== undefined) this.fail({ kind: 'token', what: '`=` and a value' })
        return { kind: 'value', span, value: left }
      }
      return this.assign(
        left,
        type,
        operator.token.tokenType === t.PlusEqual,
        operator.value,
        start,
      )
    })
  })

  private assign(
    left: Expr,
    type: Type | undefined,
    accumulate: boolean,
    value: Expr,
    start: number,
  ): Statement {
    const span = this.spanFrom(start)
    if (left.kind === 'read' && left.base.kind === 'name' && !left.guarded && type === undefined) {
      const own = left.at.map((at) => at.span.start)
      this.extents = this.extents.filter((extent) => !own.includes(extent.start))
      return { kind: 'equation', span, target: toTarget(left.base), at: left.at, accumulate, value }
    }
    if (accumulate) {
      this.report(diagnostic('NET1008', left.span, { text: '+=' }))
      return { kind: 'value', span, value: { kind: 'error', span } }
    }
    const parts = left.kind === 'tuple' ? left.parts : [left]
    const targets: Target[] = []
    for (const part of parts) {
      if (part.kind === 'name') targets.push(toTarget(part))
      else
        this.report(diagnostic(part.kind === 'read' ? 'NET1063' : 'NET1052', part.span, undefined))
    }
    if (targets.length < parts.length)
      return { kind: 'value', span, value: { kind: 'error', span } }
    return { kind: 'bind', span, targets, type, value }
  }
}

function toTarget(name: Extract<Expr, { kind: 'name' }>): Target {
  const span = name.primed ? { ...name.span, end: name.span.end - 1 } : name.span
  return { name: { text: name.name, span }, primed: name.primed }
}
