/**
 * The syntax tree of a `.net` file: what the parser makes and the formatter and elaborator read. It keeps every
 * construct as written (a pipeline stays a pipeline) and every node has its span.
 */
import type { Source, Span } from '../support/span.ts'

export interface File {
  readonly source: Source
  readonly items: readonly Item[]
  readonly comments: readonly Comment[]
}

export interface Comment {
  readonly span: Span
  /** With its slashes. `///` is documentation of the item that follows. */
  readonly text: string
}

export interface Name {
  readonly text: string
  readonly span: Span
}

export type Item =
  | Import
  | Dim
  | Const
  | Data
  | Vocab
  | Fn
  | Layer
  | Net
  | Optimizer
  | Rule
  | Train
  | Predict

/** `import "layers/mine.net"`: every item of that file becomes visible here. */
export interface Import {
  readonly kind: 'import'
  readonly span: Span
  readonly path: StringLit
}

/** `dim width = 256` (static) or `dim batch <= 64` (bounded). */
export interface Dim {
  readonly kind: 'dim'
  readonly span: Span
  readonly name: Name
  readonly bounded: boolean
  readonly value: Expr
}

/** `const scale = 1 / 255` */
export interface Const {
  readonly kind: 'const'
  readonly span: Span
  readonly name: Name
  readonly value: Expr
}

/** `data { train: idx("…", "…") test: csv("…", columns…) }` */
export interface Data {
  readonly kind: 'data'
  readonly span: Span
  readonly sources: readonly { readonly name: Name; readonly value: Expr; readonly span: Span }[]
}

/** `vocab char = chars("book.txt")`: the tokens of a text, numbered from 0. */
export interface Vocab {
  readonly kind: 'vocab'
  readonly span: Span
  readonly name: Name
  /** The call of a reader of vocabularies. */
  readonly value: Expr
}

/** A parameter in parentheses: `x: [.., I]`, `O: dim`, `label: int[batch]`, `lr = 1e-3`, `w: params`, `x`. */
export interface Param {
  readonly name: Name
  readonly type: Type | undefined
  readonly initial: Expr | undefined
  readonly span: Span
}

export type Type =
  /** `[.., I]`, `int[batch]`, `bool[N]`, `char[batch, 64]`; `[]` is a scalar tensor. */
  | {
      readonly kind: 'tensor'
      readonly dtype: 'f32' | 'i32' | 'bool'
      /** The vocabulary that numbers the elements, which are ints then. */
      readonly vocab?: Name | undefined
      readonly dims: readonly DimExpr[]
      readonly span: Span
    }
  /** `O: dim`, a compile-time extent. */
  | { readonly kind: 'dim'; readonly span: Span }
  /** `w: params`, the parameters of a net (a net's name is passed). */
  | { readonly kind: 'params'; readonly span: Span }

/** One place of a shape: `..` or arithmetic over dims. */
export type DimExpr = Rest | Expr

export interface Rest {
  readonly kind: 'rest'
  readonly span: Span
}

export interface Block {
  readonly span: Span
  readonly statements: readonly Statement[]
}

/** `fn name(params) -> type { … }` or `fn name(params) = expr` (then the block is one expression statement). */
export interface Fn {
  readonly kind: 'fn'
  readonly span: Span
  readonly name: Name
  readonly params: readonly Param[]
  readonly result: Type | undefined
  readonly body: Block
  /** True for the `= expr` form. */
  readonly short: boolean
}

export interface Layer extends Omit<Fn, 'kind'> {
  readonly kind: 'layer'
}

export interface Net extends Omit<Fn, 'kind'> {
  readonly kind: 'net'
}

/** `optimizer adam(lr = 1e-3, …) { state m = 0, v = 0  m' = …  p' = … }`; `p`, `g`, `step` are bound in it. */
export interface Optimizer {
  readonly kind: 'optimizer'
  readonly span: Span
  readonly name: Name
  readonly params: readonly Param[]
  readonly body: Block
}

/** `rule f(x, y) vjp(dy) = (dx_expr, dy_expr)`; one expression per parameter, a single one needs no parentheses. */
export interface Rule {
  readonly kind: 'rule'
  readonly span: Span
  /** The function whose derivative this is. */
  readonly name: Name
  readonly params: readonly Param[]
  readonly mode: 'vjp' | 'jvp'
  /** The names of the cotangent (vjp) or tangents (jvp). */
  readonly seeds: readonly Name[]
  readonly body: Block
  readonly short: boolean
}

export interface Train {
  readonly kind: 'train'
  readonly span: Span
  readonly name: Name
  readonly params: readonly Param[]
  readonly body: Block
}

export interface Predict {
  readonly kind: 'predict'
  readonly span: Span
  readonly name: Name
  readonly params: readonly Param[]
  readonly result: Type | undefined
  readonly body: Block
}

export type Statement =
  /** `h = expr`, `h: [batch, 8] = expr`; `m' = expr` when primed; `(a, b) = expr` has two targets. */
  | {
      readonly kind: 'bind'
      readonly span: Span
      readonly targets: readonly Target[]
      readonly type: Type | undefined
      readonly value: Expr
    }
  /** `y[n, o] = expr`; with `+=` elements that meet are added (a scatter). */
  | {
      readonly kind: 'equation'
      readonly span: Span
      readonly target: Target
      readonly at: readonly (IndexArg | Rest)[]
      readonly accumulate: boolean
      readonly value: Expr
    }
  /** `param W: [I, O] = glorot_uniform(I, O)` */
  | {
      readonly kind: 'param'
      readonly span: Span
      readonly name: Name
      readonly type: Type
      readonly initial: Expr
    }
  /** `state mean: [C] = 0, seen: int[] = 0`; in an optimizer also without a type, which is then that of the parameter. */
  | {
      readonly kind: 'state'
      readonly span: Span
      readonly cells: readonly Cell[]
    }
  | { readonly kind: 'minimize'; readonly span: Span; readonly loss: Expr }
  /** `over a, b`: the nets whose parameters this step trains. */
  | { readonly kind: 'over'; readonly span: Span; readonly nets: readonly Name[] }
  /** `using adam(lr = 1e-3) for "*.b" with clip_norm(1.0) every 4` */
  | {
      readonly kind: 'using'
      readonly span: Span
      readonly optimizer: Expr
      /** The names of the parameters that the clause is for; empty: those of no other clause. */
      readonly patterns: readonly Expr[]
      /** Each changes the gradients before the optimizer. */
      readonly transforms: readonly Expr[]
      /** Of how many calls the gradients are averaged for one update. */
      readonly every: Expr | undefined
    }
  /** `average 0.999`: an exponential moving average of the parameters that the step trains, and its decay. */
  | { readonly kind: 'average'; readonly span: Span; readonly decay: Expr }
  /** `report accuracy(logits, label)` or `report acc = …`, comma-separated. */
  | {
      readonly kind: 'report'
      readonly span: Span
      readonly metrics: readonly { readonly name: Name | undefined; readonly value: Expr }[]
    }
  | { readonly kind: 'step'; readonly span: Span; readonly body: Block }
  /** Compile-time `for i in 0..3 { … }`; a name bound outside may be bound again inside. */
  | {
      readonly kind: 'for'
      readonly span: Span
      readonly name: Name
      readonly from: Expr
      /** Exclusive. */
      readonly to: Expr
      readonly body: Block
    }
  /** Compile-time `if`. As the last statement its chosen block's value is the value. */
  | {
      readonly kind: 'if'
      readonly span: Span
      readonly test: Expr
      readonly then: Block
      readonly otherwise: Block | undefined
    }
  /** The value of the block when last. */
  | { readonly kind: 'value'; readonly span: Span; readonly value: Expr }
  /** `yield a, b`: what a scan collects at each step. */
  | { readonly kind: 'yield'; readonly span: Span; readonly values: readonly Expr[] }
  /** `fixpoint z from z0 until tol max n { … }`: parsed, not elaborated in this version. */
  | { readonly kind: 'reserved'; readonly span: Span; readonly construct: 'fixpoint' }

/** A state, or what a scan carries from step to step: `h: [N, H] = 0`. */
export interface Cell {
  readonly name: Name
  readonly type: Type | undefined
  readonly initial: Expr
  readonly span: Span
}

export interface Target {
  readonly name: Name
  readonly primed: boolean
}

/** An index of an equation's left side or of a read: `n`, `h + r - R/2`, `label[n]`; with an extent `n: batch` on the left side only. */
export interface IndexArg {
  readonly kind: 'at'
  readonly span: Span
  readonly value: Expr
  readonly extent: Expr | undefined
}

export type ReduceOp = 'sum' | 'max' | 'min' | 'mean' | 'prod' | 'argmax' | 'argmin'

export type BinaryOp =
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '^'
  | '<'
  | '<='
  | '>'
  | '>='
  | '=='
  | '!='
  | 'and'
  | 'or'

export interface StringLit {
  readonly kind: 'string'
  readonly span: Span
  readonly value: string
}

export type Expr =
  | {
      readonly kind: 'number'
      readonly span: Span
      readonly value: number
      readonly isInt: boolean
      readonly text: string
    }
  | StringLit
  | { readonly kind: 'bool'; readonly span: Span; readonly value: boolean }
  /** `x`, and `m'` when primed. */
  | { readonly kind: 'name'; readonly span: Span; readonly name: string; readonly primed: boolean }
  /** `dense(x, 256, R = 5)` */
  | {
      readonly kind: 'call'
      readonly span: Span
      readonly callee: Name
      readonly args: readonly {
        readonly name: Name | undefined
        readonly value: Expr
        readonly span: Span
      }[]
    }
  /** `x[n, i]`, `x?[n, h + r - 1]`, `x[.., i]` */
  | {
      readonly kind: 'read'
      readonly span: Span
      readonly base: Expr
      readonly guarded: boolean
      readonly at: readonly (IndexArg | Rest)[]
    }
  /** `sum[i, j: 8](body)`; an index called `..` is all that `..` stands for; `sum[p in w](…)` runs over the tensors of a parameter set; without brackets, `sum(x)`, over all elements. */
  | {
      readonly kind: 'reduce'
      readonly span: Span
      readonly op: ReduceOp
      readonly indices: readonly {
        readonly name: Name
        readonly extent: Expr | undefined
        readonly within: Expr | undefined
        readonly span: Span
      }[]
      readonly body: Expr
    }
  | { readonly kind: 'unary'; readonly span: Span; readonly op: '-' | 'not'; readonly value: Expr }
  | {
      readonly kind: 'binary'
      readonly span: Span
      readonly op: BinaryOp
      readonly left: Expr
      readonly right: Expr
    }
  /** `x |> dense(256)`: the left value becomes the first argument. `right` is a call or a name. */
  | { readonly kind: 'pipe'; readonly span: Span; readonly left: Expr; readonly right: Expr }
  /** `[batch, 64]` as an argument: `normal([batch, 64])`. */
  | { readonly kind: 'shape'; readonly span: Span; readonly dims: readonly Expr[] }
  | { readonly kind: 'tuple'; readonly span: Span; readonly parts: readonly Expr[] }
  /** Compile-time `if c { a } else { b }` with a value. */
  | {
      readonly kind: 'if'
      readonly span: Span
      readonly test: Expr
      readonly then: Block
      readonly otherwise: Block
    }
  /**
   * `scan t in T down with h: [N, H] = 0 { …  h' = …  yield h' }`. Without carries and without a `yield` the body is a
   * system of recurrence equations, whose left sides carry the time index.
   */
  | {
      readonly kind: 'scan'
      readonly span: Span
      readonly index: Name
      readonly extent: Expr
      readonly down: boolean
      /** `down if c`: downwards where this holds, which is known when compiling. */
      readonly downIf: Expr | undefined
      readonly carries: readonly Cell[]
      readonly body: Block
    }
  /** Where the parser had to give up on an expression; a diagnostic was already made. */
  | { readonly kind: 'error'; readonly span: Span }
