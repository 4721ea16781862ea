/** Replacing what equations read, shared by passes: by another tensor or by a whole expression. */
import { mapChildren } from '../ir/traverse.ts'
import type { Entry, Equation, Scalar, Stage } from '../ir/types.ts'

export type ReadNode = Extract<Scalar, { readonly kind: 'read' }>

/** e with each read replaced where `by` gives something; positions are replaced first. */
export function replaceReads(e: Scalar, by: (read: ReadNode) => Scalar | undefined): Scalar {
  const f = mapChildren(e, (child) => replaceReads(child, by))
  if (f.kind !== 'read') return f
  return by(f) ?? f
}

export function replaceInEquation(
  equation: Equation,
  by: (read: ReadNode) => Scalar | undefined,
): Equation {
  const body = replaceReads(equation.body, by)
  if (!equation.at) return body === equation.body ? equation : { ...equation, body }
  return { ...equation, at: equation.at.map((p) => replaceReads(p, by)), body }
}

/** Tensors whose equations must stay what and where they are: others than equations name them. */
export function protectedTensors(entry: Entry): Set<string> {
  const names = new Set(entry.outputs.map((o) => o.tensor))
  for (const stage of entry.stages) for (const name of protectedIn(stage)) names.add(name)
  return names
}

function protectedIn({ updates, objective, rules }: Stage): string[] {
  return [
    ...updates.map((u) => u.value),
    ...(objective ? [objective.loss, ...objective.gradients.map((g) => g.gradient)] : []),
    ...rules.flatMap((rule) => [
      rule.result,
      ...rule.args,
      ...rule.tensors.map((t) => t.name),
      ...rule.equations.flatMap((eq) => readNames(eq.body)),
    ]),
  ]
}

function readNames(e: Scalar): string[] {
  const found: string[] = []
  replaceReads(e, (read) => {
    found.push(read.tensor)
    return undefined
  })
  return found
}

/**
 * How often each persistent tensor was updated before a stage: a value that reads it may move to another stage only
 * where the count is the same.
 */
export function versionsBefore(stages: readonly Stage[], stage: number): Map<string, number> {
  const versions = new Map<string, number>()
  for (const { updates } of stages.slice(0, stage)) {
    for (const { target } of updates) versions.set(target, (versions.get(target) ?? 0) + 1)
  }
  return versions
}
