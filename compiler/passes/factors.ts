/**
 * Factors of the backward pass that share a scalar function with the forward pass are computed there, beside it, and kept
 * in the place of what they are made of:
 *
 *   y[n]   = x[n] * sigmoid(x[n])
 *   d_x[n] = d_y[n] * (sigmoid(x[n]) + x[n] * sigmoid(x[n]) * (1 - sigmoid(x[n])))
 *
 *   y_factor[n] = sigmoid(x[n]) + x[n] * sigmoid(x[n]) * (1 - sigmoid(x[n]))
 *   d_x[n]      = d_y[n] * y_factor[n]
 *
 * The two are one kernel, which calls the function once, and where nothing else reads x it is not stored. In and out: a
 * program. What waits (a checkpoint's copies) and what is in a loop over time stays as it is.
 */
import { index, read, typeOf } from '../ir/build.ts'
import { transcendental } from '../ir/operators.ts'
import { targetsInLoops } from '../ir/recurrence.ts'
import { Temporaries } from '../ir/temporaries.ts'
import { mapChildren, some, substitute, visit } from '../ir/traverse.ts'
import type { Entry, Equation, Scalar, Stage, Tensor } from '../ir/types.ts'
import { keyOf } from './key.ts'
import { mapEntries, type Pass } from './pass.ts'

export const factors: Pass = {
  name: 'factors',
  description: 'compute factors of the backward pass beside the functions that they share',
  run: (program) => mapEntries(program, (entry) => entryWithFactors(entry, program.tensors)),
}

/** An equation that calls functions of what it reads at its own element. */
interface Home {
  readonly equation: Equation
  /** What it reads there. */
  readonly reads: ReadonlySet<string>
  /** Factors to compute beside it, by their keys. */
  readonly factors: Map<string, Factor>
}

interface Factor {
  readonly tensor: Tensor
  readonly equation: Equation
}

function entryWithFactors(entry: Entry, persistent: readonly Tensor[]): Entry {
  const tensors = new Temporaries(persistent, entry.tensors)
  const stages = entry.stages.map((stage) => stageWithFactors(stage, tensors))
  return tensors.into(entry, stages)
}

function stageWithFactors(stage: Stage, tensors: Temporaries): Stage {
  const looped = targetsInLoops(stage.equations)
  const homes = new Map<string, Home>()
  const of = new Map<Equation, Home>()

  const factorOf = (e: Scalar, eq: Equation, home: Home): Scalar => {
    const key = localKey(e, eq)
    let factor = home.factors.get(key)
    if (!factor) {
      const { outs, origin } = home.equation
      const shape = outs.map((i) => i.extent)
      const tensor = tensors.temp(`${home.equation.target}_factor`, shape, eq.origin)
      const by = new Map(eq.outs.map((i, d) => [i.name, index(outs[d]!)]))
      const target = tensor.name
      factor = {
        tensor,
        equation: { target, outs, at: undefined, body: substitute(e, by), origin },
      }
      home.factors.set(key, factor)
    }
    return read(
      factor.tensor,
      eq.outs.map((i) => index(i)),
    )
  }

  /** The home of a function that `e` calls, if all of `e` can be computed there. */
  const homeOf = (e: Scalar, eq: Equation): Home | undefined => {
    if (typeOf(e) !== 'f32' || !isLocal(e, eq)) return undefined
    let home: Home | undefined
    visit(e, (node) => {
      if (isCall(node)) home ??= homes.get(localKey(node, eq))
    })
    const reads = home && readsIn(e)
    return reads && [...reads].every((name) => home!.reads.has(name)) ? home : undefined
  }

  const withFactors = (e: Scalar, eq: Equation): Scalar => {
    if (e.kind === 'reduce' || e.kind === 'read') return e
    const home = homeOf(e, eq)
    return home ? factorOf(e, eq, home) : mapChildren(e, (child) => withFactors(child, eq))
  }

  const equations = stage.equations.map((eq) => {
    if (eq.at || eq.after || looped.has(eq.target)) return eq
    // What is nothing but a function of the same is no backward pass.
    const body = homeOf(eq.body, eq) ? eq.body : withFactors(eq.body, eq)
    const after = body === eq.body ? eq : { ...eq, body }
    const home: Home = { equation: after, reads: localReads(eq), factors: new Map() }
    visit(eq.body, (node) => {
      if (!isCall(node) || !isLocal(node, eq)) return
      const key = localKey(node, eq)
      if (homes.has(key)) return
      homes.set(key, home)
      of.set(after, home)
    })
    return after
  })
  return {
    ...stage,
    equations: equations.flatMap((eq) => {
      const made = of.get(eq)?.factors.values() ?? []
      return [eq, ...[...made].map((factor) => factor.equation)]
    }),
  }
}

/** Whether it costs more than to store its value and load it again. */
const isCall = (e: Scalar): boolean => e.kind === 'unary' && transcendental.has(e.op)

type Read = Extract<Scalar, { kind: 'read' }>

const isOwn = (e: Read, { outs }: Equation): boolean =>
  !e.guarded &&
  e.at.length === outs.length &&
  e.at.every((p, d) => p.kind === 'index' && p.name === outs[d]!.name)

/** Whether `e` is a function of what the equation reads at its own element, and reads something. */
function isLocal(e: Scalar, eq: Equation): boolean {
  let reads = 0
  const other = some(e, (node) => {
    if (node.kind === 'read') reads++
    return (
      node.kind === 'reduce' ||
      node.kind === 'random' ||
      node.kind === 'stopgrad' ||
      (node.kind === 'read' && !isOwn(node, eq))
    )
  })
  return reads > 0 && !other
}

function readsIn(e: Scalar): Set<string> {
  const names = new Set<string>()
  visit(e, (node) => {
    if (node.kind === 'read') names.add(node.tensor)
  })
  return names
}

/** What the equation reads at its own element, outside of sums. */
function localReads(eq: Equation): Set<string> {
  const names = new Set<string>()
  visit(eq.body, (node) => {
    if (node.kind === 'read' && isOwn(node, eq)) names.add(node.tensor)
  })
  return names
}

/** The same for the same expression at the same element of an equal domain. */
function localKey(e: Scalar, { outs }: Equation): string {
  const names = new Map(outs.map((i, d) => [i.name, `.${d}`]))
  const extents = outs.map((i) => `${i.extent.size}${i.extent.bound ?? ''}`)
  return `${extents.join()} ${keyOf(e, names)}`
}
