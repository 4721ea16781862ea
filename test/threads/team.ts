/**
 * Threads for tests. In: a module that was compiled with `threads`. Out: an instance of it that real threads of this process run
 * together, and what its entries leave in memory. The threads live as long as the team.
 */
import { Worker } from 'node:worker_threads'
import type { Manifest, TensorSpec } from '../../compiler/wasm/manifest.ts'
import { type Job, meeting, type Order } from './meeting.ts'

export interface Built {
  readonly wasm: Uint8Array
  readonly manifest: Manifest
}

type Functions = Readonly<Record<string, (...args: number[]) => void>>

export interface Running {
  readonly manifest: Manifest
  readonly buffer: ArrayBufferLike
  readonly call: Functions
}

/** A module without threads, alone. */
export function alone({ wasm, manifest }: Built): Running {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm as BufferSource), {})
  const { buffer } = exports.memory as WebAssembly.Memory
  return { manifest, buffer, call: exports as Functions }
}

export class Team {
  readonly #workers: readonly Worker[]

  constructor(size: number) {
    this.#workers = Array.from(
      { length: size - 1 },
      (_, k) =>
        new Worker(new URL('./thread.ts', import.meta.url), { workerData: { number: k + 1 } }),
    )
  }

  /** Runs `use` with an instance of the module that all threads run. */
  async run<T>({ wasm, manifest }: Built, order: Order, use: (running: Running) => T): Promise<T> {
    const pages = manifest.threads!.pages
    const module = new WebAssembly.Module(wasm as BufferSource)
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
    const turns = new Int32Array(new SharedArrayBuffer(4))
    const size = this.#workers.length + 1
    const meet = meeting(turns, 0, size, order)
    const { exports } = new WebAssembly.Instance(module, { env: { memory, meet } })
    const call = exports as Functions
    const job: Job = { module, memory, size, order, turns }
    await this.#answers(() => {
      for (const worker of this.#workers) worker.postMessage(job)
    })
    call['.team']!(size, 100)
    const result = use({ manifest, buffer: memory.buffer, call })
    await this.#answers(() => call['.stop']!())
    return result
  }

  /** Waits for one message of each thread. */
  async #answers(ask: () => void): Promise<void> {
    const all = this.#workers.map(
      (worker) =>
        new Promise<void>((resolve, reject) => {
          worker.once('message', () => resolve())
          worker.once('error', reject)
        }),
    )
    ask()
    await Promise.all(all)
    for (const worker of this.#workers) worker.removeAllListeners('error')
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }
}

const volume = (spec: TensorSpec): number => spec.shape.reduce((a, b) => a * b, 1)

/** As bits, for -0 is not 0; all NaN are one, whose bits engines choose. */
function words(buffer: ArrayBufferLike, spec: TensorSpec, length = volume(spec)): number[] {
  const floats = new Float32Array(buffer as ArrayBuffer, spec.offset, length)
  const isFloat = spec.dtype === 'f32'
  return Array.from(new Int32Array(buffer, spec.offset, length), (word, k) =>
    isFloat && Number.isNaN(floats[k]) ? Number.NaN : word,
  )
}

/** The bits of all parameters, states and outputs after `init` and calls of every entry, with whole and smaller batches. */
export function bitsOf({ manifest, buffer, call }: Running): Readonly<Record<string, number[]>> {
  const bits: Record<string, number[]> = {}
  const keep = (when: string): void => {
    for (const spec of [...manifest.params, ...manifest.state]) {
      bits[`${spec.name} after ${when}`] = words(buffer, spec)
    }
  }
  call.init!(7)
  keep('init')
  const max = new Map(manifest.dims.map((d) => [d.name, d.max]))
  for (const { name, counts, inputs, outputs } of manifest.entries) {
    for (const input of inputs) {
      const Type = input.dtype === 'f32' ? Float32Array : Int32Array
      const view = new Type(buffer as ArrayBuffer, input.offset, volume(input))
      for (let k = 0; k < view.length; k++) {
        view[k] =
          input.dtype === 'f32' ? ((k * 7919) % 256) / 128 - 1 : (k * 7919) % (input.range ?? 2)
      }
    }
    const whole = counts.map((dim) => max.get(dim)!)
    for (const now of [whole, whole, whole.map((n) => Math.ceil(n / 2)), whole.map(() => 1)]) {
      call[name]!(...now)
      const when = `${name}(${now}) ${Object.keys(bits).length}`
      keep(when)
      for (const output of outputs) {
        const rows = output.bounds[0] ? now[counts.indexOf(output.bounds[0])]! : 0
        const length = rows === 0 ? volume(output) : (volume(output) / output.shape[0]!) * rows
        bits[`${output.name} of ${when}`] = words(buffer, output, length)
      }
    }
  }
  return bits
}
