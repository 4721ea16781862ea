/**
 * Checkpoints: values that the backward pass computes again instead of keeping them (Griewank and Walther 2000; Chen et
 * al. 2016, "Training deep nets with sublinear memory cost"). In: the forward equations, some of which were made in a
 * `checkpoint` (`Tensor.checkpoint`). Out: for the adjoint of such an equation the same expressions over copies of what
 * the checkpoint made; the copies' equations read what is kept.
 *
 *   h = tanh(x W)            in a checkpoint                d_s = d_h * (1 - h_again²)
 *                                                           h_again = tanh(x W)  after d_y
 *
 * A copy waits (`Equation.after`) until the backward pass arrives at the checkpoint: else it would be the value that the
 * forward pass has, and live as long. In a loop around the checkpoint it waits step by step, so that copies live for one
 * step. Of nested checkpoints each computes again from what the one around it has. What follows no loop around, though
 * the checkpoint is in one, is kept: it is the same for all steps.
 */
import type { Equation, Scalar } from '../ir/types.ts'
import { type ReadNode, replaceInEquation, replaceReads } from '../passes/reads.ts'
import { type Checkpoints, common } from './checkpoints.ts'
import type { Contribution } from './reverse.ts'
import type { Scope } from './scope.ts'

export class Recomputation {
  /** Equations of copies made since they were last taken. */
  readonly #made: Equation[] = []
  readonly #scope: Scope
  readonly #checkpoints: Checkpoints
  readonly #copies = new Map<string, string>()

  constructor(checkpoints: Checkpoints, scope: Scope) {
    this.#checkpoints = checkpoints
    this.#scope = scope
  }

  take(): readonly Equation[] {
    return this.#made.splice(0)
  }

  /** What the adjoint of `of` says, with the values that it may use. */
  equation(of: string, eq: Equation): Equation {
    const level = this.#checkpoints.level(of)
    return level === '' ? eq : replaceInEquation(eq, (read) => this.#at(level, read))
  }

  contribution(of: string, c: Contribution): Contribution {
    const level = this.#checkpoints.level(of)
    if (level === '') return c
    const replace = (e: Scalar): Scalar => replaceReads(e, (read) => this.#at(level, read))
    return { ...c, at: c.at.map(replace), value: replace(c.value) }
  }

  /** The read as it is in a checkpoint: of a copy, made in the innermost checkpoint around both. */
  #at(level: string, read: ReadNode): Scalar | undefined {
    const shared = common(level, this.#checkpoints.level(read.tensor))
    if (shared === '') return undefined
    const copy = this.#copy(shared, read.tensor)
    return copy === undefined ? undefined : { ...read, tensor: copy }
  }

  /** Undefined where the value is kept after all. */
  #copy(level: string, tensor: string): string | undefined {
    const key = `${level} ${tensor}`
    const known = this.#copies.get(key)
    if (known !== undefined) return known
    const equation = this.#checkpoints.definition(tensor)
    const after = equation && this.#checkpoints.after(level, equation)
    if (!after) return undefined
    const like = this.#scope.get(tensor)
    const own = this.#scope.temp(`${tensor}_again`, like.shape, like, like.dtype)
    this.#copies.set(key, own.name)
    const copy = replaceInEquation(equation, (read) => this.#at(level, read))
    const { span, note } = equation.origin
    const origin = { span, note: `again${note === '' ? '' : ` ${note}`}` }
    this.#made.push({ ...copy, target: own.name, after, origin })
    return own.name
  }
}
