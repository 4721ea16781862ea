/** A program as a Graphviz graph: one cluster per entry, one node per tensor, one edge per read. */
import { printEquation } from '../ir/print.ts'
import { visit } from '../ir/traverse.ts'
import type { Entry, Program } from '../ir/types.ts'

const quote = (text: string): string => `"${text.replace(/["\\]/g, '\\$&').replace(/\n/g, '\\l')}"`

export function dot(program: Program): string {
  const lines = [
    'digraph model {',
    '  node [shape=box, fontname="monospace", fontsize=10]',
    '  rankdir=TB',
  ]
  for (const tensor of program.tensors) {
    lines.push(
      `  ${quote(tensor.name)} [style=filled, fillcolor=${tensor.role === 'param' ? 'lightblue' : 'lightgrey'}]`,
    )
  }
  for (const entry of program.entries) lines.push(...cluster(entry))
  return `${[...lines, '}'].join('\n')}\n`
}

function cluster(entry: Entry): string[] {
  const own = new Set(entry.tensors.map((t) => t.name))
  const id = (name: string): string => quote(own.has(name) ? `${entry.name}/${name}` : name)
  const lines = [
    `  subgraph ${quote(`cluster_${entry.name}`)} {`,
    `    label=${quote(`${entry.kind} ${entry.name}`)}`,
  ]
  for (const input of entry.inputs)
    lines.push(`    ${id(input)} [label=${quote(input)}, shape=ellipse]`)
  const edges: string[] = []
  for (const stage of entry.stages) {
    for (const equation of stage.equations) {
      lines.push(`    ${id(equation.target)} [label=${quote(printEquation(equation))}]`)
      const reads = new Set<string>()
      for (const e of [equation.body, ...(equation.at ?? [])]) {
        visit(e, (node) => {
          if (node.kind === 'read') reads.add(node.tensor)
        })
      }
      for (const name of reads) edges.push(`  ${id(name)} -> ${id(equation.target)}`)
    }
    for (const { target, value } of stage.updates) {
      edges.push(`  ${id(value)} -> ${id(target)} [style=dashed, constraint=false]`)
    }
  }
  return [...lines, '  }', ...edges]
}
