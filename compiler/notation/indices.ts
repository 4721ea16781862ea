/**
 * Index names as a person gives them: `sum[i2](x[i2])` becomes `sum[i](x[i])` wherever `i` is free. In the language a
 * name belongs to its own sum, in the IR to its whole equation, so passes number them apart. The result is for
 * printing: its names are unique in each scope only.
 */
import { flatten, type Step } from '../ir/recurrence.ts'
import { mapChildren } from '../ir/traverse.ts'
import type { Equation, Index, Scalar } from '../ir/types.ts'

/** From names in the IR, unique in an equation, to names in the text. */
type Names = ReadonlyMap<string, string>

/** A loop with its equations in a row, in all of which the time has one name. */
export function tidyStep(step: Step): Step {
  if (step.kind === 'equation') return { ...step, equation: tidyIndices(step.equation) }
  const equations = flatten([step])
  const [first] = step.time.values()
  const name = stem(first ?? 't')
  const steps = equations.map((eq): Step => {
    const own = step.time.get(eq.target)
    const equation = tidyIndices(eq, new Map(own === undefined ? [] : [[own, name]]))
    return { kind: 'equation', equation }
  })
  return { ...step, time: new Map(equations.map((eq) => [eq.target, name])), steps }
}

/** `given`: names of some indices. */
function tidyIndices(eq: Equation, given: Names = new Map()): Equation {
  const { names, indices } = claim(eq.outs, new Map(), given)
  return {
    ...eq,
    outs: indices,
    at: eq.at?.map((p) => rename(p, names)),
    body: rename(eq.body, names),
  }
}

const stem = (name: string): string => name.replace(/\d+$/, '') || name

/** The indices under their stems, numbered only where a name is in scope already. */
function claim(
  indices: readonly Index[],
  outer: Names,
  given: Names = new Map(),
): { names: Names; indices: Index[] } {
  const names = new Map(outer)
  const taken = new Set([...outer.values(), ...given.values()])
  const renamed = indices.map((i) => {
    let name = given.get(i.name) ?? stem(i.name)
    for (let k = 2; taken.has(name) && !given.has(i.name); k++) name = `${stem(i.name)}${k}`
    taken.add(name)
    names.set(i.name, name)
    return { ...i, name }
  })
  return { names, indices: renamed }
}

function rename(e: Scalar, names: Names): Scalar {
  if (e.kind === 'index') return { ...e, name: names.get(e.name) ?? e.name }
  if (e.kind !== 'reduce') return mapChildren(e, (child) => rename(child, names))
  const inner = claim(e.over, names)
  return { ...e, over: inner.indices, body: rename(e.body, inner.names) }
}
