/**
 * Trains a compiled model a fixed number of steps and hashes what it learned. In: the module and its inputs row by row, in
 * the order they are to be used. Out: the SHA-256 of all parameters, in hexadecimal. No imports and nothing of Node, so
 * that one bundle of it runs in every engine.
 */
interface Tensor {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
  readonly offset: number
}

interface Manifest {
  readonly params: readonly Tensor[]
  readonly step: Tensor
  readonly entries: readonly {
    readonly name: string
    readonly kind: string
    readonly inputs: readonly Tensor[]
  }[]
}

export interface Training {
  readonly seed: number
  readonly steps: number
  readonly batch: number
}

const volume = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/** `columns` are bytes, one array for each input of the train block in its order. */
export async function hashOfTraining(
  wasm: BufferSource,
  columns: readonly Uint8Array[],
  { seed, steps, batch }: Training,
): Promise<string> {
  const module = await WebAssembly.compile(wasm)
  const { exports } = await WebAssembly.instantiate(module, {})
  const [section] = WebAssembly.Module.customSections(module, 'netc')
  const manifest = JSON.parse(new TextDecoder().decode(section)) as Manifest
  const { buffer } = exports.memory as WebAssembly.Memory
  const entry = manifest.entries.find((e) => e.kind === 'train')!
  const inputs = entry.inputs.map(({ dtype, shape, offset }) => ({
    row: volume(shape.slice(1)),
    view: new (dtype === 'f32' ? Float32Array : Int32Array)(buffer, offset, volume(shape)),
  }))
  const call = (name: string, argument: number): void =>
    (exports[name] as (argument: number) => void)(argument)
  call('init', seed)
  for (let step = 0; step < steps; step++) {
    inputs.forEach(({ row, view }, k) => {
      view.set(columns[k]!.subarray(step * batch * row, (step + 1) * batch * row))
    })
    call(entry.name, batch)
  }
  // A loss that is not finite would have ended its step without a trace.
  const [made] = new Int32Array(buffer, manifest.step.offset, 1)
  if (made !== steps) throw new Error(`${made} steps of ${steps}`)
  const parts = manifest.params.map((p) => new Uint8Array(buffer, p.offset, volume(p.shape) * 4))
  const all = new Uint8Array(parts.reduce((n, part) => n + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', all))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
