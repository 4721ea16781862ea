/**
 * Random programs, many: `node test/long/random-programs.ts [COUNT [FROM]]`, 100,000 from 2,000 unless said otherwise (those
 * from 1,000,000 on have recurrences). The
 * numbers of programs that fail are added to test/cases/seeds.json, which the suite replays. Exit code 1 if any did.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { compareSeed } from '../support/differential.ts'

const numbers = process.argv.slice(2).filter((arg) => arg !== '--')
const count = Number(numbers[0] ?? 100_000)
const from = Number(numbers[1] ?? 2000)
const path = new URL('../cases/seeds.json', import.meta.url)
const shown = 3

/** At once, so that nothing is lost when the run is ended early. */
function keep(seed: number): void {
  const known = JSON.parse(readFileSync(path, 'utf8')) as number[]
  const all = [...new Set([...known, seed])].sort((a, b) => a - b)
  writeFileSync(path, `[${all.join(', ')}]\n`)
}

const failed: number[] = []
let leftOut = 0
const start = performance.now()
for (let seed = from; seed < from + count; seed++) {
  try {
    if (!compareSeed(seed)) leftOut++
  } catch (error) {
    failed.push(seed)
    keep(seed)
    const text = error instanceof Error ? error.message : String(error)
    console.log(failed.length <= shown ? text : text.split('\n')[0])
  }
  const done = seed - from + 1
  if (done % 1000 === 0) {
    const seconds = (performance.now() - start) / 1000
    console.log(`${done} of ${count}, ${failed.length} failed, ${Math.round(seconds)} s`)
  }
}
console.log(
  `${count} programs from ${from}: ${failed.length} failed, ${leftOut} left out (refused or too large)`,
)
process.exitCode = failed.length > 0 ? 1 : 0
