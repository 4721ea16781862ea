/**
 * How a team of threads runs an entry. In: the entry's steps and where its tensors lie. Out: which steps all threads share,
 * each doing its part (the others are done by thread 0), where they must wait for each other, and whether it is worth it.
 *
 * Two steps conflict where they touch the same bytes, one of them writes, and different threads may do so. They do not
 * where both belong to thread 0, or where both are shared by the same part of the same tensor: rows that a thread made
 * itself, or will overwrite itself, it need not wait for. So a chain over the rows of a batch, or a loop over time whose
 * kernels all share the batch, runs without a barrier. A barrier settles all that was before it.
 */

import type { Tensor } from '../ir/types.ts'
import { costOf } from '../schedule/cost.ts'
import { readsOf } from '../schedule/dependence.ts'
import type { ScheduledEntry } from '../schedule/kernels.ts'
import type { Kernel, Share, Slot } from '../schedule/types.ts'
import { bytesOfSlot } from '../schedule/work.ts'
import { InternalError } from '../support/diagnostic.ts'
import { bytesOfTensor, type EntryPlan } from './memory.ts'
import { type Action, type Step, stepsOf } from './steps.ts'

export interface ThreadOptions {
  /** Nanoseconds below which a kernel is not worth a barrier; 0 also shares entries that are not worth it. */
  readonly least: number
  /**
   * Threads meet in an imported function, `env.meet(where)`, not at barriers: tests let them take turns in it, so that it shows
   * where one has not waited for another.
   */
  readonly meet?: boolean
}

/** A barrier costs about one microsecond. */
export const defaultThreads: ThreadOptions = { least: 2000 }

export interface Teamwork {
  readonly steps: readonly Step[]
  /** Kernels and zeroings that every thread does a part of. */
  readonly shared: ReadonlySet<Step>
  /** Steps before which all threads wait for each other. */
  readonly barriers: ReadonlySet<Step>
  readonly estimate: Estimate
  /** How many threads the entry is worth; 1 where it runs on one, whoever asks. */
  readonly most: number
  /** Below this count of its bounded dim it runs on one thread. */
  readonly fewest: number
}

export interface Estimate {
  /** Nanoseconds of what only thread 0 does, and of what is shared. */
  readonly alone: number
  readonly shared: number
  /** Barriers passed in one call. */
  readonly barriers: number
}

/** Nanoseconds of a barrier, and of waking the others for a call. */
const barrier = 700
const dispatch = 5000
const largest = 16

interface Access {
  readonly start: number
  readonly end: number
  readonly writes: boolean
  /** Who does it: thread 0, or each thread its part, told by how the tensor is parted; undefined: anyone. */
  readonly by: string | undefined
}

const thread0 = 'thread 0'

export function teamworkOf(
  scheduled: ScheduledEntry,
  plan: EntryPlan,
  tensors: ReadonlyMap<string, Tensor>,
  { least }: ThreadOptions,
): Teamwork {
  const steps = stepsOf(scheduled)
  const planner = new Planner(plan, tensors, least)
  planner.all(steps, [])
  const { shared, barriers } = planner
  const estimate = estimateOf(steps, shared, barriers)
  const time = (n: number): number =>
    estimate.alone +
    estimate.shared / n +
    (n > 1 ? dispatch + estimate.barriers * barrier * Math.log2(n) : 0)
  let most = 1
  for (let n = 2; n <= largest; n++) if (time(n) < 0.97 * time(most)) most = n
  if (time(most) > 0.8 * time(1)) most = 1
  if (least === 0 && shared.size > 0) most = largest
  const saved = estimate.shared / 2
  const needed = dispatch + estimate.barriers * barrier
  const max = boundOf(scheduled)
  const fewest = least === 0 ? 0 : Math.min(max, Math.ceil((max * 1.5 * needed) / saved))
  return { steps, shared, barriers, estimate, most, fewest }
}

/** The largest count of the only bounded dim; 1 where there are several or none. */
function boundOf({ stages }: ScheduledEntry): number {
  const sizes = new Map<string, number>()
  for (const stage of stages) {
    for (const step of stage.steps) collect(step)
  }
  return sizes.size === 1 ? [...sizes.values()][0]! : 1

  function collect(step: ScheduledEntry['stages'][number]['steps'][number]): void {
    if (step.kind === 'loop') step.steps.forEach(collect)
    else {
      for (const { bounds, shape } of step.kernel.slots) {
        bounds.forEach((bound, d) => {
          if (bound) sizes.set(bound, shape[d]!)
        })
      }
    }
  }
}

class Planner {
  readonly shared = new Set<Step>()
  readonly barriers = new Set<Step>()
  readonly #decided = new Set<Step>()
  readonly #plan: EntryPlan
  readonly #tensors: ReadonlyMap<string, Tensor>
  readonly #least: number

  constructor(plan: EntryPlan, tensors: ReadonlyMap<string, Tensor>, least: number) {
    this.#plan = plan
    this.#tensors = tensors
    this.#least = least
  }

  /** What of `before` and of the steps may still be under way in some thread when they are done. */
  all(steps: readonly Step[], before: readonly Access[]): Access[] {
    let pending = [...before]
    for (const step of steps) {
      if (step.kind === 'loop') {
        pending = this.#loop(step, pending)
        continue
      }
      this.#decide(step, pending)
      const own = this.#accesses(step, this.shared.has(step))
      if (this.barriers.has(step) || conflict(own, pending)) {
        this.barriers.add(step)
        pending = []
      }
      pending.push(...own)
    }
    return pending
  }

  #loop(loop: Extract<Step, { kind: 'loop' }>, pending: readonly Access[]): Access[] {
    // The steps of a turn follow those of the turn before too.
    let after = this.all(loop.steps, [])
    for (let known = -1; known !== this.barriers.size; ) {
      known = this.barriers.size
      after = this.all(loop.steps, after)
    }
    const within = this.#within(loop.steps)
    if (!conflict(within, pending)) return [...pending, ...after]
    this.barriers.add(loop)
    return after
  }

  #within(steps: readonly Step[]): Access[] {
    return steps.flatMap((step) =>
      step.kind === 'loop' ? this.#within(step.steps) : this.#accesses(step, this.shared.has(step)),
    )
  }

  /** Shares what is worth a barrier, and what costs none. */
  #decide(step: Action, pending: readonly Access[]): void {
    if (this.#decided.has(step)) return
    this.#decided.add(step)
    if (step.kind !== 'kernel' && step.kind !== 'zero') return
    const { kernel } = step
    if (!kernel.share || (step.kind === 'zero' && !rowBytes(step.slot, kernel))) return
    const runs = kernel.times.reduce((n, i) => n * i.extent.size, 1)
    const cost = step.kind === 'zero' ? bytesOfSlot(step.slot) / 20 : costOf(kernel) / runs
    if (cost >= this.#least || !conflict(this.#accesses(step, true), pending)) this.shared.add(step)
  }

  #accesses(step: Action, isShared: boolean): Access[] {
    const { addresses } = this.#plan
    const by = isShared ? undefined : thread0
    const at = (name: string, bytes: number): { start: number; end: number } => {
      const start = addresses.get(name)!
      return { start, end: start + bytes }
    }
    switch (step.kind) {
      case 'check':
        return [{ ...at(step.loss, 4), writes: false, by: undefined }]
      case 'copy': {
        const bytes = bytesOfTensor(this.#tensors.get(step.target)!)
        return [
          { ...at(step.value, bytes), writes: false, by: thread0 },
          { ...at(step.target, bytes), writes: true, by: thread0 },
        ]
      }
      case 'zero': {
        const { slot, kernel } = step
        const part = isShared ? this.#part(slot, writesTo(slot, kernel), kernel.share!) : by
        return [{ ...at(slot.tensor, bytesOfSlot(slot)), writes: true, by: part }]
      }
      case 'kernel': {
        const { kernel } = step
        return kernel.slots.flatMap((slot) => {
          const place = at(slot.tensor, bytesOfSlot(slot))
          const reads = kernel.equations
            .flatMap(readsOf)
            .filter((r) => r.tensor === slot.tensor)
            .map((r) => r.at)
          const writes = writesTo(slot, kernel)
          const who = (all: readonly Positions[]): string | undefined =>
            isShared ? this.#part(slot, all, kernel.share!) : thread0
          const own: Access[] = []
          // What no equation reads is a cell that random numbers take their key from.
          if (reads.length > 0 || writes.length === 0) {
            own.push({ ...place, writes: false, by: who(reads) })
          }
          if (writes.length > 0) {
            const part = who(writes)
            if (part === undefined) throw new InternalError(`threads meet in ${slot.tensor}`)
            own.push({ ...place, writes: true, by: part })
          }
          return own
        })
      }
    }
  }

  /** Which part of a tensor is a thread's own, where all positions stay in it: two of the same text are the same. */
  #part(slot: Slot, all: readonly Positions[], share: Share): string | undefined {
    const dimension = ownDimension(slot, all, share)
    if (dimension === undefined) return undefined
    const { size, bound } = share.index.extent
    const shape = slot.shape.map((n, d) => (slot.folded[d] ? 1 : n))
    const start = this.#plan.addresses.get(slot.tensor)!
    return JSON.stringify([start, shape, dimension, bound ?? size, share.grain])
  }
}

type Positions = readonly { readonly kind: string; readonly name?: string }[]

/** The dimension along which every position is the shared index itself. */
function ownDimension(slot: Slot, all: readonly Positions[], share: Share): number | undefined {
  const dimension = slot.shape.findIndex(
    (_, d) =>
      !slot.folded[d] &&
      all.every((at) => at[d]!.kind === 'index' && at[d]!.name === share.index.name),
  )
  return all.length === 0 || dimension < 0 ? undefined : dimension
}

const writesTo = (slot: Slot, { equations }: Kernel): Positions[] =>
  equations
    .filter((e) => e.target === slot.tensor)
    .map((e) => e.at ?? e.outs.map(({ name }) => ({ kind: 'index', name })))

/** The bytes of one position of the shared index, where a thread's part of a target is one piece; undefined elsewhere. */
export function rowBytes(slot: Slot, kernel: Kernel): number | undefined {
  const dimension = kernel.share && ownDimension(slot, writesTo(slot, kernel), kernel.share)
  if (dimension === undefined) return undefined
  const sizes = slot.shape.map((n, d) => (slot.folded[d] ? 1 : n))
  if (sizes.slice(0, dimension).some((n) => n > 1)) return undefined
  // A scatter may leave elements out along the index: they are nobody's part.
  const { size, bound } = kernel.share!.index.extent
  if (sizes[dimension] !== size || slot.bounds[dimension] !== bound) return undefined
  return sizes.slice(dimension + 1).reduce((a, b) => a * b, 4)
}

const conflict = (own: readonly Access[], pending: readonly Access[]): boolean =>
  own.some((a) =>
    pending.some(
      (b) =>
        (a.writes || b.writes) &&
        a.start < b.end &&
        b.start < a.end &&
        (a.by === undefined || a.by !== b.by),
    ),
  )

function estimateOf(
  steps: readonly Step[],
  shared: ReadonlySet<Step>,
  barriers: ReadonlySet<Step>,
): Estimate {
  const sum = { alone: 0, shared: 0, barriers: 0 }
  const walk = (all: readonly Step[], turns: number): void => {
    for (const step of all) {
      if (barriers.has(step)) sum.barriers += turns
      if (step.kind === 'loop') walk(step.steps, turns * step.time.extent.size)
      // The cost of a kernel in a loop is that of all its runs.
      else if (step.kind === 'kernel') {
        sum[shared.has(step) ? 'shared' : 'alone'] += costOf(step.kernel)
      }
    }
  }
  walk(steps, 1)
  return sum
}
