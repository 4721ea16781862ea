/**
 * What a comparison of two indices makes needless. In: equations. Out: which of a tensor's elements are zeros, which terms of a sum
 * are then none, and which sums nobody wants.
 *
 *     s[i, j] = where(j <= i, sum[e](q[i, e] * k[j, e]), -1e30)      sums only up to the diagonal
 *     d[i, j] = where(j <= i, x[i, j], 0)
 *     y[i, e] = sum[j](d[i, j] * k[j, e])                             terms only up to the diagonal
 *
 * A tile leaves out what its rows and lanes have none of. Adding zeros changes no bit of a sum. (With an infinite factor beyond the
 * diagonal a term is NaN or left out; in the sum that passes/masks.ts makes products of it was always left out.)
 */
import { affineOf } from '../ir/affine.ts'
import { readsOf, some } from '../ir/traverse.ts'
import type { Equation, Index, Scalar } from '../ir/types.ts'
import { reductionOf } from './canonical.ts'

/** Holds where `less` ≤ `greater` + `offset`. */
export interface Order {
  readonly less: { readonly name: string }
  readonly greater: { readonly name: string }
  readonly offset: number
}

/** The same of a tensor's dimensions: elsewhere its elements are 0. */
export interface Triangle {
  readonly less: number
  readonly greater: number
  readonly offset: number
}

/** The comparison of one index with another, neither multiplied, without which the test does not hold. */
function orderOf(test: Scalar): Order | undefined {
  if (test.kind !== 'binary') return undefined
  const { op } = test
  if (op === 'and') return orderOf(test.left) ?? orderOf(test.right)
  if (op !== 'le' && op !== 'lt' && op !== 'ge' && op !== 'gt') return undefined
  const up = op === 'le' || op === 'lt'
  const [low, high] = [affineOf(up ? test.left : test.right), affineOf(up ? test.right : test.left)]
  if (low?.terms.size !== 1 || high?.terms.size !== 1) return undefined
  const [[less, a]] = [...low.terms] as [[string, number]]
  const [[greater, b]] = [...high.terms] as [[string, number]]
  if (a !== 1 || b !== 1 || less === greater) return undefined
  const strict = op === 'lt' || op === 'gt' ? 1 : 0
  const offset = high.constant - low.constant - strict
  return { less: { name: less }, greater: { name: greater }, offset }
}

/** The tensors that a stage masks with zeros. */
export function trianglesOf(equations: readonly Equation[]): Map<string, Triangle> {
  const found = new Map<string, Triangle>()
  for (const { target, outs, at, body } of equations) {
    if (at || body.kind !== 'select' || body.otherwise.kind !== 'const') continue
    const order = body.otherwise.value === 0 ? orderOf(body.test) : undefined
    const dimension = (i: { name: string }): number => outs.findIndex((o) => o.name === i.name)
    if (order === undefined || body.otherwise.type !== 'f32') continue
    const [less, greater] = [dimension(order.less), dimension(order.greater)]
    if (less >= 0 && greater >= 0) found.set(target, { less, greater, offset: order.offset })
  }
  return found
}

/** The order outside of which a sum over products has no terms, between one of its indices and one of the result. */
export function termsWithin(
  body: Scalar,
  over: readonly Index[],
  outs: readonly Index[],
  triangleOf: (tensor: string) => Triangle | undefined,
): Order | undefined {
  if (body.kind === 'binary' && body.op === 'mul') {
    return (
      termsWithin(body.left, over, outs, triangleOf) ??
      termsWithin(body.right, over, outs, triangleOf)
    )
  }
  if (body.kind !== 'read' || body.guarded) return undefined
  const triangle = triangleOf(body.tensor)
  const [less, greater] = [
    triangle && body.at[triangle.less],
    triangle && body.at[triangle.greater],
  ]
  if (!triangle || less?.kind !== 'index' || greater?.kind !== 'index') return undefined
  const has = (list: readonly Index[], { name }: { name: string }): boolean =>
    list.some((i) => i.name === name)
  const crosses = (has(over, less) && has(outs, greater)) || (has(outs, less) && has(over, greater))
  const { offset } = triangle
  return crosses
    ? { less: { name: less.name }, greater: { name: greater.name }, offset }
    : undefined
}

/**
 * The order outside of which nobody wants the sum of a loop group's first equation: the equation itself tests it, or the only other
 * that reads it does.
 */
export function wantedWithin(
  [first, ...others]: readonly Equation[],
  isStored: (target: string) => boolean,
): Order | undefined {
  const { body, target, outs } = first!
  const node = reductionOf(first!)
  if (!node) return undefined
  const own = body.kind === 'select'
  const readers = others.filter((e) => readsOf(e).has(target))
  if (!own && (isStored(target) || readers.length !== 1)) return undefined
  const chosen = own ? body : readers[0]!.body
  if (chosen.kind !== 'select') return undefined
  const isSum = (e: Scalar): boolean =>
    own ? e === node : e.kind === 'read' && e.tensor === target
  if (some(chosen.test, isSum) || some(chosen.otherwise, isSum)) return undefined
  const order = orderOf(chosen.test)
  const known = ({ name }: { name: string }): boolean => outs.some((i) => i.name === name)
  return order && known(order.less) && known(order.greater) ? order : undefined
}
