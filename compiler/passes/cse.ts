/**
 * Common subexpressions: a value defined twice is defined once, and a reduction written in two places gets an equation
 * of its own.
 *
 *   a[n] = sum[i](x[n, i])                 a[n] = sum[i](x[n, i])
 *   b[m] = sum[j](x[m, j])                 y[n] = exp(a[n]) * a[n]
 *   y[n] = exp(b[n]) * sum[k](x[n, k])
 *
 * Equal means equal up to the names of indices. Elementwise expressions inside bodies are not shared: computing them
 * again is cheaper than storing them (normalisation has stored those worth it). Outputs and values of updates keep
 * their equations, as copies.
 */
import { index, read } from '../ir/build.ts'
import { Temporaries } from '../ir/temporaries.ts'
import { boundIndices, freeIndices, mapChildren, visit, waiting } from '../ir/traverse.ts'
import type { Entry, Equation, Index, Scalar, Stage, Tensor } from '../ir/types.ts'
import { extentKey, keyOf, openKey } from './key.ts'
import { mapEntries, type Pass } from './pass.ts'
import { protectedTensors, replaceInEquation, versionsBefore } from './reads.ts'

export const cse: Pass = {
  name: 'cse',
  description: 'share equal equations and reductions',
  run: (program) => {
    const shared = (entry: Entry): Entry => shareReductions(entry, program.tensors)
    return mapEntries(program, (entry) => shareEquations(shared(entry)))
  },
}

/** Marks reads of tensors updated in earlier stages, so that values of different moments have different keys. */
function versionSuffix(e: readonly Scalar[], versions: ReadonlyMap<string, number>): string {
  const parts = new Set<string>()
  for (const part of e) {
    visit(part, (node) => {
      const version = node.kind === 'read' ? versions.get(node.tensor) : undefined
      if (version !== undefined && node.kind === 'read') parts.add(`${node.tensor}:${version}`)
    })
  }
  return [...parts].sort().join(' ')
}

function equationKey(eq: Equation, versions: ReadonlyMap<string, number>): string {
  const names = new Map(eq.outs.map((i, k) => [i.name, `@${k}`]))
  const outs = eq.outs.map((i) => extentKey(i.extent)).join(',')
  const at = eq.at ? `${eq.target}[${eq.at.map((p) => keyOf(p, names)).join(',')}]` : ''
  const stamp = versionSuffix([eq.body, ...(eq.at ?? [])], versions)
  return `${outs}|${at}|${keyOf(eq.body, names)}|${stamp}${afterKey(eq)}`
}

function shareEquations(entry: Entry): Entry {
  // In a loop an equation may read what is defined, and found to be a copy, after it: then it may be equal to another.
  for (let current = entry; ; ) {
    const { next, alias } = shareOnce(current)
    if (alias.size === 0) return next
    current = next
  }
}

/** What is to be computed again later is not what was computed before. */
const afterKey = ({ after }: Equation): string => (after ? ` after ${after.tensor}` : '')

function shareOnce(entry: Entry): { readonly next: Entry; readonly alias: Map<string, string> } {
  const fixed = protectedTensors(entry)
  const tensors = new Map(entry.tensors.map((t) => [t.name, t]))
  const first = new Map<string, string>()
  const alias = new Map<string, string>()
  const renameRead = (e: Extract<Scalar, { kind: 'read' }>): Scalar | undefined => {
    const tensor = alias.get(e.tensor)
    return tensor === undefined ? undefined : { ...e, tensor }
  }
  const shared = entry.stages.map((stage, k): Stage => {
    const versions = versionsBefore(entry.stages, k)
    const equations: Equation[] = []
    for (const before of stage.equations) {
      const eq = replaceInEquation(before, renameRead)
      const key = `${tensors.get(eq.target)?.dtype}|${equationKey(eq, versions)}`
      const known = eq.at ? undefined : first.get(key)
      if (known === undefined) first.set(key, eq.target)
      if (known === undefined || fixed.has(eq.target)) {
        equations.push(known === undefined ? eq : copyOf(eq, known, tensors))
      } else alias.set(eq.target, known)
    }
    return { ...stage, equations }
  })
  const rename = (eq: Equation): Equation => {
    const after = alias.get(eq.after?.tensor ?? '')
    const renamed = replaceInEquation(eq, renameRead)
    return after && eq.after ? { ...renamed, after: { ...eq.after, tensor: after } } : renamed
  }
  const stages = shared.map((stage) => ({
    ...stage,
    equations: stage.equations.map(rename),
    rules: stage.rules.map((rule) => ({ ...rule, equations: rule.equations.map(rename) })),
  }))
  const left = entry.tensors.filter((t) => !alias.has(t.name))
  return { next: { ...entry, stages, tensors: left }, alias }
}

/**
 * A kept equation whose value exists already reads it instead of computing it again; a constant is no computation, and filling with it
 * reads nothing.
 */
function copyOf(eq: Equation, known: string, tensors: ReadonlyMap<string, Tensor>): Equation {
  const tensor = tensors.get(known)
  if (!tensor || eq.body.kind === 'const') return eq
  return {
    ...eq,
    body: read(
      tensor,
      eq.outs.map((i) => index(i)),
    ),
  }
}

interface Site {
  readonly equation: Equation
  readonly node: Scalar
  readonly free: readonly string[]
}

function shareReductions(entry: Entry, persistent: readonly Tensor[]): Entry {
  const tensors = new Temporaries(persistent, entry.tensors)
  const stages = entry.stages.map((stage) => {
    let equations = stage.equations
    // Each round may uncover reductions inside the shared ones.
    for (let round = 0; round < 4; round++) {
      const before = equations
      equations = shareRound(before, tensors)
      if (equations === before) break
    }
    return { ...stage, equations }
  })
  return tensors.into(entry, stages)
}

function shareRound(equations: readonly Equation[], tensors: Temporaries): readonly Equation[] {
  const sites = new Map<string, Site[]>()
  for (const equation of equations) {
    for (const { key, site } of reductionsOf(equation)) {
      const known = sites.get(key)
      if (known) known.push(site)
      else sites.set(key, [site])
    }
  }
  const shared = new Map<Scalar, Scalar>()
  const before = new Map<Equation, Equation[]>()
  for (const group of sites.values()) {
    const [first, ...others] = group
    if (!first || others.length === 0) continue
    if (group.every((s) => shared.has(s.node))) continue
    const definition = define(first, tensors)
    if (!definition) continue
    if (definition.equation) {
      const list = before.get(first.equation) ?? []
      before.set(first.equation, [...list, definition.equation])
      shared.set(first.node, definition.at(first.free))
    }
    for (const site of others) shared.set(site.node, definition.at(site.free))
  }
  if (shared.size === 0) return equations
  const replace = (e: Scalar): Scalar => shared.get(e) ?? mapChildren(e, replace)
  return equations.flatMap((eq) => {
    const body = replace(eq.body)
    return [...(before.get(eq) ?? []), body === eq.body ? eq : { ...eq, body }]
  })
}

/** The outermost reductions of an equation with their keys. */
function reductionsOf(equation: Equation): { readonly key: string; readonly site: Site }[] {
  const all = [...equation.outs, ...boundIndices(equation.body)]
  const extents = new Map(all.map((i) => [i.name, i.extent]))
  const found: { readonly key: string; readonly site: Site }[] = []
  visit(equation.body, (node) => {
    if (node.kind !== 'reduce') return
    const { key, free } = openKey(node, extents)
    found.push({ key: key + afterKey(equation), site: { equation, node, free } })
  })
  return found
}

interface Definition {
  /** The value as a read, for free indices in the order of the key. */
  readonly at: (free: readonly string[]) => Scalar
  /** The equation to add before the first use; undefined where the first use is one already. */
  readonly equation: Equation | undefined
}

function define(site: Site, tensors: Temporaries): Definition | undefined {
  const { equation, node, free } = site
  const own = tensors.find(equation.target)
  if (!own || node.kind !== 'reduce') return undefined
  const order = (names: readonly Index[]): number[] => names.map((i) => free.indexOf(i.name))
  if (equation.body === node && !equation.at && equation.outs.length === free.length) {
    const places = order(equation.outs)
    return {
      equation: undefined,
      at: (names) =>
        read(
          own,
          places.map((k) => index(names[k]!)),
        ),
    }
  }
  const indices = [...equation.outs, ...boundIndices(equation.body)]
  const used = indices.filter((i) => free.includes(i.name) && freeIndices(node).has(i.name))
  const bounded = used.filter((i) => i.extent.bound !== undefined)
  // No tensor has two bounded dims.
  if (bounded.length > 1) return undefined
  const outs = [...bounded, ...used.filter((i) => i.extent.bound === undefined)]
  const shape = outs.map((i) => i.extent)
  const base = `${equation.target}_${node.op}`
  const tensor = tensors.temp(base, shape, own, node.type, own.checkpoint)
  const places = order(outs)
  return {
    equation: {
      target: tensor.name,
      outs,
      at: undefined,
      body: node,
      ...waiting(equation, outs),
      origin: equation.origin,
    },
    at: (names) =>
      read(
        tensor,
        places.map((k) => index(names[k]!)),
      ),
  }
}
