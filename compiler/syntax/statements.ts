/**
 * The grammar of blocks and statements. A statement that fails is reported and skipped up to its end, which layout.ts
 * has marked, so the ones after it are read as usual.
 */
import { EOF, type TokenType } from 'chevrotain'
import { diagnostic } from '../support/catalogue.ts'
import type { Block, Expr, Statement, Target, Type } from './ast.ts'
import { ClauseParser } from './clauses.ts'
import { SyntaxFailure } from './failure.ts'
import type { GrammarRule } from './rules.ts'
import * as t from './tokens.ts'

type If = Extract<Statement, { kind: 'if' }>

/** These may follow another statement on its line. */
const clauses: ReadonlySet<TokenType> = new Set([t.Over, t.Using, t.Average, t.Report])

export abstract class StatementParser extends ClauseParser {
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
        {
          GATE: () => this.LA(2).tokenType === t.NumberLit || this.isWord(this.LA(2)),
          ALT: () => this.SUBRULE(this.average),
        },
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
            this.CONSUME(t.Fixpoint)
            return this.fixpoint(start)
          },
        },
        { ALT: () => this.SUBRULE(this.yielded) },
        { ALT: () => this.SUBRULE(this.assignment) },
      ],
    })
  })

  /** Reads over a construct of a later version, up to the end of its block. */
  private fixpoint(start: number): Statement {
    return this.ACTION(() => {
      const depth = this.LA(0).payload as number
      this.skipTo(({ payload, tokenType }) => {
        if (payload < depth) return true
        return payload === depth && (tokenType === t.Separator || tokenType === t.LCurly)
      })
      if (this.next(t.LCurly)) {
        this.skipTo(({ payload, tokenType }) => payload === depth && tokenType === t.RCurly)
        this.SKIP_TOKEN()
      } else this.skipStatement(depth)
      return { kind: 'reserved', span: this.spanFrom(start), construct: 'fixpoint' }
    })
  }

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
      this.nested(() => this.SUBRULE1(this.expression)),
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
                this.nested(() => this.SUBRULE2(this.expression)),
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
