/**
 * The gradient of one objective as a program of its own, brought into the form that is read best. In: a program and
 * the place of the objective. Out: the program with one entry, forward and backward, whose outputs are the loss and
 * the gradients; parameters are read as they are given, nothing is updated.
 */
import { differentiate } from '../differentiate/index.ts'
import type { Entry, Objective, Program } from '../ir/types.ts'
import { cse } from '../passes/cse.ts'
import { eliminate } from '../passes/dce.ts'
import { inlineEntry } from '../passes/inline.ts'
import { mapEntries, type Pass } from '../passes/pass.ts'
import { simplify } from '../passes/simplify.ts'

const readableInline: Pass = {
  name: 'inline',
  description: 'substitute values that are read once',
  run: (program) => mapEntries(program, (entry) => inlineEntry(program, entry, true)),
}

const dce: Pass = {
  name: 'dce',
  description: 'drop what is not needed',
  run: (program) => mapEntries(program, (entry) => eliminate(entry)),
}

/** Inlining uncovers common factors, and a factor taken out may leave a copy to inline. */
const passes: readonly Pass[] = [
  simplify,
  cse,
  readableInline,
  simplify,
  cse,
  readableInline,
  simplify,
  dce,
]

export function gradientProgram(
  program: Program,
  entry: Entry,
  stage: number,
  objective: Objective,
): Program {
  const stages = entry.stages.slice(0, stage + 1).map((s, k) => ({
    ...s,
    updates: [],
    objective: k === stage ? objective : undefined,
  }))
  const outputs = [objective.loss, ...objective.gradients.map((g) => g.gradient)]
  const single: Entry = {
    ...entry,
    outputs: outputs.map((tensor) => ({ name: tensor, tensor })),
    stages,
  }
  const derived = differentiate.run({ ...program, entries: [withoutUnused(single)] })
  return passes.reduce((p, pass) => pass.run(p), derived)
}

/** Update and metric equations go before differentiation, so that they do not count as uses. */
function withoutUnused(entry: Entry): Entry {
  const gradients = new Set(
    entry.stages.flatMap((s) => s.objective?.gradients.map((g) => g.gradient) ?? []),
  )
  const outputs = entry.outputs.filter((o) => !gradients.has(o.tensor))
  const kept = eliminate({ ...entry, outputs })
  return { ...kept, outputs: entry.outputs }
}
