/**
 * One point of `--scale`, each half in a process of its own. `node scale-job.ts compile JSON` compiles a network at one size, writes
 * FOLDER/module.wasm and prints a `ScaleCompiled`; `… run JSON` trains it and prints a `ScaleMeasured`.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { compile } from '../../compiler/compile.ts'
import type { Manifest } from '../../compiler/wasm/manifest.ts'
import { load } from '../../runtime/index.ts'
import { load as loadThreads } from '../../runtime/threads/index.ts'
import { timeSteps } from './measure.ts'
import { runOf } from './netc.ts'
import { batchCount, batchesFor } from './workloads.ts'

export interface ScaleJob {
  readonly network: string
  readonly dims: Readonly<Record<string, number>>
  readonly threads: number
  readonly folder: string
  readonly seconds: number
  /** Times are what the thread took of the processor, not what went by: for a machine that has other work. */
  readonly cpu: boolean
}

/** Milliseconds that the calling thread has computed. */
function worked(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

const clockOf = ({ cpu, threads }: ScaleJob): (() => number) =>
  cpu && threads === 1 ? worked : () => performance.now()

export interface ScaleCompiled {
  /** To one build, without the import of the compiler. */
  readonly compile_ms: number
  readonly module_bytes: number
  readonly parameters: number
  /** Floating-point operations of a step. */
  readonly flops: number
  readonly inputs: Manifest['entries'][number]['inputs']
  /** Bytes of all tensors as the plan places them. */
  readonly planned_bytes: number
}

export interface ScaleMeasured {
  readonly ms: number
  readonly loss_first: number
  /** Of the same batch, when its turn has come again. */
  readonly loss_last: number
  /** Of the module's memory. */
  readonly memory_bytes: number
  /** By how much the process grew in memory, from before the module was loaded to its highest; 0 where the system does not say. */
  readonly resident_bytes: number
}

function compiled(job: ScaleJob): ScaleCompiled {
  const { network, dims, threads, folder } = job
  const clock = job.cpu ? worked : () => performance.now()
  const text = readFileSync(new URL(`models/${network}.net`, import.meta.url), 'utf8')
  const start = clock()
  const { modules, diagnostics } = compile(text, {
    file: `${network}.net`,
    dims,
    targets: ['relaxed'],
    threads: threads > 1,
  })
  const compile_ms = clock() - start
  if (!modules) throw new Error(diagnostics.map((d) => d.message).join('\n'))
  const { wasm, manifest } = modules.relaxed!
  writeFileSync(`${folder}/module.wasm`, wasm)
  const { flops, inputs } = manifest.entries.find((e) => e.name === 'fit')!
  const volume = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)
  return {
    compile_ms,
    module_bytes: wasm.length,
    parameters: manifest.params.reduce((n, p) => n + volume(p.shape), 0),
    flops,
    inputs,
    planned_bytes: manifest.memory,
  }
}

/** Of the process, from /proc: its resident memory now (VmRSS) or at its highest (VmHWM). */
function resident(what: 'VmRSS' | 'VmHWM'): number {
  const status = process.platform === 'linux' ? readFileSync('/proc/self/status', 'utf8') : ''
  return 1024 * Number(new RegExp(`${what}:\\s*(\\d+)`).exec(status)?.[1] ?? 0)
}

async function measured(job: ScaleJob, inputs: ScaleCompiled['inputs']): Promise<ScaleMeasured> {
  const { threads, folder, seconds, dims } = job
  const batches = batchesFor(inputs, batchCount)
  const wasm = readFileSync(`${folder}/module.wasm`)
  const before = resident('VmRSS')
  const model = await (threads > 1 ? loadThreads({ threads: wasm }, { threads }) : load(wasm))
  const run = runOf(model, { entry: 'fit', rows: dims.batch! })
  // A rate that a wide network bears from the first step on.
  model.hyper['fit.lr'] = 1e-4
  const losses: number[] = []
  for (let k = 0; k <= batchCount; k++) {
    run.feed(batches[k % batchCount]!)
    await run.step()
    losses.push(run.read()[0]!)
  }
  const ms = await timeSteps(run, batches, { kind: 'train', seconds }, clockOf(job))
  return {
    ms,
    loss_first: losses[0]!,
    loss_last: losses.at(-1)!,
    memory_bytes: Object.values(model.entry('fit').inputs)[0]!.buffer.byteLength,
    resident_bytes: Math.max(0, resident('VmHWM') - before),
  }
}

if (import.meta.main) {
  const [what, job, inputs] = process.argv.slice(2)
  const result =
    what === 'compile'
      ? compiled(JSON.parse(job!))
      : await measured(JSON.parse(job!), JSON.parse(inputs!))
  console.log(JSON.stringify(result))
  process.exit(0)
}
