/**
 * A sum that is to run in blocks (block.ts) becomes an equation of its own, so that what is made of it waits for the last
 * block. In: a canonical entry. Out: the entry, with a temp more for each.
 *
 *     y[n, o] = max(sum[i](x[n, i] * W[i, o]) + b[o], 0)
 *  →  y.s[n, o] = sum[i](x[n, i] * W[i, o])
 *     y[n, o] = max(y.s[n, o] + b[o], 0)
 */
import { index, read } from '../ir/build.ts'
import { targetsInLoops } from '../ir/recurrence.ts'
import { Temporaries } from '../ir/temporaries.ts'
import { children, mapChildren } from '../ir/traverse.ts'
import type { Entry, Equation, Scalar, Tensor } from '../ir/types.ts'
import { reductionOf } from './canonical.ts'
import { runsInBlocks } from './tile.ts'

export function separateBlocks(
  entry: Entry,
  tensorsBefore: ReadonlyMap<string, Tensor>,
  cache: number,
): Entry {
  const tensors = new Temporaries(tensorsBefore.values(), entry.tensors)
  const options = { shapeOf: tensors.shapeOf, cache }
  const separate = (equation: Equation): Equation[] => {
    const node = reductionOf(equation)
    if (!node || node === equation.body || equation.at || node.op !== 'sum') return [equation]
    if (!runsInBlocks({ ...equation, body: node }, options)) return [equation]
    const { outs, origin } = equation
    const shape = outs.map((i) => i.extent)
    const tensor = tensors.temp(`${equation.target}.s`, shape, origin, node.type)
    const sum: Equation = { ...equation, target: tensor.name, body: node }
    const value = read(
      tensor,
      outs.map((i) => index(i)),
    )
    return [sum, { ...equation, body: replaced(equation.body, node, value) }]
  }
  const stages = entry.stages.map((stage) => {
    // Within a loop over time a sum has the step's own target to fill, not one of zeros.
    const inLoops = targetsInLoops(stage.equations)
    const equations = stage.equations.flatMap((e) => (inLoops.has(e.target) ? [e] : separate(e)))
    return { ...stage, equations }
  })
  return tensors.into(entry, stages)
}

/** `e` with the very node `from` as `to`. */
function replaced(e: Scalar, from: Scalar, to: Scalar): Scalar {
  if (e === from) return to
  return children(e).length === 0 ? e : mapChildren(e, (child) => replaced(child, from, to))
}
