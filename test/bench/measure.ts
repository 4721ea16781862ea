/**
 * The measuring half, the same for every engine: runs the first steps and keeps their losses, warms up, then
 * times steps. `bundle.ts` makes one file of this and one engine; it runs in a process of its own, with a `Job` as
 * JSON in its argument, and prints a `Measured`.
 */
import { readFileSync } from 'node:fs'
import { readSafetensors } from '../../runtime/safetensors.ts'
import { median } from './report.ts'
import type { Engine, Feeds, Job, Measured, Numbers, Run, Tensor } from './types.ts'

interface Start {
  readonly params: Map<string, Tensor>
  readonly batches: Feeds[]
  readonly shapes: Record<string, readonly number[]>
}

function readStart(folder: string): Start {
  const params = new Map<string, Tensor>()
  const batches: Record<string, Numbers>[] = []
  const shapes: Record<string, readonly number[]> = {}
  for (const t of readSafetensors(readFileSync(`${folder}/start.safetensors`)).tensors) {
    // A copy, so that the numbers are aligned whatever the header's length.
    const { buffer } = t.bytes.slice()
    const data = t.dtype === 'F32' ? new Float32Array(buffer) : new Int32Array(buffer)
    const [group, name] = [t.name.slice(0, t.name.indexOf('/')), t.name.replace(/^[^/]*\//, '')]
    if (group === 'param') params.set(name, { shape: t.shape, data })
    else {
      batches[Number(group)] ??= {}
      batches[Number(group)]![name] = data
      shapes[name] = t.shape
    }
  }
  return { params, batches, shapes }
}

/** Milliseconds of a step by the clock: the median over rounds of 2 ms or of one step, whichever is longer. */
export async function timeSteps(
  run: Run,
  batches: readonly Feeds[],
  job: Pick<Job, 'kind' | 'seconds'>,
  clock = (): number => performance.now(),
): Promise<number> {
  let turn = 0
  async function round(steps: number): Promise<number> {
    const start = clock()
    for (let k = 0; k < steps; k++) {
      if (job.kind !== 'matmul') run.feed(batches[turn++ % batches.length]!)
      const pending = run.step()
      if (pending) await pending
      if (job.kind !== 'matmul') run.read()
    }
    return (clock() - start) / steps
  }
  let steps = 1
  for (const until = performance.now() + 500 * job.seconds; performance.now() < until; ) {
    if ((await round(steps)) * steps < 2) steps *= 2
  }
  const times: number[] = []
  const until = performance.now() + 1000 * job.seconds
  while (performance.now() < until || times.length < 5) times.push(await round(steps))
  return median(times)
}

/** Resident memory at its highest, in MB. Linux counts the parent's into `maxRSS`, so it is asked for this process alone. */
function highest(): number {
  const status = process.platform === 'linux' ? readFileSync('/proc/self/status', 'utf8') : ''
  const kilobytes = /VmHWM:\s*(\d+)/.exec(status)?.[1] ?? process.resourceUsage().maxRSS
  return Number(kilobytes) / 1024
}

/** `imported` is the time of the first import, in milliseconds since the process started. */
export async function main(engine: Engine, imported: number): Promise<void> {
  const job = JSON.parse(process.argv[2]!) as Job
  const { params, batches, shapes } = readStart(job.folder)
  const run = await engine.create(job, params, shapes)
  const values: number[][] = []
  let started = 0
  for (let k = 0; k < job.steps; k++) {
    run.feed(batches[k % batches.length]!)
    await run.step()
    values.push(Array.from(run.read()).slice(0, 64))
    if (k === 0) started = performance.now()
  }
  const ms = await timeSteps(run, batches, job)
  const memory = highest()
  const measured: Measured = { ms, values, first: started - imported, started, memory }
  console.log(JSON.stringify(measured))
  process.exit(0)
}
