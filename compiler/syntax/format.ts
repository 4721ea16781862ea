/**
 * The formatter: a tree without syntax errors → text in the one style of `.net` files. Its output parses to the same
 * tree, and formatting it again changes nothing. Comments are kept, as are single blank lines, blocks written on one
 * line, and the rows of a pipeline. A declaration that its parentheses would make too deep to be read stays as it was written.
 */
import { assertNever, Diagnostics } from '../support/diagnostic.ts'
import type { Block, Data, Expr, File, Item, Name, Statement } from './ast.ts'
import { type Doc, group, hardline, indent, join, line, print } from './doc.ts'
import { ExpressionFormatter } from './format-expressions.ts'
import { maxNesting } from './layout.ts'
import { parse } from './parse.ts'

const width = 100

/** A comment at an odd place moves to the next legal line, and may move on from there: so many rounds settle it. */
const rounds = 4

export function format(file: File): string {
  let text = layOut(file)
  if (file.comments.length === 0) return text
  for (let round = 1; round < rounds; round++) {
    const again = layOut(parse({ ...file.source, text }, new Diagnostics()))
    if (again === text) break
    text = again
  }
  return text
}

const layOut = (file: File): string => new Formatter(file.source.text, file.comments).file(file)

interface Part {
  readonly start: number
  readonly end: number
  readonly print: () => Doc
}

class Formatter extends ExpressionFormatter {
  /** Per statement of an aligned run, the width of its left side. */
  readonly #widths = new Map<Statement, number>()

  file(file: File): string {
    const parts = file.items.map(
      (item): Part => ({ ...item.span, print: () => this.legible(item) }),
    )
    const text = print(this.lines(parts, this.text.length + 1, true), width)
    return text === '' ? '' : `${text.trimEnd()}\n`
  }

  /** Parts and the comments around them, a line each, up to the offset `end`. */
  private lines(parts: readonly Part[], end: number, areItems: boolean): Doc {
    const docs: Doc[] = []
    let lastEnd: number | undefined
    let wasLong = false
    const separate = (start: number, isLong: boolean): void => {
      if (lastEnd === undefined) return
      docs.push(hardline)
      if (this.isBlankBetween(lastEnd, start) || isLong) docs.push(hardline)
    }
    const ownComments = (offset: number): void => {
      for (let c = this.peekComment(offset); c !== undefined; c = this.peekComment(offset)) {
        if (this.isOwnLine(c) || lastEnd === undefined) separate(c.span.start, false)
        docs.push(this.takeComment())
        lastEnd = c.span.end
      }
    }
    for (const part of parts) {
      const before = docs.length
      const hadLast = lastEnd !== undefined
      // Comments above a long declaration belong to it: the blank line comes before them.
      const position = docs.length
      ownComments(part.start)
      const doc = part.print()
      const isLong = areItems && print(doc, width).includes('\n')
      const hasComments = docs.length > before
      if (hasComments) {
        if (hadLast && (isLong || wasLong) && docs[position + 1] !== hardline) {
          docs.splice(position, 0, hardline)
        }
        docs.push(hardline)
        if (this.isBlankBetween(lastEnd!, part.start)) docs.push(hardline)
      } else separate(part.start, isLong || wasLong)
      docs.push(doc)
      lastEnd = part.end
      wasLong = isLong
      // Behind it on its last line.
      const lineEnd = this.text.indexOf('\n', part.end)
      ownComments(Math.min(end, lineEnd < 0 ? end : lineEnd))
    }
    ownComments(end)
    return docs
  }

  private isBlankBetween(from: number, to: number): boolean {
    return /\n[ \t\r]*\n/.test(this.text.slice(from, to))
  }

  /** The parentheses of the style, as in `(a / b) / c`, nest; past what the parser takes the author's text stands. */
  private legible(item: Item): Doc {
    const doc = this.item(item)
    const text = print(doc, width)
    if (text.replace(/[^([{]/g, '').length <= maxNesting) return doc
    const found = new Diagnostics()
    parse({ file: '', text }, found)
    if (found.all.length === 0) return doc
    this.skipComments(item.span.end)
    return { kind: 'verbatim', text: this.text.slice(item.span.start, item.span.end) }
  }

  private item(item: Item): Doc {
    switch (item.kind) {
      case 'import':
        return ['import ', this.expression(item.path, 0)]
      case 'dim':
        return [
          `dim ${item.name.text} ${item.bounded ? '<=' : '='} `,
          this.expression(item.value, 0),
        ]
      case 'const':
      case 'vocab':
        return [`${item.kind} ${item.name.text} = `, this.expression(item.value, 0)]
      case 'data':
        return this.data(item)
      case 'fn':
      case 'layer':
      case 'net': {
        const head: Doc = [`${item.kind} ${item.name.text}`, this.params(item.params)]
        const result: Doc = item.result === undefined ? '' : [' -> ', this.type(item.result)]
        return [head, result, this.body(item.body, item.short)]
      }
      case 'optimizer':
      case 'train':
        return [
          `${item.kind} ${item.name.text}`,
          this.params(item.params),
          this.body(item.body, false),
        ]
      case 'predict': {
        const head: Doc = [`predict ${item.name.text}`, this.params(item.params)]
        const result: Doc = item.result === undefined ? '' : [' -> ', this.type(item.result)]
        return [head, result, this.body(item.body, false)]
      }
      case 'rule': {
        const head: Doc = [`rule ${item.name.text}`, this.params(item.params)]
        return [head, ` ${item.mode}(${names(item.seeds)})`, this.body(item.body, item.short)]
      }
      default:
        return assertNever(item)
    }
  }

  /** The values of the entries start in one column. */
  private data(data: Data): Doc {
    const longest = Math.max(0, ...data.sources.map(({ name }) => name.text.length))
    const parts = data.sources.map(
      (source): Part => ({
        ...source.span,
        print: () => [`${source.name.text}:`.padEnd(longest + 2), this.expression(source.value, 0)],
      }),
    )
    const lines = this.lines(parts, data.span.end, false)
    if (isEmpty(lines)) return 'data {}'
    return ['data {', indent([hardline, lines]), hardline, '}']
  }

  private body(block: Block, short: boolean): Doc {
    const only = block.statements[0]
    if (short && only?.kind === 'value') return this.assigned(' =', only.value)
    return [' ', this.block(block)]
  }

  protected override block(block: Block): Doc {
    this.alignRuns(block.statements)
    const parts = block.statements.map(
      (statement): Part => ({ ...statement.span, print: () => this.statement(statement) }),
    )
    const isOneLine = !this.text.slice(block.span.start, block.span.end).includes('\n')
    const lines = this.lines(parts, block.span.end, false)
    if (isEmpty(lines)) return '{}'
    if (isOneLine && parts.length === 1) return group(['{', indent([line, lines]), line, '}'])
    return ['{', indent([hardline, lines]), hardline, '}']
  }

  private statement(s: Statement): Doc {
    switch (s.kind) {
      case 'bind':
      case 'equation': {
        const type: Doc = s.kind === 'bind' && s.type !== undefined ? [': ', this.type(s.type)] : ''
        const operator = s.kind === 'equation' && s.accumulate ? ' +=' : ' ='
        const left = this.left(s)
        const width = this.#widths.get(s)
        const pad = width === undefined ? '' : ' '.repeat(width - leftWidth(this.text, s))
        return [left, type, pad, this.assigned(operator, s.value)]
      }
      case 'param':
        return [`param ${s.name.text}: `, this.type(s.type), ' = ', this.expression(s.initial, 0)]
      case 'state':
        return group(['state ', indent(join(this.cells(s.cells), [',', line]))])
      case 'minimize':
        return ['minimize ', this.expression(s.loss, 0)]
      case 'over':
        return ['over ', names(s.nets)]
      case 'using': {
        const list = (word: string, all: readonly Expr[]): Doc => {
          if (all.length === 0) return ''
          const docs = all.map((e) => this.expression(e, 0))
          return [` ${word} `, indent(join(docs, [',', line]))]
        }
        return group([
          'using ',
          this.expression(s.optimizer, 0),
          list('for', s.patterns),
          list('with', s.transforms),
          s.every === undefined ? '' : [' every ', this.expression(s.every, 0)],
        ])
      }
      case 'average':
        return ['average ', this.expression(s.decay, 0)]
      case 'report': {
        const metrics = s.metrics.map((m) =>
          this.element(m.name?.span.start ?? m.value.span.start, () => {
            const value = this.expression(m.value, 0)
            return m.name === undefined ? value : [`${m.name.text} = `, value]
          }),
        )
        return group(['report ', indent(join(metrics, [',', line]))])
      }
      case 'step':
        return ['step ', this.block(s.body)]
      case 'for': {
        const range: Doc = [this.expression(s.from, 0), '..', this.expression(s.to, 0)]
        return [`for ${s.name.text} in `, range, ' ', this.block(s.body)]
      }
      case 'if': {
        const head: Doc = ['if ', this.expression(s.test, 1), ' ', this.block(s.then)]
        if (s.otherwise === undefined) return head
        const chained = s.otherwise.statements[0]
        if (chained?.kind === 'if' && chained.span.start === s.otherwise.span.start) {
          return [head, ' else ', this.statement(chained)]
        }
        return [head, ' else ', this.block(s.otherwise)]
      }
      case 'value':
        // A statement that starts with `if` is the statement, so the expression stands in parentheses.
        return this.expression(s.value, s.value.kind === 'scan' ? 0 : 1)
      case 'yield': {
        const values = s.values.map((e) => this.element(e.span.start, () => this.expression(e, 0)))
        return group(['yield ', indent(join(values, [',', line]))])
      }
      case 'reserved':
        this.skipComments(s.span.end)
        return { kind: 'verbatim', text: this.text.slice(s.span.start, s.span.end) }
      default:
        return assertNever(s)
    }
  }

  /**
   * Where the author wrote the `=` of neighbouring lines below each other, they stay so: an equation a line, read as
   * a column.
   */
  private alignRuns(statements: readonly Statement[]): void {
    let run: Left[] = []
    const finish = (): void => {
      if (run.length > 1 && run.some((left) => left.isPadded)) {
        const widest = Math.max(...run.map((left) => left.width))
        for (const left of run) this.#widths.set(left.statement, widest)
      }
      run = []
    }
    for (const statement of statements) {
      const left = leftOf(this.text, statement)
      const previous = run.at(-1)
      const joins =
        left !== undefined &&
        previous !== undefined &&
        left.column === previous.column &&
        /^[^\n]*\n[ \t\r]*$/.test(
          this.text.slice(previous.statement.span.end, statement.span.start),
        )
      if (!joins) finish()
      if (left !== undefined) run.push(left)
    }
    finish()
  }

  /** The names or the read on the left of `=`. */
  left(s: Extract<Statement, { kind: 'bind' | 'equation' }>): Doc {
    if (s.kind === 'equation') {
      const name = s.target.primed ? `${s.target.name.text}'` : s.target.name.text
      // The index list ends before the operator; comments in it are few and move behind.
      return [name, this.indices(s.at, s.at.at(-1)?.span.end ?? s.span.start)]
    }
    const targets = s.targets.map((t) => (t.primed ? `${t.name.text}'` : t.name.text))
    return targets.length === 1 ? targets[0]! : `(${targets.join(', ')})`
  }
}

const names = (list: readonly Name[]): string => list.map((name) => name.text).join(', ')

const isEmpty = (doc: Doc): boolean => Array.isArray(doc) && doc.length === 0

/** The left side of a statement with `=`, on one line. */
interface Left {
  readonly statement: Statement
  /** As it is formatted. */
  readonly width: number
  /** Where the `=` stands in the source line. */
  readonly column: number
  /** Whether more than one space stands before it. */
  readonly isPadded: boolean
}

function leftOf(text: string, s: Statement): Left | undefined {
  if (s.kind !== 'bind' && s.kind !== 'equation') return undefined
  if (s.kind === 'bind' ? s.type !== undefined : s.accumulate) return undefined
  const last = s.kind === 'bind' ? s.targets.at(-1)?.name.span.end : s.at.at(-1)?.span.end
  const equal = text.indexOf('=', last ?? s.span.start)
  if (text.slice(s.span.start, equal).includes('\n')) return undefined
  const column = equal - (text.lastIndexOf('\n', equal) + 1)
  return { statement: s, width: leftWidth(text, s), column, isPadded: text[equal - 2] === ' ' }
}

function leftWidth(text: string, s: Extract<Statement, { kind: 'bind' | 'equation' }>): number {
  return print(new Formatter(text, []).left(s), Number.POSITIVE_INFINITY).length
}
