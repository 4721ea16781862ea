/**
 * `npm run models [-- NAME … --json]`: trains each model of models/ on its real data with the command line, from a fixed
 * seed, and prints the figure it reaches beside the one it has to; exits 1 where one is missed. Minutes, not seconds.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { analyze } from '../../compiler/compile.ts'
import { readSource } from '../../runtime/data/index.ts'
import { leastSquares, rSquared } from '../support/least-squares.ts'

interface Figure {
  readonly model: string
  readonly args: readonly string[]
  readonly metric: string
  readonly atLeast: () => Promise<{ readonly value: number; readonly why: string }>
}

const bar =
  (value: number, why = '') =>
  async () => ({ value, why })

const figures: readonly Figure[] = [
  { model: 'mnist', args: ['--epochs', '10'], metric: 'accuracy', atLeast: bar(0.98) },
  { model: 'iris', args: [], metric: 'accuracy', atLeast: bar(0.95) },
  {
    model: 'regression',
    args: [],
    metric: 'r2',
    // Rounding of the single-precision training may cost the last digits.
    atLeast: async () => ({ value: (await closedForm()) - 1e-4, why: 'least squares' }),
  },
  { model: 'xor', args: [], metric: 'accuracy', atLeast: bar(1) },
]

/** r² on the test split of regression.net of the exact least-squares fit to its training split. */
async function closedForm(): Promise<number> {
  const file = 'models/regression.net'
  const { program } = analyze(readFileSync(file, 'utf8'), { file })
  if (!program) throw new Error(`${file} does not compile`)
  const open = async (path: string) => new Uint8Array(readFileSync(join('node_modules', path)))
  const [train, test] = program.data
  const fitted = await readSource(train!, open)
  const held = await readSource(test!, open, { encoding: fitted.encoding })
  const numbers = (set: typeof fitted, k: number) => Float64Array.from(set.columns[k]!.data, Number)
  const width = fitted.columns[0]!.data.length / fitted.rows
  const weights = leastSquares(numbers(fitted, 0), numbers(fitted, 1), width)
  return rSquared(numbers(held, 0), numbers(held, 1), width, weights)
}

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean' }, all: { type: 'boolean' } },
})
const unknown = positionals.filter((name) => !figures.some((f) => f.model === name))
if (unknown.length > 0) {
  console.error(
    `no model ${unknown.join(', ')}: there are ${figures.map((f) => f.model).join(', ')}`,
  )
  process.exit(2)
}

const folder = mkdtempSync(join(tmpdir(), 'netc-models-'))
let missed = false
for (const { model, args, metric, atLeast } of figures) {
  if (positionals.length > 0 && !positionals.includes(model)) continue
  const out = join(folder, `${model}.safetensors`)
  const run = spawnSync(
    process.execPath,
    [
      'compiler/cli/netc.cjs',
      'train',
      `models/${model}.net`,
      '--json',
      '--seed',
      '1',
      '--out',
      out,
      ...args,
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 },
  )
  if (run.status !== 0) process.exit(run.status ?? 70)
  const done = JSON.parse(run.stdout.trimEnd().split('\n').pop()!)
  const value: number = done.metrics.test[metric]
  const bound = await atLeast()
  const reached = value >= bound.value
  missed ||= !reached
  const line = {
    model,
    metric,
    value,
    atLeast: bound.value,
    why: bound.why,
    epochs: done.epochs,
    seconds: done.seconds,
    reached,
  }
  if (flags.json) console.log(JSON.stringify(line))
  else {
    const against = `at least ${bound.value.toFixed(4)}${bound.why && ` (${bound.why})`}`
    console.log(
      `${model.padEnd(11)} test ${metric} ${value.toFixed(4)}, ${against}: ${reached ? 'reached' : 'MISSED'}  ` +
        `(${done.epochs} epochs, ${done.seconds.toFixed(1)} s)`,
    )
  }
}
rmSync(folder, { recursive: true })
process.exit(missed ? 1 : 0)
