/**
 * Scalar expressions as `.net` text with as few parentheses as they need. Casts that the language makes by itself are
 * not written (`e / batch`, `2 * x`); `stopgrad` is dropped, for nothing differentiates the text again.
 */

import { typeOf } from '../ir/build.ts'
import { visit } from '../ir/traverse.ts'
import type { BinaryOp, Extent, Index, Scalar } from '../ir/types.ts'
import { assertNever } from '../support/diagnostic.ts'

export interface TextContext {
  readonly name: (tensor: string) => string
  readonly shape: (tensor: string) => readonly Extent[]
  /** Extents of the indices in scope. */
  readonly extents: ReadonlyMap<string, Extent>
  /** Indices whose extent follows from a read, so that it is not written. */
  readonly inferred: ReadonlySet<string>
  /** Every float says that it is one. */
  readonly explicit: boolean
}

const infix: Partial<Record<BinaryOp, readonly [text: string, level: number]>> = {
  or: ['or', 1],
  and: ['and', 2],
  lt: ['<', 4],
  le: ['<=', 4],
  gt: ['>', 4],
  ge: ['>=', 4],
  eq: ['==', 4],
  ne: ['!=', 4],
  add: ['+', 5],
  sub: ['-', 5],
  mul: ['*', 6],
  div: ['/', 6],
  mod: ['%', 6],
  pow: ['^', 8],
}

const prefixLevel = 7

/**
 * The context inside a left side or a reduction. An index that stands alone in an unguarded position of its own extent
 * has it from there; elsewhere it is written.
 */
export function withIndices(
  context: TextContext,
  indices: readonly Index[],
  parts: readonly Scalar[],
): TextContext {
  const extents = new Map(context.extents)
  const inferred = new Set(context.inferred)
  for (const i of indices) {
    extents.set(i.name, i.extent)
    inferred.delete(i.name)
  }
  const own = new Map(indices.map((i) => [i.name, i.extent]))
  for (const part of parts) {
    visit(part, (e) => {
      if (e.kind !== 'read' || e.guarded) return
      e.at.forEach((p, k) => {
        if (p.kind !== 'index') return
        const extent = own.get(p.name)
        const dimension = context.shape(e.tensor)[k]
        const fits = extent?.size === dimension?.size && extent?.bound === dimension?.bound
        if (extent && fits) inferred.add(p.name)
      })
    })
  }
  return { ...context, extents, inferred }
}

export const extentText = (x: Extent): string => x.bound ?? String(x.size)

export function indexText(i: Index, context: TextContext): string {
  return context.inferred.has(i.name) ? i.name : `${i.name}: ${extentText(i.extent)}`
}

/** `float`: the text must have the type f32 by itself, as a whole body or the argument of a function. */
export function scalarText(e: Scalar, context: TextContext, level = 0, float = false): string {
  const print = (part: Scalar, inside = 0): string => scalarText(part, context, inside)
  switch (e.kind) {
    case 'const':
      return constantText(e, level, float || context.explicit)
    case 'index':
      return e.name
    case 'count':
      return e.dim
    case 'read':
      return readText(e, context)
    case 'unary': {
      if (e.op === 'neg') {
        // -(a / b) is (-a) / b to the last bit.
        const isProduct =
          e.value.kind === 'binary' && (e.value.op === 'mul' || e.value.op === 'div')
        return wrap(`-${print(e.value, isProduct ? 6 : prefixLevel)}`, level > 6)
      }
      if (e.op === 'not') return wrap(`not ${print(e.value, 3)}`, level > 3)
      const isFloat = typeOf(e.value) === 'f32'
      return `${e.op}(${scalarText(e.value, context, 0, isFloat)})`
    }
    case 'binary':
      return binaryText(e, context, level, float)
    case 'select': {
      const then = scalarText(e.then, context, 0, float)
      return `where(${print(e.test)}, ${then}, ${print(e.otherwise)})`
    }
    case 'cast':
      return castText(e, context, level, float)
    case 'stopgrad':
      return scalarText(e.value, context, level, float)
    case 'reduce': {
      const inside = withIndices(context, e.over, [e.body])
      const over = e.over.map((i) => indexText(i, inside)).join(', ')
      return `${e.op}[${over}](${scalarText(e.body, inside, 0, typeOf(e.body) === 'f32')})`
    }
    case 'random':
      return `random(${e.site}, ${print(e.element)})`
    default:
      return assertNever(e)
  }
}

const wrap = (text: string, needed: boolean): string => (needed ? `(${text})` : text)

type Node<K extends Scalar['kind']> = Extract<Scalar, { readonly kind: K }>

function constantText(e: Node<'const'>, level: number, float: boolean): string {
  if (e.type === 'bool') return e.value === 0 ? 'false' : 'true'
  if (e.value < 0 || Object.is(e.value, -0)) {
    const positive = constantText({ ...e, value: -e.value }, 0, float)
    return wrap(`-${positive}`, level > 6)
  }
  if (!Number.isFinite(e.value)) return Number.isNaN(e.value) ? '(0.0 / 0.0)' : '(1.0 / 0.0)'
  const digits = e.type === 'i32' ? String(e.value) : shortest(e.value)
  return e.type === 'f32' && float && !/[.e]/.test(digits) ? `${digits}.0` : digits
}

/** The fewest digits that give this f32 again. */
function shortest(value: number): string {
  if (Math.fround(value) !== value) return String(value)
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return String(short)
  }
  return String(value)
}

function readText(e: Node<'read'>, context: TextContext): string {
  const name = context.name(e.tensor)
  if (e.at.length === 0) return name
  const shape = context.shape(e.tensor)
  const at = e.at.map((p, k) => {
    const text = scalarText(p, context)
    // Standing alone the index would take the dimension's extent for its own.
    const own = p.kind === 'index' && !e.guarded ? context.extents.get(p.name) : undefined
    const other = own && (own.size !== shape[k]?.size || own.bound !== shape[k]?.bound)
    return other ? `${text} + 0` : text
  })
  return `${name}${e.guarded ? '?' : ''}[${at.join(', ')}]`
}

/** A cast to a float that the language makes by itself beside a float. */
export const isSilent = (e: Node<'cast'>): boolean =>
  e.type === 'f32' &&
  typeOf(e.value) === 'i32' &&
  (e.value.kind === 'count' || e.value.kind === 'read')

/** Whether a constant is written as a whole number. */
export const isWhole = (e: Node<'const'>): boolean =>
  e.type === 'i32' || (e.type === 'f32' && /^\d+$/.test(shortest(Math.abs(e.value))))

const wholeOps: ReadonlySet<BinaryOp> = new Set(['add', 'sub', 'mul'])

/** Whether the text would be taken for whole numbers: constants, counts and sums of them. */
function looksInt(e: Scalar): boolean {
  switch (e.kind) {
    case 'const':
      return e.type !== 'f32' || /^\d+$/.test(shortest(Math.abs(e.value)))
    case 'cast':
      return e.type === 'f32' && typeOf(e.value) === 'i32'
    case 'unary':
      return e.op === 'neg' && looksInt(e.value)
    case 'select':
      return looksInt(e.then) && looksInt(e.otherwise)
    case 'binary':
      return wholeOps.has(e.op) && looksInt(e.left) && looksInt(e.right)
    default:
      return false
  }
}

function binaryText(
  e: Node<'binary'>,
  context: TextContext,
  level: number,
  wanted: boolean,
): string {
  const operator = infix[e.op]
  const floats = typeOf(e.left) === 'f32'
  // Two whole numbers would be divided as such: the left one says that they are not.
  const float = (wanted || !wholeOps.has(e.op)) && floats && looksInt(e.left) && looksInt(e.right)
  if (!operator) {
    const left = scalarText(e.left, context, 0, float)
    return `${e.op}(${left}, ${scalarText(e.right, context)})`
  }
  const [text, own] = operator
  // Comparisons do not chain, powers bind to the right.
  const [before, after] = own === 4 ? [5, 5] : own === 8 ? [9, 8] : [own, own + 1]
  const left = scalarText(e.left, context, before, float)
  const joined = `${left} ${text} ${scalarText(e.right, context, after)}`
  return wrap(joined, level > own)
}

function castText(e: Node<'cast'>, context: TextContext, level: number, float: boolean): string {
  if (e.type === 'i32') return `int(${scalarText(e.value, context)})`
  // A count beside a float becomes one; other whole numbers say so, for they may stand in a division.
  if (!float && !context.explicit && isSilent(e)) {
    return scalarText(e.value, context, level)
  }
  return `float(${scalarText(e.value, context)})`
}
