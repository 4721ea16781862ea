/** Every pass keeps the meaning of random programs, and differentiation gives their true gradients. */
import { describe, expect, test } from 'vitest'
import { differentiate } from '../../compiler/differentiate/index.ts'
import { createState, run, type State } from '../../compiler/ir/evaluate.ts'
import { printProgram } from '../../compiler/ir/print.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { verify } from '../../compiler/ir/verify.ts'
import { cse } from '../../compiler/passes/cse.ts'
import { dce } from '../../compiler/passes/dce.ts'
import { factors } from '../../compiler/passes/factors.ts'
import { inline } from '../../compiler/passes/inline.ts'
import { masks } from '../../compiler/passes/masks.ts'
import type { Pass } from '../../compiler/passes/pass.ts'
import { simplify } from '../../compiler/passes/simplify.ts'
import { type ArbitraryOptions, programFromSeed, randomValues } from '../support/arbitrary.ts'

const programs = 200

/** The last quarter has recurrences. */
const made = (seed: number, options: ArbitraryOptions = {}): Program =>
  programFromSeed(seed, { ...options, recurrences: seed > 150 })

function stateOf(program: Program, seed: number, entry: string): State {
  const state = createState(program)
  const { persistent } = randomValues(program, entry, seed)
  for (const [name, values] of Object.entries(persistent)) state.tensors.get(name)?.set(values)
  return state
}

/** Outputs of an entry and the state after it. */
function results(program: Program, entry: string, seed: number): Map<string, Float64Array> {
  const { inputs, counts } = randomValues(program, entry, seed)
  const state = stateOf(program, seed, entry)
  const { outputs } = run(program, entry, state, { inputs, counts, seed })
  return new Map([...Object.entries(outputs), ...state.tensors])
}

function expectSame(before: Program, after: Program, entry: string, seed: number): void {
  const expected = results(before, entry, seed)
  const actual = results(after, entry, seed)
  for (const [name, values] of expected) {
    const other = actual.get(name)!
    values.forEach((value, k) => {
      const error = Math.abs(value - other[k]!) / Math.max(1, Math.abs(value))
      if (error < 2e-6 || Object.is(value, other[k]) || !Number.isFinite(value)) return
      throw new Error(
        `seed ${seed}: ${name}[${k}] was ${value}, is ${other[k]}\n${printProgram(before)}\n${printProgram(after)}`,
      )
    })
  }
}

describe.each<Pass>([simplify, masks, cse, dce, inline, factors])(
  '$name keeps the meaning',
  (pass) => {
    test('of forward programs', () => {
      for (let seed = 1; seed <= programs; seed++) {
        const program = made(seed)
        const after = pass.run(program)
        verify(after, pass.name)
        expectSame(program, after, 'p', seed)
      }
    })
    test('of differentiated programs', () => {
      for (let seed = 1; seed <= programs; seed++) {
        const program = differentiate.run(made(seed, { train: true, smooth: true }))
        verify(program, 'differentiate')
        const after = pass.run(program)
        verify(after, pass.name)
        expectSame(program, after, 't', seed)
      }
    })
  },
)

// Not inlining: what it took in may be simplified so far that more can be taken in.
test.each<Pass>([simplify, cse, dce])('$name twice is $name once', (pass) => {
  for (let seed = 1; seed <= 40; seed++) {
    const once = pass.run(programFromSeed(seed, { train: true }))
    expect(printProgram(pass.run(once))).toBe(printProgram(once))
  }
})

test('all passes in a row keep the meaning', () => {
  const passes = [simplify, masks, cse, inline, factors, simplify, cse, dce]
  for (let seed = 1; seed <= programs; seed++) {
    const program = differentiate.run(made(seed, { train: true, smooth: true }))
    let after = program
    for (const pass of passes) {
      after = pass.run(after)
      verify(after, pass.name)
    }
    expectSame(program, after, 't', seed)
  }
})
