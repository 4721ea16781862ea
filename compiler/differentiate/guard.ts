/**
 * Guards instead of tests: where a product has a factor `d[.., i, ..]` whose dimension is exactly the extent of i,
 * guarding that read makes the product 0 for every i outside.
 *
 *   where(p - r >= 0 and p - r < H, d[p - r] * F[r], 0)      d?[p - r] * F[r]
 *
 * Not where another factor could turn a guard's 0 into NaN: below a division, in a logarithm or a power.
 */
import { isDataDependent } from '../ir/affine.ts'
import { freeIndices, some } from '../ir/traverse.ts'
import type { Index, Scalar, Tensor } from '../ir/types.ts'
import { isConst } from '../passes/rules/rule.ts'

/** The value with the first fitting factor guarded. */
export function guardFactor(
  value: Scalar,
  i: Index,
  find: (name: string) => Tensor | undefined,
): Scalar | undefined {
  const hazard = some(value, (node) => {
    if (node.kind === 'binary' && (node.op === 'div' || node.op === 'pow' || node.op === 'mod')) {
      return node.type === 'f32' && freeIndices(node.right).has(i.name)
    }
    return node.kind === 'unary' && node.op === 'log' && freeIndices(node).has(i.name)
  })
  return hazard ? undefined : guardIn(value, i, find)
}

function guardIn(
  e: Scalar,
  i: Index,
  find: (name: string) => Tensor | undefined,
): Scalar | undefined {
  switch (e.kind) {
    case 'read': {
      if (e.type !== 'f32' || e.at.some(isDataDependent)) return undefined
      const shape = find(e.tensor)?.shape
      const fits = e.at.some((p, k) => {
        const extent = shape?.[k]
        return (
          p.kind === 'index' &&
          p.name === i.name &&
          extent?.size === i.extent.size &&
          extent.bound === i.extent.bound
        )
      })
      return fits ? { ...e, guarded: true } : undefined
    }
    case 'unary': {
      const value = e.op === 'neg' ? guardIn(e.value, i, find) : undefined
      return value && { ...e, value }
    }
    case 'binary': {
      if (e.op !== 'mul' && e.op !== 'div') return undefined
      const left = guardIn(e.left, i, find)
      if (left) return { ...e, left }
      const right = e.op === 'mul' ? guardIn(e.right, i, find) : undefined
      return right && { ...e, right }
    }
    case 'select': {
      const then = isConst(e.otherwise, 0) ? guardIn(e.then, i, find) : undefined
      if (then) return { ...e, then }
      const otherwise = isConst(e.then, 0) ? guardIn(e.otherwise, i, find) : undefined
      return otherwise && { ...e, otherwise }
    }
    case 'reduce': {
      const body = e.op === 'sum' ? guardIn(e.body, i, find) : undefined
      return body && { ...e, body }
    }
    default:
      return undefined
  }
}
