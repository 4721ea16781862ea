/**
 * The manifest: JSON in the custom section `netc` of every module. With it the wasm file alone is enough to run the
 * model. Types only, so that the runtime can import them without pulling in the compiler.
 *
 * Calling convention: the module imports nothing (threads aside) and exports `memory` and one function per entry. `init` takes the
 * seed (i32). Every other entry takes one i32 per name in its `counts`: the actual count of that bounded dim, 1 to its
 * maximum. Inputs are written to and outputs read from `memory` at `offset` bytes, row-major, packed for the
 * maximum extents; a bounded dim is only ever outermost, so the first `count` rows are simply the first bytes.
 */

export const abiVersion = 1

export interface TensorSpec {
  readonly name: string
  /** bool is stored as i32, 0 or -1. */
  readonly dtype: 'f32' | 'i32' | 'bool'
  /** Maximum extents. */
  readonly shape: readonly number[]
  /** Per dimension the bounded dim's name, or null when static. */
  readonly bounds: readonly (string | null)[]
  /** Bytes from the start of memory. */
  readonly offset: number
  /** Of an input or output: the vocabulary whose tokens its values number. */
  readonly vocabulary?: string
}

export interface InputSpec extends TensorSpec {
  /** Values must be in [0, range): the input is used as an index. */
  readonly range: number | null
}

export interface HyperSpec extends TensorSpec {
  readonly initial: number
}

/** The tokens of texts, each numbered by its place. */
export interface VocabularySpec {
  readonly name: string
  /** What stands between two tokens of a text. */
  readonly separator: '' | ' '
  /** Texts are taken in lower case. */
  readonly lower: boolean
  /** The number of the token that stands for what is not among them; null where such a text is an error. */
  readonly unknown: number | null
  readonly tokens: readonly string[]
}

export interface StateSpec extends TensorSpec {
  /**
   * Who needs it to go on: `weights`, everybody who runs the model (batch norm's statistics); `training`, only the
   * training (an optimizer's); `calls`, nobody: it carries from one predict call to the next.
   */
  readonly kept: 'weights' | 'training' | 'calls'
}

export interface EntrySpec {
  readonly name: string
  /**
   * `eval` is the forward half of the train block `of`; `combine` makes metrics from its totals, summed over batches: it
   * has one input for each of them, in their order. `reset` gives the states that the predict block `of` updates their
   * start values; if the block draws random numbers, the output `seed` is the cell of the seed it draws with.
   */
  readonly kind: 'train' | 'eval' | 'combine' | 'predict' | 'reset'
  /** For kinds `eval`, `combine` and `reset` the entry it belongs to, otherwise the own name. */
  readonly of: string
  readonly counts: readonly string[]
  readonly inputs: readonly InputSpec[]
  /** For train and eval the first is `loss` (rank 0), then the metrics. A multi-step train block has `loss`, `loss_2`, …. */
  readonly outputs: readonly TensorSpec[]
  /**
   * Of train and eval: what is to be summed over batches for the entry of kind `combine`. Its outputs replace the means
   * of those of the same name, and those of other shapes than a number have a value over batches only there.
   */
  readonly totals?: readonly TensorSpec[]
  /** Of a predict entry that carries states from one call to the next: their names. */
  readonly carries?: readonly string[]
  /** Floating-point operations at maximum counts. */
  readonly flops: number
  /** Bytes read and written by its kernels at maximum counts. */
  readonly bytes: number
  /** The same if each equation were a kernel of its own: what fusion saves is the difference. */
  readonly unfused: number
  /** Bytes of temporaries alive at once. */
  readonly peak: number
  /** Every named intermediate still in memory when a check for non-finite values walks them, in order of computation. */
  readonly trace: readonly (TensorSpec & { readonly place: string })[]
}

export interface Manifest {
  readonly abi: number
  readonly netc: string
  readonly target: 'simd' | 'relaxed'
  /** Base name of the source file. */
  readonly model: string
  /** FNV-1a 64 of the source text, hexadecimal. */
  readonly source: string
  readonly dims: readonly { readonly name: string; readonly max: number }[]
  readonly params: readonly TensorSpec[]
  readonly state: readonly StateSpec[]
  readonly hyper: readonly HyperSpec[]
  /** i32 cell, counted up by each train call before it computes: 0 before the first step. */
  readonly step: TensorSpec
  readonly seed: TensorSpec
  readonly entries: readonly EntrySpec[]
  readonly data: readonly {
    readonly name: string
    readonly reader: string
    readonly args: readonly {
      readonly name: string | null
      readonly value: string | number | boolean
    }[]
  }[]
  /**
   * Of a module that threads run together. It imports its memory, `env.memory`, shared and of `pages` pages, and is instantiated
   * once a thread; wasm/team.ts says what it exports beside the entries.
   */
  readonly threads?: {
    readonly pages: number
    /** As many threads as the compiler expects to be of use; 1 for a small model. */
    readonly most: number
  }
  /** Left out where the model has none. */
  readonly vocabularies?: readonly VocabularySpec[]
  /** Bytes of memory in all. */
  readonly memory: number
}
