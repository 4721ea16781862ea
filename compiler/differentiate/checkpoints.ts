/**
 * The checkpoints of a forward pass: what each holds, and when its values are computed again. In: the forward equations
 * with their loops, and the cotangents named so far. Out: per checkpoint what its copies wait for, its loops with the time
 * of every tensor in it, and what its forward equations wait for. A checkpoint for which there is no such order is left
 * alone: its values are kept.
 */
import { dimensionOf, type Loop, type Step } from '../ir/recurrence.ts'
import { readsOf, some, visit } from '../ir/traverse.ts'
import type { After, Equation, Tensor } from '../ir/types.ts'
import type { Scope } from './scope.ts'

/** How the copies of one checkpoint are timed. */
interface Timing {
  /** What they wait for: the cotangent of this tensor. */
  readonly anchor: Equation
  readonly cotangent: Tensor
  /** The loops around checkpoint and anchor, each with the time of every tensor that runs along. */
  readonly loops: readonly {
    readonly loop: Loop
    readonly dimension: number
    readonly time: ReadonlyMap<string, string>
  }[]
}

/** The outermost loop around a checkpoint: it is computed again step by step of that. */
export interface Steps {
  readonly level: string
  readonly loop: Loop
  /** The loop's time by tensor, of those in the loop and those computed for it alone. */
  readonly time: ReadonlyMap<string, string>
  readonly isInside: (tensor: string) => boolean
  /** Whether the equation reads that tensor of the loop in its own step only, and it is in no loop further in. */
  readonly readsAtTime: (reader: Equation, tensor: string) => boolean
}

export class Checkpoints {
  readonly #scope: Scope
  readonly #definitions: ReadonlyMap<string, Equation>
  readonly #readers = new Map<string, Equation[]>()
  readonly #chains = new Map<string, readonly Loop[]>()
  readonly #cotangents: ReadonlyMap<string, Tensor>
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

  /** The innermost checkpoint that the tensor was made in, `1/2`; empty outside of all. */
  level(tensor: string): string {
    return this.#scope.find(tensor)?.checkpoint ?? ''
  }

  definition(tensor: string): Equation | undefined {
    return this.#definitions.get(tensor)
  }

  /** What a copy of the equation's target waits for; undefined where the value is kept after all. */
  after(level: string, equation: Equation): After | undefined {
    const timing = this.#timingOf(level)
    if (!timing) return undefined
    const at: (string | undefined)[] = timing.cotangent.shape.map(() => undefined)
    for (const { dimension, time } of timing.loops) {
      const own = time.get(equation.target)
      if (own === undefined) return undefined
      at[dimension] = own
    }
    return { tensor: timing.cotangent.name, at }
  }

  #timingOf(level: string): Timing | undefined {
    if (!this.#timings.has(level)) this.#timings.set(level, this.#timing(level))
    return this.#timings.get(level)
  }

  /** Undefined outside of checkpoints and of loops around them. */
  stepsOf(tensor: string): Steps | undefined {
    const level = this.level(tensor)
    const [outer, ...inner] = (level === '' ? undefined : this.#timingOf(level)?.loops) ?? []
    if (!outer) return undefined
    const { loop, time } = outer
    return {
      level,
      loop,
      time,
      isInside: (other) => this.#inside(level, other),
      readsAtTime: (reader, of) =>
        !inner.some((further) => further.loop.time.has(of)) &&
        readsAtTime(reader, this.#definitions.get(of)!, loop),
    }
  }

  /**
   * In the forward pass too what is made in a checkpoint in a loop is made step by step: it waits for something of the
   * step that the checkpoint starts with.
   */
  forward(): ReadonlyMap<string, After> {
    const waits = new Map<string, After>()
    for (const [level, timing] of this.#timings) {
      if (!timing || timing.loops.length === 0) continue
      const members = [...this.#definitions.values()].filter((eq) => this.#inside(level, eq.target))
      const loops = timing.loops.map(({ loop }) => loop)
      const start = this.#startOf(members, level, loops)
      if (!start) continue
      for (const { target } of members) {
        const at: (string | undefined)[] = this.#scope.get(start.target).shape.map(() => undefined)
        for (const { loop, time } of timing.loops) {
          const own = loop.time.get(start.target)
          if (own !== undefined) at[dimensionOf(start, own)!] = time.get(target)
        }
        const follows = timing.loops.every(({ time }) => time.has(target))
        if (follows && !waits.has(target)) waits.set(target, { tensor: start.target, at })
      }
    }
    return waits
  }

  /** A tensor of the outer loop, outside of the checkpoint, which that reads in the same step. */
  #startOf(
    members: readonly Equation[],
    level: string,
    loops: readonly Loop[],
  ): Equation | undefined {
    for (const reader of members) {
      for (const tensor of loops[0]!.time.has(reader.target) ? readsOf(reader) : []) {
        const eq = this.#definitions.get(tensor)
        if (!eq || !loops[0]!.time.has(tensor) || this.#inside(level, tensor)) continue
        const shared = loops.filter((loop) => loop.time.has(tensor) && loop.time.has(reader.target))
        if (shared.every((loop) => readsAtTime(reader, eq, loop))) return eq
      }
    }
    return undefined
  }

  #inside(level: string, tensor: string): boolean {
    return common(level, this.level(tensor)) === level
  }

  /**
   * The anchor is a result that nothing inside reads, or what reads a value of the checkpoint outside in the same step:
   * its cotangent is there before anything inside is differentiated. Of several the one that shares most loops with the
   * checkpoint.
   */
  #timing(level: string): Timing | undefined {
    const members = [...this.#definitions.values()].filter((eq) => this.#inside(level, eq.target))
    if (this.#returns(level, members)) return undefined
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
    // Every loop that the checkpoint is in part of must be around all of it, each step by itself.
    if (loops.length < around.size) return undefined
    if (!loops.every((loop) => isWithinStep(members, loop))) return undefined
    return {
      anchor,
      cotangent: this.#cotangents.get(anchor.target)!,
      loops: loops.map((loop) => ({
        loop,
        dimension: dimensionOf(anchor, loop.time.get(anchor.target)!)!,
        time: this.#timesIn(loop, level, members),
      })),
    }
  }

  /** Whether a value leaves the checkpoint and, in the same step, comes back: then it cannot be computed again as one. */
  #returns(level: string, members: readonly Equation[]): boolean {
    const outside = new Set<Equation>()
    const leave = (eq: Equation): boolean =>
      (this.#readers.get(eq.target) ?? []).some((reader) => {
        const chain = this.#chains.get(eq.target) ?? []
        const shared = chain.filter((loop) => loop.time.has(reader.target))
        if (!shared.every((loop) => readsAtTime(reader, eq, loop))) return false
        if (this.#inside(level, reader.target)) return !this.#inside(level, eq.target)
        outside.add(reader)
        return false
      })
    for (const eq of members) leave(eq)
    for (const eq of outside) if (leave(eq)) return true
    return false
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
export function common(a: string, b: string): string {
  const [left, right] = [a.split('/'), b.split('/')]
  let n = 0
  while (n < left.length && left[n] !== '' && left[n] === right[n]) n++
  return left.slice(0, n).join('/')
}
