/**
 * Random small programs: 2,000 by number and 125 with recurrences, each compiled and compared forward and gradient, the numbers that failed before
 * first; 125 with running state, called twice; and programs of fast-check, which shrinks what fails. 100,000 run by `test/long/random-programs.ts`.
 */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { arbitraryProgram, programFromSeed } from '../support/arbitrary.ts'
import {
  buildOf,
  compareProgram,
  compareSeed,
  lowered,
  optionsOf,
  recurrent,
} from '../support/differential.ts'
import { withState } from '../support/states.ts'
import { builds } from './module.ts'

const seeds = JSON.parse(
  readFileSync(new URL('../cases/seeds.json', import.meta.url), 'utf8'),
) as number[]

test('numbers that failed once', () => {
  for (const seed of seeds) compareSeed(seed)
})

const count = 2000
const part = 250

describe('random programs, compiled and compared', () => {
  const starts = Array.from({ length: count / part }, (_, k) => k * part)
  test.each(starts)(`${part} from %i`, (from) => {
    let compared = 0
    for (let seed = from; seed < from + part; seed++) if (compareSeed(seed)) compared++
    expect(compared).toBeGreaterThanOrEqual(part - 1)
  })
})

test('recurrent programs', () => {
  let compared = 0
  for (let k = 0; k < part / 2; k++) if (compareSeed(recurrent + k)) compared++
  expect(compared).toBeGreaterThanOrEqual(part / 2 - 1)
})

test('programs with state, call after call', () => {
  let compared = 0
  for (let seed = 0; seed < part / 2; seed++) {
    const program = withState(programFromSeed(seed, optionsOf(seed)), seed)
    const ready = program && lowered(program)
    if (!ready) continue
    compareProgram(ready, buildOf(seed), seed, 2)
    compared++
  }
  expect(compared).toBeGreaterThan(part / 4)
})

test('programs of fast-check', () => {
  fc.assert(
    fc.property(
      arbitraryProgram({ train: true }),
      fc.constantFrom(...builds),
      fc.nat(2 ** 20),
      (program, build, seed) => {
        const ready = lowered(program)
        if (ready) compareProgram(ready, build, seed)
      },
    ),
    { numRuns: 100, seed: 7 },
  )
})
