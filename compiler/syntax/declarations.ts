/**
 * The grammar of declarations and files. A declaration that fails is reported and skipped up to the next one; one
 * whose parameter list or body is broken keeps the rest.
 */
import { EOF, type IToken } from 'chevrotain'
import { diagnostic } from '../support/catalogue.ts'
import type { Diagnostics } from '../support/diagnostic.ts'
import type { Source } from '../support/span.ts'
import type { Block, Data, Expr, Fn, Item, Name, Param, Type } from './ast.ts'
import { SyntaxFailure } from './failure.ts'
import type { GrammarRule } from './rules.ts'
import { StatementParser } from './statements.ts'
import * as t from './tokens.ts'

type DataEntry = Data['sources'][number]

interface Signature {
  readonly name: Name
  readonly params: readonly Param[]
  readonly result: Type | undefined
}

interface Body {
  readonly body: Block
  readonly short: boolean
}

export class Parser extends StatementParser {
  constructor() {
    super()
    this.performSelfAnalysis()
  }

  /** `tokens` come from layout; `diagnostics` holds what it and the lexer found. */
  parseFile(source: Source, tokens: IToken[], diagnostics: Diagnostics): readonly Item[] {
    this.source = source
    this.diagnostics = diagnostics
    this.extents = []
    this.spoiled = diagnostics.all.map((d) => d.span.start)
    this.input = tokens
    return this.file()
  }

  private readonly file: GrammarRule<readonly Item[]> = this.RULE('file', () => {
    const items: Item[] = []
    // The last token is a separator, which is left.
    this.repeat(
      () => this.next(EOF) || (this.next(t.Separator) && this.LA(2).tokenType === EOF),
      () => {
        if (this.next(t.Separator)) {
          this.SKIP_TOKEN()
          return
        }
        const clean = this.recover(0, () => {
          const item = this.SUBRULE(this.item)
          this.ACTION(() => {
            items.push(item)
            this.endOfStatement()
          })
        })
        if (!clean) this.skipToItem()
      },
    )
    return items
  })

  /** What follows a broken declaration is likely its body. */
  private skipToItem(): void {
    this.skipTo(({ payload, tokenType }) => {
      const next = this.LA(2).tokenType
      return (
        tokenType === t.Separator && payload === 0 && (t.itemKeywords.has(next) || next === EOF)
      )
    })
  }

  private readonly item: GrammarRule<Item> = this.RULE('item', () => {
    const start = this.ACTION(() => {
      if (!t.itemKeywords.has(this.LA(1).tokenType)) this.fail({ kind: 'item' })
      return this.here
    })
    return this.OR([
      { ALT: () => this.SUBRULE(this.importItem) },
      { ALT: () => this.SUBRULE(this.dim) },
      { ALT: () => this.SUBRULE(this.constant) },
      { ALT: () => this.SUBRULE(this.data) },
      { ALT: () => this.SUBRULE(this.vocab) },
      {
        ALT: () => {
          this.CONSUME(t.Fn)
          return this.callable(
            'fn',
            start,
            this.SUBRULE1(this.signature, { ARGS: ['fn'] }),
            this.SUBRULE1(this.body),
          )
        },
      },
      {
        ALT: () => {
          this.CONSUME(t.Layer)
          return this.callable(
            'layer',
            start,
            this.SUBRULE2(this.signature, { ARGS: ['layer'] }),
            this.SUBRULE2(this.body),
          )
        },
      },
      {
        ALT: () => {
          this.CONSUME(t.Net)
          return this.callable(
            'net',
            start,
            this.SUBRULE3(this.signature, { ARGS: ['net'] }),
            this.SUBRULE3(this.body),
          )
        },
      },
      {
        ALT: () => {
          this.CONSUME(t.Optimizer)
          const head = this.SUBRULE4(this.signature, { ARGS: ['optimizer'] })
          const body = this.SUBRULE1(this.block, { ARGS: ['the optimizer'] })
          return this.ACTION(
            (): Item => ({
              kind: 'optimizer',
              span: this.spanFrom(start),
              name: head.name,
              params: head.params,
              body,
            }),
          )
        },
      },
      { ALT: () => this.SUBRULE(this.rule) },
      {
        ALT: () => {
          this.CONSUME(t.Train)
          const head = this.SUBRULE5(this.signature, { ARGS: ['train'] })
          const body = this.SUBRULE2(this.block, { ARGS: ['the train block'] })
          return this.ACTION(
            (): Item => ({
              kind: 'train',
              span: this.spanFrom(start),
              name: head.name,
              params: head.params,
              body,
            }),
          )
        },
      },
      {
        ALT: () => {
          this.CONSUME(t.Predict)
          const head = this.SUBRULE6(this.signature, { ARGS: ['predict'] })
          const body = this.SUBRULE3(this.block, { ARGS: ['the predict block'] })
          return this.ACTION(
            (): Item => ({ kind: 'predict', span: this.spanFrom(start), ...head, body }),
          )
        },
      },
    ])
  })

  /** `import "layers/mine.net"` */
  private readonly importItem: GrammarRule<Item> = this.RULE('importItem', () => {
    const start = this.CONSUME(t.Import).startOffset
    this.ACTION(() => {
      if (this.next(t.StringToken)) return
      throw new SyntaxFailure(diagnostic('NET1022', this.tokenSpan(this.LA(1)), undefined))
    })
    const path = this.SUBRULE(this.expression)
    return this.ACTION((): Item => {
      if (path.kind === 'string') return { kind: 'import', span: this.spanFrom(start), path }
      throw new SyntaxFailure(diagnostic('NET1022', path.span, undefined))
    })
  })

  /** `dim width = 256`, `dim batch <= 64` */
  private readonly dim: GrammarRule<Item> = this.RULE('dim', () => {
    const start = this.CONSUME(t.Dim).startOffset
    this.expectWord('the name of the dim')
    const token = this.CONSUME(t.Word)
    this.ACTION(() => {
      this.acceptEqual('a dim')
      if (this.next(t.Equal) || this.next(t.LessEqual)) return
      throw new SyntaxFailure(diagnostic('NET1029', this.spanFrom(start), { name: token.image }))
    })
    const operator = this.OR([
      { ALT: () => this.CONSUME(t.Equal) },
      { ALT: () => this.CONSUME(t.LessEqual) },
    ])
    const value = this.SUBRULE(this.expression)
    return this.ACTION((): Item => {
      const bounded = operator.tokenType === t.LessEqual
      return { kind: 'dim', span: this.spanFrom(start), name: this.name(token), bounded, value }
    })
  })

  /** `const scale = 1 / 255` */
  private readonly constant: GrammarRule<Item> = this.RULE('constant', () => {
    const start = this.CONSUME(t.Const).startOffset
    this.expectWord('the name of the constant')
    const token = this.CONSUME(t.Word)
    this.ACTION(() => {
      this.acceptEqual('a constant')
      if (!this.next(t.Equal)) this.fail({ kind: 'token', what: '`=` and a value' })
    })
    this.CONSUME(t.Equal)
    const value = this.SUBRULE(this.expression)
    return this.ACTION(
      (): Item => ({ kind: 'const', span: this.spanFrom(start), name: this.name(token), value }),
    )
  })

  /** `vocab char = chars("book.txt")` */
  private readonly vocab: GrammarRule<Item> = this.RULE('vocab', () => {
    const start = this.CONSUME(t.Vocab).startOffset
    this.expectWord('the name of the vocabulary')
    const token = this.CONSUME(t.Word)
    this.ACTION(() => {
      this.acceptEqual('a vocabulary')
      if (!this.next(t.Equal)) this.fail({ kind: 'token', what: '`=` and a reader of tokens' })
    })
    this.CONSUME(t.Equal)
    const value = this.SUBRULE(this.expression)
    return this.ACTION(
      (): Item => ({ kind: 'vocab', span: this.spanFrom(start), name: this.name(token), value }),
    )
  })

  /** `data { train: idx("…") }`, entries on lines of their own or with commas between. */
  private readonly data: GrammarRule<Item> = this.RULE('data', () => {
    const start = this.CONSUME(t.Data).startOffset
    const sources: DataEntry[] = []
    this.expect(t.LCurly, { kind: 'body', owner: '`data`' })
    this.CONSUME(t.LCurly)
    const depth = this.ACTION(() => this.depthInside)
    this.repeat(
      () => this.next(t.RCurly) || this.next(EOF),
      () => {
        if (this.next(t.Separator)) {
          this.SKIP_TOKEN()
          return
        }
        this.recover(depth, () => {
          sources.push(this.SUBRULE(this.dataEntry))
          this.OPTION(() => this.CONSUME(t.Comma))
          this.ACTION(() => {
            if (this.LA(0).tokenType !== t.Comma) this.endOfStatement()
          })
        })
      },
    )
    this.CONSUME(t.RCurly)
    return this.ACTION((): Item => ({ kind: 'data', span: this.spanFrom(start), sources }))
  })

  private readonly dataEntry: GrammarRule<DataEntry> = this.RULE('dataEntry', () => {
    this.ACTION(() => {
      if (!this.isWord(this.LA(1))) this.fail({ kind: 'source' })
    })
    const token = this.CONSUME(t.Word)
    this.expect(t.Colon, { kind: 'source' })
    this.CONSUME(t.Colon)
    const value = this.SUBRULE(this.expression)
    return this.ACTION(() => ({
      name: this.name(token),
      value,
      span: this.spanFrom(token.startOffset),
    }))
  })

  /** `name(params) -> type`, behind its keyword. */
  private readonly signature: GrammarRule<Signature, [keyword: string]> = this.RULE(
    'signature',
    (keyword) => {
      this.expectWord(`the name of the ${keyword}`)
      const name = this.CONSUME(t.Word)
      const params = this.parameters(this.ACTION(() => `\`${name.image}\``))
      const result = this.OPTION(() => {
        this.CONSUME(t.Arrow)
        return this.SUBRULE(this.type)
      })
      return this.ACTION(() => ({ name: this.name(name), params, result }))
    },
  )

  /** A broken list is reported and skipped, so that the body is still read. */
  private parameters(owner: string): readonly Param[] {
    const open = this.LA(1)
    try {
      return this.SUBRULE(this.params, { ARGS: [owner] })
    } catch (error) {
      if (open.tokenType !== t.LParen || !this.isFailure(error)) throw error
      this.reportFailure(error, t.startOf(open))
      this.skipTo(({ payload, tokenType }) => payload === open.payload && tokenType === t.RParen)
      this.SKIP_TOKEN()
      return []
    }
  }

  /** `{ … }` or `= expr` */
  private readonly body: GrammarRule<Body> = this.RULE('body', () => {
    this.ACTION(() => {
      this.acceptEqual('a function')
      if (!this.next(t.Equal) && !this.next(t.LCurly))
        this.fail({ kind: 'body', owner: 'the declaration' })
    })
    return this.OR([
      {
        ALT: () => {
          this.CONSUME(t.Equal)
          const value = this.SUBRULE(this.expression)
          return this.ACTION(() => ({ short: true, body: shortBody(value) }))
        },
      },
      {
        ALT: () => ({
          short: false,
          body: this.SUBRULE(this.block, { ARGS: ['the declaration'] }),
        }),
      },
    ])
  })

  private callable(kind: 'fn' | 'layer' | 'net', start: number, head: Signature, body: Body): Item {
    return this.ACTION((): Item => ({ kind, span: this.spanFrom(start), ...head, ...body }) as Fn)
  }

  /** `rule f(x, y) vjp(dy) = (dx, dy)` */
  private readonly rule: GrammarRule<Item> = this.RULE('rule', () => {
    const start = this.CONSUME(t.Rule).startOffset
    this.expectWord('the name of a function')
    const name = this.CONSUME1(t.Word)
    const params = this.parameters(this.ACTION(() => `\`${name.image}\``))
    this.ACTION(() => {
      const word = this.LA(1).image
      if (word !== 'vjp' && word !== 'jvp') this.fail({ kind: 'derivative' })
    })
    const mode = this.CONSUME2(t.Word)
    const seeds: Name[] = []
    this.expect(t.LParen, { kind: 'params', owner: this.ACTION(() => `\`${mode.image}\``) })
    this.CONSUME(t.LParen)
    this.MANY(() => {
      const seed = this.CONSUME3(t.Word)
      this.ACTION(() => seeds.push(this.name(seed)))
      this.afterElement(t.RParen, ')')
      this.OPTION(() => this.CONSUME(t.Comma))
    })
    this.ACTION(() => {
      if (!this.next(t.RParen)) this.fail({ kind: 'name', what: 'the name of a derivative' })
    })
    this.CONSUME(t.RParen)
    const body = this.SUBRULE(this.body)
    return this.ACTION(
      (): Item => ({
        kind: 'rule',
        span: this.spanFrom(start),
        name: this.name(name),
        params,
        mode: mode.image as 'vjp' | 'jvp',
        seeds,
        ...body,
      }),
    )
  })
}

function shortBody(value: Expr): Block {
  return { span: value.span, statements: [{ kind: 'value', span: value.span, value }] }
}
