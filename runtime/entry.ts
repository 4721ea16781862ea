/**
 * One entry of a model: live views of its inputs and outputs in the module's memory, checked writing of feeds, and
 * reading of results. After construction nothing here allocates except result objects and copies of tensor outputs.
 */
import type { EntrySpec, InputSpec, TensorSpec } from '../compiler/wasm/manifest.ts'
import { volume } from './checks.ts'
import { fail } from './errors.ts'
import type { Instance } from './module.ts'

/** Values of one input, row-major; a plain number for a scalar. */
export type Feed = ArrayLike<number> | ArrayLike<boolean> | number | boolean
export type Feeds = Readonly<Record<string, Feed>>

/** A view into memory: f32 tensors are floats; i32 and bool ones integers, where true is -1. */
export type View = Float32Array | Int32Array

/** What an entry returns: a number per scalar output, otherwise a copy of the rows. */
export type Results = Record<string, number | Float32Array | Int32Array>

/** A tensor in the module's memory. */
export interface Bound<S extends TensorSpec = TensorSpec> {
  readonly spec: S
  readonly view: View
  /** Elements in one row of the bounded dim, or in all when there is none. */
  readonly stride: number
  /** Position in the entry's counts, or -1. */
  readonly count: number
}

export type Input = Bound<InputSpec>

export function viewOf(memory: ArrayBuffer, spec: TensorSpec): View {
  return new (spec.dtype === 'f32' ? Float32Array : Int32Array)(
    memory,
    spec.offset,
    volume(spec.shape),
  )
}

export const viewsOf = (
  tensors: readonly { readonly spec: TensorSpec; readonly view: View }[],
): Readonly<Record<string, View>> =>
  Object.fromEntries(tensors.map(({ spec, view }) => [spec.name, view]))

/** `[batch<=64, 784]` */
const showShape = (spec: TensorSpec): string =>
  `[${spec.shape.map((n, k) => (spec.bounds[k] ? `${spec.bounds[k]}<=${n}` : n)).join(', ')}]`

export class Entry {
  readonly spec: EntrySpec
  /** Live views of the inputs: write here, then call `run`. */
  readonly inputs: Readonly<Record<string, View>>
  /** Live views of the outputs: `outputs.loss[0]` after `run`. */
  readonly outputs: Readonly<Record<string, View>>
  /** The module's own function: one count per name in `spec.counts`. Checks nothing, allocates nothing. */
  readonly run: (...counts: number[]) => void
  /** @internal */
  readonly ins: readonly Input[]
  /** @internal */
  readonly outs: readonly Bound[]
  /** @internal What is summed over batches. */
  readonly totals: readonly Bound[]
  /** @internal Intermediate values, in the order in which they are computed. */
  readonly trace: readonly Bound<EntrySpec['trace'][number]>[]
  /** @internal Maximum of each count. */
  readonly limits: readonly number[]
  /** @internal The counts of the current call, 0 where not yet known. */
  readonly counts: Int32Array

  constructor(spec: EntrySpec, limits: readonly number[], instance: Instance) {
    const bind = <S extends TensorSpec>(tensor: S) => {
      const count = tensor.bounds[0] ? spec.counts.indexOf(tensor.bounds[0]) : -1
      const stride = volume(tensor.shape.slice(count < 0 ? 0 : 1))
      return { spec: tensor, view: viewOf(instance.memory, tensor), stride, count }
    }
    this.spec = spec
    this.run = instance.call(spec.name)
    this.ins = spec.inputs.map(bind)
    this.outs = spec.outputs.map(bind)
    this.totals = (spec.totals ?? []).map(bind)
    this.trace = spec.trace.map(bind)
    this.inputs = viewsOf(this.ins)
    this.outputs = viewsOf(this.outs)
    this.limits = limits
    this.counts = new Int32Array(limits.length)
  }

  /**
   * Checks names, kinds and sizes of feeds of any number of rows and leaves the number of rows of each bounded dim in
   * `counts`; a dim that no input has takes its value from `given`, or else its maximum.
   */
  measure(feeds: Feeds, given?: Readonly<Record<string, number>>): void {
    const { counts, spec } = this
    for (const name in feeds) {
      if (!(name in this.inputs)) {
        const names = spec.inputs.map((i) => i.name).join(', ') || 'none'
        fail('feed-name', `${spec.of} has no input ${name}; its inputs: ${names}`, { feed: name })
      }
    }
    counts.fill(0)
    for (const input of this.ins) this.#measureOne(input, feeds[input.spec.name])
    for (let c = 0; c < counts.length; c++) {
      const name = spec.counts[c]!
      const asked = given?.[name] ?? (counts[c] || this.limits[c]!)
      if (!Number.isInteger(asked) || asked < 1 || (counts[c] && asked !== counts[c])) {
        fail('feed-rows', `${spec.of} cannot run with ${name} = ${asked}`, {
          dim: name,
          rows: asked,
        })
      }
      counts[c] = asked
    }
  }

  #measureOne(input: Input, feed: Feed | undefined): void {
    const { spec, stride, count } = input
    const { name } = spec
    if (feed === undefined || feed === null) {
      fail('feed-missing', `${this.spec.of} needs the input ${name}`, { feed: name })
    }
    const isScalar = typeof feed === 'number' || typeof feed === 'boolean'
    const length = isScalar ? 1 : feed.length
    if (typeof length !== 'number' || typeof feed === 'string') {
      fail('feed-dtype', `input ${name} takes a flat array of numbers`, { feed: name })
    }
    const first = isScalar ? feed : feed[0]
    const isFloat = feed instanceof Float32Array || feed instanceof Float64Array
    if ((spec.dtype !== 'f32' && isFloat) || (length > 0 && !/^(num|boo)/.test(typeof first))) {
      const got = isScalar ? typeof feed : ((feed as object).constructor?.name ?? 'an object')
      fail('feed-dtype', `input ${name} is ${spec.dtype} and was fed ${got}`, {
        feed: name,
        dtype: spec.dtype,
      })
    }
    if (count < 0) {
      if (length !== stride) this.#badShape(input, length)
      return
    }
    const rows = length / stride
    if (!Number.isInteger(rows)) this.#badShape(input, length)
    const dim = this.spec.counts[count]!
    if (rows < 1) fail('feed-rows', `input ${name} has no rows`, { feed: name, rows })
    const before = this.counts[count]!
    if (before && before !== rows) {
      fail('feed-rows', `input ${name} has ${rows} rows, other inputs over ${dim} have ${before}`, {
        feed: name,
        rows,
      })
    }
    this.counts[count] = rows
  }

  #badShape({ spec, stride, count }: Input, length: number): never {
    const rows = count < 0 ? '' : ' for each row'
    return fail(
      'feed-shape',
      `input ${spec.name} has shape ${showShape(spec)}, ${stride} values${rows}, and was fed ${length} values`,
      { feed: spec.name, length },
    )
  }

  /** Checks that every value fits an integer or boolean input: whole numbers, and in range where it is an index. */
  checkValues(feeds: Feeds): void {
    for (const { spec, stride } of this.ins) {
      if (spec.dtype === 'f32') continue
      const feed = feeds[spec.name]!
      const data = typeof feed === 'object' ? feed : [feed as number]
      const low = spec.dtype === 'bool' ? -1 : spec.range === null ? -(2 ** 31) : 0
      const high = spec.dtype === 'bool' ? 1 : (spec.range ?? 2 ** 31) - 1
      for (let k = 0; k < data.length; k++) {
        const value = Number(data[k])
        if (value >= low && value <= high && Number.isInteger(value)) continue
        const row = Math.floor(k / stride)
        fail(
          Number.isInteger(value) ? 'feed-range' : 'feed-dtype',
          `input ${spec.name} takes whole numbers from ${low} to ${high}, and row ${row} holds ${data[k]}`,
          { feed: spec.name, row, value },
        )
      }
    }
  }

  /** Writes the rows `from` to `from + rows` of feeds that were measured, or those that `order` has there. */
  write(feeds: Feeds, from: number, rows: number, order?: Uint32Array): void {
    for (const { spec, view, stride, count } of this.ins) {
      const feed = feeds[spec.name]!
      const isBool = spec.dtype === 'bool'
      if (typeof feed !== 'object') view[0] = isBool && feed ? -1 : Number(feed)
      else if (count < 0) copy(feed, 0, view, 0, stride, isBool)
      else if (!order) copy(feed, from * stride, view, 0, rows * stride, isBool)
      else {
        for (let r = 0; r < rows; r++) {
          copy(feed, order[from + r]! * stride, view, r * stride, stride, isBool)
        }
      }
    }
  }

  /** Runs with the counts left by `measure`. */
  runCounts(): void {
    const { counts, limits, run } = this
    for (let c = 0; c < counts.length; c++) {
      if (counts[c]! > limits[c]!) {
        const dim = this.spec.counts[c]!
        fail(
          'feed-rows',
          `${this.spec.of} takes at most ${limits[c]} rows and was fed ${counts[c]}`,
          {
            dim,
            rows: counts[c]!,
          },
        )
      }
    }
    // Spreading allocates. A function without counts ignores what it is given.
    if (counts.length > 1) run(...counts)
    else run(counts[0]!)
  }

  /** @internal How many values of a tensor the counts of this call reach. */
  live({ stride, count }: Bound): number {
    return count < 0 ? stride : this.counts[count]! * stride
  }

  /** The results of the last run. */
  results(): Results {
    const results: Results = {}
    for (const output of this.outs) {
      const { spec, view } = output
      results[spec.name] = spec.shape.length === 0 ? view[0]! : view.slice(0, this.live(output))
    }
    return results
  }
}

/** An element loop, not `subarray` and `set`: those allocate an object for each row. */
function copy(
  from: ArrayLike<number> | ArrayLike<boolean>,
  at: number,
  to: View,
  start: number,
  length: number,
  isBool: boolean,
): void {
  if (isBool) for (let k = 0; k < length; k++) to[start + k] = from[at + k] ? -1 : 0
  else if (from instanceof Uint8Array)
    for (let k = 0; k < length; k++) to[start + k] = from[at + k]!
  else if (from instanceof Float32Array) {
    for (let k = 0; k < length; k++) to[start + k] = from[at + k]!
  } else for (let k = 0; k < length; k++) to[start + k] = from[at + k] as number
}
