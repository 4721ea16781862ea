/**
 * The formatter: a tree without syntax errors → text in the one style of `.net` files. Its output parses to the same
 * tree, and formatting it again changes nothing. Comments are kept, as are single blank lines, blocks written on one
 * line, and the rows of a pipeline.
 */
import { assertNever } from '../support/diagnostic.ts'
import type { Block, Data, File, Item, Name, Statement } from './ast.ts'
import { type Doc, group, hardline, indent, join, line, print } from './doc.ts'
import { ExpressionFormatter } from './format-expressions.ts'

const width = 100

export function format(file: File): string {
  return new Formatter(file.source.text, file.comments).file(file)
}

interface Part {
  readonly start: number
  readonly end: number
  readonly print: () => Doc
}

class Formatter extends ExpressionFormatter {
  file(file: File): string {
    const parts = file.items.map((item): Part => ({ ...item.span, print: () => this.item(item) }))
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
        return [`const ${item.name.text} = `, this.expression(item.value, 0)]
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
    if (short && only?.kind === 'value') return [' = ', this.expression(only.value, 0)]
    return [' ', this.block(block)]
  }

  protected override block(block: Block): Doc {
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
      case 'bind': {
        const targets = s.targets.map((t) => (t.primed ? `${t.name.text}'` : t.name.text))
        const left = targets.length === 1 ? targets[0]! : `(${targets.join(', ')})`
        const type: Doc = s.type === undefined ? '' : [': ', this.type(s.type)]
        return [
          left,
          type,
          ' = ',
          this.value(s.value.span.start, () => this.expression(s.value, 0)),
        ]
      }
      case 'equation': {
        const name = s.target.primed ? `${s.target.name.text}'` : s.target.name.text
        // The index list ends before the operator; comments in it are few and move behind.
        const at = this.indices(s.at, s.at.at(-1)?.span.end ?? s.span.start)
        const operator = s.accumulate ? ' += ' : ' = '
        return [
          name,
          at,
          operator,
          this.value(s.value.span.start, () => this.expression(s.value, 0)),
        ]
      }
      case 'param':
        return [`param ${s.name.text}: `, this.type(s.type), ' = ', this.expression(s.initial, 0)]
      case 'state': {
        const cells = s.cells.map((cell) => {
          const type: Doc = cell.type === undefined ? '' : [': ', this.type(cell.type)]
          return [cell.name.text, type, ' = ', this.expression(cell.initial, 0)]
        })
        return group(['state ', indent(join(cells, [',', line]))])
      }
      case 'minimize':
        return ['minimize ', this.expression(s.loss, 0)]
      case 'over':
        return ['over ', names(s.nets)]
      case 'using': {
        const optimizer: Doc = ['using ', this.expression(s.optimizer, 0)]
        if (s.transforms.length === 0) return optimizer
        const transforms = s.transforms.map((e) => this.expression(e, 0))
        return group([optimizer, ' with ', indent(join(transforms, [',', line]))])
      }
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
        return this.expression(s.value, 1)
      case 'reserved':
        this.skipComments(s.span.end)
        return { kind: 'verbatim', text: this.text.slice(s.span.start, s.span.end) }
      default:
        return assertNever(s)
    }
  }

  /** What stands behind `=`. */
  private value(start: number, doc: () => Doc): Doc {
    return this.element(start, doc)
  }
}

const names = (list: readonly Name[]): string => list.map((name) => name.text).join(', ')

const isEmpty = (doc: Doc): boolean => Array.isArray(doc) && doc.length === 0
