/**
 * The static memory plan. In: the persistent tensors and the scheduled entries. Out: a byte address for every tensor in
 * memory. Persistent tensors come first and never move; behind them lies one arena that all entries share, since only
 * one runs at a time: its inputs, its outputs, then its temporaries, which reuse each other's place once they are dead.
 */
import type { Program, Tensor } from '../ir/types.ts'
import { numbered, type ScheduledEntry } from '../schedule/kernels.ts'
import { mathPoolAddress, mathPoolBytes } from './pool.ts'

/** 64 bytes are a cache line. */
const alignment = 64

export interface EntryPlan {
  readonly addresses: ReadonlyMap<string, number>
  /** Where its tensors end. */
  readonly end: number
  /** Bytes of temporaries alive at once, at most. */
  readonly peak: number
  /** Kernels, as `numbered` counts them, between which each stored temp is alive: a loop is one. */
  readonly lifetimes: ReadonlyMap<string, Lifetime>
}

export interface Lifetime {
  readonly first: number
  readonly last: number
}

export interface MemoryPlan {
  readonly persistent: ReadonlyMap<string, number>
  readonly entries: ReadonlyMap<string, EntryPlan>
  /** Bytes in all. */
  readonly total: number
}

/** `folded` dimensions take no place. */
export function bytesOfTensor(tensor: Tensor, folded?: ReadonlySet<number>): number {
  return tensor.shape.reduce((n, x, d) => (folded?.has(d) ? n : n * x.size), 4)
}

const align = (address: number): number => Math.ceil(address / alignment) * alignment

export function planMemory(
  program: Program,
  entries: readonly ScheduledEntry[],
  tensorsOf: (entry: ScheduledEntry) => ReadonlyMap<string, Tensor>,
): MemoryPlan {
  const persistent = new Map<string, number>()
  let top = mathPoolAddress + mathPoolBytes
  for (const tensor of program.tensors) {
    persistent.set(tensor.name, top)
    // Scalars share cache lines, arrays start their own.
    top += bytesOfTensor(tensor)
    if (tensor.shape.length > 0) top = align(top)
  }
  const arena = align(top)
  const plans = new Map<string, EntryPlan>()
  let total = arena
  for (const scheduled of entries) {
    const plan = planEntry(scheduled, tensorsOf(scheduled), persistent, arena)
    plans.set(scheduled.entry.name, plan)
    total = Math.max(total, plan.end)
  }
  return { persistent, entries: plans, total }
}

function planEntry(
  scheduled: ScheduledEntry,
  tensors: ReadonlyMap<string, Tensor>,
  persistent: ReadonlyMap<string, number>,
  arena: number,
): EntryPlan {
  const addresses = new Map<string, number>(persistent)
  let top = arena
  const place = (name: string): void => {
    if (addresses.has(name)) return
    addresses.set(name, top)
    top = align(top + bytesOfTensor(tensors.get(name)!))
  }
  for (const name of scheduled.entry.inputs) place(name)

  const lifetimes = lifetimesOf(scheduled)
  for (const stage of scheduled.stages) {
    for (const { target, value, inPlace } of stage.updates) {
      if (inPlace) addresses.set(value, persistent.get(target)!)
    }
  }
  for (const { tensor } of scheduled.entry.outputs) place(tensor)

  // The largest first, each at the lowest place that is free while it lives (greedy by size).
  const base = top
  /** By address. */
  const placed: { readonly address: number; readonly end: number; readonly life: Lifetime }[] = []
  const temps = [...lifetimes]
    .filter(([name]) => !addresses.has(name))
    .map(([name, life]) => ({
      name,
      life,
      size: align(bytesOfTensor(tensors.get(name)!, scheduled.folded.get(name))),
    }))
    .sort((a, b) => b.size - a.size || a.life.first - b.life.first)
  for (const { name, life, size } of temps) {
    let address = base
    for (const other of placed) {
      if (address + size <= other.address) break
      if (other.life.first > life.last || life.first > other.life.last) continue
      address = Math.max(address, other.end)
    }
    const behind = placed.findIndex((p) => p.address > address)
    placed.splice(behind < 0 ? placed.length : behind, 0, { address, end: address + size, life })
    addresses.set(name, address)
    top = Math.max(top, address + size)
  }
  for (const [name, { tensor }] of scheduled.aliases) addresses.set(name, addresses.get(tensor)!)
  return { addresses, end: top, peak: top - base, lifetimes }
}

/** From the kernel that writes a temp to the last that reads it. */
function lifetimesOf(scheduled: ScheduledEntry): Map<string, Lifetime> {
  const lifetimes = new Map<string, { first: number; last: number }>()
  const touch = (name: string, at: number): void => {
    const known = lifetimes.get(name)
    if (known) known.last = Math.max(known.last, at)
    else lifetimes.set(name, { first: at, last: at })
  }
  for (const { kernel, number } of numbered(scheduled)) {
    for (const { tensor } of kernel.slots)
      touch(scheduled.aliases.get(tensor)?.tensor ?? tensor, number)
  }
  let last = -1
  for (const { steps, updates } of scheduled.stages) {
    last += steps.length
    // What is copied over a persistent tensor lives to the end of its stage.
    for (const { value, inPlace } of updates) if (!inPlace) touch(value, Math.max(last, 0))
  }
  return lifetimes
}

/** Stored temps whose contents still stand when kernel `at` has run, in the order they were made. */
export function intactAfter(
  plan: EntryPlan,
  at: number,
  bytes: (name: string) => number,
): string[] {
  const made = [...plan.lifetimes]
    .filter(([, life]) => life.first <= at)
    .map(([name, { first }]) => {
      const start = plan.addresses.get(name)!
      return { name, first, start, end: start + bytes(name) }
    })
    .sort((a, b) => a.first - b.first)
  // Backwards in time, with all that was written later; what one kernel makes does not meet.
  const later = new Covered()
  const intact = new Set<string>()
  let waiting: { readonly start: number; readonly end: number }[] = []
  made.toReversed().forEach((temp, k, all) => {
    if (all[k - 1]?.first !== temp.first) {
      for (const { start, end } of waiting) later.add(start, end)
      waiting = []
    }
    if (!later.meets(temp.start, temp.end)) intact.add(temp.name)
    waiting.push(temp)
  })
  return made.filter((temp) => intact.has(temp.name)).map((temp) => temp.name)
}

/** A set of bytes: intervals by address that do not touch. */
class Covered {
  readonly #intervals: { readonly start: number; readonly end: number }[] = []

  meets(start: number, end: number): boolean {
    const next = this.#intervals[this.#firstBehind(start)]
    return next !== undefined && next.start < end
  }

  add(start: number, end: number): void {
    const at = this.#firstBehind(start - 1)
    let behind = at
    let [low, high] = [start, end]
    for (; behind < this.#intervals.length && this.#intervals[behind]!.start <= end; behind++) {
      low = Math.min(low, this.#intervals[behind]!.start)
      high = Math.max(high, this.#intervals[behind]!.end)
    }
    this.#intervals.splice(at, behind - at, { start: low, end: high })
  }

  /** The first interval that ends behind `address`. */
  #firstBehind(address: number): number {
    let [low, high] = [0, this.#intervals.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#intervals[middle]!.end > address) high = middle
      else low = middle + 1
    }
    return low
  }
}
