/**
 * `npm run bench`: every workload in fresh processes, netc and the rivals in turn, and what they took. See README.md
 * beside this file. Exits with 1 if netc itself fails at a workload, with 2 if the call is wrong.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { bundle, pageBytes } from './bundle.ts'
import { type Contestant, own, rivals, threadsOf, together } from './engines.ts'
import { installRivals } from './install.ts'
import { peak } from './peak.ts'
import type { Prepared } from './prepare.ts'
import { lastLine, scratch } from './process.ts'
import {
  compileTimes,
  fault,
  type Line,
  lineOf,
  type NotRun,
  replaceMarked,
  rising,
  showLine,
  tables,
} from './report.ts'
import type { Job, Measured } from './types.ts'
import { batchCount, type Workload, workloads } from './workloads.ts'

const usage = `usage: npm run bench -- [options]

  --only W1,W3-infer,M512   these workloads: ${workloads.map((w) => w.id).join(', ')}
  --rivals none|all|NAME,…  whom to compare with: ${rivals.map((r) => r.name).join(', ')} (all)
  --threads N               also netc on so many threads
  --rounds N                how often each takes its turn (3)
  --seconds S               how long a turn measures (1)
  --json                    one JSON object a line
  --write                   replaces the tables of README.md
  --profile FILE.net        where the time of one model goes, kernel by kernel (profile.ts)
  --tiles FILE.net          the register tiles that its products could have, and what each takes (tiles.ts)
  --scale                   how cost grows with the size of a network (scale.ts)`

function wrong(message: string): never {
  console.error(`${message}\n\n${usage}`)
  process.exit(2)
}

function readOptions() {
  try {
    return parseArgs({
      options: {
        only: { type: 'string' },
        rivals: { type: 'string', default: 'all' },
        threads: { type: 'string', default: '1' },
        rounds: { type: 'string', default: '3' },
        seconds: { type: 'string', default: '1' },
        json: { type: 'boolean', default: false },
        write: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    return wrong((error as Error).message)
  }
}

/** The members of `all` that a list names; anything else is a wrong call. */
function choose<T>(list: string, all: readonly T[], nameOf: (x: T) => string): T[] {
  return list.split(',').map((name) => {
    const found = all.find((x) => nameOf(x).toLowerCase() === name.trim().toLowerCase())
    return found ?? wrong(`there is no ${name}; there are ${all.map(nameOf).join(', ')}`)
  })
}

const options = readOptions()
if (options.help) {
  console.log(usage)
  process.exit(0)
}
const [rounds, seconds] = [Number(options.rounds), Number(options.seconds)]
if (!(rounds >= 1) || !(seconds > 0)) wrong('--rounds is a number from 1, --seconds one above 0')
const threads = Number(options.threads)
if (!Number.isInteger(threads) || threads < 1) wrong('--threads is a whole number from 1')
const ours = threads > 1 ? [...own, together(threads)] : own
const chosen = options.only ? choose(options.only, workloads, (w) => w.id) : workloads
const invited =
  options.rivals === 'none'
    ? []
    : options.rivals === 'all'
      ? rivals
      : choose(options.rivals, rivals, (r) => r.name)

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = scratch('netc-bench-')
const patience = 600_000

/** What went wrong in a process, in a line: the last that looks like an error. */
function reasonOf(error: unknown): string {
  const { stderr = '', message, killed } = error as Error & { stderr?: string; killed?: boolean }
  if (killed) return 'took more than ten minutes'
  const lines = stderr
    .split('\n')
    .filter((l) => l.trim() !== '' && !/^(Node\.js v|\(Use `node)/.test(l))
  const named = lines.filter((l) => /Error|not found|No module/.test(l))
  return (named.at(-1) ?? lines.at(-1) ?? message.split('\n')[0]!).trim().slice(0, 300)
}

const launchers = new Map<string, Promise<string>>()
const bytes = new Map<string, Promise<number>>()

async function measure(contestant: Contestant, job: Job): Promise<Measured> {
  const { file } = contestant
  if (file.endsWith('.py')) {
    const script = fileURLToPath(new URL(file, import.meta.url))
    return JSON.parse(await lastLine('python3', [script, JSON.stringify(job)], patience))
  }
  if (!launchers.has(file)) launchers.set(file, bundle(contestant, folder))
  return JSON.parse(
    await lastLine(process.execPath, [await launchers.get(file)!, JSON.stringify(job)], patience),
  )
}

const best = { simd: peak('simd'), relaxed: peak('relaxed') }

/** Runs a workload; the lines of who ran, and why the others did not. */
async function run(workload: Workload): Promise<(Line | NotRun)[]> {
  const contestants = [...ours, ...invited].filter((c) => c.kinds.includes(workload.kind))
  const { id, kind, network, entry, dims, turns } = workload
  const here = join(folder, id)
  const script = fileURLToPath(new URL('prepare.ts', import.meta.url))
  const prepared: Prepared = JSON.parse(
    await lastLine(
      process.execPath,
      [script, id, here, ...(threads > 1 ? ['--threads'] : [])],
      patience,
    ),
  )
  const trains = kind === 'train'
  const job = (c: Contestant): Job => ({
    network,
    kind,
    entry,
    rows: dims.batch ?? 0,
    build: c.build,
    threads: threadsOf(c),
    folder: here,
    packages: fileURLToPath(new URL('node_modules', import.meta.url)),
    steps: trains ? turns * batchCount + 1 : 1,
    seconds,
  })
  const runs = new Map<Contestant, Measured[]>(contestants.map((c) => [c, []]))
  const failed = new Map<Contestant, string>()
  const [reference] = ours as [Contestant]
  for (let round = 0; round < rounds; round++) {
    for (const c of contestants.filter((c) => !failed.has(c))) {
      try {
        const measured = await measure(c, job(c))
        const [first] = runs.get(reference)!
        const why = first ? fault(measured, first, trains) : trains ? rising(measured) : undefined
        if (why) failed.set(c, why)
        else runs.get(c)!.push(measured)
      } catch (error) {
        failed.set(c, reasonOf(error))
      }
    }
    for (const target of ['simd', 'relaxed'] as const)
      best[target] = Math.max(best[target], peak(target))
  }
  return Promise.all(
    contestants.map(async (c): Promise<Line | NotRun> => {
      const { name: engine, build } = c
      const why = failed.get(c) ?? failed.get(reference)
      const who = { workload: id, engine, build, threads: threadsOf(c) }
      if (why !== undefined) return { ...who, not_run: why }
      const isAlone = threadsOf(c) === 1
      if (isAlone && c.file.endsWith('.ts') && !bytes.has(engine)) bytes.set(engine, pageBytes(c))
      const isOwn = engine === 'netc'
      const setting = {
        ...who,
        trains,
        flops: prepared.flops,
        peak: (build === 'simd' ? best.simd : best.relaxed) * threadsOf(c),
        bytes:
          isAlone && bytes.has(engine)
            ? (await bytes.get(engine)!) + (isOwn ? prepared.gzip[build as 'simd' | 'relaxed'] : 0)
            : null,
        compiled: isOwn && isAlone ? prepared.compiled : null,
      }
      return lineOf(setting, runs.get(c)!, runs.get(reference)!)
    }),
  )
}

if (invited.some((r) => r.file.endsWith('.ts'))) installRivals()
const lines: Line[] = []
for (const workload of chosen) {
  if (!options.json) console.log(`${workload.id}: ${workload.title}`)
  for (const line of await run(workload)) {
    if ('not_run' in line) {
      if (line.engine === 'netc') process.exitCode = 1
      if (!options.json) console.log(`  ${line.engine} ${line.build}: not run: ${line.not_run}`)
    } else {
      lines.push(line)
      if (!options.json) console.log(showLine(line))
    }
    if (options.json) console.log(JSON.stringify(line))
  }
}
const { simd, relaxed } = best
const machine = `peak of this machine, one thread: ${relaxed.toFixed(1)} GFLOP/s (relaxed_madd), ${simd.toFixed(1)} (multiply and add)`
if (options.json) console.log(JSON.stringify({ event: 'peak', relaxed, simd }))
else console.log(machine)
if (options.write) {
  const text = tables(lines, { workloads: chosen, engines: [...ours, ...invited] })
  const note = `Node ${process.versions.node.split('.')[0]}, ${process.platform} ${process.arch}, one thread; ${machine}. ${compileTimes(lines)}`
  const readme = join(root, 'README.md')
  writeFileSync(readme, replaceMarked(readFileSync(readme, 'utf8'), `${text}\n\n${note.trim()}`))
}
