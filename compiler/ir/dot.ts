/**
 * The dataflow of a program as Graphviz text (`netc ir --format dot`). In: a program and, to see one of them, the name
 * of an entry. Out: a digraph with a cluster per entry, in it one per stage; a node is an equation (its target, type
 * and text) or a tensor that no equation of the entry defines; an edge goes from what is read to what reads it. An
 * update is a dashed edge to the persistent tensor it changes.
 */

import { printEquation, printExtent } from './print.ts'
import { readsOf } from './traverse.ts'
import type { Entry, Equation, Program, Tensor } from './types.ts'

/** Longer equations are cut; the text form has them whole. */
const textLimit = 90

export function programToDot(program: Program, entry?: string): string {
  const entries = program.entries.filter((e) => entry === undefined || e.name === entry)
  const lines = [
    `digraph ${quote(program.file)} {`,
    '  rankdir=TB',
    '  node [shape=box, style="rounded,filled", fillcolor=white, fontname="monospace"]',
    ...entries.flatMap((e, k) => entryLines(program, e, `e${k}`)).map((line) => `  ${line}`),
    '}',
  ]
  return `${lines.join('\n')}\n`
}

const fills: Partial<Record<Tensor['role'], string>> = {
  param: '#ffe8c2',
  state: '#ffe8c2',
  hyper: '#eeeeee',
  step: '#eeeeee',
  seed: '#eeeeee',
  input: '#d6e8ff',
  gradient: '#e2f5d9',
}

function entryLines(program: Program, entry: Entry, prefix: string): string[] {
  const tensors = new Map([...program.tensors, ...entry.tensors].map((t) => [t.name, t]))
  const ids = new Map<string, string>()
  const idOf = (name: string): string => {
    const known = ids.get(name)
    if (known !== undefined) return known
    const id = `${prefix}_${ids.size}`
    ids.set(name, id)
    return id
  }
  const node = (name: string, text: string): string => {
    const fill = fills[tensors.get(name)?.role ?? 'temp']
    const color = fill === undefined ? '' : `, fillcolor=${quote(fill)}`
    return `${idOf(name)} [label=${quote(text)}${color}]`
  }
  const stages: string[] = []
  const edges: string[] = []
  const defined = new Set<string>()
  entry.stages.forEach((stage, k) => {
    stages.push(`subgraph cluster_${prefix}_${k} {`, `  label=${quote(`stage ${k + 1}`)}`)
    for (const equation of stage.equations) {
      defined.add(equation.target)
      stages.push(`  ${node(equation.target, equationLabel(program, equation))}`)
      for (const name of readsOf(equation)) edges.push(`${idOf(name)} -> ${idOf(equation.target)}`)
    }
    stages.push('}')
    for (const { target, value } of stage.updates) {
      edges.push(`${idOf(value)} -> ${idOf(target)} [style=dashed, constraint=false]`)
    }
  })
  const outputs = entry.outputs.map(({ name, tensor }, k) => {
    edges.push(`${idOf(tensor)} -> ${prefix}_out${k}`)
    return `${prefix}_out${k} [label=${quote(name)}, shape=ellipse]`
  })
  const outside = [...ids.keys()].filter((name) => !defined.has(name))
  const sources = outside.map((name) => node(name, tensorLabel(tensors.get(name), name)))
  const label = `label=${quote(`${entry.kind} ${entry.name}`)}`
  const inside = [label, ...sources, ...stages, ...outputs, ...edges]
  return [`subgraph cluster_${prefix} {`, ...inside.map((line) => `  ${line}`), '}']
}

function equationLabel(program: Program, equation: Equation): string {
  const plain = { ...equation, origin: { span: undefined, note: '' } }
  const text = printEquation(plain, program)
  const cut = text.length > textLimit ? `${text.slice(0, textLimit)}…` : text
  return equation.origin.note === '' ? cut : `${cut}\n${equation.origin.note}`
}

function tensorLabel(tensor: Tensor | undefined, name: string): string {
  if (!tensor) return name
  const shape = tensor.shape.map((extent) => printExtent(extent)).join(', ')
  return `${tensor.role} ${name}\n${tensor.dtype}[${shape}]`
}

/** Graphviz strings escape quotes and backslashes, and take `\n` for a line break. */
function quote(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
  return `"${escaped}"`
}
