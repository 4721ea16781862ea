/**
 * `npm run bench -- --scale`: how the cost of training grows with width, batch, depth and sequence length, and what a model of 57
 * million parameters takes. Each point is compiled and trained in fresh processes. See README.md beside this file. Exits with 1
 * if a point fails, with 2 if the call is wrong; that something grows more than it should is said, for a busy machine says so too.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { terminalChart } from '../../compiler/cli/pictures/terminal-chart.ts'
import { peak } from './peak.ts'
import { lastLine, scratch } from './process.ts'
import { replaceMarked } from './report.ts'
import type { ScaleCompiled, ScaleJob, ScaleMeasured } from './scale-job.ts'
import { type ScaleLine, scaleLines } from './scale-lines.ts'
import {
  cells,
  charts,
  falls,
  faults,
  head,
  picture,
  type ScalePoint,
  scaleTable,
} from './scale-report.ts'

const usage = `usage: npm run bench -- --scale [options]

  --only width,depth   these lines: ${scaleLines.map((l) => l.id).join(', ')}
  --sizes 64,128       these sizes of them, instead of their own
  --seconds S          how long a point is measured, after half of that to warm up (1)
  --cpu                the time that the thread had of the processor, on a machine with other work; two threads: the clock's
  --json               one JSON object a point, and the peak
  --write              puts tables into test/bench/README.md and pictures into test/bench/pictures`

function wrong(message: string): never {
  console.error(`${message}\n\n${usage}`)
  process.exit(2)
}

function readOptions() {
  try {
    return parseArgs({
      options: {
        scale: { type: 'boolean' },
        only: { type: 'string' },
        sizes: { type: 'string' },
        seconds: { type: 'string', default: '1' },
        cpu: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        write: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    return wrong((error as Error).message)
  }
}

const options = readOptions()
if (options.help) {
  console.log(usage)
  process.exit(0)
}
const seconds = Number(options.seconds)
if (!(seconds > 0)) wrong('--seconds is a number above 0')
const sizes = options.sizes?.split(',').map(Number)
if (sizes?.some((n) => !Number.isInteger(n) || n < 1)) wrong('--sizes are whole numbers from 1')
const chosen = (options.only?.split(',') ?? scaleLines.map((l) => l.id)).map(
  (id) => scaleLines.find((l) => l.id === id.trim()) ?? wrong(`there is no line ${id}`),
)

const folder = scratch('netc-scale-')
const script = fileURLToPath(new URL('scale-job.ts', import.meta.url))

const inProcess = async <T>(...args: readonly string[]): Promise<T> =>
  JSON.parse(await lastLine(process.execPath, [script, ...args], 1_200_000))

let best = peak('relaxed')

/** How often a point that seems slower than a smaller one is measured again, for the machine may have been busy. */
const mostAgain = 2

async function measure(
  line: ScaleLine,
  size: number,
  points: readonly ScalePoint[],
): Promise<ScalePoint> {
  const { network, threads, id } = line
  const dims = { ...line.dims, [line.dim]: size }
  const job = JSON.stringify({
    network,
    dims,
    threads,
    folder,
    seconds,
    cpu: options.cpu,
  } satisfies ScaleJob)
  const { inputs, ...compiled } = await inProcess<ScaleCompiled>('compile', job)
  const settled = points.filter((p) => p.size >= line.settled)
  const fastest = Math.max(0, ...settled.map((p) => p.gflops))
  let found: ScalePoint | undefined
  for (let again = 0; again <= mostAgain; again++) {
    const measured = await inProcess<ScaleMeasured>('run', job, JSON.stringify(inputs))
    best = Math.max(best, peak('relaxed'))
    const gflops = compiled.flops / measured.ms / 1e6
    const peak_share = gflops / best / threads
    if (!found || gflops > found.gflops) {
      found = { line: id, size, threads, gflops, peak_share, ...compiled, ...measured }
    }
    if (!falls(found.gflops, fastest)) break
  }
  return found!
}

const say = (text: string): void => {
  if (!options.json) console.log(text)
}
const written: string[] = []
const pictures = fileURLToPath(new URL('pictures/', import.meta.url))
for (const line of chosen) {
  say(`${line.title}\n${head.map((h) => h.padStart(10)).join('  ')}`)
  const points: ScalePoint[] = []
  for (const size of sizes ?? line.sizes) {
    try {
      const point = await measure(line, size, points)
      points.push(point)
      if (options.json) console.log(JSON.stringify(point))
      else
        say(
          cells(point)
            .map((c, k) => c.padStart(Math.max(10, head[k]!.length)))
            .join('  '),
        )
    } catch (error) {
      process.exitCode = 1
      const { stderr = '', message } = error as Error & { stderr?: string }
      const reason = stderr.split('\n').find((l) => /Error/.test(l)) ?? message
      if (options.json) console.log(JSON.stringify({ line: line.id, size, not_run: reason }))
      else say(`${line.dim} ${size}: not run: ${reason}`)
    }
  }
  const drawn = points.length > 1 ? charts(line, points, best) : []
  const size = { columns: Math.min(100, process.stdout.columns ?? 80), lines: 14, color: false }
  for (const chart of drawn) say(['', ...terminalChart(chart, size)].join('\n'))
  const found = faults(line, points)
  say(found.length === 0 ? '\nGrows as it should.\n' : `\n${found.join('\n')}\n`)
  const shares = points.map((p) => ({ ...p, peak_share: p.gflops / best / p.threads }))
  const parts = [`**${line.id}**: ${line.title}`, scaleTable(shares)]
  if (options.write && drawn.length > 0) {
    mkdirSync(pictures, { recursive: true })
    writeFileSync(join(pictures, `${line.id}.svg`), `${picture(line, drawn)}\n`)
    parts.push(`![${line.title}](pictures/${line.id}.svg)`)
  }
  if (found.length > 0) parts.push(`${found.join('; ')}.`)
  written.push(parts.join('\n\n'))
}
const machine = `Node ${process.versions.node.split('.')[0]}, ${process.platform} ${process.arch}; peak of this machine, one thread: ${best.toFixed(1)} GFLOP/s (relaxed_madd)${options.cpu ? '; times of the processor, two threads by the clock' : ''}`
if (options.json) console.log(JSON.stringify({ event: 'peak', relaxed: best }))
else console.log(machine)
if (options.write) {
  const readme = fileURLToPath(new URL('README.md', import.meta.url))
  const text = [...written, `${machine}.`].join('\n\n')
  writeFileSync(readme, replaceMarked(readFileSync(readme, 'utf8'), text, 'scale'))
}
