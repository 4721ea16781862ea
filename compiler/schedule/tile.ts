/**
 * Chooses how a loop group runs: which index goes along the vector lanes, which along the rows of the register tile,
 * and how large the tile is. In: the equations of a loop group. Out: a `LoopNest`.
 *
 * A reduction runs either with an output index along the lanes (`plain`: y[n, o..o+3] += x[n, i] * W[i, o..o+3]), or
 * with a reduced index along them (`dot`: partial sums that are added up at the end), whichever reads with unit
 * stride. The choice depends on the equation alone, never on tile sizes, because it fixes the order of the sum.
 */
import { extentsIn, rangeOf } from '../ir/affine.ts'
import { visit } from '../ir/traverse.ts'
import type { Equation, Index, Scalar } from '../ir/types.ts'
import { type Access, accessOf, isUniformTest, laneStride, motion } from './access.ts'
import { type Blocks, blocksApart, blocksOf, type Footprint, footprint } from './block.ts'
import { reductionOf } from './canonical.ts'
import { dotTile, isFar, plainTile, type Tile } from './registers.ts'
import { stagedValue } from './stage.ts'
import { type Triangle, termsWithin, wantedWithin } from './triangle.ts'
import type { LoopNest, Reduction, Value } from './types.ts'

type Read = Extract<Scalar, { kind: 'read' }>

interface Operand {
  readonly access: Access
  /** Indices along which a range check of a guarded read changes within a vector. */
  readonly guards: ReadonlySet<string>
  readonly elements: number
  readonly footprint: Footprint
}

export interface TileOptions {
  readonly shapeOf: (tensor: string) => readonly number[]
  readonly isStored: (tensor: string) => boolean
  /** See `ScheduleOptions`. */
  readonly cache: number
  /** Whether the target is written straight over a persistent tensor, which its equation may read. */
  readonly isInPlace: (target: string) => boolean
  /** Whether the target is the next value of what an optimizer or a layer keeps from step to step. */
  readonly isState: (target: string) => boolean
  /** Which elements of a tensor are zeros. */
  readonly triangleOf?: (tensor: string) => Triangle | undefined
}

/** `fixed` are indices of loops that are already there: the row of an enclosing row nest, the times of loops around. */
export function tile(
  equations: readonly Equation[],
  fixed: ReadonlySet<string>,
  options: TileOptions,
): LoopNest {
  const first = equations[0]!
  const outs = first.outs.filter((i) => !fixed.has(i.name))
  const node = reductionOf(first)
  const made = new Set(equations.map((e) => e.target))
  const inner = operandsOf(first, node ? node.body : first.body, made, options)
  const all =
    equations.length === 1 && node === first.body
      ? inner
      : equations.flatMap((e) => operandsOf(e, e.body, made, options))
  const stores = equations
    .filter((e) => e.at || options.isStored(e.target))
    .map((e) => ({ equation: e, access: storeAccess(e, options) }))

  const costs: { lanes: Index | undefined; dot: string | undefined; cost: number }[] = []
  const points = node ? node.over.reduce((n, i) => n * i.extent.size, 1) : 1
  for (const lanes of outs) {
    if (!fitsLanes(lanes) || !stores.every((s) => canStore(s.equation, s.access, lanes))) continue
    const strided = stores.filter((s) => motion(s.access, lanes.name) === 'strided').length
    costs.push({
      lanes,
      dot: undefined,
      cost: node
        ? laneCost(lanes, inner) + (laneCost(lanes, all) + 1.5 * strided) / points
        : laneCost(lanes, all, outs) + 1.5 * strided,
    })
  }
  if (node && (node.op === 'sum' || node.op === 'max' || node.op === 'min' || node.op === 'prod')) {
    for (const k of node.over) {
      if (!fitsLanes(k) || k.extent.size < 4) continue
      const lanes = [...outs]
        .reverse()
        .find((i) => fitsLanes(i) && stores.every((s) => canStore(s.equation, s.access, i)))
      costs.push({ lanes, dot: k.name, cost: laneCost(k, inner) + 2 / points })
    }
  }
  costs.push({ lanes: undefined, dot: undefined, cost: 1 + all.length })
  const best = costs.reduce((a, b) => (b.cost < a.cost - 1e-9 ? b : a))

  const reduction: Reduction | undefined = node && {
    node,
    op: node.op,
    over: node.over,
    body: node.body,
    lane: best.dot,
    within:
      node.op === 'sum' && !best.dot && options.triangleOf
        ? termsWithin(node.body, node.over, first.outs, options.triangleOf)
        : undefined,
  }
  const values: Value[] = equations.map((e) => ({
    target: e.target,
    at: e.at,
    body: e.body,
    stored: e.at !== undefined || options.isStored(e.target),
    flushed: options.isState(e.target),
  }))
  const shape = chooseTile(
    outs,
    best.lanes,
    best.dot,
    node !== undefined,
    node ? inner : all,
    equations.length === 1 && first.body.kind === 'read',
  )
  const loops = outs.filter((i) => i !== shape.rows && i !== best.lanes)
  const alone =
    equations.length === 1 &&
    !first.at &&
    fixed.size === 0 &&
    node === first.body &&
    !options.isInPlace(first.target)
  const { rows, rowTile } = shape
  const { lanes } = best
  const summed = alone && node.op === 'sum' && node.type === 'f32' && !best.dot && rows && lanes
  const blocks = summed ? blocksIn(node.over, loops, shape, lanes, inner, options.cache) : undefined
  const rowBlock =
    node && best.dot && rows && lanes
      ? rowBlockOf(shape, lanes, node.over, inner, options.cache)
      : undefined
  const lanesOuter = shape.lanesOuter || rowBlock !== undefined
  // In a loop over time a value may be written over that of the step before.
  const staged =
    fixed.size === 0 && rows && node?.type === 'f32'
      ? stagedValue(values, node, rowTile, options.isInPlace)
      : undefined
  const wanted = wantedWithin(equations, options.isStored)
  const order = { ...shape, lanesOuter, rowBlock }
  return { kind: 'loops', loops, lanes, reduction, blocks, staged, wanted, values, ...order }
}

function blocksIn(
  over: readonly Index[],
  loops: readonly Index[],
  shape: Shape,
  lanes: Index,
  operands: readonly Operand[],
  cache: number,
): Blocks | undefined {
  const rows = shape.rows!
  const { rowTile, laneTile, lanesOuter } = shape
  const sides = [
    { index: rows, tile: rowTile },
    { index: lanes, tile: 4 * laneTile },
  ] as const
  const [outer, inner] = lanesOuter ? [sides[1], rows] : [sides[0], lanes]
  const reads = operands.map((o) => o.footprint)
  const blocks = blocksOf({ over, loops, outer, inner, reads }, cache)
  // With a cache that holds everything nothing lies badly in it.
  if (blocks || loops.length > 0 || cache === Number.POSITIVE_INFINITY) return blocks
  const [ofRows, ofLanes] = sides.map(({ index, tile }) => ({
    reads: operands.filter((o) => moves(o, index)).map((o) => o.access),
    span: tile,
  }))
  return blocksApart({ over, rows: ofRows!, lanes: ofLanes! })
}

/** Whether the sum of this equation, made alone, would run in blocks. */
export function runsInBlocks(equation: Equation, options: AloneOptions): boolean {
  const node = reductionOf(equation)
  return node !== undefined && node === equation.body && !!tileAlone(equation, options).blocks
}

type AloneOptions = Pick<TileOptions, 'shapeOf' | 'cache'> & Partial<Pick<TileOptions, 'isInPlace'>>

/** The loops of an equation that is computed on its own, to memory of its own; `times` are the indices of loops around it. */
export const tileAlone = (
  equation: Equation,
  options: AloneOptions,
  times: readonly Index[] = [],
): LoopNest =>
  tile([equation], new Set(times.map((i) => i.name)), {
    isInPlace: () => false,
    ...options,
    isStored: () => true,
    isState: () => false,
  })

const fitsLanes = (i: Index): boolean => i.extent.bound === undefined

function operandsOf(
  equation: Equation,
  body: Scalar,
  made: ReadonlySet<string>,
  options: TileOptions,
): Operand[] {
  const extents = extentsIn(equation)
  const operands: Operand[] = []
  const seen = new Set<string>()
  visit(body, (e) => {
    if (e.kind !== 'read' || made.has(e.tensor)) return
    const key = JSON.stringify(e)
    if (seen.has(key)) return
    seen.add(key)
    const shape = options.shapeOf(e.tensor)
    operands.push({
      access: accessOf(e.at, shape),
      guards: guardIndices(e, shape, extents),
      elements: shape.reduce((a, b) => a * b, 1),
      footprint: footprint(e.at, shape),
    })
  })
  return operands
}

function guardIndices(
  e: Read,
  shape: readonly number[],
  extents: ReturnType<typeof extentsIn>,
): Set<string> {
  const names = new Set<string>()
  if (!e.guarded) return names
  e.at.forEach((position, d) => {
    const range = rangeOf(position, extents)
    if (range && range.min >= 0 && range.max < shape[d]!) return
    visit(position, (node) => {
      if (node.kind === 'index' && !isUniformTest(position, shape[d]!, node.name)) {
        names.add(node.name)
      }
    })
  })
  return names
}

function storeAccess(equation: Equation, options: TileOptions): Access {
  const at = equation.at ?? equation.outs.map((i): Scalar => ({ kind: 'index', name: i.name }))
  return accessOf(at, options.shapeOf(equation.target))
}

/** A scatter may run along lanes only if neighbouring lanes meet neighbouring elements. */
function canStore(equation: Equation, access: Access, lanes: Index): boolean {
  if (!equation.at) return true
  return !access.computedBy.has(lanes.name) && motion(access, lanes.name) === 'unit'
}

/** Estimated cost of one element when `lane` goes along the lanes, where one of `rows` may go along the tile's rows. */
function laneCost(lane: Index, operands: readonly Operand[], rows: readonly Index[] = []): number {
  const size = lane.extent.size
  const vectors = Math.ceil(size / 4) / size
  let cost = vectors
  for (const operand of operands) {
    if (operand.guards.has(lane.name) || laneStride(operand.access, lane.name) === undefined) {
      cost += 4
    } else if (motion(operand.access, lane.name) === 'strided') {
      cost += rows.some((i) => isTransposed(operand, lane, i)) ? 0.75 : 1.5
    } else cost += vectors
  }
  return cost
}

/** Whether 4 × 4 blocks of the operand can be loaded along `row` and turned in registers. */
const isTransposed = ({ access, guards }: Operand, lane: Index, row: Index): boolean =>
  row !== lane &&
  fitsLanes(row) &&
  row.extent.size >= 4 &&
  guards.size === 0 &&
  access.strides.get(row.name) === 1 &&
  !access.computedBy.has(row.name) &&
  motion(access, lane.name) === 'strided'

type Shape = Pick<LoopNest, 'rows' | 'rowTile' | 'laneTile' | 'lanesOuter'>

function chooseTile(
  outs: readonly Index[],
  lanes: Index | undefined,
  dot: string | undefined,
  reduces: boolean,
  operands: readonly Operand[],
  bare: boolean,
): Shape {
  const vectors = lanes ? Math.ceil(lanes.extent.size / 4) : 1
  const none: Shape = { rows: undefined, rowTile: 1, laneTile: 1, lanesOuter: false }
  if (!reduces) {
    const turned = lanes && outs.find((i) => operands.some((o) => isTransposed(o, lanes, i)))
    if (!turned) return { ...none, laneTile: Math.min(vectors, 2) }
    // A plain copy takes whole cache lines.
    const most = bare ? 16 : 4
    return { ...none, rows: turned, rowTile: Math.min(most, turned.extent.size & ~3) }
  }

  const ofLanes = operands.filter((o) => moves(o, lanes))
  const tileOf = (i: Index | undefined): Tile =>
    dot
      ? dotTile(i)
      : plainTile(
          i,
          vectors,
          Math.max(ofLanes.length, 1),
          operands.filter((o) => moves(o, i)).length,
          isFar(ofLanes.map((o) => o.elements)),
        )
  let rows: Index | undefined
  let most = 0
  let tile = tileOf(undefined)
  // The innermost index whose rows share most: its neighbours are near in memory. Another where its tiles fit much better.
  for (const i of [...outs].reverse()) {
    if (i === lanes || i.extent.size < 2) continue
    const shared = operands.filter((o) => !moves(o, i) && (moves(o, lanes) || !lanes)).length
    if (shared === 0 || shared < most) continue
    const own = tileOf(i)
    if (shared === most && own.cost >= 0.9 * tile.cost) continue
    rows = i
    most = shared
    tile = own
  }
  const { rowTile, laneTile } = tile
  const ofRows = operands.filter((o) => moves(o, rows))
  const bytes = (list: readonly Operand[]): number => list.reduce((sum, o) => sum + o.elements, 0)
  return {
    rows,
    rowTile,
    laneTile,
    lanesOuter: rows !== undefined && bytes(ofLanes) > bytes(ofRows),
  }
}

/** How many rows stay in the cache, where neither what the rows read nor what the lanes read does as a whole. */
function rowBlockOf(
  { rows, rowTile }: Shape,
  lanes: Index,
  over: readonly Index[],
  operands: readonly Operand[],
  cache: number,
): number | undefined {
  const sizes = new Map(over.map((i) => [i.name, i.extent.size]))
  const bytes = (i: Index, count: number): number =>
    operands
      .filter((o) => moves(o, i))
      .reduce(
        (sum, o) => sum + 4 * o.footprint((k) => (k === i.name ? count : (sizes.get(k) ?? 1))),
        0,
      )
  const size = rows!.extent.size
  if (Math.min(bytes(rows!, size), bytes(lanes, lanes.extent.size)) <= cache) return undefined
  const fitting = cache / (bytes(rows!, size) / size)
  const block = Math.max(1, Math.floor(fitting / rowTile)) * rowTile
  return block < size ? block : undefined
}

const moves = ({ access }: Operand, i: Index | undefined): boolean =>
  i !== undefined && (access.strides.has(i.name) || access.computedBy.has(i.name))
