/**
 * Where guards along the lanes change. In: the values of a nest. Out: the positions at which its loop over lanes is cut, so that in
 * each piece what is inside a tensor, and what is not, is known: parts that are put side by side are then read without a test.
 */
import { affineOf, type Range, rangeOf } from '../ir/affine.ts'
import { index } from '../ir/build.ts'
import { visit } from '../ir/traverse.ts'
import type { Index, Scalar } from '../ir/types.ts'
import type { Context, KernelContext } from './context.ts'

/** More pieces than these are more code than the tests were. */
const mostCuts = 7

/** Multiples of `step` below `end`, ascending. */
export function cutsOf(
  bodies: readonly Scalar[],
  lanes: Index,
  step: number,
  end: number,
  slots: KernelContext['slots'],
): readonly number[] {
  const cuts = new Set<number>()
  for (const body of bodies) {
    visit(body, (e) => {
      if (e.kind !== 'read' || !e.guarded) return
      const slot = slots.get(e.tensor)?.slot
      e.at.forEach((position, d) => {
        const affine = affineOf(position)
        if (!slot || slot.bounds[d] !== undefined || affine?.terms.size !== 1) return
        if (affine.terms.get(lanes.name) !== 1) return
        for (const at of [-affine.constant, slot.shape[d]! - affine.constant]) {
          if (at > 0 && at < end && at % step === 0) cuts.add(at)
        }
      })
    })
  }
  return cuts.size > mostCuts ? [] : [...cuts].sort((a, b) => a - b)
}

/** Between what a position lies, in this piece. */
export function reachOf(position: Scalar, { piece, extents }: Context): Range | undefined {
  const affine = piece && affineOf(position)
  if (!affine?.terms.has(piece!.name)) return rangeOf(position, extents)
  let [min, max] = [affine.constant, affine.constant]
  for (const [name, factor] of affine.terms) {
    const range =
      name === piece!.name
        ? { min: piece!.from, max: piece!.to - 1 }
        : rangeOf(index(name), extents)
    if (!range) return undefined
    min += factor * (factor > 0 ? range.min : range.max)
    max += factor * (factor > 0 ? range.max : range.min)
  }
  return { min, max }
}
