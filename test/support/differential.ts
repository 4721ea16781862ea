/**
 * A random program compiled and compared with the evaluator: its predict entry, and its train entry with the gradients
 * that the parameters after the step show. In: the number that makes the program. Throws with what differs, and the
 * program. The suite, its replay of earlier failures and the long run share it.
 *
 * Tolerance: 2 · 10⁻⁴ of the largest element of a tensor, at least 10⁻⁵: a loss is a sum of terms of order 1 to 10 that may
 * leave a thousandth of them, and their roundings. Random bodies cancel and divide as they like, so
 * this is far above rounding, and far below what a wrong element, row or count gives.
 */
import { lower } from '../../compiler/compile.ts'
import { printProgram } from '../../compiler/ir/print.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { flopsOf } from '../../compiler/schedule/work.ts'
import { InternalError } from '../../compiler/support/diagnostic.ts'
import { type Build, builds, Instance, inBlocks } from '../codegen/module.ts'
import { type ArbitraryOptions, programFromSeed, randomValues } from './arbitrary.ts'

const tolerance = { ulps: 2e-4 * 2 ** 24, scale: 'tensor', least: 0.05 } as const

/** Programs from this number on have recurrences. */
export const recurrent = 1_000_000

/** Larger programs now and then, whose tiles and tails differ. */
export function optionsOf(seed: number): ArbitraryOptions {
  const recurrences = seed >= recurrent
  return seed % 4 === 3
    ? { train: true, recurrences, sizes: [1, 2, 5, 9, 16, 33], equations: recurrences ? 2 : 4 }
    : { train: true, recurrences }
}

const everyBuild = [...builds, ...inBlocks]

/** One build for each seed in turn, so that all meet as many of the programs. */
export const buildOf = (seed: number): Build => everyBuild[(seed >> 2) % everyBuild.length]!

/** The one thing that differentiation refuses: the positions of extremes over two bounded dims would need both. */
const refused = /would have two bounded dims/

/** Operations the evaluator can do in a minute: quadratic gradients of products may ask for a thousand times that. */
const mostWork = 5e8

/** False for a program that is left out: differentiation refuses it, or it is too large for the evaluator. */
export function compareSeed(seed: number): boolean {
  const before = programFromSeed(seed, optionsOf(seed))
  const program = lowered(before)
  if (!program || workOf(program) > mostWork) return false
  compareProgram(program, buildOf(seed), seed)
  return true
}

function workOf(program: Program): number {
  const equations = program.entries.flatMap((e) => e.stages.flatMap((stage) => stage.equations))
  return equations.reduce((sum, equation) => sum + flopsOf(equation), 0)
}

/** Ready for code; undefined where differentiation refuses. */
export function lowered(program: Program): Program | undefined {
  try {
    return lower(program)
  } catch (error) {
    if (error instanceof InternalError && refused.test(error.message)) return undefined
    throw error
  }
}

/** Each entry `rounds` times, with the state of the module on both sides. */
export function compareProgram(program: Program, build: Build, seed: number, rounds = 1): void {
  try {
    const instance = new Instance(program, build, `seed ${seed}`)
    instance.init(seed)
    for (let round = 0; round < rounds; round++) {
      if (round > 0) instance.follow()
      for (const { name } of instance.manifest.entries) {
        const { inputs, counts } = randomValues(program, name, seed + round)
        instance.compare(name, inputs, counts, tolerance)
      }
    }
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    throw new Error(`seed ${seed}: ${text}\n${printProgram(program)}`)
  }
}
