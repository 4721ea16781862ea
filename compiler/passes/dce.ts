/**
 * Dead code elimination: drops equations that no output and no update depends on, and tensors nothing defines or reads.
 *
 *   m[n] = max[c](x[n, c])        (m unused)
 *   y[n] = sum[c](x[n, c])        y[n] = sum[c](x[n, c])
 *
 * Inputs and persistent tensors stay: they belong to the interface of the module. Before differentiation the loss and
 * what rules use stay too.
 */
import { dependencies, readsOf } from '../ir/traverse.ts'
import type { Entry, Stage } from '../ir/types.ts'
import { mapEntries, type Pass } from './pass.ts'

export const dce: Pass = {
  name: 'dce',
  description: 'drop equations that nothing depends on',
  run: (program) => mapEntries(program, (entry) => eliminate(entry)),
}

function roots(stage: Stage): string[] {
  const { objective, rules, updates } = stage
  return [
    ...updates.map((u) => u.value),
    ...(objective ? [objective.loss] : []),
    ...rules.flatMap((rule) => [
      rule.result,
      ...rule.args,
      ...rule.equations.flatMap((eq) => [...readsOf(eq)]),
    ]),
  ]
}

/** `keep`: tensors needed beside outputs and updates. */
export function eliminate(entry: Entry, keep: readonly string[] = []): Entry {
  const named = [...entry.outputs.map((o) => o.tensor), ...keep, ...entry.stages.flatMap(roots)]
  const needed = dependencies(
    entry.stages.flatMap((stage) => stage.equations),
    named,
  )
  const stages = entry.stages.map((stage) => ({
    ...stage,
    equations: stage.equations.filter((eq) => needed.has(eq.target)),
  }))
  const used = new Set([
    ...needed,
    ...stages.flatMap((s) => s.objective?.gradients.map((g) => g.gradient) ?? []),
  ])
  const tensors = entry.tensors.filter((t) => t.role === 'input' || used.has(t.name))
  return { ...entry, stages, tensors }
}
