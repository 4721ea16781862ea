/**
 * Reads and writes. Loads take the cheapest form their motion along the lanes allows: one element for all lanes, four
 * neighbours at once, or lane by lane. Positions from data are clamped, guarded reads give 0 outside; partial vectors
 * at the end of a row touch only their own elements.
 */
import { isDataDependent } from '../ir/affine.ts'
import { freeIndices } from '../ir/traverse.ts'
import type { Scalar } from '../ir/types.ts'
import { type Access, accessOf, isUniformTest, laneStride } from '../schedule/access.ts'
import type { Slot } from '../schedule/types.ts'
import { i32, type Ref, v128 } from './assembler.ts'
import { bytesOfLanes } from './combine.ts'
import { type Context, inLane, varyingIndex, withIndex } from './context.ts'
import type { Int, Value } from './function.ts'
import { integer, integerOf } from './integer.ts'
import { reachOf } from './pieces.ts'

type Read = Extract<Scalar, { kind: 'read' }>

interface Place {
  readonly pointer: Value
  /** Bytes from the pointer, not negative. */
  readonly offset: number
}

export function load(e: Read, context: Context): Value {
  const { build, slots } = context.kernel
  const { module } = build
  const entry = slots.get(e.tensor)!
  const { slot } = entry
  const access = accessOf(e.at, slot.shape, slot.folded)
  const guard = guardOf(e, slot, context)
  if (guard.some((g) => isOutside(g, context))) {
    return build.value('outside', v128, [], () => module.v128.const(new Uint8Array(16)))
  }
  const lanes = varyingIndex(context)
  const uniform = ({ position, size }: Guard): boolean =>
    typeof size === 'number'
      ? isUniformTest(position, size, lanes!)
      : !freeIndices(position).has(lanes!)
  const stride = lanes === undefined ? 0 : laneStride(access, lanes)
  if (stride === undefined || (lanes !== undefined && !guard.every(uniform))) {
    return gather(e, context)
  }
  // Where all lanes go together, the first one says where and whether.
  const first = lanes === undefined ? context : inLane(context, 0)
  const quad = stride > 1 && context.width === 4 && guard.length === 0 ? context.quad : undefined
  if (quad && access.strides.get(quad.index) === 1 && !access.computedBy.has(quad.index)) {
    return loadTransposed(e, entry, access, first, stride, quad)
  }
  const place = placeOf(entry, access, first)
  const test = guardTest(guard, first)
  const width = stride === 0 ? 1 : context.width
  const key = `load ${place.pointer.local} ${place.offset} ${stride} ${width} ${test?.local ?? ''}`
  return build.value(key, v128, [place.pointer, test, rowOf(e.tensor, context)], () => {
    const pointer = (): Ref => build.get(place.pointer)
    const value =
      stride === 0
        ? module.v128.load32_splat(place.offset, 4, pointer())
        : stride === 1
          ? loadUnit(context, pointer, place.offset)
          : loadStrided(context, pointer, place.offset, stride * 4)
    if (!test) return value
    return module.if(build.get(test), value, module.v128.const(new Uint8Array(16)))
  })
}

/**
 * The row that a tensor made in this very kernel belongs to. Its elements are there only once the row has made them, even
 * where the address does not depend on the row: t[n, -n] is always the first element.
 */
function rowOf(tensor: string, { kernel, indices }: Context): Value | undefined {
  const { rows } = kernel
  return rows?.made.has(tensor) ? indices.get(rows.index)?.variable : undefined
}

function loadUnit(context: Context, pointer: () => Ref, offset: number): Ref {
  const { v128: ops } = context.kernel.build.module
  switch (context.width) {
    case 1:
      return ops.load32_zero(offset, 4, pointer())
    case 2:
      return ops.load64_zero(offset, 4, pointer())
    case 3:
      return ops.load32_lane(offset + 8, 4, 2, pointer(), ops.load64_zero(offset, 4, pointer()))
    default:
      return ops.load(offset, 4, pointer())
  }
}

function loadStrided(context: Context, pointer: () => Ref, offset: number, bytes: number): Ref {
  const { module } = context.kernel.build
  const at = (lane: number): { offset: number; pointer: Ref } => {
    const constant = offset + lane * bytes
    return constant >= 0
      ? { offset: constant, pointer: pointer() }
      : { offset: 0, pointer: module.i32.add(pointer(), module.i32.const(constant)) }
  }
  const first = at(0)
  let value = module.v128.load32_zero(first.offset, 4, first.pointer)
  for (let lane = 1; lane < context.width; lane++) {
    const next = at(lane)
    value = module.v128.load32_lane(next.offset, 4, lane, next.pointer, value)
  }
  return value
}

/**
 * One of the four rows of a 4 × 4 block that lies transposed in memory: neighbouring rows are neighbours there, lanes are
 * `stride` apart. The block is loaded along the rows and turned in registers, once for all four.
 */
function loadTransposed(
  e: Read,
  entry: { slot: Slot; address: Value },
  access: Access,
  context: Context,
  stride: number,
  { index, first }: NonNullable<Context['quad']>,
): Value {
  const { build } = context.kernel
  const { module } = build
  const at = context.indices.get(index)!
  const { pointer, offset } = placeOf(
    entry,
    access,
    withIndex(context, index, { ...at, offset: first }),
  )
  const row = rowOf(e.tensor, context)
  const column = (lane: number): Value =>
    build.value(
      `load ${pointer.local} ${offset + lane * stride * 4} 1 4 `,
      v128,
      [pointer, row],
      () => module.v128.load(offset + lane * stride * 4, 4, build.get(pointer)),
    )
  const pick = (a: Value, b: Value, lanes: readonly number[]): Value =>
    build.value(`pick ${a.local} ${b.local} ${lanes.join()}`, v128, [a, b], () =>
      module.i8x16.shuffle(build.get(a), build.get(b), bytesOfLanes(lanes)),
    )
  const at4 = at.offset - first
  const half = at4 < 2 ? [0, 4, 1, 5] : [2, 6, 3, 7]
  const left = pick(column(0), column(1), half)
  const right = pick(column(2), column(3), half)
  return pick(left, right, at4 % 2 === 0 ? [0, 1, 4, 5] : [2, 3, 6, 7])
}

/** Each lane by itself, for reads whose position or guard no linear form describes. */
function gather(e: Read, context: Context): Value {
  const { build } = context.kernel
  const { module } = build
  const lanes = Array.from({ length: context.width }, (_, lane) => load(e, inLane(context, lane)))
  return build.value(`gather ${lanes.map((v) => v.local).join()}`, v128, lanes, () => {
    let value = build.get(lanes[0]!)
    lanes.forEach((one, lane) => {
      if (lane === 0) return
      value = module.i32x4.replace_lane(value, lane, module.i32x4.extract_lane(build.get(one), 0))
    })
    return value
  })
}

/**
 * The address of an access, the parts that change least added first so that they leave the inner loops. The constant
 * part rides in the instruction, unless the pointer alone could lie before the tensor: addresses do not wrap around.
 */
function placeOf(
  { slot, address }: { slot: Slot; address: Value },
  access: Access,
  context: Context,
): Place {
  const { build } = context.kernel
  const { module } = build
  let { constant } = access
  const moving: { variable: Value; stride: number }[] = []
  for (const { position, stride, size, dimension } of access.computed) {
    const bound = slot.bounds[dimension]
    const limit = bound === undefined ? size : context.kernel.counts.get(bound)!
    const at = integer(position, context)
    // What does not come from data is proven to be within the dimension.
    const proven = bound === undefined && !isDataDependent(position)
    const clamped = proven ? at : clamp(at, limit, context)
    if (typeof clamped === 'number') constant += clamped * stride
    else moving.push({ variable: clamped, stride })
  }
  for (const [name, stride] of access.strides) {
    const { variable, offset } = context.indices.get(name)!
    constant += offset * stride
    if (variable) moving.push({ variable, stride })
  }
  let pointer = address
  const early = constant < 0 || moving.some((m) => m.stride < 0)
  if (early && constant !== 0) {
    pointer = build.value(`${address.local}+${constant * 4}`, i32, [address], () =>
      module.i32.add(build.get(address), module.i32.const(constant * 4)),
    )
  }
  moving.sort((a, b) => a.variable.scope.depth - b.variable.scope.depth)
  for (const { variable, stride } of moving) pointer = build.advance(pointer, variable, stride * 4)
  return { pointer, offset: early ? 0 : constant * 4 }
}

function clamp(position: Int, size: Int, context: Context): Int {
  const last = integerOf('sub', size, 1, context)
  return integerOf('max', integerOf('min', position, last, context), 0, context)
}

interface Guard {
  readonly position: Scalar
  readonly size: Int
}

/** The positions of a guarded read that may lie outside. */
function guardOf(e: Read, slot: Slot, context: Context): Guard[] {
  if (!e.guarded) return []
  return e.at.flatMap((position, d): Guard[] => {
    const bound = slot.bounds[d]
    if (bound !== undefined) {
      const within =
        position.kind === 'index' && context.extents.get(position.name)?.bound === bound
      return within ? [] : [{ position, size: context.kernel.counts.get(bound)! }]
    }
    const size = slot.shape[d]!
    const range = reachOf(position, context)
    return range && range.min >= 0 && range.max < size ? [] : [{ position, size }]
  })
}

/** Whether the position is outside wherever the piece is. */
function isOutside({ position, size }: Guard, context: Context): boolean {
  const range = typeof size === 'number' ? reachOf(position, context) : undefined
  return range !== undefined && (range.max < 0 || range.min >= (size as number))
}

function guardTest(guard: readonly Guard[], context: Context): Value | undefined {
  const { build } = context.kernel
  const { module } = build
  let test: Value | undefined
  for (const { position, size } of guard) {
    const at = integer(position, context)
    const name = typeof at === 'number' ? `=${at}` : `${at.local}`
    // Unsigned, a negative position is beyond every size.
    const limit = typeof size === 'number' ? `=${size}` : `${size.local}`
    const inside = build.value(`${name}<${limit}`, i32, [at, size], () =>
      module.i32.lt_u(build.int(at), build.int(size)),
    )
    const before = test
    test = before
      ? build.value(`${before.local}&${inside.local}`, i32, [before, inside], () =>
          module.i32.and(build.get(before), build.get(inside)),
        )
      : inside
  }
  return test
}

/** What stands at `at` now, where the nest itself writes: never shared, never moved. */
export function fetch(tensor: string, at: readonly Scalar[], context: Context): Ref {
  const { build, slots } = context.kernel
  const entry = slots.get(tensor)!
  const access = accessOf(at, entry.slot.shape, entry.slot.folded)
  const lanes = varyingIndex(context)
  const stride = lanes === undefined ? 0 : (access.strides.get(lanes) ?? 0)
  const { pointer, offset } = placeOf(entry, access, context)
  const from = (): Ref => build.get(pointer)
  if (stride === 0) return build.module.v128.load32_splat(offset, 4, from())
  return stride === 1
    ? loadUnit(context, from, offset)
    : loadStrided(context, from, offset, stride * 4)
}

/** The statement that writes the lanes in use to `at`. */
export function store(
  tensor: string,
  at: readonly Scalar[],
  value: Value,
  context: Context,
): Ref[] {
  const { build, slots } = context.kernel
  const { module } = build
  const entry = slots.get(tensor)!
  const { slot } = entry
  const access = accessOf(at, slot.shape, slot.folded)
  const lanes = varyingIndex(context)
  const stride = lanes === undefined ? 0 : (access.strides.get(lanes) ?? 0)
  const { pointer, offset } = placeOf(entry, access, context)
  const to = (): Ref => build.get(pointer)
  if (lanes === undefined || (context.width === 1 && stride !== 0)) {
    return [module.v128.store32_lane(offset, 4, 0, to(), build.get(value))]
  }
  if (stride === 1) return storeUnit(context, to, offset, () => build.get(value))
  return Array.from({ length: context.width }, (_, lane) => {
    const constant = offset + lane * stride * 4
    const where = constant >= 0 ? to() : module.i32.add(to(), module.i32.const(constant))
    return module.v128.store32_lane(Math.max(constant, 0), 4, lane, where, build.get(value))
  })
}

function storeUnit(context: Context, to: () => Ref, offset: number, value: () => Ref): Ref[] {
  const { v128: ops } = context.kernel.build.module
  switch (context.width) {
    case 2:
      return [ops.store64_lane(offset, 4, 0, to(), value())]
    case 3:
      return [
        ops.store64_lane(offset, 4, 0, to(), value()),
        ops.store32_lane(offset + 8, 4, 2, to(), value()),
      ]
    default:
      return [ops.store(offset, 4, to(), value())]
  }
}

/** target[at] += value, where elements of different points may meet. */
export function scatterAdd(
  tensor: string,
  at: readonly Scalar[],
  type: 'f32' | 'i32',
  value: Value,
  context: Context,
): Ref[] {
  const { build, slots } = context.kernel
  const { module } = build
  const entry = slots.get(tensor)!
  const { slot } = entry
  const access = accessOf(at, slot.shape, slot.folded)
  const { pointer, offset } = placeOf(entry, access, context)
  const to = (): Ref => build.get(pointer)
  if (varyingIndex(context) === undefined || context.width === 1) {
    const before = (): Ref => module[type].load(offset, 4, to())
    const lane = (): Ref =>
      type === 'f32'
        ? module.f32x4.extract_lane(build.get(value), 0)
        : module.i32x4.extract_lane(build.get(value), 0)
    return [module[type].store(offset, 4, to(), module[type].add(before(), lane()))]
  }
  const add = type === 'f32' ? module.f32x4.add : module.i32x4.add
  const sum = build.newLocal(v128)
  return [
    module.local.set(sum, add(loadUnit(context, to, offset), build.get(value))),
    ...storeUnit(context, to, offset, () => module.local.get(sum, v128)),
  ]
}
