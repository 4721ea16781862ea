/**
 * A pass is a value: a pure function from program to program with a name. Command-line flags (`--after NAME`), traces
 * and timings derive from it, so a name is written once.
 */
import type { Entry, Equation, Program } from '../ir/types.ts'

export interface Pass {
  /** One word, as the user writes it: `simplify`. */
  readonly name: string
  /** One line, for listings. */
  readonly description: string
  readonly run: (program: Program) => Program
}

/** The same program with each entry replaced. */
export function mapEntries(program: Program, f: (entry: Entry) => Entry): Program {
  return { ...program, entries: program.entries.map(f) }
}

/** The same entry with each equation replaced, those of rule calls not yet expanded too. */
export function mapEquations(entry: Entry, f: (equation: Equation) => Equation): Entry {
  return {
    ...entry,
    stages: entry.stages.map((stage) => ({
      ...stage,
      equations: stage.equations.map(f),
      rules: stage.rules.map((rule) => ({ ...rule, equations: rule.equations.map(f) })),
    })),
  }
}
