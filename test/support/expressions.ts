/**
 * Random scalar expressions over given tensors and indices: well-typed, in range, and tame. Magnitudes are tracked
 * and kept small, arguments stay inside the smooth part of a function's domain, and whatever jumps (comparisons,
 * floor, arg-max, casts to i32) is applied only to values that f32 computes exactly, so that f32 code can be compared
 * with the f64 evaluator.
 */
import {
  add,
  binary,
  cast,
  constant,
  index,
  int,
  mul,
  read,
  reduce,
  select,
  sub,
  typeOf,
  unary,
} from '../../compiler/ir/build.ts'
import { boundIndices } from '../../compiler/ir/traverse.ts'
import type { Extent, Index, Scalar, Tensor } from '../../compiler/ir/types.ts'
import { type Choose, dyadic, oneIn, pick, weighted } from './choose.ts'

/** A value with the greatest magnitude it can have. */
export interface Sized {
  readonly e: Scalar
  readonly mag: number
}

/** A tensor to read from. */
export interface Readable {
  readonly tensor: Tensor
  readonly mag: number
  /** Its elements are multiples of 1/64 that do not come from a parameter. */
  readonly exact: boolean
  /** Dimensions that are read at one position only: the time of the loop that computes it. */
  readonly fixed?: ReadonlyMap<number, Scalar>
}

export interface Rules {
  /** Nothing that has a kink where parameters flow. */
  readonly smooth: boolean
  readonly random: boolean
  readonly stopgrad: boolean
  /** Bounded dims in the program. */
  readonly dims: readonly string[]
}

export class Expressions {
  readonly #choose: Choose
  readonly #tensors: readonly Readable[]
  readonly #extents: readonly Extent[]
  readonly #rules: Rules
  readonly #site: () => number
  #names = 0

  /** For one equation: index names made here are unique within it. */
  constructor(
    choose: Choose,
    tensors: readonly Readable[],
    extents: readonly Extent[],
    rules: Rules,
    site: () => number,
  ) {
    this.#choose = choose
    this.#tensors = tensors
    this.#extents = extents
    this.#rules = rules
    this.#site = site
  }

  fresh(extent: Extent): Index {
    const k = this.#names++
    return { name: 'ijklmnpqrstuvw'[k] ?? `i${k}`, extent }
  }

  /** An f32 value. */
  float(scope: readonly Index[], depth: number): Sized {
    const choose = this.#choose
    if (depth <= 0) return this.#leaf(scope)
    const kinks = !this.#rules.smooth
    const x = (): Sized => this.float(scope, depth - 1)
    return tame(
      weighted<Sized>(choose, [
        [4, () => this.#leaf(scope)],
        [6, () => this.#arithmetic(x(), x())],
        [4, () => this.#function(x(), kinks)],
        [5, () => this.#reduction(scope, depth)],
        [2, () => this.#choice(scope, depth)],
        [kinks ? 2 : 0, () => this.#extreme(x(), x())],
        [kinks ? 1 : 0, () => this.#rounded(scope)],
        [1, () => ({ e: cast('f32', this.integer(scope, 1)), mag: 64 })],
        [this.#rules.random ? 1 : 0, () => this.#noise(scope)],
        [
          this.#rules.stopgrad ? 1 : 0,
          () => {
            const { e, mag } = x()
            return { e: { kind: 'stopgrad', type: typeOf(e), value: e }, mag }
          },
        ],
      ]),
    )
  }

  /** Σ a·b over one or two new indices, each factor a plain read where one fits: what kernels are made for. */
  contraction(scope: readonly Index[]): Sized {
    const over = this.#newIndices()
    const inner = [...scope, ...over]
    const factors = [this.#readOf(inner, 'f32', over), this.#readOf(inner, 'f32', over)]
    const [a, b] = factors.map((f) => f ?? this.#leaf(inner)) as [Sized, Sized]
    return tame({ e: reduce('sum', over, mul(a.e, b.e)), mag: a.mag * b.mag * volume(over) })
  }

  #leaf(scope: readonly Index[]): Sized {
    const found = oneIn(this.#choose, 6) ? undefined : this.#readOf(scope, 'f32')
    if (found) return found
    const value = dyadic(this.#choose, 2)
    return { e: constant(value), mag: Math.max(Math.abs(value), 0.1) }
  }

  #arithmetic(a: Sized, b: Sized): Sized {
    return weighted<Sized>(this.#choose, [
      [3, () => ({ e: add(a.e, b.e), mag: a.mag + b.mag })],
      [3, () => ({ e: sub(a.e, b.e), mag: a.mag + b.mag })],
      [4, () => ({ e: mul(a.e, b.e), mag: a.mag * b.mag })],
      [2, () => ({ e: binary('div', a.e, positive(b)), mag: 2 * a.mag })],
    ])
  }

  #function(x: Sized, kinks: boolean): Sized {
    const plain = (op: Parameters<typeof unary>[0], mag: number, by = x): Sized => ({
      e: unary(op, by.e),
      mag,
    })
    return weighted<Sized>(this.#choose, [
      [1, () => plain('neg', x.mag)],
      [2, () => plain('exp', Math.exp(2), within(x, 2))],
      [2, () => ({ e: unary('log', positive(x)), mag: Math.log(2 + x.mag * x.mag) })],
      [2, () => plain('tanh', 1)],
      [2, () => plain('sigmoid', 1)],
      [1, () => plain('erf', 1)],
      [1, () => plain('sin', 1)],
      [1, () => plain('cos', 1)],
      [2, () => ({ e: unary('sqrt', positive(x)), mag: Math.sqrt(2) + x.mag })],
      [
        1,
        () => {
          const power = pick(this.#choose, [-2, -0.5, 0.5, 1.5, 2, 3])
          const base = positive(within(x, 1))
          return { e: binary('pow', base, constant(power)), mag: 2.5 ** Math.abs(power) }
        },
      ],
      [kinks ? 1 : 0, () => plain('abs', x.mag)],
    ])
  }

  #extreme(a: Sized, b: Sized): Sized {
    return { e: binary(pick(this.#choose, ['max', 'min']), a.e, b.e), mag: Math.max(a.mag, b.mag) }
  }

  #rounded(scope: readonly Index[]): Sized {
    const x = this.exact(scope)
    const op = pick(this.#choose, ['floor', 'ceil', 'sign'] as const)
    if (oneIn(this.#choose, 3)) return { e: binary('mod', x.e, constant(0.75)), mag: 0.75 }
    return { e: unary(op, x.e), mag: x.mag + 1 }
  }

  #reduction(scope: readonly Index[], depth: number): Sized {
    const over = this.#newIndices()
    const body = this.float([...scope, ...over], depth - 1)
    const n = volume(over)
    const kinks = this.#rules.smooth ? 0 : 1
    return weighted<Sized>(this.#choose, [
      [5, () => ({ e: reduce('sum', over, body.e), mag: body.mag * n })],
      [2 * kinks, () => ({ e: reduce('max', over, body.e), mag: body.mag })],
      [kinks, () => ({ e: reduce('min', over, body.e), mag: body.mag })],
      // Factors near 1, so that neither the product nor its partial products leave the range.
      [
        1,
        () => {
          const factor = add(constant(1), within(body, 1 / (2 * n)).e)
          return { e: reduce('prod', over, factor), mag: 2 }
        },
      ],
    ])
  }

  #newIndices(): Index[] {
    const count = oneIn(this.#choose, 4) ? 2 : 1
    return Array.from({ length: count }, () => this.fresh(pick(this.#choose, this.#extents)))
  }

  #choice(scope: readonly Index[], depth: number): Sized {
    const a = this.float(scope, depth - 1)
    const b = this.float(scope, depth - 1)
    return { e: select(this.truth(scope, 1), a.e, b.e), mag: Math.max(a.mag, b.mag) }
  }

  #noise(scope: readonly Index[]): Sized {
    const flat = scope.reduce((e, i) => add(mul(e, int(i.extent.size)), index(i)), int(0))
    return { e: { kind: 'random', site: this.#site(), element: flat }, mag: 1 }
  }

  /** An f32 value that f32 arithmetic computes without rounding, and that no parameter reaches. */
  exact(scope: readonly Index[]): Sized {
    const leaf = (): Sized => {
      const found = oneIn(this.#choose, 5) ? undefined : this.#readOf(scope, 'f32', [], true)
      if (found) return found
      if (oneIn(this.#choose, 2)) return { e: cast('f32', this.integer(scope, 1)), mag: 64 }
      const value = dyadic(this.#choose, 2)
      return { e: constant(value), mag: Math.abs(value) }
    }
    if (oneIn(this.#choose, 2)) return leaf()
    const [a, b] = [leaf(), leaf()]
    if (oneIn(this.#choose, 2)) return { e: mul(a.e, b.e), mag: a.mag * b.mag }
    return { e: add(a.e, b.e), mag: a.mag + b.mag }
  }

  /** A small i32 value. */
  integer(scope: readonly Index[], depth: number): Scalar {
    const choose = this.#choose
    const leaf = (): Scalar =>
      weighted<Scalar>(choose, [
        [3, () => (scope.length > 0 ? index(pick(choose, scope)) : int(choose.int(0, 3)))],
        [2, () => int(choose.int(-3, 5))],
        [2, () => this.#readOf(scope, 'i32')?.e ?? int(1)],
        [this.#rules.dims.length, () => ({ kind: 'count', dim: this.#rules.dims[0]! })],
      ])
    if (depth <= 0) return leaf()
    return weighted<Scalar>(choose, [
      [4, leaf],
      [2, () => binary(pick(choose, ['add', 'sub', 'min', 'max']), leaf(), leaf())],
      [1, () => binary(pick(choose, ['div', 'mod']), leaf(), int(choose.int(1, 4)))],
      [1, () => select(this.truth(scope, 0), leaf(), leaf())],
      [1, () => cast('i32', this.truth(scope, 0))],
      [1, () => cast('i32', this.exact(scope).e)],
      [
        1,
        () => {
          const over = this.#newIndices()
          return reduce(pick(choose, ['argmax', 'argmin']), over, this.exact([...scope, ...over]).e)
        },
      ],
    ])
  }

  /** A bool value. */
  truth(scope: readonly Index[], depth: number): Scalar {
    const choose = this.#choose
    if (depth > 0 && oneIn(choose, 4)) {
      const [a, b] = [this.truth(scope, depth - 1), this.truth(scope, depth - 1)]
      if (oneIn(choose, 3)) return unary('not', a)
      return binary(pick(choose, ['and', 'or']), a, b)
    }
    const op = pick(choose, ['lt', 'le', 'gt', 'ge', 'eq', 'ne'] as const)
    if (oneIn(choose, 5)) {
      const found = this.#readOf(scope, 'bool')
      if (found) return found.e
    }
    if (depth > 0 && oneIn(choose, 2)) {
      return binary(op, this.exact(scope).e, this.exact(scope).e)
    }
    const position = (): Scalar =>
      scope.length > 0 && !oneIn(choose, 4) ? index(pick(choose, scope)) : int(choose.int(0, 4))
    return binary(op, position(), position())
  }

  /** A read of some tensor of this dtype that the scope can reach, by way of `prefer` where possible. */
  #readOf(
    scope: readonly Index[],
    dtype: Tensor['dtype'],
    prefer: readonly Index[] = [],
    exact = false,
  ): Sized | undefined {
    const fitting = this.#tensors.filter(
      ({ tensor, exact: isExact }) =>
        tensor.dtype === dtype &&
        (isExact || !exact) &&
        tensor.shape.every((x) => x.bound === undefined || scope.some((i) => same(i, x))),
    )
    if (fitting.length === 0) return undefined
    // Half of the time one that the newest index can walk, so that reductions have something to reduce.
    const newest = scope.at(-1)
    const walked = newest ? fitting.filter((r) => r.tensor.shape.some((x) => same(newest, x))) : []
    const candidates = walked.length > 0 && oneIn(this.#choose, 2) ? walked : fitting
    const { tensor, mag, fixed } = pick(this.#choose, candidates)
    let guarded = false
    const at = tensor.shape.map((extent, k) => {
      const given = fixed?.get(k)
      if (given) return given
      const p = this.position(extent, scope, prefer)
      guarded ||= p.guarded
      return p.e
    })
    return { e: read(tensor, at, guarded), mag }
  }

  /** A position in a dimension; `guarded` when it may lie outside. */
  position(
    extent: Extent,
    scope: readonly Index[],
    prefer: readonly Index[] = [],
  ): { readonly e: Scalar; readonly guarded: boolean } {
    const choose = this.#choose
    const inRange = (e: Scalar): { e: Scalar; guarded: boolean } => ({ e, guarded: false })
    const equal = scope.filter((i) => same(i, extent))
    const wanted = equal.filter((i) => prefer.includes(i))
    if (wanted.length > 0 && !oneIn(choose, 4)) return inRange(index(pick(choose, wanted)))
    if (equal.length > 0 && (extent.bound !== undefined || !oneIn(choose, 3))) {
      return inRange(index(oneIn(choose, 2) ? equal.at(-1)! : pick(choose, equal)))
    }
    if (extent.bound !== undefined) return inRange(int(0))
    const last = extent.size - 1
    const smaller = scope.filter((i) => i.extent.size <= extent.size)
    const some = (): Index | undefined => (smaller.length > 0 ? pick(choose, smaller) : undefined)
    return weighted(choose, [
      [2, () => inRange(int(choose.int(0, last)))],
      [
        3,
        () => {
          const i = some()
          return inRange(
            i ? add(index(i), int(choose.int(0, extent.size - i.extent.size))) : int(0),
          )
        },
      ],
      [
        2,
        () => {
          const i = some()
          return inRange(i ? sub(int(last), index(i)) : int(last))
        },
      ],
      [
        2,
        () => {
          const [i, j] = [some(), some()]
          const fits = i && j && i !== j && i.extent.size + j.extent.size - 1 <= extent.size
          return inRange(fits ? add(index(i), index(j)) : int(0))
        },
      ],
      [
        1,
        () => {
          const i = some()
          const stride = i && i.extent.size > 1 ? Math.floor(last / (i.extent.size - 1)) : 1
          return inRange(i ? mul(index(i), int(stride)) : int(last))
        },
      ],
      [
        1,
        () => {
          if (scope.length === 0) return inRange(int(0))
          return inRange(binary('mod', index(pick(choose, scope)), int(extent.size)))
        },
      ],
      [
        1,
        () => {
          const i = some()
          return inRange(i ? binary('div', index(i), int(choose.int(1, 3))) : int(0))
        },
      ],
      [
        2,
        () => {
          if (scope.length === 0) return inRange(int(0))
          const i = index(pick(choose, scope))
          return { e: add(i, int(choose.int(-2, 2))), guarded: true }
        },
      ],
      [2, () => inRange(this.#readOf(scope, 'i32')?.e ?? int(0))],
    ])
  }
}

const same = (i: Index, extent: Extent): boolean =>
  i.extent.size === extent.size && i.extent.bound === extent.bound

export const volume = (over: readonly Index[]): number =>
  over.reduce((n, i) => n * i.extent.size, 1)

/** Smooth and well away from 0: 1.5 + x², or 1.5 + tanh x where x binds indices and so cannot stand twice. */
function positive(x: Sized): Scalar {
  const small = within(x, 8)
  const twice = boundIndices(small.e).length === 0
  return add(constant(1.5), twice ? mul(small.e, small.e) : unary('tanh', small.e))
}

/** Scaled down so that the magnitude is at most `limit`. */
export function within(x: Sized, limit: number): Sized {
  if (x.mag <= limit) return x
  const factor = 2 ** Math.floor(Math.log2(limit / x.mag))
  return { e: mul(x.e, constant(factor)), mag: x.mag * factor }
}

const tame = (x: Sized): Sized => within(x, 16)
