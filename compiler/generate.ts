/**
 * The back half of the pipeline: an optimized program to modules. In: a program whose gradients are defined. Out: for
 * each target the wasm bytes and the manifest, and what the compile report says.
 */

import { mathWasm } from './generated/math.ts'
import type { Program, Tensor } from './ir/types.ts'
import { canonicalEntry } from './schedule/canonical.ts'
import { type ScheduledEntry, scheduleEntry } from './schedule/kernels.ts'
import type { Target } from './wasm/assembler.ts'
import { describe } from './wasm/describe.ts'
import type { Manifest } from './wasm/manifest.ts'
import { planMemory } from './wasm/memory.ts'
import { emitModule } from './wasm/module.ts'

export interface CompiledModule {
  readonly wasm: Uint8Array
  readonly manifest: Manifest
}

export interface GenerateOptions {
  readonly targets: readonly Target[]
  /** For the hash in the manifest. */
  readonly sourceText: string
  readonly version: string
  /** False gives every equation a kernel of its own: for tests and for finding a fault. */
  readonly fuse: boolean
}

export function generate(
  program: Program,
  options: GenerateOptions,
): { [target in Target]?: CompiledModule } {
  const persistent = new Map(program.tensors.map((t) => [t.name, t]))
  const taken = new Set(persistent.keys())
  const tables = new Map<ScheduledEntry, ReadonlyMap<string, Tensor>>()
  const entries = program.entries.map((entry) => {
    const canonical = canonicalEntry(entry, taken)
    const tensors = new Map([...persistent, ...canonical.tensors.map((t) => [t.name, t] as const)])
    const scheduled = scheduleEntry(canonical, tensors, options.fuse)
    tables.set(scheduled, tensors)
    return scheduled
  })
  const tensorsOf = (entry: ScheduledEntry): ReadonlyMap<string, Tensor> => tables.get(entry)!
  const plan = planMemory(program, entries, tensorsOf)
  const math = decodeBase64(mathWasm)
  const modules: { [target in Target]?: CompiledModule } = {}
  for (const target of options.targets) {
    const input = {
      program,
      entries,
      plan,
      tensorsOf,
      version: options.version,
      sourceText: options.sourceText,
    }
    const manifest = describe(input, target)
    modules[target] = {
      wasm: emitModule({ program, entries, plan, math, target, manifest }),
      manifest,
    }
  }
  return modules
}

function decodeBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
}
