/**
 * The gradient of one objective as a program of its own, brought into the form that is read best. In: a program and
 * the place of the objective. Out: the program with one entry, forward and backward, whose outputs are the loss and
 * the gradients; parameters are read as they are given, nothing is updated.
 */
import { differentiate, withoutCheckpoints } from '../differentiate/index.ts'
import { boundedFirst } from '../differentiate/scope.ts'
import { index, read, sameExtent } from '../ir/build.ts'
import { some } from '../ir/traverse.ts'
import type { Entry, Equation, Index, Objective, Program, Scalar, Tensor } from '../ir/types.ts'
import { cse } from '../passes/cse.ts'
import { eliminate } from '../passes/dce.ts'
import { inlineEntry } from '../passes/inline.ts'
import { mapEntries, type Pass } from '../passes/pass.ts'
import { simplify, tensorsOf } from '../passes/simplify.ts'

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
  // What is computed again is the same expression: it is written once.
  const given = withoutCheckpoints(withoutUnused(single))
  const derived = differentiate.run({ ...program, entries: [given] })
  const readable = passes.reduce((p, pass) => pass.run(p), derived)
  return mapEntries(readable, (one) => withPlainScatters(readable, one))
}

/**
 * In the language an index of a scatter runs as far as a dimension it stands alone in. Where there is none, the value
 * gets a name, which is then read with every index alone.
 */
function withPlainScatters(program: Program, entry: Entry): Entry {
  const find = tensorsOf(program, entry)
  const added: Tensor[] = []
  const stages = entry.stages.map((stage) => ({
    ...stage,
    equations: stage.equations.flatMap((eq) => {
      if (!eq.at || eq.outs.every((i) => runsAsRead(i, [eq.body, ...(eq.at ?? [])], find)))
        return [eq]
      const like = find(eq.target)!
      const outs = boundedFirst(eq.outs)
      const shape = outs.map((i) => i.extent)
      const tensor: Tensor = { ...like, name: `${eq.target}_value`, shape, role: 'temp' }
      added.push(tensor)
      const value: Equation = { ...eq, target: tensor.name, outs, at: undefined }
      const body = read(
        tensor,
        outs.map((i) => index(i)),
      )
      return [value, { ...eq, body }]
    }),
  }))
  return { ...entry, stages, tensors: [...entry.tensors, ...added] }
}

function runsAsRead(
  i: Index,
  parts: readonly Scalar[],
  find: (name: string) => Tensor | undefined,
): boolean {
  return parts.some((part) =>
    some(part, (e) => {
      if (e.kind !== 'read' || e.guarded) return false
      const shape = find(e.tensor)?.shape ?? []
      return e.at.some((p, k) => {
        const extent = shape[k]
        return p.kind === 'index' && p.name === i.name && !!extent && sameExtent(extent, i.extent)
      })
    }),
  )
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
