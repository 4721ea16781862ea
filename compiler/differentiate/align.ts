/**
 * A scatter with plain positions where it can have them: an index that only ever writes a step beside itself counts
 * from there instead.
 *
 *   d_h[t - 1, k[t, u]] += v(t, u)  within the bounds      d_h[t, k?[t + 1, u]] += v?(t + 1, u)
 *
 * Recurrences need it: of a scatter in a loop, the position in time has to be the time (ir/recurrence.ts).
 */
import { affineOf } from '../ir/affine.ts'
import { binary, index, int, select } from '../ir/build.ts'
import { substitute } from '../ir/traverse.ts'
import type { Extent, Index, Scalar, Tensor } from '../ir/types.ts'
import { type Context, guardReads } from '../passes/rules/rule.ts'
import { guardFactor } from './guard.ts'
import type { Contribution } from './reverse.ts'

type Find = (name: string) => Tensor | undefined

export function aligned(
  contribution: Contribution,
  shape: readonly Extent[],
  find: Find,
): Contribution {
  if (!contribution.guarded) return contribution
  return contribution.domain.reduce((c, i) => {
    const step = stepOf(i, c, shape)
    return step === undefined ? c : moved(c, i, step, find)
  }, contribution)
}

/** c where a position is i + c, c is not 0 and i is a static index as long as that dimension. */
function stepOf(i: Index, c: Contribution, shape: readonly Extent[]): number | undefined {
  if (i.extent.bound !== undefined) return undefined
  for (const [k, p] of c.at.entries()) {
    const form = affineOf(p)
    if (form?.terms.size !== 1 || form.terms.get(i.name) !== 1 || form.constant === 0) continue
    const { size, bound } = shape[k]!
    if (bound === undefined && size === i.extent.size) return form.constant
  }
  return undefined
}

/** The same with i - step in place of i, which must then be a value of i. */
function moved(c: Contribution, i: Index, step: number, find: Find): Contribution {
  const source = binary('add', index(i), int(-step))
  const by = new Map([[i.name, source]])
  const extents = new Map(c.domain.map((j) => [j.name, j.extent]))
  const guard = (e: Scalar): Scalar => {
    const context: Context = { extents: new Map(extents), tensor: find }
    return guardReads(substitute(e, by), context)
  }
  const guarded = guardFactor(c.value, i, find)
  const inside = step < 0 ? binary('lt', source, int(i.extent.size)) : binary('ge', source, int(0))
  const value = guarded ? guard(guarded) : select(inside, guard(c.value), zero)
  return { ...c, at: c.at.map(guard), value }
}

const zero: Scalar = { kind: 'const', type: 'f32', value: 0 }
