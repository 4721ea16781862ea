/**
 * Which parameters stand at the ends of a network: those that meet what was read before any other parameter did, and those
 * behind which no other follows. Their weights have the shape of images that a person can recognise. Pure.
 */
import { visit } from '../../ir/traverse.ts'
import type { Entry, Equation, Program, Scalar } from '../../ir/types.ts'

export interface Ends {
  readonly first: ReadonlySet<string>
  readonly last: ReadonlySet<string>
  /** Parameters of which rows are read by ids: what an embedding layer keeps. */
  readonly tables: ReadonlySet<string>
}

const readsOf = ({ body, at }: Equation): ReadonlySet<string> => {
  const found = new Set<string>()
  for (const e of [body, ...(at ?? [])]) {
    visit(e, (node) => {
      if (node.kind === 'read') found.add(node.tensor)
    })
  }
  return found
}

/** Of the predictions and evaluations: training reads parameters in its updates too. */
export function endsOf(program: Program): Ends {
  const params = new Set(program.tensors.filter((t) => t.role === 'param').map((t) => t.name))
  const ends = { first: new Set<string>(), last: new Set<string>(), tables: new Set<string>() }
  for (const entry of program.entries) {
    if (entry.kind !== 'predict' && entry.kind !== 'eval') continue
    addEnds(entry, params, ends)
  }
  return ends
}

function addEnds(
  entry: Entry,
  params: ReadonlySet<string>,
  ends: { first: Set<string>; last: Set<string>; tables: Set<string> },
): void {
  const equations = entry.stages.flatMap((stage) => stage.equations)
  const reads = equations.map(readsOf)
  // Behind a parameter: what was computed with one.
  const behind = new Set<string>()
  equations.forEach(({ target, body }, k) => {
    const own = [...reads[k]!].filter((name) => params.has(name))
    const isBehind = [...reads[k]!].some((name) => behind.has(name))
    if (!isBehind) for (const name of own) ends.first.add(name)
    if (isBehind || own.length > 0) behind.add(target)
    addTables(body, params, ends.tables)
  })
  // Before a parameter: what another one is computed with later.
  const before = new Set<string>()
  for (let k = equations.length - 1; k >= 0; k--) {
    const own = [...reads[k]!].filter((name) => params.has(name))
    const isBefore = before.has(equations[k]!.target)
    if (!isBefore) for (const name of own) ends.last.add(name)
    if (isBefore || own.length > 0) for (const name of reads[k]!) before.add(name)
  }
}

/** A position that reads a tensor comes from data. */
function addTables(body: Scalar, params: ReadonlySet<string>, tables: Set<string>): void {
  visit(body, (e) => {
    if (e.kind !== 'read' || !params.has(e.tensor) || !e.at[0]) return
    visit(e.at[0], (position) => {
      if (position.kind === 'read') tables.add(e.tensor)
    })
  })
}
