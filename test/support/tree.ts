/** A syntax tree as short text, for cases: operators as `(+ a b)`, everything else as `(kind part …)`. */
import { assertNever } from '../../compiler/support/diagnostic.ts'
import type {
  Block,
  DimExpr,
  Expr,
  File,
  IndexArg,
  Item,
  Param,
  Rest,
  Statement,
  Target,
  Type,
} from '../../compiler/syntax/ast.ts'

const list = (...parts: readonly (string | undefined)[]): string =>
  `(${parts.filter((part) => part !== undefined && part !== '').join(' ')})`

const all = <T>(items: readonly T[], one: (item: T) => string): string => items.map(one).join(' ')

export const showFile = (file: File): string => file.items.map(showItem).join('\n')

function showItem(item: Item): string {
  switch (item.kind) {
    case 'import':
      return list('import', showExpr(item.path))
    case 'dim':
      return list('dim', item.name.text, item.bounded ? '<=' : '=', showExpr(item.value))
    case 'const':
    case 'vocab':
      return list(item.kind, item.name.text, showExpr(item.value))
    case 'data':
      return list(
        'data',
        all(item.sources, (s) => list(s.name.text, showExpr(s.value))),
      )
    case 'fn':
    case 'layer':
    case 'net': {
      const result = item.result && `-> ${showType(item.result)}`
      return list(
        item.kind,
        item.name.text,
        params(item.params),
        result,
        item.short ? '=' : '',
        block(item.body),
      )
    }
    case 'optimizer':
    case 'train':
      return list(item.kind, item.name.text, params(item.params), block(item.body))
    case 'predict': {
      const result = item.result && `-> ${showType(item.result)}`
      return list('predict', item.name.text, params(item.params), result, block(item.body))
    }
    case 'rule': {
      const seeds = list(...item.seeds.map((seed) => seed.text))
      return list(
        'rule',
        item.name.text,
        params(item.params),
        item.mode,
        seeds,
        item.short ? '=' : '',
        block(item.body),
      )
    }
    default:
      return assertNever(item)
  }
}

const params = (parts: readonly Param[]): string =>
  `(${parts
    .map((p) => {
      const type = p.type === undefined ? '' : `: ${showType(p.type)}`
      return `${p.name.text}${type}${p.initial === undefined ? '' : ` = ${showExpr(p.initial)}`}`
    })
    .join(', ')})`

function showType(type: Type): string {
  return type.kind === 'tensor'
    ? `${type.vocab?.text ?? type.dtype}[${type.dims.map(dim).join(', ')}]`
    : type.kind
}

const dim = (d: DimExpr): string => (d.kind === 'rest' ? '..' : showExpr(d))

function block(b: Block): string {
  const lines = b.statements.map(showStatement)
  return lines.length === 0 ? '{}' : `{\n${lines.join('\n').replace(/^/gm, '  ')}\n}`
}

const target = (t: Target): string => t.name.text + (t.primed ? "'" : '')

const at = (parts: readonly (IndexArg | Rest)[]): string =>
  `[${parts
    .map((p) => {
      if (p.kind === 'rest') return '..'
      return showExpr(p.value) + (p.extent === undefined ? '' : `: ${showExpr(p.extent)}`)
    })
    .join(', ')}]`

function showStatement(s: Statement): string {
  switch (s.kind) {
    case 'bind': {
      const type = s.type && showType(s.type)
      return list('bind', all(s.targets, target), type, showExpr(s.value))
    }
    case 'equation':
      return list(
        s.accumulate ? 'scatter' : 'equation',
        target(s.target) + at(s.at),
        showExpr(s.value),
      )
    case 'param':
      return list('param', s.name.text, showType(s.type), showExpr(s.initial))
    case 'state':
      return list(
        'state',
        all(s.cells, (c) => list(c.name.text, c.type && showType(c.type), showExpr(c.initial))),
      )
    case 'minimize':
      return list('minimize', showExpr(s.loss))
    case 'over':
      return list('over', ...s.nets.map((net) => net.text))
    case 'using':
      return list(
        'using',
        showExpr(s.optimizer),
        s.patterns.length === 0 ? undefined : list('for', ...s.patterns.map(showExpr)),
        ...s.transforms.map(showExpr),
        s.every && list('every', showExpr(s.every)),
      )
    case 'average':
      return list('average', showExpr(s.decay))
    case 'report':
      return list(
        'report',
        all(s.metrics, (m) => (m.name ? `${m.name.text} = ` : '') + showExpr(m.value)),
      )
    case 'step':
      return list('step', block(s.body))
    case 'for':
      return list('for', s.name.text, showExpr(s.from), showExpr(s.to), block(s.body))
    case 'if':
      return list('if', showExpr(s.test), block(s.then), s.otherwise && block(s.otherwise))
    case 'value':
      return list('value', showExpr(s.value))
    case 'yield':
      return list('yield', ...s.values.map(showExpr))
    case 'reserved':
      return list('reserved', s.construct)
    default:
      return assertNever(s)
  }
}

export function showExpr(e: Expr): string {
  switch (e.kind) {
    case 'number':
      return e.text
    case 'string':
      return JSON.stringify(e.value)
    case 'bool':
      return String(e.value)
    case 'name':
      return e.name + (e.primed ? "'" : '')
    case 'call':
      return list(
        'call',
        e.callee.text,
        all(e.args, (a) => (a.name ? `${a.name.text} = ` : '') + showExpr(a.value)),
      )
    case 'read':
      return `${showExpr(e.base)}${e.guarded ? '?' : ''}${at(e.at)}`
    case 'reduce': {
      const over = e.indices.map((i) => {
        if (i.extent) return `${i.name.text}: ${showExpr(i.extent)}`
        return i.within ? `${i.name.text} in ${showExpr(i.within)}` : i.name.text
      })
      return list(`${e.op}[${over.join(', ')}]`, showExpr(e.body))
    }
    case 'unary':
      return list(e.op === '-' ? 'neg' : 'not', showExpr(e.value))
    case 'binary':
      return list(e.op, showExpr(e.left), showExpr(e.right))
    case 'pipe':
      return list('|>', showExpr(e.left), showExpr(e.right))
    case 'shape':
      return list('shape', all(e.dims, showExpr))
    case 'tuple':
      return list('tuple', all(e.parts, showExpr))
    case 'if':
      return list('if', showExpr(e.test), block(e.then), block(e.otherwise))
    case 'scan': {
      const head = `${e.index.text} in ${showExpr(e.extent)}${e.down ? ' down' : ''}${e.downIf ? ` if ${showExpr(e.downIf)}` : ''}`
      const carries = all(e.carries, (c) =>
        list(c.name.text, c.type && showType(c.type), showExpr(c.initial)),
      )
      return list('scan', head, carries, block(e.body))
    }
    case 'error':
      return '(error)'
    default:
      return assertNever(e)
  }
}
