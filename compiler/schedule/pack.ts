/**
 * Operands of large products that the register tiles would read with a bad stride are copied first, in the order in which
 * the tiles read them. In: a canonical entry. Out: the entry, with a temp and an equation more for each copy.
 *
 *     dW[i, o] = sum[n, t](x[n, t, i] * dy[n, t, o])
 *  →  x.pack[i, n, t] = x[n, t, i]
 *     dy.pack[p, n, t, q: 8] = dy[n, t, 8 p + q]
 *     dW[i, o] = sum[n, t](x.pack[i, n, t] * dy.pack[o / 8, n, t, o % 8])
 *
 * A tile reads a few neighbours at each step of the sum. Where the next step is a row of a large matrix further on, each of
 * them is in another line of the cache and, in larger matrices, on another page, and of lines a power of two apart the cache
 * holds few. The copy is worth it where each element is read by many tiles. All equations of a stage share it.
 * No sum changes its order, so no result changes a bit.
 */
import { add, binary, index, int, mul, read, staticExtent } from '../ir/build.ts'
import { order, type Step } from '../ir/recurrence.ts'
import { Temporaries } from '../ir/temporaries.ts'
import { children, mapChildren, substitute } from '../ir/traverse.ts'
import type { Entry, Equation, Index, Scalar, Stage, Tensor } from '../ir/types.ts'
import { type Access, accessOf } from './access.ts'
import { reductionOf } from './canonical.ts'
import { type Strain, strainOf } from './strain.ts'
import { tileAlone } from './tile.ts'
import type { LoopNest } from './types.ts'

type Read = Extract<Scalar, { kind: 'read' }>

/** By how many tiles an element must be read for the copy to be cheaper than what it saves. */
const fewestUses = 8
/** The same where what it saves is only to fetch each step's line from the second-level cache. */
const fewestNear = 64

export function packReads(
  entry: Entry,
  persistent: ReadonlyMap<string, Tensor>,
  cache: number,
): Entry {
  const tensors = new Temporaries(persistent.values(), entry.tensors)
  const stages = entry.stages.map((stage) => packStage(stage, tensors, cache))
  return tensors.into(entry, stages)
}

function packStage(stage: Stage, tensors: Temporaries, cache: number): Stage {
  const times = timesIn(order(stage.equations))
  const { shapeOf } = tensors
  const copies = new Map<string, Tensor>()
  const equations: Equation[] = []
  const packed = (equation: Equation): Equation => {
    const node = reductionOf(equation)
    if (node?.op !== 'sum' || node.type !== 'f32') return equation
    const around = equation.outs.filter((i) => times.get(equation.target)?.has(i.name))
    const nest = tileAlone(equation, { shapeOf, cache }, around)
    const replacements = packingOf(nest, node.body, shapeOf, around)
    if (replacements.length === 0) return equation
    const plain = new Map(
      replacements.flatMap(({ of, outs, at, place }) => {
        // What a loop over time makes is not whole before the loop ends.
        if (times.has(of.tensor)) return []
        const from = tensors.find(of.tensor)!
        const key = JSON.stringify([of.tensor, at, outs.map((i) => i.extent)])
        let copy = copies.get(key)
        if (!copy) {
          const shape = outs.map((i) => i.extent)
          copy = tensors.temp(`${of.tensor}.pack`, shape, from, from.dtype)
          copies.set(key, copy)
          const { origin } = equation
          equations.push({ target: copy.name, outs, at: undefined, body: read(from, at), origin })
        }
        return [[JSON.stringify(of), read(copy, place)] as const]
      }),
    )
    const replace = (e: Scalar): Scalar => {
      if (e === node) return { ...node, body: within(node.body) }
      return mapChildren(e, replace)
    }
    const within = (e: Scalar): Scalar =>
      (e.kind === 'read' && plain.get(JSON.stringify(e))) || mapChildren(e, within)
    return { ...equation, body: replace(equation.body) }
  }
  for (const equation of stage.equations) equations.push(packed(equation))
  return { ...stage, equations }
}

/** Per target of an equation in loops over time, which of its indices are their times. */
function timesIn(
  steps: readonly Step[],
  found = new Map<string, Set<string>>(),
): Map<string, Set<string>> {
  for (const step of steps) {
    if (step.kind !== 'loop') continue
    for (const [target, name] of step.time) {
      found.set(target, (found.get(target) ?? new Set()).add(name))
    }
    timesIn(step.steps, found)
  }
  return found
}

/** A copy to make of what `of` reads, and where to read it. */
interface Packing {
  readonly of: Read
  readonly outs: readonly Index[]
  readonly at: readonly Scalar[]
  readonly place: readonly Scalar[]
}

interface Operand {
  readonly read: Read
  readonly access: Access
  readonly strain: Strain
}

function packingOf(
  nest: LoopNest,
  body: Scalar,
  shapeOf: (name: string) => readonly number[],
  times: readonly Index[],
): Packing[] {
  const { rows, lanes, rowTile, laneTile, reduction, blocks } = nest
  if (!rows || !lanes || !reduction || reduction.lane) return []
  const over = reduction.over.slice(blocks?.levels ?? 0)
  const width = 4 * laneTile
  const operands = (i: Index, other: Index, span: number): Operand[] =>
    readsIn(body).flatMap((e) => {
      const access = accessOf(e.at, shapeOf(e.tensor))
      const moves = (k: Index): boolean => access.strides.has(k.name)
      if (e.guarded || e.type !== 'f32' || access.computed.length > 0) return []
      if (!moves(i) || moves(other) || times.some(moves)) return []
      return [{ read: e, access, strain: strainOf(access, over, span) }]
    })
  const ofRows = operands(rows, lanes, rowTile)
  const ofLanes = operands(lanes, rows, width)
  const crowded = ofLanes.some((o) => o.strain !== 'none')
  const all = [...nest.loops, rows, lanes, ...reduction.over]
  const volume = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1)
  // A copy serves all steps of the loops around.
  const turns = volume(times.map((i) => i.extent.size))
  const fitting = (o: Operand, uses: number, packing: Packing): Packing[] => {
    const size = volume(packing.outs.map((i) => i.extent.size))
    return uses >= fewestUses && size <= volume(shapeOf(o.read.tensor)) ? [packing] : []
  }
  const moved = (o: Operand): Index[] => all.filter((i) => o.access.strides.has(i.name))
  return [
    ...ofRows.flatMap((o) => {
      if (o.strain !== 'far' && !(o.strain !== 'none' && crowded)) return []
      const sorted = [
        ...moved(o).filter((i) => nest.loops.includes(i)),
        rows,
        ...moved(o).filter((i) => reduction.over.includes(i)),
      ]
      return fitting(o, (turns * lanes.extent.size) / width, packing(o.read, sorted))
    }),
    ...ofLanes.flatMap((o) => {
      const loops = moved(o).filter((i) => nest.loops.includes(i))
      const uses = (turns * rows.extent.size) / rowTile
      const again = volume(nest.loops.filter((i) => !loops.includes(i)).map((i) => i.extent.size))
      const worth = o.strain === 'far' || (o.strain === 'crammed' && uses * again >= fewestNear)
      if (!worth || lanes.extent.size % width !== 0) return []
      const sums = moved(o).filter((i) => reduction.over.includes(i))
      return fitting(o, uses, panels(o.read, loops, lanes, sums, width))
    }),
  ]
}

/** The reads of `e` that are not in a reduction of its own. */
function readsIn(e: Scalar): Read[] {
  const found = new Map<string, Read>()
  const walk = (node: Scalar): void => {
    if (node.kind === 'read') found.set(JSON.stringify(node), node)
    else if (node.kind !== 'reduce') for (const child of children(node)) walk(child)
  }
  walk(e)
  return [...found.values()]
}

/** A copy whose dimensions are these indices in their order. */
function packing(of: Read, order: readonly Index[]): Packing {
  const outs = order.map((i, d): Index => ({ name: `p${d}`, extent: i.extent }))
  const by = new Map(order.map((i, d) => [i.name, index(outs[d]!)]))
  return {
    of,
    outs,
    at: of.at.map((p) => substitute(p, by)),
    place: order.map((i) => index(i)),
  }
}

/** A copy in which the `width` columns that a tile reads lie side by side, step after step of the sum. */
function panels(
  of: Read,
  loops: readonly Index[],
  lanes: Index,
  sums: readonly Index[],
  width: number,
): Packing {
  const panel: Index = { name: lanes.name, extent: staticExtent(lanes.extent.size / width) }
  const order = [...loops, panel, ...sums]
  const outs = order.map((i, d): Index => ({ name: `p${d}`, extent: i.extent }))
  const column: Index = { name: `p${order.length}`, extent: staticExtent(width) }
  const by = new Map(order.map((i, d): [string, Scalar] => [i.name, index(outs[d]!)]))
  by.set(lanes.name, add(mul(by.get(lanes.name)!, int(width)), index(column)))
  const digit = (op: 'div' | 'mod'): Scalar => binary(op, index(lanes), int(width))
  return {
    of,
    outs: [...outs, column],
    at: of.at.map((p) => substitute(p, by)),
    place: [...order.map((i) => (i === panel ? digit('div') : index(i))), digit('mod')],
  }
}
