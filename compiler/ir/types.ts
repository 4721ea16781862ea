/**
 * The intermediate representation: a program is persistent tensors plus entries, an entry is stages of tensor
 * equations. Everything between the elaborator and the scheduler is made of these values and nothing else; they are
 * immutable, and a pass returns new ones.
 *
 * An equation says `target[at] = body` for every point of its domain `outs`. Reductions are scalar expressions
 * (`reduce`) and may nest anywhere in a body, so an equation is the source line it came from, and fusing two
 * equations is substituting one body into the other.
 */
import type { Span } from '../support/span.ts'

/** `bool` is stored as i32: 0 or -1 (all bits). */
export type DType = 'f32' | 'i32' | 'bool'

/** How many elements a dimension has. Memory is always laid out for `size`. */
export interface Extent {
  readonly size: number
  /** The bounded dim (`dim batch <= 64`) whose run-time count, 1 to `size`, is the true extent. */
  readonly bound: string | undefined
  /** What the user calls it (`I`, `batch`, `4*H`), for messages and printing only; equality ignores it. */
  readonly name: string | undefined
}

/** An index variable. Its name is unique among all indices of its equation, `outs` and nested reductions alike. */
export interface Index {
  readonly name: string
  readonly extent: Extent
}

export type UnaryOp =
  | 'neg'
  | 'abs'
  | 'sign'
  | 'sqrt'
  | 'exp'
  | 'log'
  | 'tanh'
  | 'sigmoid'
  | 'erf'
  | 'sin'
  | 'cos'
  | 'floor'
  | 'ceil'
  | 'not'

/**
 * Both operands have one dtype (casts are explicit). `div` on i32 is floor division and `mod` its remainder (sign of
 * the divisor); on f32 `mod` is x - floor(x / y) * y. `max` and `min` return the first operand where they compare
 * unordered, so `max(x, 0)` passes a NaN on. Comparisons give bool; `and`, `or` take and give bool.
 */
export type BinaryOp =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'mod'
  | 'pow'
  | 'min'
  | 'max'
  | 'lt'
  | 'le'
  | 'gt'
  | 'ge'
  | 'eq'
  | 'ne'
  | 'and'
  | 'or'

/**
 * `max` and `min` over anything that is NaN are NaN. `argmax`, `argmin` give the i32 position, row-major over `over`, of
 * the first extreme element; they pass over NaN and give 0 where nothing is left.
 */
export type ReduceOp = 'sum' | 'max' | 'min' | 'prod' | 'argmax' | 'argmin'

export type Scalar =
  | { readonly kind: 'const'; readonly type: DType; readonly value: number }
  /** The value of an index variable, i32. */
  | { readonly kind: 'index'; readonly name: string }
  /** The run-time count of a bounded dim, i32. */
  | { readonly kind: 'count'; readonly dim: string }
  /**
   * One element of a tensor. Positions are i32 expressions, one per dimension. Unguarded positions are proven in
   * range, save that a data-dependent position is clamped into it; a guarded read is 0 outside.
   */
  | {
      readonly kind: 'read'
      readonly tensor: string
      readonly type: DType
      readonly at: readonly Scalar[]
      readonly guarded: boolean
    }
  | { readonly kind: 'unary'; readonly op: UnaryOp; readonly type: DType; readonly value: Scalar }
  | {
      readonly kind: 'binary'
      readonly op: BinaryOp
      readonly type: DType
      readonly left: Scalar
      readonly right: Scalar
    }
  | {
      readonly kind: 'select'
      readonly type: DType
      readonly test: Scalar
      readonly then: Scalar
      readonly otherwise: Scalar
    }
  /** f32 to i32 truncates and saturates; bool gives 1 or 0. */
  | { readonly kind: 'cast'; readonly type: DType; readonly value: Scalar }
  /** Never differentiated through; the value is that of `value`. */
  | { readonly kind: 'stopgrad'; readonly type: DType; readonly value: Scalar }
  | {
      readonly kind: 'reduce'
      readonly op: ReduceOp
      readonly type: DType
      readonly over: readonly Index[]
      readonly body: Scalar
    }
  /** Uniform in [0, 1), f32: a pure function of the entry's stream (the seed and step cells), the site and the i32 element. */
  | { readonly kind: 'random'; readonly site: number; readonly element: Scalar }

/** Where an equation came from. */
export interface Origin {
  /** The source text it was written as; for derived equations that of the forward equation. */
  readonly span: Span | undefined
  /** What made it, short: '' as written, `adjoint of h`, `adam update of W`. */
  readonly note: string
}

export interface Equation {
  readonly target: string
  readonly outs: readonly Index[]
  /**
   * Undefined: the element at `outs`, one index per dimension of the target. Otherwise a scatter: the positions
   * written to, one per dimension; the target starts as zeros and `body` is added there.
   */
  readonly at: readonly Scalar[] | undefined
  readonly body: Scalar
  /** Not computed before that tensor is: what a backward pass computes again must not be kept from the forward pass. */
  readonly after?: After
  readonly origin: Origin
}

/**
 * Per dimension of the tensor the index of the equation that runs along it (the time of a loop around both); undefined
 * for a dimension that is waited for as a whole.
 */
export interface After {
  readonly tensor: string
  readonly at: readonly (string | undefined)[]
}

/**
 * - `param`, `state`: persist, trained or carried by updates
 * - `hyper`: rank 0, set from outside (learning rate)
 * - `step`: rank 0 i32, number of the current training step from 1; `seed`: rank 0 i32
 * - `input`: written by the caller before an entry runs
 * - `temp`: defined by exactly one equation of its entry
 * - `gradient`: defined by differentiation (a temp that update equations already name)
 */
export type Role = 'param' | 'state' | 'hyper' | 'step' | 'seed' | 'input' | 'temp' | 'gradient'

export interface Tensor {
  /** A dotted path: `classify.dense_1.W`, `classify.relu_1`, `logits`. Unique in its scope and against persistent names. */
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly Extent[]
  readonly role: Role
  readonly span: Span | undefined
  /** The start value of a `hyper`. */
  readonly initial: number | undefined
  /** Set on an input that is used as an index: values must be in [0, range). */
  readonly range: number | undefined
  /**
   * On a temp of a program not yet differentiated: the `checkpoint` that it was made in, from outside in (`1/2`).
   * Differentiation computes what it needs of it again.
   */
  readonly checkpoint?: string
  /** On an input: the vocabulary that numbers its elements, whose size is then the range. */
  readonly vocabulary?: string | undefined
}

/** A call whose derivative is written by hand (`rule`). Differentiation does not look behind `result`. */
export interface RuleCall {
  readonly fn: string
  readonly result: string
  readonly args: readonly string[]
  /** The placeholder tensor that stands for the cotangent of `result` in `equations`. */
  readonly cotangent: Tensor
  /** Temps defined by `equations`. */
  readonly tensors: readonly Tensor[]
  readonly equations: readonly Equation[]
  /** Per argument the tensor holding its cotangent contribution; undefined where none flows. */
  readonly cotangents: readonly (string | undefined)[]
}

/** What a training stage minimizes; consumed by differentiation. */
export interface Objective {
  /** Rank 0. */
  readonly loss: string
  /** Parameters and the gradient tensor (role `gradient`, in the entry's tensors) that must be defined for each. */
  readonly gradients: readonly { readonly param: string; readonly gradient: string }[]
}

/**
 * Equations in any order that `recurrence.ts` can bring them into: each reads what can be computed before it, and
 * in a loop what an earlier step of the loop computes. Passes keep them in a computable order, loops together, where they
 * can. Reads of persistent tensors see the values from before the stage; `updates` take effect together at its end.
 */
export interface Stage {
  readonly equations: readonly Equation[]
  readonly updates: readonly { readonly target: string; readonly value: string }[]
  readonly objective: Objective | undefined
  readonly rules: readonly RuleCall[]
}

export interface Output {
  /** The name the caller sees. One like `total.1` is no result: it is summed over batches for `combine`. */
  readonly name: string
  readonly tensor: string
  /** The vocabulary that numbers its elements. */
  readonly vocabulary?: string | undefined
}

/** The name of total number `k` of a train block, from 1: an output of train and eval, an input of combine. */
export const totalName = (k: number): string => `total.${k}`

export const isTotal = (output: string): boolean => /^total\.\d+$/.test(output)

/** Where random numbers take their key from. */
export interface Stream {
  readonly seed: string
  readonly step: string
}

export interface Entry {
  readonly name: string
  /**
   * `combine` takes the totals of a train block, summed over batches, and gives the metrics made of them; `reset` gives
   * the states that a predict entry updates their start values again, running as at step 0.
   */
  readonly kind: 'init' | 'train' | 'eval' | 'combine' | 'predict' | 'reset'
  readonly inputs: readonly string[]
  readonly outputs: readonly Output[]
  /** Inputs, temps and gradients of this entry. */
  readonly tensors: readonly Tensor[]
  /** Run one after the other; temps of an earlier stage are visible in later ones. */
  readonly stages: readonly Stage[]
  /** Of an entry that draws random numbers of its own: the i32 states read in place of the seed and step cells. */
  readonly stream?: Stream | undefined
}

export interface BoundedDim {
  readonly name: string
  readonly max: number
}

/** A reader call of the `data` block, uninterpreted: `idx("a", "b")` is {reader: 'idx', args: [{value: 'a'}, …]}. */
export interface DataSource {
  readonly name: string
  readonly reader: string
  readonly args: readonly {
    readonly name: string | undefined
    readonly value: string | number | boolean
  }[]
  readonly span: Span | undefined
}

/** The tokens that a text is made of, each by its number: its place in `tokens`. */
export interface Vocabulary {
  readonly name: string
  /** What stands between two tokens in a text: nothing, or a space where tokens are words. */
  readonly separator: '' | ' '
  /** Texts are taken in lower case. */
  readonly lower: boolean
  /** The number of the token that stands for what the vocabulary has not. */
  readonly unknown: number | undefined
  readonly tokens: readonly string[]
}

export interface Program {
  readonly file: string
  readonly dims: readonly BoundedDim[]
  /** Roles param, state, hyper, step, seed. */
  readonly tensors: readonly Tensor[]
  /**
   * `init` first, then in source order; a train block `t` gives the entries `t`, without update `t_eval`, and `t_combine`
   * where it has totals; a predict block `p` that updates states `p` and `p_reset`.
   */
  readonly entries: readonly Entry[]
  readonly data: readonly DataSource[]
  readonly vocabularies: readonly Vocabulary[]
}
