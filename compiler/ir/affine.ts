/**
 * Affine index expressions and the integer ranges of i32 expressions. In: a scalar and the extents of the indices in
 * scope. Out: its affine form, or the least and greatest value it can take. Both are exact over the integers and give
 * up (undefined) where a value could leave i32, where data is read, or on an operator they do not know.
 */
import { assertNever } from '../support/diagnostic.ts'
import { add, binary, index, int, mul, typeOf } from './build.ts'
import { boundIndices, some } from './traverse.ts'
import type { Equation, Extent, Index, Scalar } from './types.ts'

/** Σ terms[i]·i + constant; no term is 0. */
export interface Affine {
  readonly terms: ReadonlyMap<string, number>
  readonly constant: number
}

export interface Range {
  readonly min: number
  /** Inclusive. */
  readonly max: number
}

/** The extents of the indices in scope, by index name. */
export type Extents = ReadonlyMap<string, Extent>

export function extentsOf(indices: readonly Index[]): Map<string, Extent> {
  return new Map(indices.map((i) => [i.name, i.extent]))
}

/** All indices of an equation, those of nested reductions too (their names are unique). */
export function extentsIn(equation: Equation): Map<string, Extent> {
  const at = equation.at ?? []
  return extentsOf([
    ...equation.outs,
    ...boundIndices(equation.body),
    ...at.flatMap((p) => boundIndices(p)),
  ])
}

const noTerms: ReadonlyMap<string, number> = new Map()

export const affineConstant = (constant: number): Affine => ({ terms: noTerms, constant })

/** a + factor·b */
export function addAffine(a: Affine, b: Affine, factor = 1): Affine {
  if (factor === 0) return a
  const terms = new Map(a.terms)
  for (const [name, coefficient] of b.terms) {
    const sum = (terms.get(name) ?? 0) + factor * coefficient
    if (sum === 0) terms.delete(name)
    else terms.set(name, sum)
  }
  return { terms, constant: a.constant + factor * b.constant }
}

export function scaleAffine(a: Affine, factor: number): Affine {
  return addAffine(affineConstant(0), a, factor)
}

export const isConstant = (a: Affine): boolean => a.terms.size === 0

export function sameAffine(a: Affine, b: Affine): boolean {
  return (
    a.constant === b.constant &&
    a.terms.size === b.terms.size &&
    [...a.terms].every(([name, coefficient]) => b.terms.get(name) === coefficient)
  )
}

/** The affine form of an i32 expression made of indices, constants, `+`, `-` and multiplication by constants. */
export function affineOf(e: Scalar): Affine | undefined {
  switch (e.kind) {
    case 'const':
      return e.type === 'i32' ? affineConstant(e.value) : undefined
    case 'index':
      return { terms: new Map([[e.name, 1]]), constant: 0 }
    case 'unary': {
      if (e.op !== 'neg' || e.type !== 'i32') return undefined
      const value = affineOf(e.value)
      return value && scaleAffine(value, -1)
    }
    case 'stopgrad':
      return affineOf(e.value)
    case 'binary': {
      if (e.type !== 'i32') return undefined
      if (e.op !== 'add' && e.op !== 'sub' && e.op !== 'mul') return undefined
      const left = affineOf(e.left)
      const right = left && affineOf(e.right)
      if (!right) return undefined
      if (e.op === 'add') return addAffine(left, right)
      if (e.op === 'sub') return addAffine(left, right, -1)
      if (isConstant(left)) return scaleAffine(right, left.constant)
      return isConstant(right) ? scaleAffine(left, right.constant) : undefined
    }
    default:
      return undefined
  }
}

/** The expression of an affine form: terms in their order, then the constant. */
export function scalarOf(a: Affine): Scalar {
  let sum: Scalar | undefined
  for (const [name, coefficient] of a.terms) {
    if (!sum) sum = mul(int(coefficient), index(name))
    else if (coefficient < 0) sum = binary('sub', sum, mul(int(-coefficient), index(name)))
    else sum = add(sum, mul(int(coefficient), index(name)))
  }
  if (!sum) return int(a.constant)
  return a.constant < 0 ? binary('sub', sum, int(-a.constant)) : add(sum, int(a.constant))
}

/** Whether the value depends on the contents of a tensor: such positions are clamped, not proven. */
export function isDataDependent(e: Scalar): boolean {
  return some(e, (node) => node.kind === 'read' || node.kind === 'random')
}

export function affineRange(a: Affine, extents: Extents): Range | undefined {
  let min = a.constant
  let max = a.constant
  for (const [name, coefficient] of a.terms) {
    const extent = extents.get(name)
    if (!extent) return undefined
    const reach = coefficient * (extent.size - 1)
    if (reach < 0) min += reach
    else max += reach
  }
  return inI32({ min, max })
}

/**
 * The least and greatest value of an i32 or bool-to-i32 expression. A bounded index ranges over its maximum extent;
 * a `count` over 1 to the size of any extent in scope that has this bound, or to `dims`' maximum.
 */
export function rangeOf(
  e: Scalar,
  extents: Extents,
  dims: readonly { readonly name: string; readonly max: number }[] = [],
): Range | undefined {
  const affine = affineOf(e)
  if (affine) return affineRange(affine, extents)
  const range = structuralRange(e, extents, dims)
  return range && inI32(range)
}

type Dims = readonly { readonly name: string; readonly max: number }[]

function structuralRange(e: Scalar, extents: Extents, dims: Dims): Range | undefined {
  switch (e.kind) {
    case 'const':
    case 'index':
    case 'read':
    case 'random':
      return undefined
    case 'count': {
      const max =
        dims.find((d) => d.name === e.dim)?.max ??
        [...extents.values()].find((x) => x.bound === e.dim)?.size
      return max === undefined ? undefined : { min: 1, max }
    }
    case 'unary': {
      const v = e.type === 'i32' ? rangeOf(e.value, extents, dims) : undefined
      if (!v) return undefined
      if (e.op === 'neg') return { min: 0 - v.max, max: 0 - v.min }
      if (e.op === 'sign') return { min: Math.sign(v.min), max: Math.sign(v.max) }
      if (e.op !== 'abs') return undefined
      const far = Math.max(Math.abs(v.min), Math.abs(v.max))
      const near = v.min <= 0 && v.max >= 0 ? 0 : Math.min(Math.abs(v.min), Math.abs(v.max))
      return { min: near, max: far }
    }
    case 'binary': {
      if (e.type !== 'i32') return undefined
      const left = rangeOf(e.left, extents, dims)
      const right = rangeOf(e.right, extents, dims)
      return binaryRange(e.op, left, right)
    }
    case 'select': {
      const then = rangeOf(e.then, extents, dims)
      const otherwise = rangeOf(e.otherwise, extents, dims)
      if (!then || !otherwise) return undefined
      return { min: Math.min(then.min, otherwise.min), max: Math.max(then.max, otherwise.max) }
    }
    case 'cast':
      return e.type === 'i32' && typeOf(e.value) === 'bool' ? { min: 0, max: 1 } : undefined
    case 'stopgrad':
      return rangeOf(e.value, extents, dims)
    case 'reduce': {
      if (e.op === 'argmax' || e.op === 'argmin') {
        return { min: 0, max: e.over.reduce((n, i) => n * i.extent.size, 1) - 1 }
      }
      if (e.op !== 'max' && e.op !== 'min') return undefined
      return rangeOf(e.body, new Map([...extents, ...extentsOf(e.over)]), dims)
    }
    default:
      return assertNever(e)
  }
}

function binaryRange(op: string, a: Range | undefined, b: Range | undefined): Range | undefined {
  if (op === 'mod') {
    // The remainder has the sign of the divisor, whatever the dividend.
    if (!b || b.min <= 0) return undefined
    return a && a.min >= 0 && a.max < b.min ? a : { min: 0, max: b.max - 1 }
  }
  if (!a || !b) return undefined
  switch (op) {
    case 'add':
      return { min: a.min + b.min, max: a.max + b.max }
    case 'sub':
      return { min: a.min - b.max, max: a.max - b.min }
    case 'mul':
      return corners(a, b, (x, y) => x * y)
    case 'div':
      return b.min > 0 ? corners(a, b, (x, y) => Math.floor(x / y)) : undefined
    case 'min':
      return { min: Math.min(a.min, b.min), max: Math.min(a.max, b.max) }
    case 'max':
      return { min: Math.max(a.min, b.min), max: Math.max(a.max, b.max) }
    default:
      return undefined
  }
}

/** Of an operation monotone in each operand. */
function corners(a: Range, b: Range, f: (x: number, y: number) => number): Range {
  const values = [f(a.min, b.min), f(a.min, b.max), f(a.max, b.min), f(a.max, b.max)]
  // Adding 0 turns a -0 into 0.
  return { min: Math.min(...values) + 0, max: Math.max(...values) + 0 }
}

function inI32(range: Range): Range | undefined {
  return range.min >= -(2 ** 31) && range.max < 2 ** 31 ? range : undefined
}
