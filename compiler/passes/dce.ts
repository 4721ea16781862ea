/**
 * Dead code elimination: drops equations that no output and no update depends on, and tensors nothing defines or reads.
 *
 *   m[n] = max[c](x[n, c])        (m unused)
 *   y[n] = sum[c](x[n, c])        y[n] = sum[c](x[n, c])
 *
 * Inputs and persistent tensors stay: they belong to the interface of the module. Before differentiation the loss and
 * what rules use stay too.
 */
import { visit } from '../ir/traverse.ts'
import type { Entry, Equation, Stage } from '../ir/types.ts'
import { mapEntries, type Pass } from './pass.ts'

export const dce: Pass = {
  name: 'dce',
  description: 'drop equations that nothing depends on',
  run: (program) => mapEntries(program, (entry) => eliminate(entry)),
}

/** The tensors that an equation reads. */
export function readsOf(equation: Equation): Set<string> {
  const found = new Set<string>()
  for (const e of [equation.body, ...(equation.at ?? [])]) {
    visit(e, (node) => {
      if (node.kind === 'read') found.add(node.tensor)
    })
  }
  return found
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
  const needed = new Set([...entry.outputs.map((o) => o.tensor), ...keep])
  for (const stage of entry.stages) for (const name of roots(stage)) needed.add(name)
  const stages = [...entry.stages]
    .reverse()
    .map((stage) => {
      const kept = [...stage.equations]
        .reverse()
        .filter((eq) => {
          if (!needed.has(eq.target)) return false
          for (const tensor of readsOf(eq)) needed.add(tensor)
          return true
        })
        .reverse()
      return { ...stage, equations: kept }
    })
    .reverse()
  const used = new Set([
    ...needed,
    ...stages.flatMap((s) => s.objective?.gradients.map((g) => g.gradient) ?? []),
  ])
  const tensors = entry.tensors.filter((t) => t.role === 'input' || used.has(t.name))
  return { ...entry, stages, tensors }
}
