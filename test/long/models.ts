/**
 * `npm run models -- NAME … | --all [--json] [--write]`: trains models of models/ on their real data with the command line,
 * from fixed seeds, and prints the figures they reach beside those they have to; exits 1 where one is missed. Minutes to
 * hours. `--write` puts the results into the table of models/README.md.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { autoencoder } from './models/autoencoder.ts'
import { iris, regression, xor } from './models/basic.ts'
import { bert } from './models/bert.ts'
import { cnn, fashion } from './models/cnn.ts'
import { gan } from './models/gan.ts'
import { gpt } from './models/gpt.ts'
import { mnist } from './models/mnist.ts'
import { pronounce } from './models/pronounce.ts'
import { lstm, rows } from './models/recurrent.ts'
import { type Result, reached, type Task, Tools } from './models/task.ts'

const tasks: readonly Task[] = [
  mnist,
  iris,
  regression,
  xor,
  autoencoder,
  cnn,
  fashion,
  lstm,
  rows,
  gpt,
  bert,
  pronounce,
  gan,
]

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean' }, all: { type: 'boolean' }, write: { type: 'boolean' } },
})
const unknown = positionals.filter((name) => !tasks.some((task) => task.name === name))
if (unknown.length > 0 || (positionals.length === 0 && !flags.all)) {
  if (unknown.length > 0) console.error(`no model ${unknown.join(', ')}.`)
  console.error('usage: npm run models -- NAME … | --all [--json] [--write]\n')
  for (const { name, summary } of tasks) console.error(`  ${name.padEnd(14)} ${summary}`)
  process.exit(2)
}

const tools = new Tools('build/models')
const results: Result[] = []
for (const task of tasks) {
  if (!flags.all && !positionals.includes(task.name)) continue
  for await (const result of task.run(tools)) {
    results.push(result)
    console.log(flags.json ? JSON.stringify({ ...result, reached: reached(result) }) : show(result))
  }
}
if (flags.write) writeTable(results)
process.exit(results.every(reached) ? 0 : 1)

function show(result: Result): string {
  const { model, data, figure, value, bound, epochs, seconds } = result
  const against = bound ? `, ${bound.is} ${digits(bound.value)}` : ''
  const verdict = bound ? (reached(result) ? ': reached' : ': MISSED') : ''
  const spent = `(${epochs} epochs, ${duration(seconds)})`
  return `${model} on ${data}: ${figure} ${digits(value)}${against}${verdict}  ${spent}`
}

function digits(value: number): string {
  return Number(value.toPrecision(4)).toString()
}

function duration(seconds: number): string {
  return seconds < 100 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(1)} min`
}

/** Replaces the rows of these models between the marks of models/README.md, keeping the others. */
function writeTable(rows: readonly Result[]): void {
  const file = 'models/README.md'
  const text = readFileSync(file, 'utf8')
  const [before, table, after] = text.split(/<!-- table -->|<!-- end -->/)
  if (table === undefined || after === undefined) throw new Error(`${file} has no table`)
  const [head, rule, ...old] = table.trim().split('\n')
  const keyOf = (line: string): string => line.split('|').slice(1, 3).join('|') + line.split('|')[6]
  const lines = new Map(old.map((line) => [keyOf(line), line]))
  for (const r of rows) {
    const bound = r.bound ? `${r.bound.is} ${digits(r.bound.value)}` : ''
    const size = `${(r.bytes / 1024).toFixed(1)} KB`
    const count = r.parameters.toLocaleString('en-US')
    const cells = [r.model, r.data, count, r.epochs, duration(r.seconds), r.figure, digits(r.value)]
    const line = `| ${[...cells, bound, size].join(' | ')} |`
    lines.set(keyOf(line), line)
  }
  const all = [head, rule, ...[...lines.values()].sort()].join('\n')
  writeFileSync(file, `${before}<!-- table -->\n${all}\n<!-- end -->${after}`)
}
