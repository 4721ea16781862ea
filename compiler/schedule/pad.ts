/**
 * Guarded reads inside reductions become plain reads of a copy with zeros around it, so that no test is left in an inner
 * loop. In: a canonical entry. Out: the entry, with a temp and an equation more for each padded tensor.
 *
 *     y[h, w, k] = sum[r: 3, s: 3, c](x?[h + r - 1, w + s - 1, c] * F[r, s, c, k])
 *  →  x.pad[p, q, c] = x?[p - 1, q - 1, c]
 *     y[h, w, k] = sum[r: 3, s: 3, c](x.pad[h + r, w + s, c] * F[r, s, c, k])
 *
 * All reads of a tensor that a stage pads alike share the copy, forward and backward. A dimension whose count is known at run time
 * only keeps its guard: nothing can be put behind the count.
 */
import { addAffine, affineConstant, affineOf, extentsIn, rangeOf, scalarOf } from '../ir/affine.ts'
import { index, int, read, staticExtent, sub } from '../ir/build.ts'
import { targetsInLoops } from '../ir/recurrence.ts'
import { Temporaries } from '../ir/temporaries.ts'
import { freeIndices, mapChildren } from '../ir/traverse.ts'
import type { Entry, Equation, Index, Scalar, Stage, Tensor } from '../ir/types.ts'
import { reductionOf } from './canonical.ts'

type Read = Extract<Scalar, { kind: 'read' }>

/** A copy pays when each element is read this often. */
const fewestUses = 6

interface Margin {
  readonly low: number
  readonly high: number
}

export function padReads(entry: Entry, persistent: ReadonlyMap<string, Tensor>): Entry {
  const tensors = new Temporaries(persistent.values(), entry.tensors)
  const stages = entry.stages.map((stage) => padStage(stage, tensors))
  return tensors.into(entry, stages)
}

function padStage(stage: Stage, tensors: Temporaries): Stage {
  const inLoops = targetsInLoops(stage.equations)
  const copies = new Map<string, Tensor>()
  const equations: Equation[] = []
  for (const equation of stage.equations) {
    const node = inLoops.has(equation.target) ? undefined : reductionOf(equation)
    if (!node) {
      equations.push(equation)
      continue
    }
    const extents = extentsIn(equation)
    const points = [...equation.outs, ...node.over].reduce((n, i) => n * i.extent.size, 1)
    const over = new Set(node.over.map((i) => i.name))
    const plain = (r: Read): Scalar => {
      const tensor = tensors.find(r.tensor)!
      const elements = tensor.shape.reduce((n, x) => n * x.size, 1)
      if (inLoops.has(r.tensor) || points < fewestUses * elements) return r
      const margins = marginsOf(r, tensor, extents)
      if (!margins?.some((m) => m.low + m.high > 0)) return r
      const tested = r.at.filter((_, d) => margins[d]!.low + margins[d]!.high > 0)
      if (!tested.some((p) => [...freeIndices(p)].some((name) => over.has(name)))) return r
      const key = JSON.stringify([r.tensor, margins])
      let copy = copies.get(key)
      if (!copy) {
        copy = padded(tensor, margins, tensors)
        copies.set(key, copy)
        equations.push(copyEquation(copy, tensor, margins, equation))
      }
      const at = r.at.map((p, d) => {
        const { low } = margins[d]!
        return low === 0 ? p : scalarOf(addAffine(affineOf(p)!, affineConstant(low)))
      })
      const beyondCount = tensor.shape.some(({ bound }, d) => {
        const p = r.at[d]!
        return bound !== undefined && !(p.kind === 'index' && extents.get(p.name)?.bound === bound)
      })
      return read(copy, at, beyondCount)
    }
    const replace = (e: Scalar): Scalar => {
      if (e.kind === 'read' && e.guarded) return plain(e)
      return mapChildren(e, replace)
    }
    const body = replaceIn(equation.body, node, { ...node, body: replace(node.body) })
    equations.push({ ...equation, body })
  }
  return { ...stage, equations }
}

/** How far the positions reach beyond each dimension; undefined where that is not known, or all too far. */
function marginsOf(
  r: Read,
  tensor: Tensor,
  extents: ReturnType<typeof extentsIn>,
): Margin[] | undefined {
  const margins: Margin[] = []
  for (const [d, p] of r.at.entries()) {
    const { size, bound } = tensor.shape[d]!
    if (bound !== undefined) {
      margins.push({ low: 0, high: 0 })
      continue
    }
    const range = affineOf(p) && rangeOf(p, extents)
    if (!range) return undefined
    const low = Math.max(0, -range.min)
    const high = Math.max(0, range.max - (size - 1))
    if (low + high > size + 8) return undefined
    margins.push({ low, high })
  }
  return margins
}

function padded(tensor: Tensor, margins: readonly Margin[], tensors: Temporaries): Tensor {
  const shape = tensor.shape.map((extent, d) => {
    const { low, high } = margins[d]!
    return low + high === 0 ? extent : staticExtent(extent.size + low + high)
  })
  return tensors.temp(`${tensor.name}.pad`, shape, tensor, tensor.dtype)
}

function copyEquation(
  copy: Tensor,
  tensor: Tensor,
  margins: readonly Margin[],
  { origin }: Equation,
): Equation {
  const outs = copy.shape.map((extent, d): Index => ({ name: `p${d}`, extent }))
  const at = outs.map((i, d) => sub(index(i), int(margins[d]!.low)))
  return { target: copy.name, outs, at: undefined, body: read(tensor, at, true), origin }
}

function replaceIn(e: Scalar, from: Scalar, to: Scalar): Scalar {
  return e === from ? to : mapChildren(e, (child) => replaceIn(child, from, to))
}
