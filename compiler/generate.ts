/**
 * The back half of the pipeline: an optimized program to modules. In: a program whose gradients are defined. Out: for
 * each target the wasm bytes and the manifest, and what the compile report says.
 */

import { math } from './generated/math.ts'
import type { Program, Tensor } from './ir/types.ts'
import { cacheBytes } from './schedule/block.ts'
import { canonicalEntry } from './schedule/canonical.ts'
import { type ScheduledEntry, type ScheduleOptions, scheduleEntry } from './schedule/kernels.ts'
import { packReads } from './schedule/pack.ts'
import { padReads } from './schedule/pad.ts'
import { separateBlocks } from './schedule/separate.ts'
import { Refusal } from './support/diagnostic.ts'
import type { Target } from './wasm/assembler.ts'
import { describe } from './wasm/describe.ts'
import { tooLarge } from './wasm/limit.ts'
import type { MathLibrary } from './wasm/link.ts'
import type { Manifest } from './wasm/manifest.ts'
import { bytesOfTensor, type MemoryPlan, planMemory } from './wasm/memory.ts'
import { emitModule } from './wasm/module.ts'
import { type Teamwork, type ThreadOptions, teamworkOf } from './wasm/teamwork.ts'

export interface CompiledModule {
  readonly wasm: Uint8Array
  readonly manifest: Manifest
}

export interface GenerateOptions extends Omit<ScheduleOptions, 'threads'> {
  /** Makes modules that threads run together. */
  readonly threads?: ThreadOptions | undefined
  readonly targets: readonly Target[]
  /** For the hash in the manifest. */
  readonly sourceText: string
  readonly version: string
}

export interface Scheduled {
  readonly entries: readonly ScheduledEntry[]
  /** The persistent tensors and the temps of an entry. */
  readonly tensorsOf: (entry: ScheduledEntry) => ReadonlyMap<string, Tensor>
  readonly plan: MemoryPlan
}

/** Everything that does not depend on the target: kernels and where their tensors lie. Throws a `Refusal` where they do not fit. */
export function schedule(program: Program, options: ScheduleOptions): Scheduled {
  const persistent = new Map(program.tensors.map((t) => [t.name, t]))
  const tables = new Map<ScheduledEntry, ReadonlyMap<string, Tensor>>()
  const entries = program.entries.map((entry) => {
    const cache = options.cache ?? cacheBytes
    const padded = padReads(canonicalEntry(entry, persistent), persistent)
    const separate = separateBlocks(padded, persistent, cache)
    const canonical = options.fuse ? packReads(separate, persistent, cache) : separate
    const tensors = new Map([...persistent, ...canonical.tensors.map((t) => [t.name, t] as const)])
    const scheduled = scheduleEntry(canonical, tensors, options)
    tables.set(scheduled, tensors)
    return scheduled
  })
  const tensorsOf = (entry: ScheduledEntry): ReadonlyMap<string, Tensor> => tables.get(entry)!
  const plan = planMemory(program, entries, tensorsOf)
  const kept = entries.map((scheduled) => ({
    entry: scheduled.entry,
    tensorOf: (name: string) => tensorsOf(scheduled).get(name),
    bytesOf: (t: Tensor) => bytesOfTensor(t, scheduled.folded.get(t.name)),
  }))
  const refused = tooLarge(program, plan, kept)
  if (refused) throw new Refusal(refused)
  return { entries, tensorsOf, plan }
}

export function generate(
  program: Program,
  options: GenerateOptions,
): { [target in Target]?: CompiledModule } {
  const { threads, ...rest } = options
  const scheduled = schedule(program, { ...rest, threads: threads !== undefined })
  const teamwork = threads && teamworks(scheduled, threads)
  const modules: { [target in Target]?: CompiledModule } = {}
  for (const target of options.targets) {
    const { version, sourceText } = options
    const manifest = describe({ program, ...scheduled, version, sourceText, teamwork }, target)
    const math = mathLibrary(target)
    const input = { program, ...scheduled, math, target, manifest, teamwork, threads }
    modules[target] = emitModule(input)
  }
  return modules
}

/** How threads run each entry. */
function teamworks(
  { entries, tensorsOf, plan }: Scheduled,
  options: ThreadOptions,
): Map<string, Teamwork> {
  return new Map(
    entries.map((scheduled) => {
      const { name } = scheduled.entry
      return [name, teamworkOf(scheduled, plan.entries.get(name)!, tensorsOf(scheduled), options)]
    }),
  )
}

/** The scalar functions, for the relaxed build with fused multiply-adds. */
export function mathLibrary(target: Target): MathLibrary {
  const bytes = (text: string): Uint8Array => Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
  const { functions, constants } = math[target]
  return { functions: bytes(functions), constants: bytes(constants) }
}
