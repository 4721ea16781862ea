/**
 * Expressions, types and parameters as documents, for format.ts. Parentheses are placed by precedence alone. Comments
 * are taken in the order of the text, at places where a line may end: before list elements, before `|>`, behind
 * operators.
 */
import { assertNever } from '../support/diagnostic.ts'
import type { Block, Cell, Comment, DimExpr, Expr, IndexArg, Param, Rest, Type } from './ast.ts'
import { align, type Doc, flatWidth, group, hardline, indent, join, line, softline } from './doc.ts'
import { isComparison, precedence } from './operators.ts'

/** Above this width of its head a pipeline continues indented, not aligned. */
const maxHead = 30

type Pipe = Extract<Expr, { kind: 'pipe' }>
type Binary = Extract<Expr, { kind: 'binary' }>
type Scan = Extract<Expr, { kind: 'scan' }>

export abstract class ExpressionFormatter {
  protected readonly text: string
  readonly #comments: readonly Comment[]
  #nextComment = 0

  constructor(text: string, comments: readonly Comment[]) {
    this.text = text
    this.#comments = comments
  }

  protected abstract block(block: Block): Doc

  /** The next comment if it starts before `offset`. */
  protected peekComment(offset: number): Comment | undefined {
    const comment = this.#comments[this.#nextComment]
    return comment !== undefined && comment.span.start < offset ? comment : undefined
  }

  protected takeComment(): Doc {
    const comment = this.#comments[this.#nextComment++]!
    return { kind: 'comment', text: comment.text, own: this.isOwnLine(comment) }
  }

  protected skipComments(offset: number): void {
    while (this.peekComment(offset) !== undefined) this.#nextComment++
  }

  protected commentsBefore(offset: number): Doc[] {
    const docs: Doc[] = []
    while (this.peekComment(offset) !== undefined) docs.push(this.takeComment())
    return docs
  }

  protected isOwnLine(comment: Comment): boolean {
    const lineStart = this.text.lastIndexOf('\n', comment.span.start - 1) + 1
    return this.text.slice(lineStart, comment.span.start).trim() === ''
  }

  /** `(a, b)` and the like; `end` is the offset behind the closer. */
  protected list(open: string, elements: readonly Doc[], close: string, end: number): Doc {
    const rest = this.commentsBefore(end)
    if (elements.length === 0 && rest.length === 0) return [open, close]
    return group([open, indent([softline, join(elements, [',', line]), ...rest]), softline, close])
  }

  /** An element of a list with the comments before it. */
  protected element(start: number, doc: () => Doc): Doc {
    const comments = this.commentsBefore(start)
    return [...comments, doc()]
  }

  /** `tightest` is the lowest precedence that needs no parentheses here. */
  protected expression(e: Expr, tightest: number): Doc {
    const own = precedenceOf(e)
    const doc = this.bare(e)
    return own < tightest ? group(['(', indent([softline, doc]), softline, ')']) : doc
  }

  private bare(e: Expr): Doc {
    switch (e.kind) {
      case 'number':
        return e.text
      case 'string':
        return this.text.slice(e.span.start, e.span.end)
      case 'bool':
        return String(e.value)
      case 'name':
        return e.primed ? `${e.name}'` : e.name
      case 'call':
        return [
          e.callee.text,
          this.list(
            '(',
            e.args.map((arg) =>
              this.element(arg.span.start, () => {
                const value = this.expression(arg.value, 0)
                return arg.name === undefined ? value : [`${arg.name.text} = `, value]
              }),
            ),
            ')',
            e.span.end,
          ),
        ]
      case 'read': {
        const base = this.expression(e.base, precedence.postfix)
        return [base, e.guarded ? '?' : '', this.indices(e.at, e.span.end)]
      }
      case 'reduce': {
        const indices = e.indices.map((index) => {
          if (index.extent !== undefined)
            return [`${index.name.text}: `, this.expression(index.extent, 0)]
          if (index.within !== undefined)
            return [`${index.name.text} in `, this.expression(index.within, 0)]
          return index.name.text
        })
        const over: Doc = indices.length === 0 ? '' : ['[', join(indices, ', '), ']']
        const body = this.element(e.body.span.start, () => this.expression(e.body, 0))
        return [e.op, over, this.list('(', [body], ')', e.span.end)]
      }
      case 'unary': {
        const own = precedenceOf(e)
        // `--x` reads badly.
        const inner = e.op === '-' && e.value.kind === 'unary' ? own + 1 : own
        return [e.op === '-' ? '-' : 'not ', this.expression(e.value, inner)]
      }
      case 'binary':
        return this.binary(e)
      case 'pipe':
        return this.pipe(e)
      case 'shape':
        return this.list(
          '[',
          e.dims.map((dim) => this.element(dim.span.start, () => this.expression(dim, 0))),
          ']',
          e.span.end,
        )
      case 'tuple':
        return this.list(
          '(',
          e.parts.map((part) => this.element(part.span.start, () => this.expression(part, 0))),
          ')',
          e.span.end,
        )
      case 'if': {
        const head: Doc = ['if ', this.expression(e.test, 1), ' ', this.block(e.then), ' else ']
        const chained = e.otherwise.statements[0]
        const isChain = e.otherwise.span.start === chained?.span.start
        if (isChain && chained.kind === 'value') return [head, this.bare(chained.value)]
        return [head, this.block(e.otherwise)]
      }
      case 'scan':
        return this.scan(e)
      case 'error':
        return this.text.slice(e.span.start, e.span.end)
      default:
        return assertNever(e)
    }
  }

  private scan(e: Scan): Doc {
    const extent = this.expression(e.extent, 0)
    const test: Doc = e.downIf === undefined ? '' : [' if ', this.expression(e.downIf, 1)]
    const down: Doc = e.down ? [' down', test] : ''
    const head: Doc = [`scan ${e.index.text} in `, extent, down]
    if (e.carries.length === 0) return [head, ' ', this.block(e.body)]
    const carries = this.cells(e.carries)
    const list = indent(indent(join(carries, [',', line])))
    return [group([head, ' with ', list]), ' ', this.block(e.body)]
  }

  /** `h: [N, H] = 0` */
  protected cells(cells: readonly Cell[]): Doc[] {
    return cells.map((cell) =>
      this.element(cell.span.start, () => {
        const type: Doc = cell.type === undefined ? '' : [': ', this.type(cell.type)]
        return [cell.name.text, type, ' = ', this.expression(cell.initial, 0)]
      }),
    )
  }

  /** ` = value`; a long sum starts on the next line. */
  protected assigned(operator: string, value: Expr): Doc {
    if (value.kind === 'binary') {
      const doc = this.element(value.span.start, () => this.binary(value, false))
      return group([operator, indent([line, doc])])
    }
    return [operator, ' ', this.element(value.span.start, () => this.expression(value, 0))]
  }

  protected indices(at: readonly (IndexArg | Rest)[], end: number): Doc {
    const docs = at.map((index) =>
      this.element(index.span.start, () => {
        if (index.kind === 'rest') return '..'
        const value = this.expression(index.value, 0)
        return index.extent === undefined ? value : [value, ': ', this.expression(index.extent, 0)]
      }),
    )
    return this.list('[', docs, ']', end)
  }

  /** A chain of operators of one strength is one group, which breaks behind the operators. */
  private binary(e: Binary, indented = true): Doc {
    const own = precedence[e.op]
    if (e.op === '^') {
      const left = this.expression(e.left, precedence.postfix)
      const right = this.expression(e.right, own)
      const tight = isSimple(e.left) && isSimple(e.right)
      return [left, tight ? '^' : ' ^ ', right]
    }
    const terms: Binary[] = []
    let first: Expr = e
    while (first.kind === 'binary' && precedence[first.op] === own) {
      terms.push(first)
      // `(a / b) / c` says what is divided by what.
      const isQuotient: boolean =
        first.op === '/' && first.left.kind === 'binary' && first.left.op === '/'
      first = first.left
      if (isComparison(e.op) || isQuotient) break
    }
    const docs: Doc[] = [this.expression(first, own + 1)]
    const rest: Doc[] = []
    for (const term of terms.reverse()) {
      const comments = this.commentsBefore(term.right.span.start)
      rest.push(` ${term.op}`, line, ...comments, this.expression(term.right, own + 1))
    }
    return group([...docs, indented ? indent(rest) : rest])
  }

  /** Keeps the line breaks between stages that the author made. */
  private pipe(e: Pipe): Doc {
    const stages: Pipe[] = []
    let head: Expr = e
    for (; head.kind === 'pipe'; head = head.left) stages.push(head)
    stages.reverse()
    const headDoc = this.expression(head, precedence['|>'] + 1)
    const width = flatWidth(headDoc)

    interface Stage {
      readonly doc: Doc
      readonly comments: readonly Doc[]
      readonly newRow: boolean
    }
    const printed = stages.map((stage): Stage => {
      const comments = this.commentsBefore(stage.right.span.start)
      const between = this.text.slice(stage.left.span.end, stage.right.span.start)
      const doc: Doc = ['|> ', this.expression(stage.right, precedence.postfix)]
      return { doc, comments, newRow: between.includes('\n') }
    })
    const [first, ...others] = printed as [Stage, ...Stage[]]
    const isAligned = width !== undefined && width <= maxHead && first.comments.length === 0
    const keepsRows = others.some((stage) => stage.newRow) || (!isAligned && first.newRow)

    // Without breaks of the author's all stages are one row, which breaks at every stage when it is too long.
    const rows: Stage[][] = [[first]]
    for (const stage of others) {
      if (keepsRows && stage.newRow) rows.push([stage])
      else rows.at(-1)!.push(stage)
    }
    const rowDocs = rows.map((row) =>
      group(
        row.map(({ doc, comments }, i) =>
          i === 0 ? [...comments, doc] : [...comments, line, doc],
        ),
      ),
    )
    if (isAligned) return [headDoc, ' ', align(join(rowDocs, hardline))]
    if (keepsRows) return [headDoc, indent([hardline, join(rowDocs, hardline)])]
    return group([headDoc, indent(printed.map(({ doc, comments }) => [...comments, line, doc]))])
  }

  protected type(type: Type): Doc {
    if (type.kind !== 'tensor') return type.kind
    const names = { f32: '', i32: 'int', bool: 'bool' } as const
    const dtype = type.vocab?.text ?? names[type.dtype]
    const dims = type.dims.map((dim) => this.element(dim.span.start, () => this.dim(dim)))
    return [dtype, this.list('[', dims, ']', type.span.end)]
  }

  private dim(dim: DimExpr): Doc {
    return dim.kind === 'rest' ? '..' : this.expression(dim, 0)
  }

  protected params(params: readonly Param[]): Doc {
    const docs = params.map((param) =>
      this.element(param.span.start, () => {
        const type: Doc = param.type === undefined ? '' : [': ', this.type(param.type)]
        const initial: Doc =
          param.initial === undefined ? '' : [' = ', this.expression(param.initial, 0)]
        return [param.name.text, type, initial]
      }),
    )
    return this.list('(', docs, ')', params.at(-1)?.span.end ?? 0)
  }
}

function precedenceOf(e: Expr): number {
  switch (e.kind) {
    case 'if':
    case 'scan':
      return 0
    case 'pipe':
      return precedence['|>']
    case 'binary':
      return precedence[e.op]
    case 'unary':
      return e.op === '-' ? precedence.negate : precedence.not
    default:
      return precedence.postfix
  }
}

const isSimple = (e: Expr): boolean => precedenceOf(e) === precedence.postfix
