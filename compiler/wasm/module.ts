/**
 * Scheduled entries to one WebAssembly module. In: the program, its schedule, the memory plan and the math library.
 * Out: the optimized binary with the manifest in its custom section `netc`. It imports nothing and exports `memory` and a
 * function per entry; inside, an entry is a list of kernel calls with constant addresses, and of loops over time around such calls.
 */
import type { Entry, Program } from '../ir/types.ts'
import { kernelKey, kernelsOf, type ScheduledEntry } from '../schedule/kernels.ts'
import type { Kernel } from '../schedule/types.ts'
import { bytesOfSlot } from '../schedule/work.ts'
import {
  type Data,
  i32,
  type Module,
  neverInlined,
  newModule,
  none,
  optimize,
  params,
  type Ref,
  setMemory,
  type Target,
} from './assembler.ts'
import { emitKernel } from './kernel.ts'
import { linkMath, type MathLibrary } from './link.ts'
import type { Manifest } from './manifest.ts'
import { bytesOfTensor, type EntryPlan, type MemoryPlan } from './memory.ts'
import { Parts } from './parts.ts'
import { ConstantPool, mathPoolAddress } from './pool.ts'
import { depthOf, type Step, stepsOf } from './steps.ts'
import { cellBytes, Team } from './team.ts'
import { rowBytes, type Teamwork, type ThreadOptions } from './teamwork.ts'

const page = 65536

export interface ModuleInput {
  readonly program: Program
  readonly entries: readonly ScheduledEntry[]
  readonly plan: MemoryPlan
  readonly math: MathLibrary
  readonly target: Target
  readonly manifest: Manifest
  /** Exports the kernels too, each under `kernelKey`, for whoever measures them one by one. */
  readonly exportKernels?: boolean
  /** For a module that threads run together: how, by entry. */
  readonly teamwork?: ReadonlyMap<string, Teamwork> | undefined
  readonly threads?: ThreadOptions | undefined
}

export function emitModule(input: ModuleInput): { wasm: Uint8Array; manifest: Manifest } {
  const isShared = input.teamwork !== undefined
  const module = newModule(input.target, isShared)
  try {
    // Loads and stores need a memory; how large it is is known when all constants are.
    setMemory(module, 1, isShared)
    const emitter = new ModuleEmitter(input, module)
    for (const entry of input.entries) emitter.entry(entry)
    const data = emitter.finish()
    const pages = Math.ceil(emitter.end / page)
    setMemory(module, pages, isShared, data)
    optimize(module)
    const { manifest: described } = input
    const manifest = described.threads
      ? { ...described, threads: { ...described.threads, pages } }
      : described
    module.addCustomSection('netc', new TextEncoder().encode(JSON.stringify(manifest)))
    return { wasm: module.emitBinary(), manifest }
  } finally {
    module.dispose()
  }
}

/** Hyper-parameters have their values as soon as the module is instantiated. */
function hyperCells({ program, plan }: ModuleInput): Data[] {
  return program.tensors
    .filter((t) => t.role === 'hyper')
    .map((t) => ({
      address: plan.persistent.get(t.name)!,
      data: new Uint8Array(Float32Array.of(t.initial ?? 0).buffer),
    }))
}

/** The bounded dims that an entry's feeds or kernels have, in the order of their declaration. */
export function countsOf(program: Program, { entry, stages }: ScheduledEntry): string[] {
  const used = new Set<string | undefined>()
  const inputs = new Set(entry.inputs)
  for (const tensor of entry.tensors) {
    if (inputs.has(tensor.name)) for (const extent of tensor.shape) used.add(extent.bound)
  }
  for (const kernel of stages.flatMap((stage) => stage.steps.flatMap(kernelsOf))) {
    for (const dim of kernel.counts) used.add(dim)
    used.add(kernel.range?.extent.bound)
  }
  return program.dims.map((d) => d.name).filter((name) => used.has(name))
}

/** What the steps of an entry need. */
interface Call {
  readonly entry: Entry
  readonly addresses: EntryPlan
  readonly counts: readonly string[]
  /** Locals with the times of the loops around. */
  readonly times: readonly number[]
  /** The first local for such a time. */
  readonly firstLocal: number
  /** Set where threads share the entry. */
  readonly together: Parts | undefined
}

class ModuleEmitter {
  readonly #input: ModuleInput
  readonly #module: Module
  readonly #math: (name: string) => string
  readonly #pool: ConstantPool
  readonly #team: Team | undefined
  #callsMath = false
  readonly #kernels = new Map<string, string>()
  #labels = 0

  constructor(input: ModuleInput, module: Module) {
    this.#input = input
    this.#module = module
    const math = linkMath(input.math.functions, module, input.target)
    this.#math = (name) => {
      this.#callsMath = true
      return math(name)
    }
    const { program, plan, teamwork } = input
    const top = Math.ceil(plan.total / 64) * 64
    this.#team = teamwork && new Team(module, top, input.threads?.meet ?? false)
    this.#pool = new ConstantPool(top + (teamwork ? cellBytes(program.dims.length + 1) : 0))
  }

  /** Where memory ends. */
  get end(): number {
    return this.#pool.end
  }

  get #constants(): readonly Data[] {
    const math = { address: mathPoolAddress, data: this.#input.math.constants }
    return this.#callsMath ? [math, this.#pool.segment] : [this.#pool.segment]
  }

  /** What is in memory at first. */
  finish(): readonly Data[] {
    const data = [...hyperCells(this.#input), ...this.#constants].filter((d) => d.data.length > 0)
    this.#team?.finish(data)
    return data
  }

  entry(scheduled: ScheduledEntry): void {
    const { program, plan, teamwork } = this.#input
    const module = this.#module
    const { entry } = scheduled
    const counts = countsOf(program, scheduled)
    const addresses = plan.entries.get(entry.name)!
    const types = entry.kind === 'init' ? [i32] : counts.map(() => i32)
    const before: Ref[] = []
    const after: Ref[] = []
    const step = program.tensors.find((t) => t.role === 'step')
    if (entry.kind === 'init') {
      for (const tensor of program.tensors) {
        if (tensor.role !== 'seed' && tensor.role !== 'step') continue
        const value = tensor.role === 'seed' ? module.local.get(0, i32) : module.i32.const(0)
        before.push(this.#setCell(tensor.name, value))
      }
    }
    if (entry.kind === 'train') before.push(...this.#moveStep(1))
    if (entry.kind === 'reset' && step) {
      // Start values are drawn as `init` draws them, at step 0; the training goes on at its own.
      const at = plan.persistent.get(step.name)!
      const kept = types.length
      before.push(
        module.local.set(kept, module.i32.load(0, 4, module.i32.const(at))),
        this.#setCell(step.name, module.i32.const(0)),
      )
      after.push(this.#setCell(step.name, module.local.get(kept, i32)))
    }
    const kept = after.map(() => i32)
    const work = teamwork?.get(entry.name)
    const base = { entry, addresses, counts, times: [] }
    if (!work || work.most === 1 || !this.#team) {
      const steps = stepsOf(scheduled)
      const firstLocal = types.length + kept.length
      const body = this.#steps(steps, { ...base, firstLocal, together: undefined })
      const locals = [...kept, ...new Array(depthOf(steps)).fill(i32)]
      const all = module.block(null, [...before, ...body, ...after])
      module.addFunction(entry.name, params(types), none, locals, all)
    } else {
      const shared = { name: `${neverInlined}entry.${entry.name}`, parameters: types.length }
      this.#team.share(shared)
      const depth = depthOf(work.steps)
      const together = new Parts(module, this.#team, work, types.length + depth)
      const body = this.#steps(work.steps, { ...base, firstLocal: types.length, together })
      const locals = new Array(depth + together.locals).fill(i32)
      const all = module.block(null, [
        ...this.#team.enter(),
        ...together.known(counts),
        ...body,
        this.#team.leave(),
      ])
      module.addFunction(shared.name, params(types), none, locals, all)
      const call = this.#team.call(shared, counts.length === 1 ? work.fewest : 0)
      const outer = module.block(null, [...before, call, ...after])
      module.addFunction(entry.name, params(types), none, kept, outer)
    }
    module.addFunctionExport(entry.name, entry.name)
  }

  #setCell(name: string, value: Ref): Ref {
    const address = this.#input.plan.persistent.get(name)!
    return this.#module.i32.store(0, 4, this.#module.i32.const(address), value)
  }

  /** Counts training steps. */
  #moveStep(by: number): Ref[] {
    const { program, plan } = this.#input
    const { i32: op } = this.#module
    const step = program.tensors.find((t) => t.role === 'step')
    if (!step) return []
    const before = op.load(0, 4, op.const(plan.persistent.get(step.name)!))
    return [this.#setCell(step.name, op.add(before, op.const(by)))]
  }

  #steps(steps: readonly Step[], call: Call): Ref[] {
    const { together } = call
    return steps.flatMap((step) => [
      ...(together?.work.barriers.has(step) ? [together.team.barrier()] : []),
      ...this.#step(step, call),
    ])
  }

  #step(step: Step, call: Call): Ref[] {
    switch (step.kind) {
      case 'loop':
        return this.#loop(step, call)
      case 'kernel':
        return [this.#perform(step, this.#call(step, call), call)]
      case 'zero':
        return [this.#perform(step, this.#zero(step, call), call)]
      case 'copy':
        return [this.#perform(step, this.#copy(step.target, step.value, call.addresses), call)]
      case 'check':
        return [this.#check(step.loss, call)]
    }
  }

  /** By all threads that have a part of it, or by the first alone. */
  #perform(step: Step, statement: Ref, { together }: Call): Ref {
    if (!together) return statement
    const part = together.of(step)
    if (!part) return together.team.first(statement)
    return this.#module.if(this.#module.i32.lt_s(part.begin(), part.end()), statement)
  }

  #copy(target: string, value: string, { addresses }: EntryPlan): Ref {
    const module = this.#module
    const tensor = this.#input.program.tensors.find((t) => t.name === target)!
    return module.memory.copy(
      module.i32.const(addresses.get(target)!),
      module.i32.const(addresses.get(value)!),
      module.i32.const(bytesOfTensor(tensor)),
    )
  }

  #zero(step: Extract<Step, { kind: 'zero' }>, { addresses, together }: Call): Ref {
    const module = this.#module
    const { slot, kernel } = step
    const address = module.i32.const(addresses.addresses.get(slot.tensor)!)
    const part = together?.of(step)
    if (!part) {
      const bytes = module.i32.const(bytesOfSlot(slot))
      return module.memory.fill(address, module.i32.const(0), bytes)
    }
    const { begin, end } = part
    const times = (n: Ref): Ref => module.i32.mul(n, module.i32.const(rowBytes(slot, kernel)!))
    return module.memory.fill(
      module.i32.add(address, times(begin())),
      module.i32.const(0),
      times(module.i32.sub(end(), begin())),
    )
  }

  #check(loss: string, { addresses: { addresses }, together }: Call): Ref {
    const module = this.#module
    const value = (): Ref => module.f32.load(0, 4, module.i32.const(addresses.get(loss)!))
    const back = this.#moveStep(-1)
    return module.if(
      module.f32.ne(module.f32.sub(value(), value()), module.f32.const(0)),
      module.block(null, [
        ...(together ? back.map((s) => together.team.first(s)) : back),
        ...(together ? [together.team.leave()] : []),
        module.return(),
      ]),
    )
  }

  #loop(step: Extract<Step, { kind: 'loop' }>, call: Call): Ref[] {
    const module = this.#module
    const local = call.firstLocal + call.times.length
    const inside: Call = { ...call, times: [...call.times, local] }
    const now = (): Ref => module.local.get(local, i32)
    const last = step.time.extent.size - 1
    const label = `time${this.#labels++}`
    const again = step.down
      ? module.i32.ge_s(now(), module.i32.const(0))
      : module.i32.le_s(now(), module.i32.const(last))
    const turn = [
      ...this.#steps(step.steps, inside),
      module.local.set(local, module.i32.add(now(), module.i32.const(step.down ? -1 : 1))),
      module.br(label, again),
    ]
    return [
      module.local.set(local, module.i32.const(step.down ? last : 0)),
      module.loop(label, module.block(null, turn)),
    ]
  }

  #call(step: Extract<Step, { kind: 'kernel' }>, call: Call): Ref {
    const module = this.#module
    const { kernel } = step
    const {
      addresses: { addresses },
      counts,
      times,
      together,
    } = call
    const count = (dim: string): Ref => module.local.get(counts.indexOf(dim), i32)
    const extent = kernel.range?.extent
    const part = together?.of(step)
    const whole = (): Ref =>
      extent?.bound === undefined ? module.i32.const(extent?.size ?? 0) : count(extent.bound)
    return module.call(
      this.#kernel(kernel),
      [
        ...kernel.slots.map((s) => module.i32.const(addresses.get(s.tensor)!)),
        part ? part.begin() : module.i32.const(0),
        part ? part.end() : whole(),
        ...kernel.counts.map(count),
        ...kernel.sites.map((site) => module.i32.const(site)),
        ...times.map((local) => module.local.get(local, i32)),
      ],
      none,
    )
  }

  /** The name of the kernel's function, emitted at its first use. */
  #kernel(kernel: Kernel): string {
    const key = kernelKey(kernel)
    const known = this.#kernels.get(key)
    if (known !== undefined) return known
    const name = `${neverInlined}${this.#kernels.size}.${kernel.name}`
    this.#kernels.set(key, name)
    emitKernel(kernel, name, {
      module: this.#module,
      target: this.#input.target,
      math: this.#math,
      constant: (lanes) => this.#pool.get(this.#module, lanes),
    })
    if (this.#input.exportKernels) this.#module.addFunctionExport(name, key)
    return name
  }
}
