/**
 * How a read moves through memory: its offset in elements as a linear form of the indices, with the positions that are
 * not affine set apart. In: a read and the shape of its tensor. Out: an `Access`.
 *
 * Positions that are the digits of one affine number, `x[i / 4, i % 4]` of a tensor with 4 columns, together are that
 * number: the offset is i.
 */
import {
  type Affine,
  addAffine,
  affineConstant,
  affineOf,
  isDataDependent,
  sameAffine,
} from '../ir/affine.ts'
import { freeIndices } from '../ir/traverse.ts'
import type { Scalar } from '../ir/types.ts'

export interface Access {
  /** Elements per step of each index, from the affine positions; none is 0. */
  readonly strides: ReadonlyMap<string, number>
  readonly constant: number
  /** Positions that are not affine, with the stride of their dimension and its extent. */
  readonly computed: readonly {
    readonly position: Scalar
    readonly stride: number
    readonly size: number
    readonly dimension: number
  }[]
  /** Indices that the computed positions depend on. */
  readonly computedBy: ReadonlySet<string>
}

/** Row-major strides in elements; a folded dimension has stride 0. */
export function stridesOf(shape: readonly number[], folded: readonly boolean[] = []): number[] {
  const strides = new Array<number>(shape.length).fill(0)
  let stride = 1
  for (let d = shape.length - 1; d >= 0; d--) {
    if (folded[d]) continue
    strides[d] = stride
    stride *= shape[d]!
  }
  return strides
}

export function accessOf(
  at: readonly Scalar[],
  shape: readonly number[],
  folded?: readonly boolean[],
): Access {
  const dims = stridesOf(shape, folded)
  let linear = affineConstant(0)
  const computed: Computed[] = []
  at.forEach((position, dimension) => {
    const stride = dims[dimension]!
    const affine = affineOf(position)
    if (affine) linear = addAffine(linear, affine, stride)
    else computed.push({ position, stride, size: shape[dimension]!, dimension })
  })
  const digits = computed.flatMap((c) => digitOf(c) ?? [])
  for (const last of digits) {
    const number = last.from === 1 ? numberOf(last, digits) : undefined
    if (!number?.every((part) => computed.includes(part.of))) continue
    linear = addAffine(linear, last.base, last.stride)
    for (const part of number) computed.splice(computed.indexOf(part.of), 1)
  }
  const computedBy = new Set(computed.flatMap((c) => [...freeIndices(c.position)]))
  return { strides: linear.terms, constant: linear.constant, computed, computedBy }
}

type Computed = Access['computed'][number]

/** The position ⌊base / from⌋ mod below. */
interface Digit {
  readonly base: Affine
  readonly from: number
  readonly below: number
  readonly stride: number
  readonly of: Computed
}

function digitOf(of: Computed): Digit | undefined {
  const form = (e: Scalar): Pick<Digit, 'base' | 'from' | 'below'> | undefined => {
    const base = affineOf(e)
    if (base) return { base, from: 1, below: Infinity }
    if (e.kind !== 'binary' || e.type !== 'i32' || e.right.kind !== 'const') return undefined
    const m = e.right.value
    const left = e.op === 'div' || e.op === 'mod' ? form(e.left) : undefined
    if (!left || m <= 0 || (left.below !== Infinity && left.below % m !== 0)) return undefined
    if (e.op === 'mod') return m === 1 ? undefined : { ...left, below: m }
    if (left.below === m) return undefined
    return { ...left, from: left.from * m, below: left.below / m }
  }
  const found = of.stride > 0 ? form(of.position) : undefined
  return found && { ...found, stride: of.stride, of }
}

/** The digits that continue the last one up to the first, where all of the number is there. */
function numberOf(last: Digit, digits: readonly Digit[]): Digit[] | undefined {
  const parts = [last]
  for (let part = last; part.below !== Infinity; ) {
    const next = digits.find(
      (d) =>
        d.from === part.from * part.below &&
        d.stride === part.stride * part.below &&
        sameAffine(d.base, part.base),
    )
    if (!next) return undefined
    parts.push(next)
    part = next
  }
  return parts
}

/** How a position goes along the lanes of a vector, whose first lane is at a multiple of four. */
export interface Slope {
  /** Added per lane. */
  readonly step: number
  /** What divides the position in the first lane; 0 where that is 0. */
  readonly factor: number
}

/**
 * The slope of a position along `lane`, undefined where it is none: `i / 8` stands still, `i % 8` and `i - 256` go by one.
 * Only divisors that no vector straddles give one.
 */
export function slopeOf(e: Scalar, lane: string): Slope | undefined {
  switch (e.kind) {
    case 'const':
      return { step: 0, factor: Math.abs(e.value) }
    case 'index':
      return e.name === lane ? { step: 1, factor: 4 } : { step: 0, factor: 1 }
    case 'stopgrad':
      return slopeOf(e.value, lane)
    case 'unary': {
      const value = e.op === 'neg' ? slopeOf(e.value, lane) : undefined
      if (value) return scaled(value, -1)
      return freeIndices(e).has(lane) ? undefined : { step: 0, factor: 1 }
    }
    case 'binary': {
      const left = slopeOf(e.left, lane)
      const right = slopeOf(e.right, lane)
      if (!left || !right || e.type !== 'i32') return undefined
      switch (e.op) {
        case 'add':
          return { step: left.step + right.step, factor: gcd(left.factor, right.factor) }
        case 'sub':
          return { step: left.step - right.step, factor: gcd(left.factor, right.factor) }
        case 'mul':
          if (e.right.kind === 'const') return scaled(left, e.right.value)
          if (e.left.kind === 'const') return scaled(right, e.left.value)
          break
        case 'div':
        case 'mod':
          if (e.right.kind === 'const' && e.right.value > 0) {
            return divided(left, e.right.value, e.op)
          }
          break
        default:
      }
      return left.step === 0 && right.step === 0 ? { step: 0, factor: 1 } : undefined
    }
    default:
      return freeIndices(e).has(lane) ? undefined : { step: 0, factor: 1 }
  }
}

const scaled = ({ step, factor }: Slope, by: number): Slope => ({
  step: step * by,
  factor: Math.abs(factor * by),
})

/** Floor division or its remainder, by a positive number. */
function divided({ step, factor }: Slope, by: number, op: 'div' | 'mod'): Slope | undefined {
  const common = gcd(factor, by)
  if (step % by === 0) {
    return op === 'div'
      ? { step: step / by, factor: common === by ? factor / by : 1 }
      : { step: 0, factor: common === by ? 0 : common }
  }
  // From a multiple of `common`, three steps more reach no further multiple.
  if (step < 0 || 3 * step >= common) return undefined
  return op === 'div'
    ? { step: 0, factor: common === by ? factor / by : 1 }
    : { step, factor: common === by ? 0 : common }
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}

/** Whether all lanes of a vector are inside [0, size) or all outside. */
export function isUniformTest(position: Scalar, size: number, lane: string): boolean {
  const slope = slopeOf(position, lane)
  if (!slope) return false
  return slope.step === 0 || (slope.step === 1 && slope.factor % 4 === 0 && size % 4 === 0)
}

/** Elements per lane that a read moves, undefined where only each lane by itself knows. */
export function laneStride(access: Access, lane: string): number | undefined {
  let stride = access.strides.get(lane) ?? 0
  for (const c of access.computed) {
    const slope = slopeOf(c.position, lane)
    // What comes from data is clamped lane by lane.
    if (!slope || (slope.step !== 0 && isDataDependent(c.position))) return undefined
    stride += slope.step * c.stride
  }
  return stride
}

/** How reads along an index go: not moving, to the next element, or anything else. */
export type Motion = 'still' | 'unit' | 'strided'

export function motion(access: Access, name: string): Motion {
  const stride = laneStride(access, name)
  if (stride === undefined) return 'strided'
  return stride === 0 ? 'still' : stride === 1 ? 'unit' : 'strided'
}
