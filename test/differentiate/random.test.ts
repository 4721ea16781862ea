/** Gradients of random smooth programs against central differences, raw and after all passes. */
import { test } from 'vitest'
import { differentiate } from '../../compiler/differentiate/index.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { verify } from '../../compiler/ir/verify.ts'
import { simplify } from '../../compiler/passes/simplify.ts'
import { type ArbitraryOptions, programFromSeed, randomValues } from '../support/arbitrary.ts'
import { expectGradients } from '../support/gradients.ts'

function check(
  seed: number,
  run: (program: Program) => Program,
  options: ArbitraryOptions = {},
): void {
  const before = programFromSeed(seed, { train: true, smooth: true, ...options })
  const after = run(before)
  verify(after, `differentiate, seed ${seed}`)
  const values = randomValues(before, 't', seed)
  expectGradients({ before, after, entry: 't', ...values, seed, samples: 6 })
}

test('as differentiated', () => {
  for (let seed = 1; seed <= 150; seed++) check(seed, differentiate.run)
})

test('simplified', () => {
  for (let seed = 1000; seed <= 1100; seed++) {
    check(seed, (program) => simplify.run(differentiate.run(program)))
  }
})

test('with recurrences', () => {
  for (let seed = 1; seed <= 60; seed++) check(seed, differentiate.run, { recurrences: true })
  for (let seed = 61; seed <= 120; seed++) {
    check(seed, (program) => simplify.run(differentiate.run(program)), { recurrences: true })
  }
})

test('programs that once went wrong', () => {
  // Data-dependent positions beside positions that an inverted map takes out of range.
  for (const seed of [2014, 2082, 2346, 2366, 2690, 2920, 4921])
    check(seed, differentiate.run, { equations: 7 })
})
