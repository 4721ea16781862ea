/** What the emission of an expression needs to know about where it stands: see expression.ts. */
import type { Extent, Scalar, Stream } from '../ir/types.ts'
import type { Slot } from '../schedule/types.ts'
import type { Ref, Target } from './assembler.ts'
import type { FunctionBuilder, Value } from './function.ts'

/** How an index variable is held: a loop's local plus a constant, and by how much it grows per lane. */
export interface Binding {
  /** Undefined: the index is the constant `offset`. */
  readonly variable: Value | undefined
  readonly offset: number
  /** Lanes hold variable + offset + 0, 1, 2, 3. */
  readonly varying: boolean
}

export interface KernelContext {
  readonly build: FunctionBuilder
  readonly target: Target
  readonly slots: ReadonlyMap<string, { readonly slot: Slot; readonly address: Value }>
  readonly stream: Stream
  /** Parameters with the counts of bounded dims. */
  readonly counts: ReadonlyMap<string, Value>
  /** Parameters with the sites of random numbers. */
  readonly sites: ReadonlyMap<number, Value>
  /** For nests that share a loop over rows: its index and what they make. */
  readonly rows: { readonly index: string; readonly made: ReadonlySet<string> } | undefined
  /** Makes a function of the math library available and gives its name in the module. */
  readonly math: (name: string) => string
  /** Four lanes of 32 bits that are known, best got before any loop. */
  readonly constant: (lanes: Uint8Array) => Ref
  /** expression.ts, handed down so that integers and loads can use it without importing what imports them. */
  readonly vector: (e: Scalar, context: Context) => Value
}

/** `name` is at least `from` and less than `to`. */
export interface Piece {
  readonly name: string
  readonly from: number
  readonly to: number
}

export interface Context {
  readonly kernel: KernelContext
  readonly indices: ReadonlyMap<string, Binding>
  /** Of the indices of the equation at hand. */
  readonly extents: ReadonlyMap<string, Extent>
  /** Lanes in use, 1 to 4; the others hold anything. */
  readonly width: number
  /** The part of the lanes' index that the loop at hand runs over, where that is not all of it. */
  readonly piece?: Piece
  /** The four rows of the tile, from `first` on, that this element is one of; set where such rows share transposed loads. */
  readonly quad?: { readonly index: string; readonly first: number }
  /** Set where one lane of an element is computed by itself: `made` and `reduced` then hold it in this lane. */
  readonly lane?: number
  /** Values of this element that earlier equations of the nest made. */
  readonly made: ReadonlyMap<string, Value>
  /** The nest's reduction and its result for this element. */
  readonly reduced: { readonly node: Scalar; readonly value: Value } | undefined
}

export function withIndex(context: Context, name: string, binding: Binding): Context {
  return { ...context, indices: new Map(context.indices).set(name, binding) }
}

/** The index that runs along the lanes, if any. */
export function varyingIndex(context: Context): string | undefined {
  for (const [name, binding] of context.indices) if (binding.varying) return name
  return undefined
}

/** The same place in one lane only. */
export function inLane(context: Context, lane: number): Context {
  const name = varyingIndex(context)
  if (name === undefined) return { ...context, width: 1 }
  const binding = context.indices.get(name)!
  const only: Binding = { ...binding, offset: binding.offset + lane, varying: false }
  return { ...withIndex(context, name, only), width: 1, lane }
}
