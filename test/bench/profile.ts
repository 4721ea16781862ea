/**
 * `npm run bench -- --profile FILE.net [--entry NAME] [--target simd|relaxed] [--dim NAME=SIZE] [--top N] [--alone] [--json]`: where the
 * time of one entry goes. Runs its kernels one by one in their order, so that caches are as in a real step, and prints for
 * each its share, time, GFLOP/s, what is lost against the peak, and the source line it came from.
 */
import { parseArgs } from 'node:util'
import { kernelKey } from '../../compiler/schedule/kernels.ts'
import type { Kernel } from '../../compiler/schedule/types.ts'
import { bytesOf, flopsOf } from '../../compiler/schedule/work.ts'
import { showPlace } from '../../compiler/support/span.ts'
import type { Target } from '../../compiler/wasm/assembler.ts'
import { dimsOf, Kernels, scheduledModel, typical } from './kernels.ts'
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
const started = performance.now()
const kernels = new Kernels(
  scheduledModel(file, dimsOf(options.dim), !options.alone),
  options.entry,
  target,
)
const compiled = performance.now() - started

const stepTimes: number[] = []
const until = performance.now() + 1000 * Number(options.seconds)
for (let turn = 0; performance.now() < until || turn < 6; turn++) {
  const before = performance.now()
  kernels.whole()
  if (turn > 2) stepTimes.push(performance.now() - before)
  kernels.turn(turn > 2)
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
for (const { kernel, times } of kernels.calls) {
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
    `${file}, ${kernels.spec.name}, ${target}: ${step.toFixed(3)} ms a step (${total.toFixed(3)} kernel by kernel, ${kernels.calls.length} kernels), ` +
      `${(flops / 1e6).toFixed(1)} MFLOP, ${(flops / step / 1e6).toFixed(1)} GFLOP/s of ${best.toFixed(1)}; ` +
      `${kernels.bytes} bytes, one build in ${compiled.toFixed(0)} ms`,
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
