/**
 * Index names as a person gives them: `sum[i2](x[i2])` becomes `sum[i](x[i])` wherever `i` is free. In the language a
 * name belongs to its own sum, in the IR to its whole equation, so passes number them apart. The result is for
 * printing: its names are unique in each scope only.
 */
import { mapChildren } from '../ir/traverse.ts'
import type { Equation, Index, Scalar } from '../ir/types.ts'

/** From names in the IR, unique in an equation, to names in the text. */
type Names = ReadonlyMap<string, string>

export function tidyIndices(eq: Equation): Equation {
  const { names, indices } = claim(eq.outs, new Map())
  return {
    ...eq,
    outs: indices,
    at: eq.at?.map((p) => rename(p, names)),
    body: rename(eq.body, names),
  }
}

const stem = (name: string): string => name.replace(/\d+$/, '') || name

/** The indices under their stems, numbered only where a name is in scope already. */
function claim(indices: readonly Index[], outer: Names): { names: Names; indices: Index[] } {
  const names = new Map(outer)
  const taken = new Set(outer.values())
  const renamed = indices.map((i) => {
    let name = stem(i.name)
    for (let k = 2; taken.has(name); k++) name = `${stem(i.name)}${k}`
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
