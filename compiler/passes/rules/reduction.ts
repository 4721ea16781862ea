/**
 * Rules for reductions: what does not depend on the reduced indices leaves, one-hot sums become reads, nested sums
 * merge. None of them raises the work: an expression leaves a reduction, it never enters one.
 */
import { binary, cast, constant, int, mul, reduce, select, unary } from '../../ir/build.ts'
import { freeIndices, substitute } from '../../ir/traverse.ts'
import type { Index, Scalar } from '../../ir/types.ts'
import { masked } from './arithmetic.ts'
import { solveEquality } from './integer.ts'
import { isFloat, isUnit, partition, productOf, scalarOfProduct } from './product.ts'
import {
  type Context,
  guardReads,
  isConst,
  type Node,
  on,
  type Rule,
  rangeIn,
  within,
} from './rule.ts'

const isSum = (e: Scalar): e is Node<'reduce'> => e.kind === 'reduce' && e.op === 'sum'

const uses = (e: Scalar, over: readonly Index[]): boolean => {
  const free = freeIndices(e)
  return over.some((i) => free.has(i.name))
}

/** How many elements the indices range over, as a scalar of the given type. */
function elements(over: readonly Index[], type: 'f32' | 'i32'): Scalar {
  let fixed = 1
  const counts: Scalar[] = []
  for (const { extent } of over) {
    if (extent.bound === undefined) fixed *= extent.size
    else counts.push({ kind: 'count', dim: extent.bound })
  }
  const all = counts.map((c) => cast(type, c))
  return all.reduce((a, b) => mul(a, b), constant(fixed, type))
}

/** Splits the tests joined by `and`. */
export function conjuncts(test: Scalar): Scalar[] {
  if (test.kind === 'binary' && test.op === 'and') {
    return [...conjuncts(test.left), ...conjuncts(test.right)]
  }
  return [test]
}

const all = (tests: readonly Scalar[]): Scalar =>
  tests.length === 0 ? constant(-1, 'bool') : tests.reduce((a, b) => binary('and', a, b))

/** sum[i](where(i == k and c, f(i), 0)) -> f(k), with the test that k is a value of i unless it surely is. */
function oneHot(e: Node<'reduce'>, context: Context): Scalar | undefined {
  const body = e.body
  if (body.kind !== 'select' || !isConst(body.otherwise, 0)) return undefined
  const tests = conjuncts(body.test)
  for (const i of e.over) {
    for (const test of tests) {
      const k = solveEquality(test, i.name)
      if (!k) continue
      const over = e.over.filter((j) => j !== i)
      const by = new Map([[i.name, k]])
      const rest = tests.filter((t) => t !== test).map((t) => substitute(t, by))
      const size = i.extent.bound === undefined ? int(i.extent.size) : undefined
      const sure =
        i.extent.bound === undefined
          ? within(rangeIn(k, context), i.extent.size)
          : k.kind === 'index' && context.extents.get(k.name)?.bound === i.extent.bound
      const inside: Scalar[] = sure
        ? []
        : [
            binary('ge', k, int(0)),
            binary('lt', k, size ?? { kind: 'count', dim: i.extent.bound! }),
          ]
      const value = guardReads(substitute(body.then, by), context)
      return reduce('sum', over, select(all([...inside, ...rest]), value, body.otherwise))
    }
  }
  return undefined
}

export const reductionRules: readonly Rule[] = [
  on('reduce', 'sum[i](0) -> 0', (e) =>
    isSum(e) && isConst(e.body, 0) ? constant(0, e.type) : undefined,
  ),
  on('reduce', 'sum[i: 1](f(i)) -> f(0)', (e) => {
    if (e.op === 'argmax' || e.op === 'argmin') return undefined
    const single = e.over.filter((i) => i.extent.size === 1 && i.extent.bound === undefined)
    if (single.length === 0) return undefined
    const body = substitute(e.body, new Map(single.map((i) => [i.name, int(0)])))
    return reduce(
      e.op,
      e.over.filter((i) => !single.includes(i)),
      body,
    )
  }),
  on('reduce', 'sum[i](sum[j](e)) -> sum[i, j](e)', (e) =>
    isSum(e) && isSum(e.body) ? reduce('sum', [...e.over, ...e.body.over], e.body.body) : undefined,
  ),
  on('reduce', 'max[i](max[j](e)) -> max[i, j](e)', (e) =>
    (e.op === 'max' || e.op === 'min' || e.op === 'prod') &&
    e.body.kind === 'reduce' &&
    e.body.op === e.op
      ? reduce(e.op, [...e.over, ...e.body.over], e.body.body)
      : undefined,
  ),
  on('reduce', 'sum[i](e) -> 10 * e, max[i](e) -> e, where e does not use i', (e) => {
    if (e.op === 'argmax' || e.op === 'argmin' || e.op === 'prod') return undefined
    const idle = e.over.filter((i) => !uses(e.body, [i]))
    if (idle.length === 0) return undefined
    const inner = reduce(
      e.op,
      e.over.filter((i) => !idle.includes(i)),
      e.body,
    )
    if (e.op !== 'sum') return inner
    if (e.type === 'bool') return undefined
    return mul(elements(idle, e.type), inner)
  }),
  on('reduce', 'sum[i](where(i == k, f(i), 0)) -> f(k)', (e, context) =>
    isSum(e) ? oneHot(e, context) : undefined,
  ),
  on('reduce', 'sum[i](where(c, e, 0)) -> where(c, sum[i](e), 0)', (e) => {
    if (!isSum(e) || e.body.kind !== 'select') return undefined
    const body = e.body
    const m = masked(body)
    if (!m) return undefined
    if (!isConst(body.otherwise, 0)) {
      return uses(body.test, e.over) ? undefined : m.around(reduce('sum', e.over, m.value))
    }
    const tests = conjuncts(body.test)
    const outer = tests.filter((t) => !uses(t, e.over))
    if (outer.length === 0) return undefined
    const inner = tests.filter((t) => uses(t, e.over))
    const sum = reduce('sum', e.over, select(all(inner), body.then, body.otherwise))
    return select(all(outer), sum, body.otherwise)
  }),
  on('reduce', 'sum[i](c * e) -> c * sum[i](e)', (e) => {
    if (!isSum(e) || !isFloat(e)) return undefined
    // A masked body keeps its mask inside: where(t, c * e, 0) -> c * where(t, e, 0).
    const m = masked(e.body)
    const [outer, inner] = partition(productOf(m?.value ?? e.body), (f) => !uses(f, e.over))
    if (isUnit(outer)) return undefined
    const rest = scalarOfProduct(inner)
    const sum = reduce('sum', e.over, m ? m.around(rest) : rest)
    if (outer.sign === -1) {
      const positive = { ...outer, sign: 1 as const }
      return unary('neg', isUnit(positive) ? sum : scaled(positive, sum))
    }
    return scaled(outer, sum)
  }),
  on('reduce', 'max[i](x + c) -> max[i](x) + c', (e) => {
    if ((e.op !== 'max' && e.op !== 'min') || e.body.kind !== 'binary' || !isFloat(e))
      return undefined
    const { op, left, right } = e.body
    if (op !== 'add' && op !== 'sub') return undefined
    if (!uses(right, e.over)) return binary(op, reduce(e.op, e.over, left), right)
    return op === 'add' && !uses(left, e.over)
      ? binary(op, left, reduce(e.op, e.over, right))
      : undefined
  }),
]

/** factors * sum, the numerators on the side where the reader has them. */
function scaled(outer: ReturnType<typeof productOf>, sum: Scalar): Scalar {
  return scalarOfProduct({ ...outer, num: [...outer.num, sum] })
}
