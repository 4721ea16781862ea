/**
 * Compiles the network of a workload, in a process of its own so that the time is that of a first compilation, and
 * writes what the measuring processes start from. `node prepare.ts ID FOLDER` writes there simd.wasm, relaxed.wasm, with `--threads` relaxed.threads.wasm, and
 * start.safetensors (netc's initial parameters as `param/NAME`, the batches as `0/NAME`, `1/NAME`, …) and prints
 * a `Prepared` as JSON.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { compile } from '../../compiler/compile.ts'
import type { Manifest } from '../../compiler/wasm/manifest.ts'
import { load } from '../../runtime/index.ts'
import { asBytes, type RawTensor, writeSafetensors } from '../../runtime/safetensors.ts'
import { batchCount, batchesFor, type Workload, workloads } from './workloads.ts'

export interface Prepared {
  /** Floating-point operations of a step, as netc's manifest counts them. */
  readonly flops: number
  /** Milliseconds to compile both builds. */
  readonly compiled: number
  /** Bytes of the modules, gzipped. */
  readonly gzip: { readonly simd: number; readonly relaxed: number }
}

export const seed = 1

/** Compiles a workload, with other dims if given; throws with the diagnostics where that fails. */
export function compileWorkload(
  { network, dims }: Workload,
  options: {
    readonly dims?: Workload['dims']
    readonly targets?: ('simd' | 'relaxed')[]
    readonly threads?: boolean
  } = {},
) {
  const text = readFileSync(new URL(`models/${network}.net`, import.meta.url), 'utf8')
  const compiled = compile(text, {
    file: `${network}.net`,
    dims: { ...dims, ...options.dims },
    ...(options.targets ? { targets: options.targets } : {}),
    threads: options.threads ?? false,
  })
  if (!compiled.modules) throw new Error(compiled.diagnostics.map((d) => d.message).join('\n'))
  return compiled.modules
}

export const inputsOf = (manifest: Manifest, entry: string) =>
  manifest.entries.find((e) => e.name === entry)!.inputs

async function prepare(workload: Workload, folder: string, threads: boolean): Promise<Prepared> {
  const start = performance.now()
  const modules = compileWorkload(workload)
  const compiled = performance.now() - start
  const { simd, relaxed } = modules
  const { manifest } = simd!
  const model = await load(simd!.wasm as BufferSource)
  model.init(seed)
  const tensors: RawTensor[] = manifest.params.map(({ name, shape }) => ({
    name: `param/${name}`,
    dtype: 'F32',
    shape,
    bytes: asBytes(model.params[name] as BufferSource),
  }))
  const inputs = inputsOf(manifest, workload.entry)
  batchesFor(inputs, workload.kind === 'train' ? batchCount : 1).forEach((feeds, k) => {
    for (const { name, shape, dtype } of inputs) {
      const bytes = asBytes(feeds[name] as BufferSource)
      tensors.push({ name: `${k}/${name}`, dtype: dtype === 'f32' ? 'F32' : 'I32', shape, bytes })
    }
  })
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}/start.safetensors`, writeSafetensors(tensors, {}))
  writeFileSync(`${folder}/simd.wasm`, simd!.wasm)
  writeFileSync(`${folder}/relaxed.wasm`, relaxed!.wasm)
  if (threads) {
    const shared = compileWorkload(workload, { targets: ['relaxed'], threads })
    writeFileSync(`${folder}/relaxed.threads.wasm`, shared.relaxed!.wasm)
  }
  const gzipped = (bytes: Uint8Array): number => gzipSync(bytes, { level: 9 }).length
  return {
    flops: manifest.entries.find((e) => e.name === workload.entry)!.flops,
    compiled,
    gzip: { simd: gzipped(simd!.wasm), relaxed: gzipped(relaxed!.wasm) },
  }
}

if (import.meta.main) {
  const [id, folder, option] = process.argv.slice(2)
  const workload = workloads.find((w) => w.id === id)!
  console.log(JSON.stringify(await prepare(workload, folder!, option === '--threads')))
}
