/** The grammar of types and of the parameter lists of declarations. */
import { diagnostic } from '../support/catalogue.ts'
import type { DimExpr, Param, Type } from './ast.ts'
import { ExpressionParser } from './expressions.ts'
import type { GrammarRule } from './rules.ts'
import * as t from './tokens.ts'

const dtypes = { int: 'i32', bool: 'bool', f32: 'f32' } as const

export abstract class SignatureParser extends ExpressionParser {
  override readonly type: GrammarRule<Type> = this.RULE('type', () => {
    const start = this.ACTION(() => this.checkType())
    const word = this.OPTION1(() => this.CONSUME(t.Word))
    const dims = this.OPTION2(() => this.SUBRULE(this.dims))
    return this.ACTION((): Type => {
      const span = this.spanFrom(start)
      if (word?.image === 'dim' || word?.image === 'params') return { kind: word.image, span }
      const all = dims ?? []
      if (word !== undefined && !Object.hasOwn(dtypes, word.image)) {
        return { kind: 'tensor', dtype: 'i32', vocab: this.name(word), dims: all, span }
      }
      const dtype = dtypes[(word?.image ?? 'f32') as keyof typeof dtypes]
      return { kind: 'tensor', dtype, dims: all, span }
    })
  })

  private checkType(): number {
    const token = this.LA(1)
    const isWord =
      Object.hasOwn(dtypes, token.image) ||
      token.image === 'dim' ||
      token.image === 'params' ||
      this.LA(2).tokenType === t.LBracket
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
