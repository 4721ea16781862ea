// Measures the scalar functions over every f32, and pow over 2^28 pairs: the worst error of each
// and where it is. `npm run test:math`, some two minutes a function; arguments name the functions
// to measure, `relaxed` that it is those of that build. Ends with 1 if a bound is broken. A last
// line for each function tells how long four lanes take.

import {
  BLOCK,
  createDriver,
  describeBits,
  type MathName,
  mathNames,
  measure,
  measurePow,
  POW_BOUND,
  promised,
  unaryNames,
  type Worst,
} from '../support/ulp.ts'

const POW_PAIRS = 2 ** 28

const wanted = process.argv.slice(2).filter((name) => name !== 'relaxed')
const driver = createDriver(process.argv.includes('relaxed') ? 'relaxed' : 'simd')
const isWanted = (name: string) => wanted.length === 0 || wanted.includes(name)

for (const name of unaryNames.filter(isWanted)) {
  report(name, promised[name].bound, () => measure(driver, name))
}
if (isWanted('pow')) report('pow', POW_BOUND, () => measurePow(driver, POW_PAIRS, 1))
for (const name of mathNames.filter(isWanted)) {
  console.log(`${name.padEnd(8)} ${nanoseconds(name).toFixed(1)} ns for four lanes`)
}

function report(name: MathName, bound: number, run: () => Worst): void {
  const start = performance.now()
  const { error, at } = run()
  const seconds = ((performance.now() - start) / 1000).toFixed(0)
  const where = at.map(describeBits).join(', ')
  console.log(
    `${name.padEnd(8)} ${error.toFixed(3)} ULP at ${where}, bound ${bound} (${seconds} s)`,
  )
  if (error > bound) process.exitCode = 1
}

/** The time of one call, in a loop over arguments in (0, 4) that stay in the nearest cache. */
function nanoseconds(name: MathName): number {
  const count = 1024
  for (const input of driver.inputs) {
    for (let i = 0; i < BLOCK; i++) input[i] = ((i * 7919) % count) / 256 + 0.001
  }
  let best = Infinity
  for (let attempt = 0; attempt < 2000; attempt++) {
    const start = performance.now()
    for (let i = 0; i < 20; i++) driver.run(name, count)
    best = Math.min(best, performance.now() - start)
  }
  return (best * 1e6) / (20 * (count / 4))
}
