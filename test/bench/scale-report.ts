/**
 * What `--scale` prints: a table in Markdown for each line, charts of it, and whether cost grows as it should. In: points
 * as measured. Pure.
 */
import { type LineChart, lineChart } from '../../compiler/cli/pictures/line-chart.ts'
import { stack } from '../../compiler/cli/pictures/svg.ts'
import { table } from './report.ts'
import type { ScaleCompiled, ScaleMeasured } from './scale-job.ts'
import type { ScaleLine } from './scale-lines.ts'

/** One point of one line, as `--json` prints it. */
export interface ScalePoint extends Omit<ScaleCompiled, 'inputs'>, ScaleMeasured {
  readonly line: string
  readonly size: number
  readonly threads: number
  readonly gflops: number
  /** Of the machine's `relaxed_madd` peak, times the threads. */
  readonly peak_share: number
}

/** How far GFLOP/s may be below those at a smaller size. */
const mostFall = 0.2
export const falls = (gflops: number, before: number): boolean => gflops < (1 - mostFall) * before

/** A time taken once is no better than this: how far more than linear that of compiling may be. */
const mostNoise = 1.1
/** Behind the tensors lie constants, and a memory is whole pages. */
const besides = 2 ** 20

export const head = [
  'size',
  'parameters',
  'step',
  'GFLOP/s',
  'of the peak',
  'compiled in',
  'module',
  'memory as planned',
  'memory',
  'process grew by',
] as const

const short = (x: number): string => x.toPrecision(3).replace(/e\+?(-?\d+)$/, ' · 10^$1')
const bytes = (n: number): string =>
  n < 1e6
    ? `${Math.round(n / 1e3)} KB`
    : `${n < 1e8 ? (n / 1e6).toFixed(1) : Math.round(n / 1e6)} MB`
const time = (ms: number): string =>
  ms < 1 ? `${Math.round(1000 * ms)} µs` : ms < 1000 ? `${short(ms)} ms` : `${short(ms / 1000)} s`
const count = (n: number): string =>
  n < 1e6 ? `${(n / 1e3).toFixed(n < 1e4 ? 1 : 0)} K` : `${(n / 1e6).toFixed(1)} M`

export const cells = (p: ScalePoint): readonly string[] => [
  `${p.size}`,
  count(p.parameters),
  time(p.ms),
  p.gflops.toFixed(1),
  `${(100 * p.peak_share).toFixed(0)} %`,
  time(p.compile_ms),
  bytes(p.module_bytes),
  bytes(p.planned_bytes),
  bytes(p.memory_bytes),
  p.resident_bytes > 0 ? bytes(p.resident_bytes) : '–',
]

export const scaleTable = (points: readonly ScalePoint[]): string =>
  table([head, ...points.map(cells)])

/**
 * What does not grow as it should, a sentence each: GFLOP/s more than a fifth below those of a smaller size that is not small (`settled`), compile time or
 * module more than linear, memory that is not the plan's, a loss that does not fall.
 */
export function faults({ id, dim, settled }: ScaleLine, points: readonly ScalePoint[]): string[] {
  const found: string[] = []
  let best: ScalePoint | undefined
  points.forEach((p, k) => {
    const at = `${id}: at ${dim} ${p.size}`
    if (best && falls(p.gflops, best.gflops)) {
      const fall = (100 * (1 - p.gflops / best.gflops)).toFixed(0)
      found.push(`${at} GFLOP/s are ${fall} % below those at ${best.size}`)
    }
    if (p.size >= settled && (!best || p.gflops > best.gflops)) best = p
    const before = points[k - 1]
    if (before) {
      const grown = p.size / before.size
      for (const [what, key, noise] of [
        ['compile time', 'compile_ms', mostNoise],
        ['the module', 'module_bytes', 1],
      ] as const) {
        const factor = p[key] / before[key]
        if (factor > grown * noise)
          found.push(`${at} ${what} is ${short(factor)} times that at ${before.size}`)
      }
    }
    if (Math.abs(p.memory_bytes - p.planned_bytes) > besides) {
      found.push(`${at} the memory is ${bytes(p.memory_bytes)}, planned ${bytes(p.planned_bytes)}`)
    }
    if (!(p.loss_last < p.loss_first)) {
      found.push(`${at} the loss does not fall: ${p.loss_first} to ${p.loss_last}`)
    }
  })
  return found
}

/** Time of a step, GFLOP/s and what compiling takes, over the size as a power of two. */
export function charts(line: ScaleLine, points: readonly ScalePoint[], peak: number): LineChart[] {
  const x = `${line.dim}, as a power of two`
  const of = (name: string, y: (p: ScalePoint) => number) => ({
    name,
    points: points.map((p) => ({ x: Math.log2(p.size), y: y(p) })),
  })
  return [
    {
      title: `Milliseconds of a step: ${line.title}`,
      x,
      log: true,
      series: [of('step', (p) => p.ms)],
    },
    {
      title: 'GFLOP/s',
      x,
      log: false,
      series: [of('training step', (p) => p.gflops), of('peak', () => line.threads * peak)],
    },
    {
      title: 'Milliseconds to compile, and KB of the module',
      x,
      log: true,
      series: [of('compile time', (p) => p.compile_ms), of('module', (p) => p.module_bytes / 1000)],
    },
  ]
}

export const picture = (line: ScaleLine, all: readonly LineChart[]): string =>
  stack(
    line.title,
    all.map((chart) => lineChart(chart)),
  )
