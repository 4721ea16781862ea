/**
 * The equation of one cotangent from all that flows into it. Contributions that invert are terms of one sum; each that
 * does not is a scatter, into the cotangent itself when it is the only one, else into a temp that is added.
 */
import { add, binary, constant, index, int, read, reduce, select } from '../ir/build.ts'
import { children, freeIndices, freshName, renameBound, substitute } from '../ir/traverse.ts'
import type { Equation, Extent, Index, Origin, Scalar, Tensor } from '../ir/types.ts'
import { simplifyEquation } from '../passes/simplify.ts'
import { aligned } from './align.ts'
import { type Gather, gatherOf } from './invert.ts'
import type { Contribution } from './reverse.ts'
import { boundedFirst, type Scope } from './scope.ts'

const zero = constant(0)

export interface Flow {
  readonly contributions: readonly Contribution[]
  /** 1 for the loss: d_loss = 1. */
  readonly seed: number
}

/** Equations that define `cotangent`, shaped like `of`; the last is its own. */
export function accumulate(
  cotangent: Tensor,
  flow: Flow,
  names: readonly string[],
  scope: Scope,
): Equation[] {
  const { shape } = cotangent
  const origin: Origin = flow.contributions[0]?.origin ?? { span: cotangent.span, note: 'no use' }
  const gathers: Gather[] = []
  const scatters: Contribution[] = []
  const made: Equation[] = []
  for (const contribution of flow.contributions) {
    const whole = gatherOf(contribution, shape, scope.find)
    if (whole) {
      const { equation, gather } = placed(contribution, whole, cotangent, scope)
      if (equation) made.push(simplifyEquation(equation, scope.find))
      gathers.push(gather)
      continue
    }
    const { equation, contribution: summed } = presum(contribution, cotangent, scope)
    if (equation) made.push(simplifyEquation(equation, scope.find))
    const gather = equation && gatherOf(summed, shape, scope.find)
    if (gather) gathers.push(gather)
    else scatters.push(aligned(summed, shape, scope.find))
  }
  if (gathers.length === 0 && scatters.length === 1 && flow.seed === 0) {
    const own = scatterOf(cotangent.name, scatters[0]!, cotangent)
    return [...made, simplifyEquation(own, scope.find)]
  }
  const outs = outIndices(cotangent, gathers, names)
  const taken = new Set(outs.map((i) => i.name))
  const terms: Scalar[] = flow.seed === 0 ? [] : [constant(flow.seed)]
  for (const gather of gathers) {
    const by = new Map(gather.outs.map((i, k) => [i.name, index(outs[k]!)]))
    terms.push(substitute(renameBound(gather.body, taken), by))
  }
  for (const scatter of scatters) {
    const part = scope.temp(`${cotangent.name}_part`, shape, cotangent)
    made.push(simplifyEquation(scatterOf(part.name, scatter, cotangent), scope.find))
    terms.push(
      read(
        part,
        outs.map((i) => index(i)),
      ),
    )
  }
  const body = terms.length === 0 ? zero : terms.reduce((a, b) => add(a, b))
  const whole: Equation = { target: cotangent.name, outs, at: undefined, body, origin }
  made.push(simplifyEquation(whole, scope.find))
  return made
}

/** Named after the domain indices of the contributions, else after the tensor's own equation. */
function outIndices(tensor: Tensor, gathers: readonly Gather[], names: readonly string[]): Index[] {
  const taken = new Set<string>()
  return tensor.shape.map((extent, k) => {
    // Of several the shortest: `i2` was renamed apart from an `i` that means the same.
    const hints = gathers.flatMap((g) => g.names[k] ?? [])
    const hint = hints.sort((a, b) => a.length - b.length)[0]
    const name = freshName(hint ?? names[k] ?? 'i', taken)
    taken.add(name)
    return { name, extent }
  })
}

/**
 * What is long and fills a small part of the cotangent is computed there alone, as a tensor which the cotangent takes in
 * at its place: `z[j + 128]` in one of four gates sends nothing to the other three.
 */
function placed(
  c: Contribution,
  whole: Gather,
  like: Tensor,
  scope: Scope,
): { readonly equation: Equation | undefined; readonly gather: Gather } {
  const outs = boundedFirst(c.domain)
  const bounded = outs.filter((i) => i.extent.bound !== undefined)
  const extents = outs.map((i) => i.extent)
  const small = 2 * volume(extents) <= volume(like.shape)
  if (!small || bounded.length > 1 || operations(c.value) < 2) {
    return { equation: undefined, gather: whole }
  }
  const tensor = scope.temp(`${like.name}_part`, extents, like)
  const value = read(
    tensor,
    outs.map((i) => index(i)),
  )
  const gather = gatherOf({ ...c, value }, like.shape, scope.find)
  if (!gather) return { equation: undefined, gather: whole }
  return {
    equation: { target: tensor.name, outs, at: undefined, body: c.value, origin: c.origin },
    gather,
  }
}

/** Arithmetic outside of positions. */
function operations(e: Scalar): number {
  if (e.kind === 'read') return 0
  const own = e.kind === 'unary' || e.kind === 'binary' || e.kind === 'reduce' ? 1 : 0
  return children(e).reduce((n, child) => n + operations(child), own)
}

const volume = (extents: readonly Extent[]): number => extents.reduce((n, x) => n * x.size, 1)

/**
 * The contribution summed beforehand over the domain indices that its positions do not use, so that what is left to
 * place is small: `x[n, 0]` for all n is one number. As it is where there are none.
 */
function presum(
  c: Contribution,
  like: Tensor,
  scope: Scope,
): { readonly equation: Equation | undefined; readonly contribution: Contribution } {
  const used = new Set(c.at.flatMap((p) => [...freeIndices(p)]))
  const outs = boundedFirst(c.domain.filter((i) => used.has(i.name)))
  const over = c.domain.filter((i) => !used.has(i.name))
  const bounded = outs.filter((i) => i.extent.bound !== undefined)
  if (over.length === 0 || bounded.length > 1) return { equation: undefined, contribution: c }
  const extents = outs.map((i) => i.extent)
  const tensor = scope.temp(`${like.name}_sum`, extents, like)
  const sum = reduce('sum', over, c.value)
  const equation = { target: tensor.name, outs, at: undefined, body: sum, origin: c.origin }
  const positions = outs.map((i) => index(i))
  return { equation, contribution: { ...c, domain: outs, value: read(tensor, positions) } }
}

/** The contribution as a scatter over its domain. */
function scatterOf(target: string, c: Contribution, like: Tensor): Equation {
  const outs = c.domain
  const sum = c.value
  if (!c.guarded) return { target, outs, at: c.at, body: sum, origin: c.origin }
  // A guarded read took nothing from outside, so nothing is written there.
  const limits = like.shape.map(
    (x): Scalar => (x.bound === undefined ? int(x.size) : { kind: 'count', dim: x.bound }),
  )
  const inside = c.at.flatMap((p, k) => [binary('ge', p, int(0)), binary('lt', p, limits[k]!)])
  const at = c.at.map((p, k) =>
    binary('min', binary('max', p, int(0)), binary('sub', limits[k]!, int(1))),
  )
  const body = select(
    inside.reduce((a, b) => binary('and', a, b)),
    sum,
    zero,
  )
  return { target, outs, at, body, origin: c.origin }
}
