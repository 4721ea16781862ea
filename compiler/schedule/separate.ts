/**
 * A sum that is to run in blocks (block.ts) becomes an equation of its own, so that what is made of it waits for the last
 * block. In: a canonical entry. Out: the entry, with a temp more for each.
 *
 *     y[n, o] = max(sum[i](x[n, i] * W[i, o]) + b[o], 0)
 *  →  y.s[n, o] = sum[i](x[n, i] * W[i, o])
 *     y[n, o] = max(y.s[n, o] + b[o], 0)
 */
import { index, read } from '../ir/build.ts'
import { children, freshName, mapChildren } from '../ir/traverse.ts'
import type { Entry, Equation, Scalar, Tensor } from '../ir/types.ts'
import { reductionOf } from './canonical.ts'
import { equationsOf, segmentsOf } from './segments.ts'
import { runsInBlocks } from './tile.ts'

export function separateBlocks(
  entry: Entry,
  tensorsBefore: ReadonlyMap<string, Tensor>,
  cache: number,
): Entry {
  const tensors = new Map([...tensorsBefore, ...entry.tensors.map((t) => [t.name, t] as const)])
  const added: Tensor[] = []
  const options = {
    shapeOf: (name: string): readonly number[] => tensors.get(name)!.shape.map((x) => x.size),
    cache,
    isInPlace: () => false,
  }
  const separate = (equation: Equation): Equation[] => {
    const node = reductionOf(equation)
    if (!node || node === equation.body || equation.at || node.op !== 'sum') return [equation]
    const name = freshName(`${equation.target}.s`, new Set(tensors.keys()))
    const tensor: Tensor = {
      name,
      dtype: node.type,
      shape: equation.outs.map((i) => i.extent),
      role: 'temp',
      span: equation.origin.span,
      initial: undefined,
      range: undefined,
    }
    const sum: Equation = { ...equation, target: name, body: node }
    tensors.set(name, tensor)
    if (!runsInBlocks(sum, options)) {
      tensors.delete(name)
      return [equation]
    }
    added.push(tensor)
    const value = read(
      tensor,
      equation.outs.map((i) => index(i)),
    )
    return [sum, { ...equation, body: replaced(equation.body, node, value) }]
  }
  const stages = entry.stages.map((stage) => {
    // Within a loop over time a sum has the step's own target to fill, not one of zeros.
    const inLoops = new Set(
      segmentsOf(stage.equations)
        .segments.filter((s) => s.kind === 'loop')
        .flatMap((s) => equationsOf([s]).map((e) => e.target)),
    )
    const equations = stage.equations.flatMap((e) => (inLoops.has(e.target) ? [e] : separate(e)))
    return { ...stage, equations }
  })
  return added.length === 0 ? entry : { ...entry, tensors: [...entry.tensors, ...added], stages }
}

/** `e` with the very node `from` as `to`. */
function replaced(e: Scalar, from: Scalar, to: Scalar): Scalar {
  if (e === from) return to
  return children(e).length === 0 ? e : mapChildren(e, (child) => replaced(child, from, to))
}
