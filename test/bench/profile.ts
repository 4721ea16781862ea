/**
 * `npm run bench -- --profile FILE.net [--entry NAME] [--target simd|relaxed] [--dim NAME=SIZE] [--top N] [--alone] [--json]`: where the
 * time of one entry goes. Runs its kernels one by one in their order, so that caches are as in a real step, and prints for
 * each its share, time, GFLOP/s, what is lost against the peak, and the source line it came from.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { readDataFile } from '../../compiler/cli/model-file.ts'
import { analyze, lower } from '../../compiler/compile.ts'
import { mathLibrary, schedule } from '../../compiler/generate.ts'
import type { Index } from '../../compiler/ir/types.ts'
import {
  bytesOf,
  flopsOf,
  kernelKey,
  kernelsOf,
  type ScheduledStep,
} from '../../compiler/schedule/kernels.ts'
import type { Kernel } from '../../compiler/schedule/types.ts'
import { showPlace } from '../../compiler/support/span.ts'
import type { Target } from '../../compiler/wasm/assembler.ts'
import { describe } from '../../compiler/wasm/describe.ts'
import type { TensorSpec } from '../../compiler/wasm/manifest.ts'
import { emitModule } from '../../compiler/wasm/module.ts'
import { peak } from './peak.ts'

const { values: options } = parseArgs({
  options: {
    profile: { type: 'string' },
    entry: { type: 'string' },
    target: { type: 'string', default: 'relaxed' },
    dim: { type: 'string', multiple: true, default: [] },
    top: { type: 'string', default: '25' },
    seconds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
    alone: { type: 'boolean', default: false },
  },
})
const file = options.profile!
const target = options.target as Target
const text = readFileSync(file, 'utf8')
const dims = Object.fromEntries(
  options.dim.map((d) => d.split('=')).map(([n, s]) => [n, Number(s)]),
)
const started = performance.now()
const { program, diagnostics } = analyze(text, { file, dims, readFile: readDataFile })
if (!program) throw new Error(diagnostics.map((d) => d.message).join('\n'))
const lowered = lower(program)
const scheduled = schedule(lowered, { fuse: !options.alone })
const description = { program: lowered, ...scheduled, version: '', sourceText: text }
const manifest = describe(description, target)
const { wasm } = emitModule({
  program: lowered,
  ...scheduled,
  math: mathLibrary(target),
  target,
  manifest,
  exportKernels: true,
})
const compiled = performance.now() - started
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm as BufferSource), {})
const functions = exports as Record<string, (...args: number[]) => void>
const { buffer } = exports.memory as WebAssembly.Memory

const spec = manifest.entries.find((e) =>
  options.entry === undefined ? e.kind === 'train' : e.name === options.entry,
)!
const view = (t: TensorSpec): Float32Array | Int32Array =>
  new (t.dtype === 'f32' ? Float32Array : Int32Array)(
    buffer,
    t.offset,
    t.shape.reduce((a, b) => a * b, 1),
  )
functions.init!(1)
for (const input of spec.inputs) {
  const data = view(input)
  for (let k = 0; k < data.length; k++) {
    data[k] = input.dtype === 'f32' ? ((k * 7919) % 256) / 128 - 1 : (k * 7919) % 10
  }
}
const counts = Object.fromEntries(lowered.dims.map((d) => [d.name, d.max]))
const whole = (): void => functions[spec.name]!(...spec.counts.map((dim) => counts[dim]!))

const entry = scheduled.entries.find((e) => e.entry.name === spec.name)!
const { addresses } = scheduled.plan.entries.get(spec.name)!
const addressOf = (name: string): number => addresses.get(entry.aliases.get(name)?.tensor ?? name)!
interface Call {
  readonly kernel: Kernel
  /** Arguments before those for the times of loops around. */
  readonly args: readonly number[]
  readonly zeroed: readonly Float32Array[]
  readonly times: number[]
  /** Milliseconds of this turn. */
  spent: number
  /** How often it runs in a turn. */
  runs: number
}

const volume = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)
const size = (i: Index): number =>
  i.extent.bound === undefined ? i.extent.size : counts[i.extent.bound]!
const steps = entry.stages.flatMap((stage) => stage.steps)
const calls = new Map(
  steps.flatMap(kernelsOf).map((kernel): [Kernel, Call] => {
    const args = [
      ...kernel.slots.map((s) => addressOf(s.tensor)),
      0,
      kernel.range ? size(kernel.range) : 0,
      ...kernel.counts.map((dim) => counts[dim]!),
      ...kernel.sites,
    ]
    const zeroed = kernel.zeroed.map((name) => {
      const { shape } = kernel.slots.find((s) => s.tensor === name)!
      return new Float32Array(buffer, addressOf(name), volume(shape))
    })
    return [kernel, { kernel, args, zeroed, times: [], spent: 0, runs: 0 }]
  }),
)

/** The steps as the entry runs them, each kernel timed by itself. */
function walk(all: readonly ScheduledStep[], times: readonly number[]): void {
  for (const step of all) {
    if (step.kind === 'loop') {
      const last = size(step.time) - 1
      for (let t = 0; t <= last; t++) walk(step.steps, [...times, step.down ? last - t : t])
      continue
    }
    const call = calls.get(step.kernel)!
    const start = performance.now()
    for (const tensor of call.zeroed) tensor.fill(0)
    functions[kernelKey(step.kernel)]!(...call.args, ...times)
    call.spent += performance.now() - start
    call.runs++
  }
}

/** Of a machine that does other things too: what a twentieth of the runs did not need. */
const typical = (list: number[]): number =>
  list.sort((a, b) => a - b)[Math.floor(list.length / 20)]!
const stepTimes: number[] = []
const until = performance.now() + 1000 * Number(options.seconds)
for (let turn = 0; performance.now() < until || turn < 6; turn++) {
  const before = performance.now()
  whole()
  if (turn > 2) stepTimes.push(performance.now() - before)
  for (const call of calls.values()) Object.assign(call, { spent: 0, runs: 0 })
  walk(steps, [])
  if (turn > 2) for (const call of calls.values()) call.times.push(call.spent)
}

const best = peak(target)
interface Row {
  readonly kernel: Kernel
  /** Of how many kernels of the same code this is the sum. */
  count: number
  ms: number
  flops: number
  bytes: number
  lost: number
}
const byCode = new Map<string, Row>()
for (const { kernel, times } of calls.values()) {
  const key = kernelKey(kernel)
  const row = byCode.get(key) ?? { kernel, count: 0, ms: 0, flops: 0, bytes: 0, lost: 0 }
  byCode.set(key, row)
  const ms = typical(times)
  // Of all runs: an equation in a loop has the time among its indices.
  const flops = kernel.equations.reduce((n, e) => n + flopsOf(e), 0)
  row.count++
  row.ms += ms
  row.flops += flops
  row.bytes += bytesOf(kernel)
  row.lost += ms - flops / best / 1e6
}
const rows = [...byCode.values()]
const total = rows.reduce((n, r) => n + r.ms, 0)
const flops = rows.reduce((n, r) => n + r.flops, 0)
const step = typical(stepTimes)
const shapeOf = (kernel: Kernel): string => {
  const { nest } = kernel
  const nests = nest.kind === 'rows' ? nest.nests : [nest]
  const parts = nests.map((n) => {
    const over = n.reduction?.over.map((i) => `${i.name}:${i.extent.size}`).join(' ')
    const outer = n.loops.map((i) => `${i.name}:${i.extent.size}`).join(' ')
    const rows = n.rows ? `${n.rows.name}:${n.rows.extent.size}/${n.rowTile}` : '-'
    const lanes = n.lanes ? `${n.lanes.name}:${n.lanes.extent.size}/${n.laneTile}v` : '-'
    const sum = n.reduction
      ? ` ${n.reduction.op}[${over}]${n.reduction.lane ? ` dot ${n.reduction.lane}` : ''}`
      : ''
    return `(${outer}) ${rows} × ${lanes}${sum}`
  })
  return nest.kind === 'rows'
    ? `rows ${nest.row.name}:${nest.row.extent.size} {${parts.join('; ')}}`
    : parts[0]!
}
if (options.json) {
  console.log(
    JSON.stringify({ file, target, step, gflops: flops / step / 1e6, peak: best, compiled }),
  )
} else {
  console.log(
    `${file}, ${spec.name}, ${target}: ${step.toFixed(3)} ms a step (${total.toFixed(3)} kernel by kernel, ${calls.size} kernels), ` +
      `${(flops / 1e6).toFixed(1)} MFLOP, ${(flops / step / 1e6).toFixed(1)} GFLOP/s of ${best.toFixed(1)}; ` +
      `${wasm.length} bytes, one build in ${compiled.toFixed(0)} ms`,
  )
  rows.sort((a, b) => b.lost - a.lost)
  for (const r of rows.slice(0, Number(options.top))) {
    const span = r.kernel.equations.find((e) => e.origin.span)?.origin.span
    console.log(
      `${((100 * r.ms) / total).toFixed(1).padStart(5)} % ${r.ms.toFixed(3).padStart(8)} ms ${`×${r.count}`.padEnd(4)}` +
        `${(r.flops / r.ms / 1e6).toFixed(1).padStart(5)} GFLOP/s ${(r.bytes / r.ms / 1e6).toFixed(1).padStart(5)} GB/s  ` +
        `${r.kernel.equations
          .map((e) => e.target)
          .join(' ')
          .slice(0, 60)}  ${span ? showPlace(span) : ''}\n                  ${shapeOf(r.kernel)}`,
    )
  }
}
