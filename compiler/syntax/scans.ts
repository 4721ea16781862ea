/** The grammar of `scan` and of the cells that it carries, which are written like those of `state`. */
import type { Block, Cell, Expr, Type } from './ast.ts'
import { BracketParser } from './brackets.ts'
import type { GrammarRule } from './rules.ts'
import * as t from './tokens.ts'

export abstract class ScanParser extends BracketParser {
  abstract readonly block: GrammarRule<Block, [owner: string]>
  abstract readonly type: GrammarRule<Type>

  /** `m = 0` or `v: [C] = 0` */
  protected readonly cell: GrammarRule<Cell, [what: string]> = this.RULE('cell', (what) => {
    this.expectWord(`the name of a ${what}`)
    const token = this.CONSUME(t.Word)
    const type = this.OPTION(() => {
      this.CONSUME(t.Colon)
      return this.SUBRULE(this.type)
    })
    this.expectEqual(
      what,
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

  /** `scan` is a name unless another name follows: `scan t in …`. */
  protected startsScan(): boolean {
    const next = this.LA(2)
    if (!this.next(t.Scan) || next.tokenType === t.And || next.tokenType === t.Or) return false
    return this.isWord(next) || t.keywords.has(next.image)
  }

  /** `scan t in T down with h: [N, H] = 0, c: [N, H] = 0 { … }`, `scan t in T down if c with …` */
  protected readonly scan: GrammarRule<Expr> = this.RULE('scan', () => {
    const start = this.CONSUME(t.Scan).startOffset
    this.expectWord('the name of the time index')
    const token = this.CONSUME(t.Word)
    this.expect(t.In, { kind: 'token', what: '`in`' })
    this.CONSUME(t.In)
    const extent = this.SUBRULE1(this.expression)
    let downIf: Expr | undefined
    const down = this.OPTION1({
      GATE: () => this.LA(1).image === 'down',
      DEF: () => {
        const word = this.CONSUME(t.Identifier)
        this.OPTION2(() => {
          this.CONSUME(t.If)
          downIf = this.SUBRULE2(this.expression)
        })
        return word
      },
    })
    const carries: Cell[] = []
    this.OPTION3(() => {
      this.CONSUME(t.With)
      carries.push(this.SUBRULE1(this.cell, { ARGS: ['carried value'] }))
      this.MANY(() => {
        this.CONSUME(t.Comma)
        carries.push(this.SUBRULE2(this.cell, { ARGS: ['carried value'] }))
      })
    })
    const body = this.SUBRULE(this.block, { ARGS: ['`scan`'] })
    return this.ACTION(
      (): Expr => ({
        kind: 'scan',
        span: this.spanFrom(start),
        index: this.name(token),
        extent,
        down: down !== undefined,
        downIf,
        carries,
        body,
      }),
    )
  })
}
