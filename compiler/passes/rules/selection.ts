/**
 * Rules for `select` and guarded reads: branches that cannot be taken, tests repeated inside, guards proven.
 */
import { binary, constant, select, typeOf, unary } from '../../ir/build.ts'
import type { Scalar } from '../../ir/types.ts'
import { same } from '../key.ts'
import { isConst, isProven, on, type Rule, rangeIn } from './rule.ts'

/** e with every inner `where` on the same test decided. */
function assume(test: Scalar, holds: boolean, e: Scalar): Scalar | undefined {
  if (e.kind !== 'select') return undefined
  if (same(e.test, test)) return holds ? e.then : e.otherwise
  return undefined
}

export const selectionRules: readonly Rule[] = [
  on('select', 'where(c, x, x) -> x', (e) => (same(e.then, e.otherwise) ? e.then : undefined)),
  on('select', 'where(not c, a, b) -> where(c, b, a)', (e) =>
    e.test.kind === 'unary' && e.test.op === 'not'
      ? select(e.test.value, e.otherwise, e.then)
      : undefined,
  ),
  on('select', 'where(c, where(c, a, b), d) -> where(c, a, d)', (e) => {
    const then = assume(e.test, true, e.then)
    const otherwise = assume(e.test, false, e.otherwise)
    return then || otherwise ? select(e.test, then ?? e.then, otherwise ?? e.otherwise) : undefined
  }),
  on('select', 'where(c, where(d, a, 0), 0) -> where(c and d, a, 0)', (e) => {
    if (!isConst(e.otherwise, 0) || e.then.kind !== 'select') return undefined
    if (!isConst(e.then.otherwise, 0)) return undefined
    return select(binary('and', e.test, e.then.test), e.then.then, e.otherwise)
  }),
  on('select', 'where(c, 1, 0) of booleans -> c', (e) => {
    if (e.type !== 'bool' || e.then.kind !== 'const' || e.otherwise.kind !== 'const')
      return undefined
    if (e.then.value !== 0 && e.otherwise.value === 0) return e.test
    return e.then.value === 0 && e.otherwise.value !== 0 ? unary('not', e.test) : undefined
  }),
  on('read', 'x?[i] -> x[i] in range, 0 when never', (e, context) => {
    if (!e.guarded) return undefined
    const shape = context.tensor(e.tensor)?.shape
    if (!shape) return undefined
    const outside = e.at.some((p, k) => {
      const range = rangeIn(p, context)
      return range !== undefined && (range.max < 0 || range.min >= shape[k]!.size)
    })
    if (outside) return constant(0, e.type)
    const proven = e.at.every((p, k) => isProven(p, shape[k]!, context))
    return proven ? { ...e, guarded: false } : undefined
  }),
  on('cast', 'float(c) -> where(c, 1, 0)', (e) =>
    e.type === 'f32' && typeOf(e.value) === 'bool'
      ? select(e.value, constant(1), constant(0))
      : undefined,
  ),
  on('cast', 'cast of an index -> f32 constant where it is one', (e, context) => {
    const range = e.type === 'f32' ? rangeIn(e.value, context) : undefined
    return range && range.min === range.max ? constant(Math.fround(range.min)) : undefined
  }),
]
