/**
 * Reductions over a register tile. In: a nest's reduction, the rows and vectors of the tile and where it stands. Out:
 * one value per element of the tile.
 *
 * The order in which a sum is taken depends on the equation alone: along the reduced indices in their order; in `dot`
 * form in four partial sums, lane l taking the elements l, l + 4, …, which are added as (0 + 2) + (1 + 3); and in
 * blocks (schedule/block.ts) whose sums are added up, so that rounding errors of long sums stay small.
 */
import { add, index, int, mul } from '../ir/build.ts'
import type { Index, Scalar } from '../ir/types.ts'
import { type Blocks, blockTerms, flushLevel } from '../schedule/block.ts'
import type { Reduction } from '../schedule/types.ts'
import { i32, type Module, type Ref, relaxedMadd, v128 } from './assembler.ts'
import { across, combine, identity, laneMask } from './combine.ts'
import { type Binding, type Context, withIndex } from './context.ts'
import { type Element, extreme } from './elements.ts'
import { constantVector, vector } from './expression.ts'
import type { Int, Scope, Value, Variable } from './function.ts'
import { integerOf } from './integer.ts'
import { fetch } from './memory-access.ts'

/** Tiles of at most this many multiply-adds in all are written out without a loop. */
const smallest = 96

interface Accumulator {
  readonly context: Context
  readonly value: Variable
  readonly position: Variable | undefined
  readonly total: Variable | undefined
}

/** For a nest in blocks: where the sum of the blocks before stands, and how many levels run outside the tile. */
export interface Carried {
  readonly target: string
  readonly at: readonly Scalar[]
  readonly blocks: Blocks
}

export function emitReduction(
  reduction: Reduction,
  elements: readonly Element[],
  scope: Scope,
  carried?: Carried,
): Value[] {
  return new Reducer(reduction, elements, scope, carried).run()
}

class Reducer {
  readonly #reduction: Reduction
  readonly #over: readonly Index[]
  readonly #elements: readonly Element[]
  readonly #scope: Scope
  readonly #accumulators: Accumulator[]
  /** The level whose loop is one block of the sum; undefined when the whole sum is short. */
  readonly #flushAt: number | undefined
  readonly #carried: Carried | undefined

  constructor(
    reduction: Reduction,
    elements: readonly Element[],
    scope: Scope,
    carried: Carried | undefined,
  ) {
    this.#reduction = reduction
    this.#carried = carried
    this.#elements = elements
    this.#scope = scope
    const { lane } = reduction
    // The index along the lanes goes innermost.
    this.#over = lane
      ? [
          ...reduction.over.filter((i) => i.name !== lane),
          ...reduction.over.filter((i) => i.name === lane),
        ]
      : reduction.over
    const { op, node } = reduction
    this.#flushAt = flushLevel(this.#over, op, node.type === 'f32', lane)
    const { build } = elements[0]!.context.kernel
    const arg = reduction.op === 'argmax' || reduction.op === 'argmin'
    this.#accumulators = elements.flatMap((element) =>
      (lane ? element.lanes : [element.context]).map((context) => ({
        context,
        value: build.variable(v128),
        position: arg ? build.variable(v128) : undefined,
        total: this.#flushAt === undefined ? undefined : build.variable(v128),
      })),
    )
  }

  get #build() {
    return this.#elements[0]!.context.kernel.build
  }

  get #module(): Module {
    return this.#build.module
  }

  run(): Value[] {
    for (const acc of this.#accumulators) {
      acc.value.set(this.#scope, this.#start())
      acc.position?.set(this.#scope, this.#module.v128.const(new Uint8Array(16)))
      acc.total?.set(this.#scope, this.#start())
      if (this.#carried) {
        const { target, at } = this.#carried
        ;(acc.total ?? acc.value).set(this.#scope, fetch(target, at, acc.context))
      }
    }
    if (this.#carried?.blocks.within) this.#lastBlock()
    else this.#level(this.#carried?.blocks.levels ?? 0, this.#scope, new Map())
    const results = this.#accumulators.map((acc): Value => {
      const held = acc.position ?? acc.total ?? acc.value
      return { local: held.local, type: v128, scope: this.#scope }
    })
    const { op, node, lane } = this.#reduction
    if (!lane) return results
    let taken = 0
    return this.#elements.map((element) => {
      const partial = results.slice(taken, taken + element.lanes.length)
      taken += element.lanes.length
      return across(partial, op, node.type === 'f32', this.#scope, this.#build)
    })
  }

  /** One block of the last index, which begins where the loop around the tile stands. */
  #lastBlock(): void {
    const k = this.#over.at(-1)!
    const { kernel, indices } = this.#elements[0]!.context
    const { build } = kernel
    const { module } = build
    const start = indices.get(k.name)!.variable!
    const count = this.#count(k)
    const end = build.value(`${start.local} to ${blockTerms} more`, i32, [start, count], () => {
      const after = (): Ref => module.i32.add(build.get(start), module.i32.const(blockTerms))
      return module.select(module.i32.lt_s(after(), build.int(count)), after(), build.int(count))
    })
    build.loop(
      this.#scope,
      start,
      end,
      1,
      (within, index) => {
        const binding: Binding = { variable: index, offset: 0, varying: false }
        this.#point(within, new Map([[k.name, binding]]), 4)
      },
      { induction: true },
    )
    this.#flush(this.#scope)
  }

  #start(): Ref {
    const { op, node } = this.#reduction
    const lanes = new ArrayBuffer(16)
    if (node.type === 'f32' || op === 'argmax' || op === 'argmin') {
      new Float32Array(lanes).fill(identity(op, true))
      if (this.#comparesIntegers()) new Int32Array(lanes).fill(identity(op, false))
    } else {
      new Int32Array(lanes).fill(identity(op, false))
    }
    return this.#module.v128.const(new Uint8Array(lanes))
  }

  #comparesIntegers(): boolean {
    const { body } = this.#reduction
    return 'type' in body ? body.type === 'i32' : body.kind !== 'random'
  }

  #level(depth: number, scope: Scope, bindings: ReadonlyMap<string, Binding>): void {
    if (depth === this.#flushAt && depth < this.#over.length) {
      this.#turns(depth, scope, bindings)
      this.#flush(scope)
    } else if (depth === this.#over.length) {
      this.#point(scope, bindings, 4)
    } else {
      this.#turns(depth, scope, bindings)
    }
  }

  /** Runs over index `depth` and all within. */
  #turns(depth: number, scope: Scope, bindings: ReadonlyMap<string, Binding>): void {
    const build = this.#build
    const k = this.#over[depth]!
    const last = depth === this.#over.length - 1
    if (last && this.#reduction.lane) {
      this.#laneTurns(k, scope, bindings)
      return
    }
    const inner = (at: Scope, binding: Binding): void =>
      this.#level(depth + 1, at, new Map(bindings).set(k.name, binding))
    const { bound, size } = k.extent
    const work = size * this.#accumulators.length
    if (bound === undefined && (size === 1 || (last && work <= smallest && size <= 16))) {
      for (let turn = 0; turn < size; turn++) {
        inner(scope, { variable: undefined, offset: turn, varying: false })
      }
      return
    }
    const count = this.#count(k)
    if (last && this.#flushAt === this.#over.length) {
      this.#blocks(scope, count, 1, (at, from, to) => {
        build.loop(
          at,
          from,
          to,
          1,
          (within, index) => inner(within, { variable: index, offset: 0, varying: false }),
          { induction: true },
        )
      })
      return
    }
    // Two turns at once halve what the loop itself costs.
    const step = last && this.#accumulators.length <= 12 ? 2 : 1
    const { from, to } = this.#limits(k, count)
    const stopped = build.loop(
      scope,
      from,
      to,
      step,
      (within, index) => {
        for (let turn = 0; turn < step; turn++) {
          inner(within, { variable: index, offset: turn, varying: false })
        }
      },
      { induction: last },
    )
    if (step === 1) return
    if (from === 0 && typeof to === 'number') {
      const done = to - (to % step)
      for (let turn = done; turn < to; turn++) {
        inner(scope, { variable: undefined, offset: turn, varying: false })
      }
      return
    }
    build.loop(
      scope,
      undefined,
      to,
      1,
      (within, index) => inner(within, { variable: index, offset: 0, varying: false }),
      { again: stopped },
    )
  }

  /** The turns of index `k` that have terms for any element of the tile. */
  #limits(k: Index, count: Int): { readonly from: Int; readonly to: Int } {
    const { within } = this.#reduction
    const { context } = this.#elements[0]!
    const contexts = this.#elements.map((e) => e.context)
    if (within?.less.name === k.name) {
      const most = extreme(contexts, within.greater, 'most')
      if (most === undefined) return { from: 0, to: count }
      const end = integerOf('add', most, within.offset + 1, context)
      return { from: 0, to: integerOf('max', integerOf('min', end, count, context), 0, context) }
    }
    if (within?.greater.name === k.name) {
      const least = extreme(contexts, within.less, 'least')
      if (least === undefined) return { from: 0, to: count }
      const start = integerOf('sub', least, within.offset, context)
      return { from: integerOf('max', start, 0, context), to: count }
    }
    return { from: 0, to: count }
  }

  /** Four elements of the innermost index at a time, the last ones masked. */
  #laneTurns(k: Index, scope: Scope, bindings: ReadonlyMap<string, Binding>): void {
    const build = this.#build
    const { size } = k.extent
    const whole = size - (size % 4)
    const point = (at: Scope, binding: Binding, width: number): void =>
      this.#point(at, new Map(bindings).set(k.name, binding), width)
    const run = (at: Scope, from: Int, to: Int): void => {
      build.loop(
        at,
        from,
        to,
        4,
        (within, index) => point(within, { variable: index, offset: 0, varying: true }, 4),
        { induction: true },
      )
    }
    if (this.#flushAt === this.#over.length) this.#blocks(scope, whole, 4, run)
    else if (whole === 4) point(scope, { variable: undefined, offset: 0, varying: true }, 4)
    else if (whole > 0) run(scope, 0, whole)
    if (whole < size) {
      point(scope, { variable: undefined, offset: whole, varying: true }, size - whole)
      if (this.#flushAt === this.#over.length) this.#flush(scope)
    }
  }

  /** Runs 0..count in blocks whose sums go to the totals one by one. */
  #blocks(
    scope: Scope,
    count: Int,
    step: number,
    run: (scope: Scope, from: Int, to: Int) => void,
  ): void {
    const build = this.#build
    const { module } = build
    const size = blockTerms * step
    const stopped = build.loop(scope, 0, count, size, (within, start) => {
      const end = build.value(`${start.local}+${size}`, i32, [start], () =>
        module.i32.add(build.get(start), module.i32.const(size)),
      )
      run(within, start, end)
      this.#flush(within)
    })
    if (typeof count === 'number' && count % size === 0) return
    run(scope, typeof count === 'number' ? count - (count % size) : stopped, count)
    this.#flush(scope)
  }

  #flush(scope: Scope): void {
    for (const { total, value } of this.#accumulators) {
      total!.set(scope, this.#module.f32x4.add(total!.get(), value.get()))
      value.set(scope, this.#start())
    }
  }

  #count(k: Index): Int {
    const { bound, size } = k.extent
    return bound === undefined ? size : this.#elements[0]!.context.kernel.counts.get(bound)!
  }

  /** One element of the reduced domain (four in `dot` form) for the whole tile. */
  #point(scope: Scope, bindings: ReadonlyMap<string, Binding>, width: number): void {
    const { body, lane } = this.#reduction
    for (const acc of this.#accumulators) {
      let { context } = acc
      for (const [name, binding] of bindings) context = withIndex(context, name, binding)
      if (lane) context = { ...context, width }
      if (acc.position) this.#select(acc, context, scope)
      else acc.value.set(scope, this.#accumulate(acc, body, context, lane ? width : 4))
    }
  }

  #accumulate(acc: Accumulator, body: Scalar, context: Context, width: number): Ref {
    const { op, node } = this.#reduction
    const { build, target } = context.kernel
    const { module } = build
    const product =
      body.kind === 'binary' && body.op === 'mul' && body.type === 'f32' ? body : undefined
    if (op === 'sum' && product && target === 'relaxed' && width === 4) {
      const a = vector(product.left, context)
      const b = vector(product.right, context)
      return relaxedMadd(module, build.get(a), build.get(b), acc.value.get())
    }
    let value = vector(body, context)
    if (width < 4) {
      const one = constantVector(context, identity(op, node.type === 'f32'), node.type)
      const mask = laneMask(width)
      const whole = value
      const key = `masked ${whole.local} ${one.local} ${width}`
      value = build.value(key, v128, [whole, one], () =>
        module.v128.bitselect(build.get(whole), build.get(one), module.v128.const(mask)),
      )
    }
    return combine(module, op, node.type === 'f32', acc.value.get(), build.get(value))
  }

  /** The position of the first extreme element. */
  #select(acc: Accumulator, context: Context, scope: Scope): void {
    const { op, body, over } = this.#reduction
    const { build } = context.kernel
    const { module } = build
    const value = vector(body, context)
    const lanes = this.#comparesIntegers() ? undefined : module.f32x4
    const better = (): Ref => {
      const [a, b] = [build.get(value), acc.value.get()]
      if (lanes) return op === 'argmax' ? lanes.gt(a, b) : lanes.lt(a, b)
      return op === 'argmax' ? module.i32x4.gt_s(a, b) : module.i32x4.lt_s(a, b)
    }
    const position = vector(linear(over), context)
    const mask = build.assign(scope, v128, better())
    acc.position!.set(
      scope,
      module.v128.bitselect(build.get(position), acc.position!.get(), build.get(mask)),
    )
    acc.value.set(scope, module.v128.bitselect(build.get(value), acc.value.get(), build.get(mask)))
  }
}

/** The row-major position in `over` as an expression. */
const linear = (over: readonly Index[]): Scalar =>
  over.reduce<Scalar>((at, i) => add(mul(at, int(i.extent.size)), index(i)), int(0))
