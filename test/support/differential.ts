/**
 * A random program compiled and compared with the evaluator: its predict entry, and its train entry with the gradients
 * that the parameters after the step show. In: the number that makes the program. Throws with what differs, and the
 * program. The suite, its replay of earlier failures and the long run share it.
 *
 * Tolerance: 2 · 10⁻⁴ of the largest element of a tensor (at least 10⁻³). Random bodies cancel and divide as they like, so
 * this is far above rounding, and far below what a wrong element, row or count gives.
 */
import { lower } from '../../compiler/compile.ts'
import { printProgram } from '../../compiler/ir/print.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { type Build, builds, Instance } from '../codegen/module.ts'
import { type ArbitraryOptions, programFromSeed, randomValues } from './arbitrary.ts'

const tolerance = { ulps: 2e-4 * 2 ** 24, scale: 'tensor', least: 1e-3 } as const

/** Larger programs now and then, whose tiles and tails differ. */
export function optionsOf(seed: number): ArbitraryOptions {
  return seed % 4 === 3
    ? { train: true, sizes: [1, 2, 5, 9, 16, 33], equations: 4 }
    : { train: true }
}

/** One build for each seed in turn, so that all four meet a quarter of the programs. */
export const buildOf = (seed: number): Build => builds[(seed >> 2) % builds.length]!

export function compareSeed(seed: number): void {
  compareProgram(lower(programFromSeed(seed, optionsOf(seed))), buildOf(seed), seed)
}

export function compareProgram(program: Program, build: Build, seed: number): void {
  try {
    const instance = new Instance(program, build, `seed ${seed}`)
    instance.init(seed)
    for (const { name } of instance.manifest.entries) {
      const { inputs, counts } = randomValues(program, name, seed)
      instance.compare(name, inputs, counts, tolerance)
    }
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    throw new Error(`seed ${seed}: ${text}\n${printProgram(program)}`)
  }
}
