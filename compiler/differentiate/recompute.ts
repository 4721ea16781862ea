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
import { dimensionOf, type Loop, type Step } from '../ir/recurrence.ts'
import { readsOf, some, visit } from '../ir/traverse.ts'
import type { After, Equation, Scalar, Tensor } from '../ir/types.ts'
import { type ReadNode, replaceInEquation, replaceReads } from '../passes/reads.ts'
import type { Contribution } from './reverse.ts'
import type { Scope } from './scope.ts'

/** How the copies of one checkpoint are timed. */
interface Timing {
  /** What they wait for: the cotangent of this tensor. */
  readonly anchor: Equation
  readonly cotangent: Tensor
  /** The loops around checkpoint and anchor, each with the time of every tensor that runs along. */
  readonly loops: readonly {
    readonly dimension: number
    readonly time: ReadonlyMap<string, string>
  }[]
}

export class Recomputation {
  /** Equations of copies made since they were last taken. */
  readonly #made: Equation[] = []
  readonly #scope: Scope
  readonly #definitions: ReadonlyMap<string, Equation>
  readonly #readers = new Map<string, Equation[]>()
  readonly #chains = new Map<string, readonly Loop[]>()
  readonly #cotangents: ReadonlyMap<string, Tensor>
  readonly #copies = new Map<string, string>()
  readonly #timings = new Map<string, Timing | undefined>()

  /** `cotangents`: those named so far, by tensor. */
  constructor(
    steps: readonly Step[],
    equations: readonly Equation[],
    cotangents: ReadonlyMap<string, Tensor>,
    scope: Scope,
  ) {
    this.#scope = scope
    this.#cotangents = cotangents
    this.#definitions = new Map(equations.map((eq) => [eq.target, eq]))
    for (const eq of equations) {
      for (const tensor of readsOf(eq)) {
        const known = this.#readers.get(tensor)
        if (known) known.push(eq)
        else this.#readers.set(tensor, [eq])
      }
    }
    const walk = (inside: readonly Step[], around: readonly Loop[]): void => {
      for (const step of inside) {
        if (step.kind === 'loop') walk(step.steps, [...around, step])
        else this.#chains.set(step.equation.target, around)
      }
    }
    walk(steps, [])
  }

  take(): readonly Equation[] {
    return this.#made.splice(0)
  }

  /** What the adjoint of `of` says, with the values that it may use. */
  equation(of: string, eq: Equation): Equation {
    const level = this.#level(of)
    return level === '' ? eq : replaceInEquation(eq, (read) => this.#at(level, read))
  }

  contribution(of: string, c: Contribution): Contribution {
    const level = this.#level(of)
    if (level === '') return c
    const replace = (e: Scalar): Scalar => replaceReads(e, (read) => this.#at(level, read))
    return { ...c, at: c.at.map(replace), value: replace(c.value) }
  }

  #level(tensor: string): string {
    return this.#scope.find(tensor)?.checkpoint ?? ''
  }

  /** The read as it is in a checkpoint: of a copy, made in the innermost checkpoint around both. */
  #at(level: string, read: ReadNode): Scalar | undefined {
    const shared = common(level, this.#level(read.tensor))
    if (shared === '') return undefined
    const copy = this.#copy(shared, read.tensor)
    return copy === undefined ? undefined : { ...read, tensor: copy }
  }

  /** Undefined where the value is kept after all. */
  #copy(level: string, tensor: string): string | undefined {
    const key = `${level} ${tensor}`
    const known = this.#copies.get(key)
    if (known !== undefined) return known
    const equation = this.#definitions.get(tensor)
    const after = equation && this.#after(level, equation)
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

  #after(level: string, equation: Equation): After | undefined {
    if (!this.#timings.has(level)) this.#timings.set(level, this.#timing(level))
    const timing = this.#timings.get(level)
    if (!timing) return undefined
    const at: (string | undefined)[] = timing.cotangent.shape.map(() => undefined)
    for (const { dimension, time } of timing.loops) {
      const own = time.get(equation.target)
      if (own === undefined) return undefined
      at[dimension] = own
    }
    return { tensor: timing.cotangent.name, at }
  }

  #inside(level: string, tensor: string): boolean {
    return common(level, this.#level(tensor)) === level
  }

  /**
   * The anchor is a result that nothing inside reads, or what reads a value of the checkpoint outside in the same step:
   * its cotangent is there before anything inside is differentiated. Of several the one that shares most loops with the
   * checkpoint.
   */
  #timing(level: string): Timing | undefined {
    const members = [...this.#definitions.values()].filter((eq) => this.#inside(level, eq.target))
    const around = new Set<Loop>()
    for (const { target } of members) {
      for (const loop of this.#chains.get(target) ?? []) {
        if ([...loop.time.keys()].some((other) => !this.#inside(level, other))) around.add(loop)
      }
    }
    let best: { readonly anchor: Equation; readonly loops: readonly Loop[] } | undefined
    const offer = (anchor: Equation, loops: readonly Loop[]): void => {
      if (!this.#cotangents.has(anchor.target)) return
      if (!best || loops.length > best.loops.length) best = { anchor, loops }
    }
    for (const eq of members) {
      const readers = this.#readers.get(eq.target) ?? []
      const outside = readers.filter((reader) => !this.#inside(level, reader.target))
      const chain = this.#chains.get(eq.target) ?? []
      if (outside.length === readers.length && chain.every((loop) => around.has(loop))) {
        offer(eq, chain)
      }
      for (const reader of outside) {
        const shared = chain.filter((loop) => loop.time.has(reader.target))
        if (shared.every((loop) => readsAtTime(reader, eq, loop))) {
          offer(
            reader,
            (this.#chains.get(reader.target) ?? []).filter((loop) => around.has(loop)),
          )
        }
      }
    }
    if (!best) return undefined
    const { anchor, loops } = best
    if (!loops.every((loop) => isWithinStep(members, loop))) return undefined
    return {
      anchor,
      cotangent: this.#cotangents.get(anchor.target)!,
      loops: loops.map((loop) => ({
        dimension: dimensionOf(anchor, loop.time.get(anchor.target)!)!,
        time: this.#timesIn(loop, level, members),
      })),
    }
  }

  /** The loop's own times, and those of what is computed beside the loop for it alone: read at the time, nowhere else. */
  #timesIn(loop: Loop, level: string, members: readonly Equation[]): ReadonlyMap<string, string> {
    const times = new Map(loop.time)
    for (let before = -1; before !== times.size; ) {
      before = times.size
      for (const eq of members.toReversed()) {
        if (times.has(eq.target) || eq.at) continue
        const readers = (this.#readers.get(eq.target) ?? []).filter((r) =>
          this.#inside(level, r.target),
        )
        const dimension = commonDimension(eq.target, readers, times)
        const index = dimension === undefined ? undefined : eq.outs[dimension]
        if (index && index.extent.size === loop.extent.size) times.set(eq.target, index.name)
      }
    }
    return times
  }
}

/** Whether every read of `of` in the loop is of the same step. */
function readsAtTime(reader: Equation, of: Equation, loop: Loop): boolean {
  const time = loop.time.get(reader.target)
  const dimension = dimensionOf(of, loop.time.get(of.target)!)!
  return [reader.body, ...(reader.at ?? [])].every(
    (part) =>
      !some(part, (e) => {
        const p = e.kind === 'read' && e.tensor === of.target ? e.at[dimension] : undefined
        return p !== undefined && !(p.kind === 'index' && p.name === time)
      }),
  )
}

/** Whether no value goes from one to the other through a step of the loop to the next. */
function isWithinStep(equations: readonly Equation[], loop: Loop): boolean {
  const inLoop = equations.filter((eq) => loop.time.has(eq.target))
  return inLoop.every((reader) => inLoop.every((eq) => readsAtTime(reader, eq, loop)))
}

/** The dimension at which all equations read the tensor at their time. */
function commonDimension(
  tensor: string,
  readers: readonly Equation[],
  times: ReadonlyMap<string, string>,
): number | undefined {
  let found: Set<number> | undefined
  for (const reader of readers) {
    const time = times.get(reader.target)
    if (time === undefined) return undefined
    for (const part of [reader.body, ...(reader.at ?? [])]) {
      visit(part, (e) => {
        if (e.kind !== 'read' || e.tensor !== tensor) return
        const fitting = e.at.flatMap((p, k) => (p.kind === 'index' && p.name === time ? [k] : []))
        found = new Set(fitting.filter((k) => found?.has(k) ?? true))
      })
    }
  }
  return found && [...found][0]
}

/** Of `1/2` and `1/3/1`: `1`. */
function common(a: string, b: string): string {
  const [left, right] = [a.split('/'), b.split('/')]
  let n = 0
  while (n < left.length && left[n] !== '' && left[n] === right[n]) n++
  return left.slice(0, n).join('/')
}
