/**
 * Compiled code beside the reference evaluator. In: a program, which build to make of it, inputs and counts. Out: an
 * `Instance` that runs entries of both and throws with the first element that disagrees.
 *
 * A tolerance is in units of f32 rounding, `ulps · 2⁻²⁴ · scale`. The scale of an element is the largest magnitude in its
 * tensor, or for sums of products what the same program gives for the absolute values of its inputs (`scale: 'terms'`):
 * cancellation then makes nothing easier. Integers and booleans must be equal.
 */
import { generate } from '../../compiler/generate.ts'
import { createState, run, type State } from '../../compiler/ir/evaluate.ts'
import type { Program } from '../../compiler/ir/types.ts'
import type { Target } from '../../compiler/wasm/assembler.ts'
import type { Manifest, TensorSpec } from '../../compiler/wasm/manifest.ts'
import type { ThreadOptions } from '../../compiler/wasm/teamwork.ts'

export interface Build {
  readonly target: Target
  readonly fuse: boolean
  /** See `ScheduleOptions`: 0 cuts every sum that can be. */
  readonly cache?: number
  readonly threads?: ThreadOptions
}

export const builds: readonly Build[] = [
  { target: 'simd', fuse: true },
  { target: 'relaxed', fuse: true },
  { target: 'simd', fuse: false },
  { target: 'relaxed', fuse: false },
]

/** What large operands get, at the sizes of tests. */
export const inBlocks: readonly Build[] = [
  { target: 'simd', fuse: true, cache: 0 },
  { target: 'relaxed', fuse: true, cache: 0 },
]

export const buildName = ({ target, fuse, cache }: Build): string =>
  `${target}${fuse ? '' : ', not fused'}${cache === undefined ? '' : ', in blocks'}`

export interface Tolerance {
  readonly ulps: number
  readonly scale: 'tensor' | 'terms'
  /** The smallest scale, 0 when left out. */
  readonly least?: number
}

export type Inputs = Readonly<Record<string, ArrayLike<number>>>
export type Counts = Readonly<Record<string, number>>
type View = Float32Array | Int32Array

export function moduleOf(program: Program, { target, ...options }: Build) {
  return generate(program, { targets: [target], sourceText: '', version: '0', ...options })[target]!
}

export class Instance {
  readonly program: Program
  readonly manifest: Manifest
  readonly wasm: Uint8Array
  readonly state: State
  readonly #exports: Readonly<Record<string, (...args: number[]) => void>>
  readonly #buffer: ArrayBuffer
  readonly #what: string

  constructor(program: Program, build: Build, what = '') {
    const { wasm, manifest } = moduleOf(program, build)
    const module = new WebAssembly.Module(wasm as BufferSource)
    const { exports } = new WebAssembly.Instance(module, {})
    this.program = program
    this.manifest = manifest
    this.wasm = wasm
    this.state = createState(program)
    this.#exports = exports as Record<string, (...args: number[]) => void>
    this.#buffer = (exports.memory as WebAssembly.Memory).buffer as ArrayBuffer
    this.#what = `${what} [${buildName(build)}]`
  }

  view(spec: TensorSpec): View {
    const length = spec.shape.reduce((a, b) => a * b, 1)
    return new (spec.dtype === 'f32' ? Float32Array : Int32Array)(this.#buffer, spec.offset, length)
  }

  get persistent(): readonly TensorSpec[] {
    const { params, state, hyper } = this.manifest
    return [...params, ...state, ...hyper]
  }

  /** Parameters and state on both sides; values are rounded to f32. */
  set(values: Inputs): void {
    for (const spec of this.persistent) {
      const given = values[spec.name]
      if (given === undefined) continue
      this.view(spec).set(given)
      this.state.tensors.get(spec.name)!.set(this.view(spec))
    }
  }

  /** The module's own function, the evaluator staying where it is. */
  call(name: string, ...counts: number[]): void {
    this.#exports[name]!(...counts)
  }

  init(seed: number): void {
    this.#exports.init!(seed)
    run(this.program, 'init', this.state, { seed })
  }

  /** The evaluator's parameters and state become those of the module, so that errors do not add up over steps. */
  follow(): void {
    for (const spec of this.persistent) this.state.tensors.get(spec.name)!.set(this.view(spec))
  }

  /** The bits of the outputs of an entry, the evaluator staying where it is. */
  bitsOf(name: string, inputs: Inputs, counts: Counts = {}): readonly (readonly number[])[] {
    const entry = this.manifest.entries.find((e) => e.name === name)!
    for (const spec of entry.inputs) this.view(spec).set(inputs[spec.name]!)
    this.call(name, ...entry.counts.map((dim) => counts[dim]!))
    return entry.outputs.map((o) => [...new Int32Array(this.view(o).slice().buffer)])
  }

  /** Runs an entry on both sides and compares its outputs and everything persistent. */
  compare(name: string, inputs: Inputs, counts: Counts, tolerance: Tolerance): void {
    const entry = this.manifest.entries.find((e) => e.name === name)!
    const rounded: Record<string, Float64Array> = {}
    for (const spec of entry.inputs) {
      const view = this.view(spec)
      view.set(inputs[spec.name]!)
      rounded[spec.name] = Float64Array.from(view)
    }
    // A parameter that an update brings near zero keeps the rounding errors of what was taken from it.
    const before = new Map(
      this.persistent.map((spec) => [spec.name, largest(this.state.tensors.get(spec.name)!)]),
    )
    const terms = tolerance.scale === 'terms' ? this.#terms(name, rounded, counts) : undefined
    const { outputs } = run(this.program, name, this.state, { inputs: rounded, counts })
    this.#exports[name]!(...entry.counts.map((dim) => counts[dim]!))
    for (const spec of entry.outputs) {
      const scale = terms?.outputs[spec.name]
      this.#check(name, spec, outputs[spec.name]!, tolerance, scale)
    }
    for (const spec of this.persistent) {
      const scale = terms?.state.tensors.get(spec.name)
      const least = Math.max(tolerance.least ?? 0, before.get(spec.name)!)
      this.#check(name, spec, this.state.tensors.get(spec.name)!, { ...tolerance, least }, scale)
    }
  }

  /** The same on absolute values: what sums of products would be if nothing cancelled. */
  #terms(name: string, inputs: Readonly<Record<string, Float64Array>>, counts: Counts) {
    const state = createState(this.program)
    for (const [tensor, values] of this.state.tensors) {
      state.tensors.get(tensor)!.set(values.map((v) => Math.abs(v)))
    }
    const isFloat = (tensor: string): boolean =>
      this.program.entries
        .find((e) => e.name === name)!
        .tensors.some((t) => t.name === tensor && t.dtype === 'f32')
    const absolute = Object.fromEntries(
      Object.entries(inputs).map(([input, values]) => [
        input,
        isFloat(input) ? values.map((v) => Math.abs(v)) : values,
      ]),
    )
    const { outputs } = run(this.program, name, state, { inputs: absolute, counts })
    return { outputs, state }
  }

  #check(
    entry: string,
    spec: TensorSpec,
    want: Float64Array,
    { ulps, least = 0 }: Tolerance,
    scale: Float64Array | undefined,
  ): void {
    const got = this.view(spec)
    const most = spec.dtype === 'f32' ? Math.max(least, largest(want)) : 0
    for (let k = 0; k < want.length; k++) {
      const a = got[k]!
      const b = want[k]!
      if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue
      if (spec.dtype === 'f32') {
        const allowed = ulps * 2 ** -24 * (scale ? Math.abs(scale[k]!) : most)
        if (Math.abs(a - b) <= allowed + 2 ** -140) continue
        // What overflows f32 is infinite there.
        if (Math.abs(b) > 3.4028235e38 && a === Math.sign(b) * Infinity) continue
      }
      const off =
        spec.dtype === 'f32' ? `, ${(Math.abs(a - b) * 2 ** 24) / (scale?.[k] ?? most)} units` : ''
      throw new Error(`${this.#what}: ${entry}.${spec.name}[${k}] is ${a}, should be ${b}${off}`)
    }
  }
}

/** Of the finite ones. */
function largest(values: Float64Array): number {
  let most = 0
  for (const value of values) if (Number.isFinite(value)) most = Math.max(most, Math.abs(value))
  return most
}
