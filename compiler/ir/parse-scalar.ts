/**
 * Reads scalar expressions of the IR's text form. In: a cursor at an expression and the dtypes of the tensors in
 * scope. Out: the expression as written; nothing is folded. Dtypes of inner nodes follow from their operands.
 */
import { typeOf } from './build.ts'
import { type Cursor, numberValue, type Token } from './lexer.ts'
import { comparisons, infix, isCallOp, isDType, isReduceOp, isUnaryOp } from './text.ts'
import type { BinaryOp, DType, Extent, Index, Scalar } from './types.ts'

export interface Scope {
  dtype(tensor: string): DType | undefined
  /** The maximum of a declared dim. */
  dimension(name: string): number | undefined
}

const operators = new Map<string, { readonly op: BinaryOp; readonly level: number }>()
for (const [op, operator] of Object.entries(infix)) {
  if (operator) operators.set(operator.text, { op: op as BinaryOp, level: operator.level })
}

export function parseScalar(cursor: Cursor, scope: Scope): Scalar {
  return infixFrom(cursor, scope, 1)
}

/** Precedence climbing: operators of `level` and tighter, all of them left-associative. */
function infixFrom(cursor: Cursor, scope: Scope, level: number): Scalar {
  let left = prefix(cursor, scope)
  for (;;) {
    const token = cursor.peek()
    const operator = token.kind === 'string' ? undefined : operators.get(token.text)
    if (!operator || operator.level < level) return left
    cursor.next()
    const right = infixFrom(cursor, scope, operator.level + 1)
    left = binaryNode(cursor, token, operator.op, left, right)
  }
}

function binaryNode(cursor: Cursor, at: Token, op: BinaryOp, left: Scalar, right: Scalar): Scalar {
  const type = typeOf(left)
  if (type !== typeOf(right)) cursor.fail(`${at.text} of ${type} and ${typeOf(right)}`, at)
  return { kind: 'binary', op, type: comparisons.has(op) ? 'bool' : type, left, right }
}

function prefix(cursor: Cursor, scope: Scope): Scalar {
  if (!cursor.at('-')) return atom(cursor, scope)
  const after = cursor.peek(1)
  if (after.kind === 'number') {
    cursor.next()
    cursor.next()
    return numberNode(after, -1)
  }
  if (cursor.at('inf', 1)) return { kind: 'const', type: 'f32', value: cursor.number() }
  cursor.next()
  const value = prefix(cursor, scope)
  return { kind: 'unary', op: 'neg', type: typeOf(value), value }
}

function numberNode(token: Token, sign: number): Scalar {
  const type = /[.ef]/.test(token.text) ? 'f32' : 'i32'
  const value = sign * numberValue(token.text)
  return { kind: 'const', type, value: type === 'i32' ? value + 0 : value }
}

function atom(cursor: Cursor, scope: Scope): Scalar {
  const token = cursor.next()
  if (token.kind === 'number') return numberNode(token, 1)
  if (token.kind === 'mark' && token.text === '(') {
    const inner = parseScalar(cursor, scope)
    cursor.expect(')')
    return inner
  }
  if (token.kind === 'word') {
    const word = wordForm(cursor, scope, token)
    if (word) return word
  } else if (token.kind !== 'string') {
    return cursor.fail(`expected an expression, found ${token.text}`, token)
  }
  if (cursor.at('[') || cursor.at('?')) {
    const guarded = cursor.take('?')
    const at = cursor.list('[', ']', () => parseScalar(cursor, scope))
    const type = scope.dtype(token.text)
    if (!type) return cursor.fail(`no tensor ${token.text} is declared`, token)
    return { kind: 'read', tensor: token.text, type, at, guarded }
  }
  return { kind: 'index', name: token.text }
}

/** The forms that begin with a word of the grammar; undefined for any other word. */
function wordForm(cursor: Cursor, scope: Scope, token: Token): Scalar | undefined {
  const text = token.text
  const only = (): Scalar => {
    cursor.expect('(')
    const value = parseScalar(cursor, scope)
    cursor.expect(')')
    return value
  }
  const several = (count: number): Scalar[] => {
    const values = cursor.list('(', ')', () => parseScalar(cursor, scope))
    if (values.length !== count) cursor.fail(`${text} takes ${count} operands`, token)
    return values
  }
  switch (text) {
    case 'true':
      return { kind: 'const', type: 'bool', value: -1 }
    case 'false':
      return { kind: 'const', type: 'bool', value: 0 }
    case 'nan':
      return { kind: 'const', type: 'f32', value: Number.NaN }
    case 'inf':
      return { kind: 'const', type: 'f32', value: Number.POSITIVE_INFINITY }
    case 'where': {
      const [test, then, otherwise] = several(3) as [Scalar, Scalar, Scalar]
      return { kind: 'select', type: typeOf(then), test, then, otherwise }
    }
    case 'stopgrad': {
      const value = only()
      return { kind: 'stopgrad', type: typeOf(value), value }
    }
    case 'count': {
      cursor.expect('(')
      const dim = cursor.name()
      cursor.expect(')')
      return { kind: 'count', dim }
    }
    case 'random': {
      cursor.expect('#')
      const site = cursor.number()
      return { kind: 'random', site, element: only() }
    }
    default:
  }
  if (isDType(text)) {
    if (cursor.take(':')) return { kind: 'const', type: text, value: cursor.number() }
    return { kind: 'cast', type: text, value: only() }
  }
  if (isReduceOp(text) && cursor.at('[')) {
    const over = parseIndices(cursor, scope)
    const body = only()
    const type = text === 'argmax' || text === 'argmin' ? 'i32' : typeOf(body)
    return { kind: 'reduce', op: text, type, over, body }
  }
  if (isCallOp(text)) {
    const [left, right] = several(2)
    return binaryNode(cursor, token, text, left!, right!)
  }
  if (isUnaryOp(text)) {
    const value = only()
    return { kind: 'unary', op: text, type: typeOf(value), value }
  }
  return undefined
}

/** `[n: batch, i: I=784]` */
export function parseIndices(cursor: Cursor, scope: Scope): Index[] {
  return cursor.list('[', ']', () => {
    const name = cursor.name()
    cursor.expect(':')
    return { name, extent: parseExtent(cursor, scope) }
  })
}

/** `784`, `O=10`, `batch`, `name=batch <= 64` */
export function parseExtent(cursor: Cursor, scope: Scope): Extent {
  if (cursor.peek().kind === 'number') {
    return { size: cursor.number(), bound: undefined, name: undefined }
  }
  const start = cursor.peek()
  const first = cursor.name()
  const named = cursor.take('=')
  const name = named && start.kind === 'word' && first === '_' ? undefined : first
  if (named && cursor.peek().kind === 'number') {
    return { size: cursor.number(), bound: undefined, name }
  }
  const bound = named ? cursor.name() : first
  if (cursor.take('<=')) return { size: cursor.number(), bound, name }
  const size = scope.dimension(bound)
  return size === undefined ? cursor.fail(`no dim ${bound}`, start) : { size, bound, name }
}
