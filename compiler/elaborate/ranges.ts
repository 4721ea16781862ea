/**
 * Interval analysis of positions: proves that a read stays in range, or says which range it has. Affine parts are
 * collected first, so that `i - i` is 0. Data-dependent positions (with a read or a float inside) have no interval.
 */

import type { Extent, Scalar } from '../ir/types.ts'
import { assertNever } from '../support/diagnostic.ts'

export interface Interval {
  readonly lo: number
  readonly hi: number
}

type Extents = ReadonlyMap<string, Extent>

/** The values an i32 expression can take; undefined when it depends on data. */
export function intervalOf(e: Scalar, extents: Extents): Interval | undefined {
  const affine = affineOf(e)
  if (affine !== undefined) {
    let lo = affine.constant
    let hi = affine.constant
    for (const [id, by] of affine.terms) {
      const last = (extents.get(id)?.size ?? 1) - 1
      lo += Math.min(0, by * last)
      hi += Math.max(0, by * last)
    }
    return { lo, hi }
  }
  switch (e.kind) {
    case 'const':
      return { lo: e.value, hi: e.value }
    case 'index':
      return { lo: 0, hi: (extents.get(e.name)?.size ?? 1) - 1 }
    case 'count':
      return { lo: 1, hi: extents.get(e.dim)?.size ?? 2 ** 31 - 1 }
    case 'unary': {
      const value = intervalOf(e.value, extents)
      if (value === undefined) return undefined
      if (e.op === 'neg') return { lo: -value.hi, hi: -value.lo }
      if (e.op === 'abs') {
        const [a, b] = [Math.abs(value.lo), Math.abs(value.hi)]
        const spansZero = value.lo <= 0 && value.hi >= 0
        return { lo: spansZero ? 0 : Math.min(a, b), hi: Math.max(a, b) }
      }
      return undefined
    }
    case 'binary':
      return binaryInterval(e.op, intervalOf(e.left, extents), intervalOf(e.right, extents))
    case 'select': {
      const then = intervalOf(e.then, extents)
      const otherwise = intervalOf(e.otherwise, extents)
      if (then === undefined || otherwise === undefined) return undefined
      return { lo: Math.min(then.lo, otherwise.lo), hi: Math.max(then.hi, otherwise.hi) }
    }
    case 'stopgrad':
      return intervalOf(e.value, extents)
    case 'read':
    case 'cast':
    case 'reduce':
    case 'random':
      return undefined
    default:
      return assertNever(e)
  }
}

function binaryInterval(
  op: string,
  a: Interval | undefined,
  b: Interval | undefined,
): Interval | undefined {
  if (op === 'mod' && b !== undefined && b.lo === b.hi && b.lo > 0) {
    if (a !== undefined && a.lo >= 0 && a.hi < b.lo) return a
    return { lo: 0, hi: b.lo - 1 }
  }
  if (a === undefined || b === undefined) return undefined
  const corners = (f: (x: number, y: number) => number): Interval => {
    const all = [f(a.lo, b.lo), f(a.lo, b.hi), f(a.hi, b.lo), f(a.hi, b.hi)]
    return { lo: Math.min(...all), hi: Math.max(...all) }
  }
  switch (op) {
    case 'add':
      return { lo: a.lo + b.lo, hi: a.hi + b.hi }
    case 'sub':
      return { lo: a.lo - b.hi, hi: a.hi - b.lo }
    case 'mul':
      return corners((x, y) => x * y)
    case 'div':
      return b.lo > 0 || b.hi < 0 ? corners((x, y) => Math.floor(x / y)) : undefined
    case 'min':
      return { lo: Math.min(a.lo, b.lo), hi: Math.min(a.hi, b.hi) }
    case 'max':
      return { lo: Math.max(a.lo, b.lo), hi: Math.max(a.hi, b.hi) }
    default:
      return undefined
  }
}

export interface Affine {
  readonly constant: number
  readonly terms: ReadonlyMap<string, number>
}

/** `constant + Σ coefficient · index`, if the expression is of this form. */
export function affineOf(e: Scalar): Affine | undefined {
  if (e.kind === 'const') return { constant: e.value, terms: new Map() }
  if (e.kind === 'index') return { constant: 0, terms: new Map([[e.name, 1]]) }
  if (e.kind === 'unary' && e.op === 'neg') {
    const value = affineOf(e.value)
    return value && scale(value, -1)
  }
  if (e.kind !== 'binary') return undefined
  if (e.op !== 'add' && e.op !== 'sub' && e.op !== 'mul') return undefined
  const left = affineOf(e.left)
  const right = affineOf(e.right)
  if (left === undefined || right === undefined) return undefined
  return e.op === 'mul'
    ? product(left, right)
    : sum(left, e.op === 'sub' ? scale(right, -1) : right)
}

export const scale = (a: Affine, by: number): Affine => ({
  constant: a.constant * by,
  terms: new Map([...a.terms].map(([id, c]) => [id, c * by])),
})

export function sum(a: Affine, b: Affine): Affine {
  const terms = new Map(a.terms)
  for (const [id, by] of b.terms) {
    const total = (terms.get(id) ?? 0) + by
    if (total === 0) terms.delete(id)
    else terms.set(id, total)
  }
  return { constant: a.constant + b.constant, terms }
}

export function product(a: Affine, b: Affine): Affine | undefined {
  if (a.terms.size === 0) return scale(b, a.constant)
  if (b.terms.size === 0) return scale(a, b.constant)
  return undefined
}
