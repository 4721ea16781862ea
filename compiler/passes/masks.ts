/**
 * Masks in sums of products: a test in a sum's innermost term goes to the factor that has all its indices, as a tensor of
 * its own, and the sum is a plain product again.
 *
 *   dk[j, e] = sum[i](where(j <= i, q[i, e] * ds[i, j], 0))
 *
 *   ds_masked[i, j] = where(j <= i, ds[i, j], 0)
 *   dk[j, e] = sum[i](q[i, e] * ds_masked[i, j])
 *
 * Both backward products of masked attention share the masked tensor, which is then made where ds is. Only where the other
 * factors are tensors: what differentiation guards, `where(x > 0, dy / x, 0)`, stays guarded. (A tensor that is infinite
 * where the mask is false now gives NaN, as the product of the two does.)
 */
import { binary, index, read, select } from '../ir/build.ts'
import { targetsInLoops } from '../ir/recurrence.ts'
import { Temporaries } from '../ir/temporaries.ts'
import { freeIndices, mapChildren } from '../ir/traverse.ts'
import type { Entry, Equation, Index, Scalar, Stage, Tensor } from '../ir/types.ts'
import { mapEntries, type Pass } from './pass.ts'
import { isConst } from './rules/rule.ts'

/** The product must have this many times the points of the masked factor. */
const fewest = 8

export const masks: Pass = {
  name: 'masks',
  description: 'move a test in a sum of products to the factor it belongs to',
  run: (program) => mapEntries(program, (entry) => maskEntry(entry, program.tensors)),
}

type Read = Extract<Scalar, { kind: 'read' }>
type Reduce = Extract<Scalar, { kind: 'reduce' }>

function maskEntry(entry: Entry, persistent: readonly Tensor[]): Entry {
  const tensors = new Temporaries(persistent, entry.tensors)
  const stages = entry.stages.map((stage): Stage => {
    const looped = targetsInLoops(stage.equations)
    const equations = stage.equations.flatMap((eq) => {
      if (looped.has(eq.target)) return [eq]
      const before: Equation[] = []
      const body = maskedSums(eq.body, eq, before, tensors)
      return body === eq.body ? [eq] : [...before, { ...eq, body }]
    })
    return { ...stage, equations }
  })
  return tensors.into(entry, stages)
}

function maskedSums(e: Scalar, eq: Equation, before: Equation[], tensors: Temporaries): Scalar {
  if (e.kind === 'reduce' && e.op === 'sum' && e.type === 'f32') {
    return maskedSum(e, eq, before, tensors) ?? e
  }
  return mapChildren(e, (child) => maskedSums(child, eq, before, tensors))
}

function maskedSum(
  sum: Reduce,
  eq: Equation,
  before: Equation[],
  tensors: Temporaries,
): Scalar | undefined {
  const { body } = sum
  if (body.kind !== 'select' || !isConst(body.otherwise, 0)) return undefined
  const factors = factorsOf(body.then)
  if (!factors) return undefined
  const used = freeIndices(body)
  const scope = new Map(
    [...eq.outs, ...sum.over].filter((i) => used.has(i.name)).map((i) => [i.name, i]),
  )
  const points = (of: Iterable<Index>): number => [...of].reduce((n, i) => n * i.extent.size, 1)
  const tested = [...freeIndices(body.test)]
  const masked = factors.find((f): f is Read => {
    if (f.kind !== 'read') return false
    const free = freeIndices(f)
    const own = [...free].map((name) => scope.get(name))
    return (
      tested.every((name) => free.has(name)) &&
      own.every((i) => i !== undefined) &&
      fewest * points(own as Index[]) <= points(scope.values())
    )
  })
  if (!masked) return undefined
  const outs = [...freeIndices(masked)].map((name) => scope.get(name)!)
  const shape = outs.map((i) => i.extent)
  const tensor = tensors.temp(`${masked.tensor}_masked`, shape, eq.origin)
  before.push({
    target: tensor.name,
    outs,
    at: undefined,
    body: select(body.test, masked, body.otherwise),
    origin: eq.origin,
  })
  const value = read(
    tensor,
    outs.map((i) => index(i)),
  )
  return { ...sum, body: replaced(body.then, masked, value) }
}

/** The factors of a product of tensors and constants, which may be divided by constants. */
function factorsOf(e: Scalar): Scalar[] | undefined {
  if (e.kind === 'read' || e.kind === 'const') return [e]
  if (e.kind === 'unary' && e.op === 'neg') return factorsOf(e.value)
  if (e.kind !== 'binary') return undefined
  if (e.op === 'div' && e.right.kind === 'const') return factorsOf(e.left)
  if (e.op !== 'mul') return undefined
  const left = factorsOf(e.left)
  const right = left && factorsOf(e.right)
  return right && [...left, ...right]
}

function replaced(e: Scalar, from: Scalar, to: Scalar): Scalar {
  if (e === from) return to
  if (e.kind === 'binary') {
    return binary(e.op, replaced(e.left, from, to), replaced(e.right, from, to))
  }
  return e.kind === 'unary' ? mapChildren(e, (child) => replaced(child, from, to)) : e
}
