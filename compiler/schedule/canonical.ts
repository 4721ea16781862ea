/**
 * Splits equations until each holds at most one reduction, the form that kernels are made from.
 *
 *     p[n, c] = e[n, c] / sum[k](e[n, k])
 *  →  p.s[n] = sum[k](e[n, k])
 *     p[n, c] = e[n, c] / p.s[n]
 *
 * A reduction becomes a tensor of its own when it does not use all indices of its equation (else it would be computed
 * again for each), when it stands in another reduction, when a second one stands beside it, or in a scatter; and in a
 * recurrence when it reads nothing of the loop, so that it leaves the loop as one large product. A target that is not an
 * equation per element (`at`) keeps its form.
 */
import { index, read } from '../ir/build.ts'
import { order, type Step } from '../ir/recurrence.ts'
import { Temporaries } from '../ir/temporaries.ts'
import { children, freeIndices, mapChildren, some, waiting } from '../ir/traverse.ts'
import type { Entry, Equation, Index, Scalar, Stage, Tensor } from '../ir/types.ts'

type Reduce = Extract<Scalar, { kind: 'reduce' }>

export function canonicalEntry(entry: Entry, persistent: ReadonlyMap<string, Tensor>): Entry {
  const tensors = new Temporaries(persistent.values(), entry.tensors)
  const stages: Stage[] = entry.stages.map((stage) => {
    const loops = loopsOf(order(stage.equations))
    return {
      ...stage,
      equations: stage.equations.flatMap((equation) =>
        canonical(equation, loops.get(equation.target), tensors),
      ),
    }
  })
  return tensors.into(entry, stages)
}

/** Per target in a loop, all that its innermost loop makes. */
function loopsOf(steps: readonly Step[]): Map<string, ReadonlySet<string>> {
  const loops = new Map<string, ReadonlySet<string>>()
  const walk = (inside: readonly Step[], made: ReadonlySet<string> | undefined): void => {
    for (const s of inside) {
      if (s.kind === 'loop') walk(s.steps, new Set(s.time.keys()))
      else if (made) loops.set(s.equation.target, made)
    }
  }
  walk(steps, undefined)
  return loops
}

function canonical(
  equation: Equation,
  loop: ReadonlySet<string> | undefined,
  tensors: Temporaries,
): Equation[] {
  const before: Equation[] = []
  const outs = new Map(equation.outs.map((i) => [i.name, i]))

  const extract = (node: Reduce, scope: ReadonlyMap<string, Index>): Scalar => {
    const free = freeIndices(node)
    const indices = [...scope.values()].filter((i) => free.has(i.name))
    const shape = indices.map((i) => i.extent)
    const tensor = tensors.temp(`${equation.target}.s`, shape, equation.origin, node.type)
    const split: Equation = {
      target: tensor.name,
      outs: indices,
      at: undefined,
      body: node,
      ...waiting(equation, indices),
      origin: equation.origin,
    }
    before.push(...canonical(split, undefined, tensors))
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
    const leaves = loop && !some(e, (node) => node.kind === 'read' && loop.has(node.tensor))
    const repeated = [...outs.keys()].some((name) => !free.has(name))
    if (kept !== undefined || equation.at || leaves || repeated) return extract(e, outs)
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
