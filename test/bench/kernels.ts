/**
 * The kernels of one entry, each timed by itself. In: a model, and what may be changed about its loops. Out: a module whose
 * kernels are run one by one in their order, so that caches are as in a real step.
 */
import { readFileSync } from 'node:fs'
import { readDataFile } from '../../compiler/cli/model-file.ts'
import { analyze, lower } from '../../compiler/compile.ts'
import { mathLibrary, type Scheduled, schedule } from '../../compiler/generate.ts'
import type { Index, Program } from '../../compiler/ir/types.ts'
import { kernelKey, kernelsOf, type ScheduledStep } from '../../compiler/schedule/kernels.ts'
import type { Kernel } from '../../compiler/schedule/types.ts'
import type { Target } from '../../compiler/wasm/assembler.ts'
import { describe } from '../../compiler/wasm/describe.ts'
import type { EntrySpec, TensorSpec } from '../../compiler/wasm/manifest.ts'
import { emitModule } from '../../compiler/wasm/module.ts'

export interface Model {
  readonly text: string
  readonly program: Program
  readonly scheduled: Scheduled
}

/** Throws with the diagnostics where it does not compile. `fuse`: see `ScheduleOptions`. */
export function scheduledModel(
  file: string,
  dims: Readonly<Record<string, number>>,
  fuse = true,
): Model {
  const text = readFileSync(file, 'utf8')
  const { program: before, diagnostics } = analyze(text, { file, dims, readFile: readDataFile })
  if (!before) throw new Error(diagnostics.map((d) => d.message).join('\n'))
  const program = lower(before)
  return { text, program, scheduled: schedule(program, { fuse }) }
}

/** What `--dim NAME=SIZE` says. */
export const dimsOf = (pairs: readonly string[]): Record<string, number> =>
  Object.fromEntries(pairs.map((d) => d.split('=')).map(([name, size]) => [name, Number(size)]))

interface Call {
  readonly kernel: Kernel
  /** Arguments before those for the times of loops around. */
  readonly args: readonly number[]
  readonly zeroed: readonly Float32Array[]
  /** Milliseconds of all runs in a turn, turn by turn. */
  readonly times: number[]
}

/** Of a machine that does other things too: what a twentieth of the runs did not need. */
export const typical = (list: readonly number[]): number =>
  list.toSorted((a, b) => a - b)[Math.floor(list.length / 20)]!

const volume = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/** The kernels of the entry of this name, or of the train block. */
export class Kernels {
  readonly spec: EntrySpec
  /** Of the module. */
  readonly bytes: number
  readonly calls: readonly Call[]
  readonly #byKernel: ReadonlyMap<Kernel, Call>
  readonly #functions: Readonly<Record<string, (...args: number[]) => void>>
  readonly #counts: Readonly<Record<string, number>>
  readonly #steps: readonly ScheduledStep[]

  constructor({ text, program, scheduled }: Model, name: string | undefined, target: Target) {
    const manifest = describe({ program, ...scheduled, version: '', sourceText: text }, target)
    const math = mathLibrary(target)
    const { wasm } = emitModule({
      program,
      ...scheduled,
      math,
      target,
      manifest,
      exportKernels: true,
    })
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm as BufferSource), {})
    const { buffer } = exports.memory as WebAssembly.Memory
    this.bytes = wasm.length
    this.#functions = exports as Record<string, (...args: number[]) => void>
    this.#counts = Object.fromEntries(program.dims.map((d) => [d.name, d.max]))
    const spec = manifest.entries.find((e) =>
      name === undefined ? e.kind === 'train' : e.name === name,
    )
    if (!spec)
      throw new Error(name === undefined ? 'no train block: --entry NAME' : `no entry ${name}`)
    this.spec = spec
    this.#functions.init!(1)
    for (const input of spec.inputs) fill(input, buffer)
    const entry = scheduled.entries.find((e) => e.entry.name === spec.name)!
    const { addresses } = scheduled.plan.entries.get(spec.name)!
    const addressOf = (tensor: string): number =>
      addresses.get(entry.aliases.get(tensor)?.tensor ?? tensor)!
    this.#steps = entry.stages.flatMap((stage) => stage.steps)
    this.calls = this.#steps.flatMap(kernelsOf).map((kernel): Call => {
      const args = [
        ...kernel.slots.map((s) => addressOf(s.tensor)),
        0,
        kernel.range ? this.#size(kernel.range) : 0,
        ...kernel.counts.map((dim) => this.#counts[dim]!),
        ...kernel.sites,
      ]
      const zeroed = kernel.zeroed.map((tensor) => {
        const { shape } = kernel.slots.find((s) => s.tensor === tensor)!
        return new Float32Array(buffer, addressOf(tensor), volume(shape))
      })
      return { kernel, args, zeroed, times: [] }
    })
    this.#byKernel = new Map(this.calls.map((call) => [call.kernel, call]))
  }

  #size({ extent }: Index): number {
    return extent.bound === undefined ? extent.size : this.#counts[extent.bound]!
  }

  /** The whole entry, as the module runs it. */
  whole(): void {
    this.#functions[this.spec.name]!(...this.spec.counts.map((dim) => this.#counts[dim]!))
  }

  /** All kernels in their order, each timed by itself where `keep`. */
  turn(keep: boolean): void {
    const spent = new Map<Call, number>()
    const walk = (all: readonly ScheduledStep[], times: readonly number[]): void => {
      for (const step of all) {
        if (step.kind === 'loop') {
          const last = this.#size(step.time) - 1
          for (let t = 0; t <= last; t++) walk(step.steps, [...times, step.down ? last - t : t])
          continue
        }
        const call = this.#byKernel.get(step.kernel)!
        const start = performance.now()
        for (const tensor of call.zeroed) tensor.fill(0)
        this.#functions[kernelKey(step.kernel)]!(...call.args, ...times)
        spent.set(call, (spent.get(call) ?? 0) + performance.now() - start)
      }
    }
    walk(this.#steps, [])
    if (keep) for (const [call, ms] of spent) call.times.push(ms)
  }
}

function fill({ dtype, offset, shape }: TensorSpec, buffer: ArrayBuffer): void {
  const data = new (dtype === 'f32' ? Float32Array : Int32Array)(buffer, offset, volume(shape))
  for (let k = 0; k < data.length; k++) {
    data[k] = dtype === 'f32' ? ((k * 7919) % 256) / 128 - 1 : (k * 7919) % 10
  }
}
