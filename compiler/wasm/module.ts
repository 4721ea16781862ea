/**
 * Scheduled entries to one WebAssembly module. In: the program, its schedule, the memory plan and the math library.
 * Out: the optimized binary with the manifest in its custom section `netc`. It imports nothing and exports `memory` and a
 * function per entry; inside, an entry is a list of kernel calls with constant addresses, and of loops over time around such calls.
 */
import type { Program } from '../ir/types.ts'
import {
  bytesOfSlot,
  kernelKey,
  kernelsOf,
  type ScheduledEntry,
  type ScheduledStep,
} from '../schedule/kernels.ts'
import type { Kernel } from '../schedule/types.ts'
import {
  i32,
  kernelPrefix,
  type Module,
  newModule,
  none,
  optimize,
  params,
  type Ref,
  type Target,
} from './assembler.ts'
import { emitKernel } from './kernel.ts'
import { linkMath, type MathLibrary } from './link.ts'
import type { Manifest } from './manifest.ts'
import { bytesOfTensor, type EntryPlan, type MemoryPlan } from './memory.ts'
import { ConstantPool, mathPoolAddress, type Segment } from './pool.ts'

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
}

export function emitModule(input: ModuleInput): Uint8Array {
  const module = newModule(input.target)
  try {
    // Loads and stores need a memory; how large it is is known when all constants are.
    module.setMemory(1, 1)
    const emitter = new ModuleEmitter(input, module)
    for (const entry of input.entries) emitter.entry(entry)
    const pages = Math.ceil(emitter.end / page)
    const segments = [...hyperSegments(input), ...emitter.constants]
    module.setMemory(
      pages,
      pages,
      'memory',
      segments.map(({ address, data }, k) => ({
        name: `${k}`,
        offset: module.i32.const(address),
        data,
        passive: false,
      })),
    )
    optimize(module)
    module.addCustomSection('netc', new TextEncoder().encode(JSON.stringify(input.manifest)))
    return module.emitBinary()
  } finally {
    module.dispose()
  }
}

/** Hyper-parameters have their values as soon as the module is instantiated. */
function hyperSegments({ program, plan }: ModuleInput): Segment[] {
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

/** What the calls of an entry's kernels need. */
interface Call {
  readonly addresses: EntryPlan
  readonly counts: readonly string[]
  /** Locals with the times of the loops around. */
  readonly times: readonly number[]
  /** The entry's first local behind its parameters. */
  readonly firstLocal: number
}

/** How deep loops over time are nested. */
function depthOf(scheduled: ScheduledEntry): number {
  const depth = (step: ScheduledStep): number =>
    step.kind === 'kernel' ? 0 : 1 + Math.max(0, ...step.steps.map(depth))
  return Math.max(0, ...scheduled.stages.flatMap((stage) => stage.steps.map(depth)))
}

class ModuleEmitter {
  readonly #input: ModuleInput
  readonly #module: Module
  readonly #math: (name: string) => string
  readonly #pool: ConstantPool
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
    this.#pool = new ConstantPool(Math.ceil(input.plan.total / 16) * 16)
  }

  /** Where memory ends. */
  get end(): number {
    return this.#pool.end
  }

  get constants(): readonly Segment[] {
    const math = { address: mathPoolAddress, data: this.#input.math.constants }
    return this.#callsMath ? [math, this.#pool.segment] : [this.#pool.segment]
  }

  entry(scheduled: ScheduledEntry): void {
    const { program, plan } = this.#input
    const module = this.#module
    const { entry } = scheduled
    const counts = countsOf(program, scheduled)
    const addresses = plan.entries.get(entry.name)!
    const statements: Ref[] = []
    if (entry.kind === 'init') {
      for (const tensor of program.tensors) {
        if (tensor.role !== 'seed' && tensor.role !== 'step') continue
        const value = tensor.role === 'seed' ? module.local.get(0, i32) : module.i32.const(0)
        statements.push(this.#setCell(tensor.name, value))
      }
    }
    const step = program.tensors.find((t) => t.role === 'step')
    const moveStep = (by: number): Ref[] =>
      entry.kind === 'train' && step
        ? [
            this.#setCell(
              step.name,
              module.i32.add(
                module.i32.load(0, 4, module.i32.const(plan.persistent.get(step.name)!)),
                module.i32.const(by),
              ),
            ),
          ]
        : []
    statements.push(...moveStep(1))
    const types = entry.kind === 'init' ? [i32] : counts.map(() => i32)
    const stepAt = step && plan.persistent.get(step.name)
    const isReset = entry.kind === 'reset' && stepAt !== undefined
    const loops = new Array(depthOf(scheduled)).fill(i32)
    const stepLocal = types.length + loops.length
    if (isReset) {
      // Start values are drawn as `init` draws them, at step 0; the training goes on at its own.
      statements.push(
        module.local.set(stepLocal, module.i32.load(0, 4, module.i32.const(stepAt))),
        module.i32.store(0, 4, module.i32.const(stepAt), module.i32.const(0)),
      )
    }
    const call: Call = { addresses, counts, times: [], firstLocal: types.length }
    for (const stage of scheduled.stages) {
      for (const step of stage.steps) {
        statements.push(
          ...this.#zeroed(kernelsOf(step), false, addresses),
          ...this.#step(step, call),
        )
        const equations = step.kind === 'kernel' ? step.kernel.equations : []
        const makesLoss = equations.some((e) => e.target === stage.loss)
        if (entry.kind !== 'train' || stage.loss === undefined || !makesLoss) continue
        // A loss that is not finite ends the step before anything is updated: nothing is lost.
        const at = addresses.addresses.get(stage.loss)!
        const loss = (): Ref => module.f32.load(0, 4, module.i32.const(at))
        statements.push(
          module.if(
            module.f32.ne(module.f32.sub(loss(), loss()), module.f32.const(0)),
            module.block(null, [...moveStep(-1), module.return()]),
          ),
        )
      }
      for (const { target, value, inPlace } of stage.updates) {
        if (!inPlace) statements.push(this.#copy(target, value, addresses))
      }
    }
    if (isReset) {
      const before = module.local.get(stepLocal, i32)
      statements.push(module.i32.store(0, 4, module.i32.const(stepAt), before))
    }
    const locals = isReset ? [...loops, i32] : loops
    module.addFunction(entry.name, params(types), none, locals, module.block(null, statements))
    module.addFunctionExport(entry.name, entry.name)
  }

  #setCell(name: string, value: Ref): Ref {
    const address = this.#input.plan.persistent.get(name)!
    return this.#module.i32.store(0, 4, this.#module.i32.const(address), value)
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

  /** What is added to starts as zeros: once before all loops, and where a loop keeps one step, in each (`folded`). */
  #zeroed(kernels: readonly Kernel[], folded: boolean, { addresses }: EntryPlan): Ref[] {
    const module = this.#module
    return kernels.flatMap((kernel) =>
      kernel.zeroed.flatMap((name) => {
        const slot = kernel.slots.find((s) => s.tensor === name)!
        if (slot.folded.includes(true) !== folded) return []
        return module.memory.fill(
          module.i32.const(addresses.get(name)!),
          module.i32.const(0),
          module.i32.const(bytesOfSlot(slot)),
        )
      }),
    )
  }

  #step(step: ScheduledStep, call: Call): Ref[] {
    if (step.kind === 'kernel') {
      const { kernel } = step
      return [...this.#zeroed([kernel], true, call.addresses), this.#call(kernel, call)]
    }
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
      ...step.steps.flatMap((s) => this.#step(s, inside)),
      module.local.set(local, module.i32.add(now(), module.i32.const(step.down ? -1 : 1))),
      module.br(label, again),
    ]
    return [
      module.local.set(local, module.i32.const(step.down ? last : 0)),
      module.loop(label, module.block(null, turn)),
    ]
  }

  #call(kernel: Kernel, { addresses: { addresses }, counts, times }: Call): Ref {
    const module = this.#module
    const count = (dim: string): Ref => module.local.get(counts.indexOf(dim), i32)
    const extent = kernel.range?.extent
    return module.call(
      this.#kernel(kernel),
      [
        ...kernel.slots.map((s) => module.i32.const(addresses.get(s.tensor)!)),
        module.i32.const(0),
        extent?.bound === undefined ? module.i32.const(extent?.size ?? 0) : count(extent.bound),
        ...kernel.counts.map(count),
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
    const name = `${kernelPrefix}${this.#kernels.size}.${kernel.name}`
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
