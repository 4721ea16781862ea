/**
 * Splits equations until each holds at most one reduction, the form that kernels are made from.
 *
 *     p[n, c] = e[n, c] / sum[k](e[n, k])
 *  →  p.s[n] = sum[k](e[n, k])
 *     p[n, c] = e[n, c] / p.s[n]
 *
 * A reduction becomes a tensor of its own when it does not use all indices of its equation (else it would be computed
 * again for each), when it stands in another reduction, when a second one stands beside it, or in a scatter. A target
 * that is not an equation per element (`at`) keeps its form.
 */
import { index, read } from '../ir/build.ts'
import { children, freeIndices, freshName, mapChildren } from '../ir/traverse.ts'
import type { Entry, Equation, Index, Scalar, Stage, Tensor } from '../ir/types.ts'

type Reduce = Extract<Scalar, { kind: 'reduce' }>

export function canonicalEntry(entry: Entry, taken: ReadonlySet<string>): Entry {
  const names = new Set([...taken, ...entry.tensors.map((t) => t.name)])
  const tensors: Tensor[] = [...entry.tensors]
  const stages: Stage[] = entry.stages.map((stage) => ({
    ...stage,
    equations: stage.equations.flatMap((equation) => canonical(equation, names, tensors)),
  }))
  return { ...entry, tensors, stages }
}

function canonical(equation: Equation, names: Set<string>, tensors: Tensor[]): Equation[] {
  const before: Equation[] = []
  const outs = new Map(equation.outs.map((i) => [i.name, i]))

  const extract = (node: Reduce, scope: ReadonlyMap<string, Index>): Scalar => {
    const free = freeIndices(node)
    const indices = [...scope.values()].filter((i) => free.has(i.name))
    const name = freshName(`${equation.target}.s`, names)
    names.add(name)
    const tensor: Tensor = {
      name,
      dtype: node.type,
      shape: indices.map((i) => i.extent),
      role: 'temp',
      span: equation.origin.span,
      initial: undefined,
      range: undefined,
    }
    tensors.push(tensor)
    const split: Equation = {
      target: name,
      outs: indices,
      at: undefined,
      body: node,
      origin: equation.origin,
    }
    before.push(...canonical(split, names, tensors))
    return read(
      tensor,
      indices.map((i) => index(i)),
    )
  }

  /** Replaces every reduction under `e`, for which `scope` are the indices that can be free. */
  const extractAll = (e: Scalar, scope: ReadonlyMap<string, Index>): Scalar =>
    e.kind === 'reduce'
      ? extract(e, scope)
      : children(e).length === 0
        ? e
        : mapChildren(e, (child) => extractAll(child, scope))

  let kept: Reduce | undefined
  const walk = (e: Scalar): Scalar => {
    if (e.kind !== 'reduce') return mapChildren(e, walk)
    const free = freeIndices(e)
    if (kept !== undefined || equation.at || [...outs.keys()].some((name) => !free.has(name))) {
      return extract(e, outs)
    }
    kept = e
    const scope = new Map([...outs, ...e.over.map((i) => [i.name, i] as const)])
    const body = extractAll(e.body, scope)
    kept = body === e.body ? e : { ...e, body }
    return kept
  }

  const at = equation.at?.map((p) => extractAll(p, outs))
  const body = walk(equation.body)
  return [...before, { ...equation, at, body }]
}

/** The reduction of a canonical equation. */
export function reductionOf(equation: Equation): Reduce | undefined {
  const find = (e: Scalar): Reduce | undefined => {
    if (e.kind === 'reduce') return e
    for (const child of children(e)) {
      const found = find(child)
      if (found) return found
    }
    return undefined
  }
  return find(equation.body)
}
