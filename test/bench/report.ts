/**
 * From measurements to what is printed: medians, ratios pair by pair, whether an engine trained, the JSON line and the
 * table of the README. Pure.
 */
import type { Measured } from './types.ts'

/** One line of --json. */
export interface Line {
  readonly workload: string
  readonly engine: string
  readonly build: string
  readonly threads: number
  readonly median_ms: number
  readonly gflops: number
  /** Of the machine's peak: multiply and add for `simd`, otherwise `relaxed_madd`. */
  readonly peak_share: number
  /** How many times netc's `relaxed` build is faster: the median over pairs of runs. */
  readonly ratio: number
  readonly ratios: readonly number[]
  /** The first batch's loss at the first step and when its turn has come again; null for what is not trained. */
  readonly loss_first: number | null
  readonly loss_last: number | null
  readonly first_step_ms: number
  readonly start_ms: number
  readonly peak_mb: number
  /** Gzipped bytes that a page needs for it. */
  readonly gzip_bytes: number | null
  readonly compile_ms: number | null
}

export interface NotRun {
  readonly workload: string
  readonly engine: string
  readonly build: string
  readonly threads: number
  readonly not_run: string
}

export function median(list: readonly number[]): number {
  const sorted = list.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

/** Spearman's rank correlation: 1 where both lists have the same order, -1 where one is the other backwards. Ties share a rank. */
export function ranksAgree(a: readonly number[], b: readonly number[]): number {
  const ranks = (list: readonly number[]): number[] =>
    list.map((x) => list.filter((y) => y < x).length + (list.filter((y) => y === x).length - 1) / 2)
  const mean = (a.length - 1) / 2
  const [p, q] = [ranks(a), ranks(b)].map((r) => r.map((x) => x - mean)) as [number[], number[]]
  const dot = (x: readonly number[], y: readonly number[]): number =>
    x.reduce((sum, v, k) => sum + v * y[k]!, 0)
  return dot(p, q) / Math.sqrt(dot(p, p) * dot(q, q))
}

const rounded = (x: number): number => Number(x.toPrecision(4))

export interface Setting {
  readonly workload: string
  readonly engine: string
  readonly build: string
  readonly threads: number
  readonly trains: boolean
  readonly flops: number
  /** GFLOP/s, of all threads together. */
  readonly peak: number
  readonly bytes: number | null
  readonly compiled: number | null
}

/** `runs` and `reference`, those of netc's `relaxed` build, are in the order of the rounds, and pairs where both ran. */
export function lineOf(
  { workload, engine, build, threads, trains, flops, peak, bytes, compiled }: Setting,
  runs: readonly Measured[],
  reference: readonly Measured[],
): Line {
  const ms = median(runs.map((r) => r.ms))
  const gflops = flops / ms / 1e6
  const ratios = runs.map((r, k) => rounded(r.ms / reference[k]!.ms))
  const losses = runs[0]!.values.map((v) => v[0]!)
  return {
    workload,
    engine,
    build,
    threads,
    median_ms: rounded(ms),
    gflops: rounded(gflops),
    peak_share: rounded(gflops / peak),
    ratio: rounded(median(ratios)),
    ratios,
    loss_first: trains ? losses[0]! : null,
    loss_last: trains ? losses.at(-1)! : null,
    first_step_ms: rounded(median(runs.map((r) => r.first))),
    start_ms: rounded(median(runs.map((r) => r.started))),
    peak_mb: rounded(median(runs.map((r) => r.memory))),
    gzip_bytes: bytes,
    compile_ms: compiled === null ? null : rounded(compiled),
  }
}

/**
 * Why the numbers of an engine cannot be those of the same training (or the same outputs) as netc's, or undefined. The
 * first values agree to 0.1 %, where weights are still the same; those of the first four steps to 2 %, for optimizers
 * round differently and Adam divides small numbers; the loss falls.
 */
export function fault(mine: Measured, netc: Measured, trains: boolean): string | undefined {
  const steps = Math.min(4, mine.values.length)
  for (let k = 0; k < steps; k++) {
    const scale = Math.max(...netc.values[k]!.map(Math.abs))
    for (const [j, expected] of netc.values[k]!.entries()) {
      const got = mine.values[k]![j]!
      if (Math.abs(got - expected) <= (k === 0 ? 1e-3 : 0.02) * scale) continue
      const what = trains ? `the loss of step ${k + 1}` : `output ${j}`
      return `${what} is ${got} and netc's ${expected}`
    }
  }
  return trains ? rising(mine) : undefined
}

/** The first loss of a GAN is the discriminator's; the other one need not fall. */
export function rising({ values }: Measured): string | undefined {
  const [first, last] = [values[0]![0]!, values.at(-1)![0]!]
  return last < first ? undefined : `the loss does not fall: ${first} first, ${last} at the end`
}

export function time(ms: number): string {
  if (ms < 0.1) return `${(1000 * ms).toPrecision(3)} µs`
  return ms < 100 ? `${ms.toPrecision(3)} ms` : `${ms.toFixed(0)} ms`
}

const bytesText = (bytes: number): string =>
  bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} KB` : `${(bytes / 1e6).toFixed(1)} MB`

/** A line for people. */
export function showLine(line: Line): string {
  const loss =
    line.loss_first === null
      ? ''
      : `  loss ${line.loss_first.toPrecision(4)} → ${line.loss_last!.toPrecision(4)}`
  const parts = [
    `${line.engine} ${line.build}${line.threads > 1 ? ` × ${line.threads}` : ''}`.padEnd(16),
    time(line.median_ms).padStart(9),
    `${line.gflops.toFixed(1).padStart(6)} GFLOP/s`,
    `${(100 * line.peak_share).toFixed(0).padStart(3)} % of the peak`,
    `ratio ${line.ratio.toFixed(2)} (${line.ratios.map((r) => r.toFixed(2)).join(' ')})`,
    `first step ${line.first_step_ms.toFixed(0)} ms, ${line.start_ms.toFixed(0)} from the start`,
    `${line.peak_mb.toFixed(0)} MB`,
    ...(line.gzip_bytes === null ? [] : [bytesText(line.gzip_bytes)]),
    ...(line.compile_ms === null ? [] : [`compiled in ${time(line.compile_ms)}`]),
  ]
  return `  ${parts.join('  ')}${loss}`
}

export interface Titles {
  readonly workloads: readonly { readonly id: string; readonly title: string }[]
  readonly engines: readonly {
    readonly name: string
    readonly build: string
    readonly threads?: number
    readonly title: string
  }[]
}

/** In Markdown; the first row is the head. */
export const table = (cells: readonly (readonly string[])[]): string =>
  [cells[0]!, cells[0]!.map(() => '---'), ...cells.slice(1)]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n')

/** Two tables in Markdown: times of a step, and what starting costs. Only columns and rows that were measured; engines of one title share a column. */
export function tables(lines: readonly Line[], { workloads, engines }: Titles): string {
  const columns = [...new Set(engines.map((e) => e.title))]
  const find = (id: string, column: string): Line | undefined =>
    lines.find((l) =>
      engines.some(
        ({ name, build, threads = 1, title }) =>
          title === column &&
          l.workload === id &&
          l.engine === name &&
          l.build === build &&
          l.threads === threads,
      ),
    )
  const ran = columns.filter((c) => workloads.some((w) => find(w.id, c)))
  const rows = workloads.filter((w) => ran.some((c) => find(w.id, c)))
  const cell = (line: Line | undefined): string => {
    if (!line) return '–'
    if (line.engine !== 'netc') return `${time(line.median_ms)} (${line.ratio.toFixed(1)} ×)`
    const share = `${(100 * line.peak_share).toFixed(0)} %`
    return `${time(line.median_ms)}, ${line.gflops.toFixed(1)} GFLOP/s, ${share}`
  }
  const times = [
    ['', ...ran],
    ...rows.map((w) => [`${w.id}: ${w.title}`, ...ran.map((c) => cell(find(w.id, c)))]),
  ]
  if (!rows.some((w) => w.id === 'W1')) return table(times)
  const costs = (of: (line: Line) => string): string[] =>
    ran.map((c) => {
      const line = find('W1', c)
      return line ? of(line) : '–'
    })
  const starting = [
    ['to train W1', ...ran],
    ['bytes to download, gzip', ...costs((l) => (l.gzip_bytes ? bytesText(l.gzip_bytes) : '–'))],
    ['first import to the end of the first step', ...costs((l) => time(l.first_step_ms))],
    ['start of the process to the same', ...costs((l) => time(l.start_ms))],
    ['memory of the process, at its highest', ...costs((l) => `${l.peak_mb.toFixed(0)} MB`)],
  ]
  return `${table(times)}\n\n${table(starting)}`
}

/** How long netc took to compile the networks that were trained, both builds, each in a process of its own. */
export function compileTimes(lines: readonly Line[]): string {
  const own = lines.filter((l) => l.loss_first !== null && l.build === 'relaxed' && l.threads === 1)
  const each = own.flatMap((l) =>
    l.compile_ms === null ? [] : `${l.workload} ${time(l.compile_ms)}`,
  )
  return each.length === 0 ? '' : `Compiled, both builds: ${each.join(', ')}.`
}

/** The text with what stands between its marks replaced; throws where it has none. */
export function replaceMarked(text: string, content: string, mark = 'bench'): string {
  const [begin, end] = [`<!-- ${mark} -->`, `<!-- /${mark} -->`]
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`the text has no ${begin} … ${end} to write between`)
  return `${text.slice(0, from + begin.length)}\n${content}\n${text.slice(to)}`
}
