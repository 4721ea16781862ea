/**
 * One kernel as one WebAssembly function `(slot addresses…, lo, hi, counts…, sites…, times…)`. In: the kernel's nests. Out: the function
 * in the module. It computes the part lo..hi of its outermost index; kernels without such an index ignore both.
 */

import { extentsIn } from '../ir/affine.ts'
import { index } from '../ir/build.ts'
import type { Equation, Index, Scalar } from '../ir/types.ts'
import { blockTerms } from '../schedule/block.ts'
import { remainders } from '../schedule/registers.ts'
import { fewestStaged } from '../schedule/stage.ts'
import type { Kernel, LoopNest } from '../schedule/types.ts'
import { i32, type Module, v128 } from './assembler.ts'
import { type Binding, type Context, type KernelContext, withIndex } from './context.ts'
import { type Column, columnsOf, type Element, elementsOf, extreme } from './elements.ts'
import { vector } from './expression.ts'
import { FunctionBuilder, type Int, type Scope, type Value } from './function.ts'
import { integerOf } from './integer.ts'
import { fetch, scatterAdd, store } from './memory-access.ts'
import { cutsOf } from './pieces.ts'
import { emitReduction } from './reduction.ts'
import { flushedValue } from './subnormal.ts'

export function emitKernel(
  kernel: Kernel,
  name: string,
  {
    module,
    ...shared
  }: { readonly module: Module } & Pick<KernelContext, 'target' | 'math' | 'constant'>,
): void {
  const counts = kernel.slots.length + 2
  const sites = counts + kernel.counts.length
  const parameters = timesOf(kernel) + kernel.times.length
  const build = new FunctionBuilder(module, new Array(parameters).fill(i32))
  const context: KernelContext = {
    build,
    ...shared,
    slots: new Map(
      kernel.slots.map((slot, k) => [slot.tensor, { slot, address: build.parameter(k) }]),
    ),
    counts: new Map(kernel.counts.map((dim, k) => [dim, build.parameter(counts + k)])),
    sites: new Map(kernel.sites.map((site, k) => [site, build.parameter(sites + k)])),
    rows:
      kernel.nest.kind === 'rows'
        ? {
            index: kernel.nest.row.name,
            made: new Set(kernel.equations.map((e) => e.target)),
          }
        : undefined,
    stream: kernel.stream,
    vector,
  }
  new KernelEmitter(kernel, context).emit()
  build.finish(name)
}

/** The first parameter that is a time. */
const timesOf = ({ slots, counts, sites }: Kernel): number =>
  slots.length + 2 + counts.length + sites.length

class KernelEmitter {
  readonly #kernel: Kernel
  readonly #context: KernelContext
  readonly #equations: ReadonlyMap<string, Equation>

  constructor(kernel: Kernel, context: KernelContext) {
    this.#kernel = kernel
    this.#context = context
    this.#equations = new Map(kernel.equations.map((e) => [e.target, e]))
  }

  emit(): void {
    const { nest } = this.#kernel
    const { build } = this.#context
    const times = timesOf(this.#kernel)
    const start: Context = {
      kernel: this.#context,
      indices: new Map(
        this.#kernel.times.map((i, k) => [
          i.name,
          { variable: build.parameter(times + k), offset: 0, varying: false },
        ]),
      ),
      extents: new Map(),
      width: 1,
      made: new Map(),
      reduced: undefined,
    }
    if (nest.kind === 'loops') {
      this.#nest(nest, build.root, start)
      return
    }
    const { row } = nest
    const [from, to] = this.#bounds(row)
    build.loop(build.root, from, to, 1, (scope, variable) => {
      const inRow = withIndex(start, row.name, { variable, offset: 0, varying: false })
      for (const part of nest.nests) this.#nest(part, scope, inRow)
    })
  }

  #nest(nest: LoopNest, scope: Scope, context: Context): void {
    // All equations of a nest have the first one's output indices, and only the first may reduce.
    const extents = extentsIn(this.#equations.get(nest.values[0]!.target)!)
    this.#blocks(nest, 0, scope, { ...context, extents })
  }

  /** The part of a reduction that runs outside the tiles. */
  #blocks(nest: LoopNest, depth: number, scope: Scope, context: Context): void {
    const { blocks, reduction } = nest
    const outside = blocks ? blocks.levels + (blocks.within ? 1 : 0) : 0
    if (!blocks || !reduction || depth === outside) {
      this.#loops(nest, 0, scope, context)
      return
    }
    const i = reduction.over[depth]!
    const step = depth < blocks.levels ? 1 : blockTerms
    const [from, to] = this.#bounds(i)
    // The last block may have fewer terms: what runs within it knows.
    const end: Int =
      step === 1
        ? to
        : typeof to === 'number'
          ? Math.ceil(to / step) * step
          : integerOf('add', to, step - 1, context)
    this.#context.build.loop(scope, from, end, step, (inner, variable) => {
      const binding: Binding = { variable, offset: 0, varying: false }
      this.#blocks(nest, depth + 1, inner, withIndex(context, i.name, binding))
    })
  }

  #bounds(i: Index): [Int, Int] {
    const { build, counts } = this.#context
    if (i.name === this.#kernel.range?.name) {
      const slots = this.#kernel.slots.length
      return [build.parameter(slots), build.parameter(slots + 1)]
    }
    return [0, i.extent.bound === undefined ? i.extent.size : counts.get(i.extent.bound)!]
  }

  #loops(nest: LoopNest, depth: number, scope: Scope, context: Context): void {
    const i = nest.loops[depth]
    if (!i) {
      if (nest.lanesOuter) {
        this.#rowBlocks(nest, scope, context, (block, bounds) =>
          this.#columns(nest, block, (at, columns) =>
            this.#rows(
              nest,
              at,
              context,
              (inner, rows) => this.#tile(nest, inner, rows, columns),
              bounds,
            ),
          ),
        )
      } else {
        this.#rows(nest, scope, context, (at, rows) =>
          this.#columns(nest, at, (inner, columns) => this.#tile(nest, inner, rows, columns)),
        )
      }
      return
    }
    const [from, to] = this.#bounds(i)
    if (from === 0 && to === 1) {
      this.#loops(nest, depth + 1, scope, withIndex(context, i.name, fixed(0)))
      return
    }
    this.#context.build.loop(scope, from, to, 1, (inner, variable) => {
      const binding: Binding = { variable, offset: 0, varying: false }
      this.#loops(nest, depth + 1, inner, withIndex(context, i.name, binding))
    })
  }

  /** Blocks of rows, each for all lanes. */
  #rowBlocks(
    { rows, rowBlock }: LoopNest,
    scope: Scope,
    context: Context,
    body: (scope: Scope, bounds: readonly [Int, Int] | undefined) => void,
  ): void {
    if (!rows || rowBlock === undefined) {
      body(scope, undefined)
      return
    }
    const [from, to] = this.#bounds(rows)
    const beyond = integerOf('add', to, rowBlock - 1, context)
    this.#context.build.loop(scope, from, beyond, rowBlock, (inner, start) => {
      const end = integerOf('min', integerOf('add', start, rowBlock, context), to, context)
      body(inner, [start, end])
    })
  }

  /** The rows of the tile, whole tiles first, then what is left in smaller ones. */
  #rows(
    nest: LoopNest,
    scope: Scope,
    context: Context,
    body: (scope: Scope, rows: readonly Context[]) => void,
    bounds?: readonly [Int, Int],
  ): void {
    const { rows, rowTile } = nest
    if (!rows) {
      body(scope, [context])
      return
    }
    const { build } = this.#context
    const [from, to] = bounds ?? this.#bounds(rows)
    const { size, bound } = rows.extent
    const tile = (inner: Scope, variable: Value | undefined, start: number, n: number): void =>
      body(
        inner,
        Array.from({ length: n }, (_, r) => {
          const row = withIndex(context, rows.name, { variable, offset: start + r, varying: false })
          const first = r - (r % 4)
          if (nest.reduction || first + 4 > n) return row
          return { ...row, quad: { index: rows.name, first: start + first } }
        }),
      )
    if (from === 0 && typeof to === 'number') {
      const whole = Math.floor(size / rowTile)
      if (whole === 1) tile(scope, undefined, 0, rowTile)
      else {
        build.loop(scope, 0, whole * rowTile, rowTile, (inner, v) => tile(inner, v, 0, rowTile))
      }
      let done = whole * rowTile
      for (const n of remainders(size % rowTile)) {
        tile(scope, undefined, done, n)
        done += n
      }
      return
    }
    // Without threads a static extent runs as a whole, so that its remainder is known.
    let stopped = build.loop(scope, from, to, rowTile, (inner, v) => tile(inner, v, 0, rowTile))
    const smaller =
      bound === undefined && !this.#kernel.share
        ? [...new Set(remainders(size % rowTile))]
        : [4, 2, 1].filter((n) => n < rowTile)
    for (const n of smaller) {
      stopped = build.loop(scope, undefined, to, n, (inner, v) => tile(inner, v, 0, n), {
        again: stopped,
      })
    }
  }

  /** The vectors of the tile; the last one may have fewer lanes. */
  #columns(
    nest: LoopNest,
    scope: Scope,
    body: (scope: Scope, columns: readonly Column[]) => void,
  ): void {
    const { lanes, laneTile } = nest
    if (!lanes) {
      body(scope, [{ binding: undefined, width: 1 }])
      return
    }
    const { size } = lanes.extent
    const step = 4 * laneTile
    const whole = Math.floor(size / step)
    const { build } = this.#context
    if (lanes.name === this.#kernel.range?.name) {
      // Shared by threads at multiples of the tile: whole ones, and the last if this share has the end.
      const [from, to] = this.#bounds(lanes)
      const whole = (inner: Scope, v: Value): void => body(inner, columnsOf(v, 0, step))
      const again = build.loop(scope, from, to, step, whole)
      const left = size % step
      const last = (inner: Scope, v: Value): void => body(inner, columnsOf(v, 0, left))
      if (left > 0) build.loop(scope, undefined, to, left, last, { again })
      return
    }
    if (whole === 1 && size - step < 4) {
      // One tile and a bit: the bit joins it.
      body(scope, columnsOf(undefined, 0, size))
      return
    }
    if (whole === 1) body(scope, columnsOf(undefined, 0, step))
    else if (whole > 1) {
      const end = whole * step
      const bodies = nest.reduction ? [] : nest.values.map((v) => v.body)
      const cuts = cutsOf(bodies, lanes, step, end, this.#context.slots)
      ;[0, ...cuts].forEach((from, k) => {
        const to = cuts[k] ?? end
        const piece = cuts.length > 0 ? { name: lanes.name, from, to } : undefined
        build.loop(scope, from, to, step, (inner, v) => body(inner, columnsOf(v, 0, step, piece)))
      })
    }
    if (whole * step < size) body(scope, columnsOf(undefined, whole * step, size))
  }

  #tile(nest: LoopNest, scope: Scope, rows: readonly Context[], columns: readonly Column[]): void {
    const { reduction } = nest
    const elements = rows.flatMap((row) => elementsOf(nest, row, columns))
    const carried = nest.blocks && {
      target: nest.values[0]!.target,
      at: this.#positionOf(nest.values[0]!.target),
      blocks: nest.blocks,
    }
    const sums = (at: Scope): Value[] =>
      reduction ? emitReduction(reduction, elements, at, carried) : []
    const results = this.#wanted(nest, elements, scope, sums)
    if (nest.staged !== undefined && rows.length >= fewestStaged) {
      this.#staged(nest, scope, rows, columns, results)
      return
    }
    elements.forEach((element, k) => {
      const value = results[k]
      const reduced = reduction && value ? { node: reduction.node, value } : undefined
      this.#element(nest, scope, { ...element.context, reduced })
    })
  }

  /** The tile's sums, not taken where nobody wants one of them. */
  #wanted(
    { wanted }: LoopNest,
    elements: readonly Element[],
    scope: Scope,
    sums: (scope: Scope) => Value[],
  ): Value[] {
    const contexts = elements.map((e) => e.context)
    const least = wanted && extreme(contexts, wanted.less, 'least')
    const most = wanted && extreme(contexts, wanted.greater, 'most')
    if (least === undefined || most === undefined) return sums(scope)
    const { build } = this.#context
    const { i32: ops } = build.module
    const end = integerOf('add', most, wanted!.offset, contexts[0]!)
    return build.when(scope, ops.le_s(build.int(least), build.int(end)), sums)
  }

  readonly #positionOf = (target: string): Scalar[] =>
    this.#equations.get(target)!.outs.map((i) => index(i))

  /** Stores the tile's sums where a value will be, then makes the values row by row. */
  #staged(
    nest: LoopNest,
    scope: Scope,
    rows: readonly Context[],
    columns: readonly Column[],
    sums: readonly Value[],
  ): void {
    const { build } = this.#context
    const { target } = nest.values[nest.staged!]!
    const at = this.#positionOf(target)
    const elements = rows.flatMap((row) => elementsOf(nest, row, columns))
    elements.forEach(({ context }, k) => {
      scope.statements.push(...store(target, at, sums[k]!, context))
    })
    const { name } = nest.rows!
    const first = rows[0]!
    const { variable, offset } = first.indices.get(name)!
    const from = variable ? integerOf('add', variable, offset, first) : offset
    const to = integerOf('add', from, rows.length, first)
    const body = (inner: Scope, row: Value): void => {
      const binding: Binding = { variable: row, offset: 0, varying: false }
      for (const { context } of elementsOf(nest, withIndex(first, name, binding), columns)) {
        const value = build.assign(inner, v128, fetch(target, at, context))
        const reduced = { node: nest.reduction!.node, value }
        this.#element(nest, inner, { ...context, reduced })
      }
    }
    build.loop(scope, from, to, 1, body, { induction: true })
  }

  /** Computes all values of an element, then writes them: an update in place reads what it replaces. */
  #element(nest: LoopNest, scope: Scope, context: Context): void {
    const made = new Map<string, Value>()
    const writes: (() => void)[] = []
    for (const { target, at, body, stored, flushed } of nest.values) {
      const here: Context = { ...context, made }
      const value = vector(body, here)
      if (!at) made.set(target, value)
      if (!stored) continue
      const { outs } = this.#equations.get(target)!
      writes.push(() => {
        const type = this.#context.slots.get(target)!.slot.dtype === 'f32' ? 'f32' : 'i32'
        const statements = at
          ? scatterAdd(target, at, type, value, here)
          : store(
              target,
              outs.map((i) => index(i)),
              type === 'f32' && flushed ? flushedValue(value, here) : value,
              here,
            )
        scope.statements.push(...statements)
      })
    }
    for (const write of writes) write()
  }
}

const fixed = (offset: number): Binding => ({ variable: undefined, offset, varying: false })
