/**
 * What the scheduler makes of a stage: kernels, each one WebAssembly function, run in order. A kernel is described by
 * values alone, with tensors as numbered slots, so that two kernels of the same text are one function.
 */
import type { Equation, Index, ReduceOp, Scalar, Stream } from '../ir/types.ts'
import type { Blocks } from './block.ts'
import type { Order } from './triangle.ts'

/** A tensor a kernel touches; its address is a parameter of the function. */
export interface Slot {
  readonly tensor: string
  readonly dtype: 'f32' | 'i32' | 'bool'
  /** Maximum extents; strides follow from them, row-major. */
  readonly shape: readonly number[]
  /** Per dimension whether all its positions are one place in memory (fold.ts). */
  readonly folded: readonly boolean[]
  /** Per dimension the bounded dim whose count is its true extent. */
  readonly bounds: readonly (string | undefined)[]
}

/** One equation of a nest: computed at each point of the nest's domain, then kept in a local for the next ones. */
export interface Value {
  readonly target: string
  /** Scatter positions, as in the equation. */
  readonly at: readonly Scalar[] | undefined
  /** Holds the nest's reduction node where there is one. */
  readonly body: Scalar
  /** Whether it is written to memory: it is read by another nest, or is an output. */
  readonly stored: boolean
  /** Whether subnormal numbers are stored as 0: see wasm/subnormal.ts. */
  readonly flushed: boolean
}

export interface Reduction {
  /** The node, found by identity in the first value's body. */
  readonly node: Extract<Scalar, { kind: 'reduce' }>
  readonly op: ReduceOp
  readonly over: readonly Index[]
  readonly body: Scalar
  /** The index of `over` that runs along the lanes (a dot product), or undefined: an output index does. */
  readonly lane: string | undefined
  /** The order outside of which all terms are zeros (triangle.ts). */
  readonly within: Order | undefined
}

/**
 * Loops over one domain. `rows` and `lanes` are the two indices that make a register tile: `rowTile` scalars by
 * `laneTile` vectors; the others are plain loops around it, outermost first.
 */
export interface LoopNest {
  readonly kind: 'loops'
  readonly loops: readonly Index[]
  readonly rows: Index | undefined
  readonly rowTile: number
  readonly lanes: Index | undefined
  readonly laneTile: number
  /** Whether the loop over lanes stands outside that over rows. */
  readonly lanesOuter: boolean
  /** Rows that all lanes are done for before the next ones come, where those of all rows outgrow the cache; else undefined. */
  readonly rowBlock: number | undefined
  readonly reduction: Reduction | undefined
  /**
   * Set where the reduction's first indices run outside the tiles: the nest then has one value, the reduction itself, which
   * starts as zeros in memory and is added to.
   */
  readonly blocks: Blocks | undefined
  /**
   * Set where much is computed from each sum: the value in whose place in memory the sums of a tile wait, while a loop over the
   * tile's rows makes the values of one after the other.
   */
  readonly staged: number | undefined
  /** The order outside of which nobody wants the reduction (triangle.ts). */
  readonly wanted: Order | undefined
  readonly values: readonly Value[]
}

/** One loop over rows shared by several nests that follow each other within a row. */
export interface RowNest {
  readonly kind: 'rows'
  readonly row: Index
  readonly nests: readonly LoopNest[]
}

export type Nest = LoopNest | RowNest

/** How threads share a kernel: an output index of which each takes a part. See share.ts. */
export interface Share {
  readonly index: Index
  /** Parts begin at multiples of this. */
  readonly grain: number
}

export interface Kernel {
  /** After the first tensor it makes. */
  readonly name: string
  readonly slots: readonly Slot[]
  /** Bounded dims whose counts it needs, as parameters after lo and hi. */
  readonly counts: readonly string[]
  /**
   * The sites of its random numbers, parameters after the counts: so that the dropout of every layer is the same code, and the start of
   * every weight of one shape.
   */
  readonly sites: readonly number[]
  /** The times of the loops around it, outermost first: parameters after the sites. */
  readonly times: readonly Index[]
  /** The index that lo..hi splits, if its outermost loop can be split. */
  readonly range: Index | undefined
  /** How threads may share it, by `range`; undefined in a module for one thread. */
  readonly share: Share | undefined
  readonly nest: Nest
  readonly equations: readonly Equation[]
  /** Targets that start as zeros because they are scattered to. */
  readonly zeroed: readonly string[]
  /** The slots that its random numbers take their key from. */
  readonly stream: Stream
}
