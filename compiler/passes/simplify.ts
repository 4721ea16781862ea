/**
 * Simplification: directional rewrite rules (rules/*.ts) applied to every expression, children first, until none
 * fires.
 *
 *   d[n, c] = e[n, c] * (1 / batch / s[n]) - where(c == label[n], 1 / batch, 0)
 *   d[n, c] = (e[n, c] / s[n] - where(c == label[n], 1, 0)) / batch
 *
 * A rule's result never costs more than what it replaces. Equations are rewritten one by one: nothing moves between
 * them (cse.ts, inline.ts do that).
 */
import { isDataDependent } from '../ir/affine.ts'
import { boundIndices, mapChildren, renameBound } from '../ir/traverse.ts'
import type { Entry, Equation, Index, Program, Scalar, Tensor } from '../ir/types.ts'
import { mapEquations, type Pass } from './pass.ts'
import { arithmeticRules } from './rules/arithmetic.ts'
import { integerRules } from './rules/integer.ts'
import { reductionRules } from './rules/reduction.ts'
import { addIndices, type Context, type Kind, type Rule, readInRange } from './rules/rule.ts'
import { selectionRules } from './rules/selection.ts'

/** Selection before arithmetic: a decided `where` is gone before a product is pushed into it. */
export const rules: readonly Rule[] = [
  ...selectionRules,
  ...integerRules,
  ...arithmeticRules,
  ...reductionRules,
]

type Table = ReadonlyMap<Kind, readonly Rule[]>

function tableOf(all: readonly Rule[]): Table {
  const table = new Map<Kind, Rule[]>()
  for (const rule of all) table.set(rule.kind, [...(table.get(rule.kind) ?? []), rule])
  return table
}

const everyRule = tableOf(rules)

/** Rules end because each makes the expression smaller or more ordered; the fuel is for a defect in that. */
const fuelPerNode = 64

export function simplifyScalar(
  e: Scalar,
  indices: readonly Index[],
  tensor: (name: string) => Tensor | undefined,
  only?: readonly Rule[],
): Scalar {
  const context: Context = { extents: new Map(), tensor }
  addIndices(context, [...indices, ...boundIndices(e)])
  const table = only ? tableOf(only) : everyRule
  return new Simplifier(context, table).simplify(e)
}

class Simplifier {
  readonly #context: Context
  readonly #table: Table
  readonly #done = new WeakSet<Scalar>()

  constructor(context: Context, table: Table) {
    this.#context = context
    this.#table = table
  }

  simplify(e: Scalar): Scalar {
    let current = e
    for (let fuel = fuelPerNode; fuel > 0; fuel--) {
      if (this.#done.has(current)) return current
      const inside = mapChildren(current, (child) => this.simplify(child))
      current = keepsClamp(current, inside, this.#context) ? inside : current
      const next = this.#rewrite(current)
      if (!next) break
      current = next
    }
    this.#done.add(current)
    return current
  }

  #rewrite(e: Scalar): Scalar | undefined {
    for (const rule of this.#table.get(e.kind) ?? []) {
      const next = rule.rewrite(e, this.#context)
      if (next) return next
    }
    return undefined
  }
}

/** A position that holds data is clamped: it may become one that holds none only where that is in range. */
function keepsClamp(before: Scalar, after: Scalar, context: Context): boolean {
  if (after === before || after.kind !== 'read' || before.kind !== 'read' || after.guarded) {
    return true
  }
  const lost = after.at.some((p, k) => isDataDependent(before.at[k]!) && !isDataDependent(p))
  return !lost || readInRange(after, context)
}

export function simplifyEquation(
  equation: Equation,
  tensor: (name: string) => Tensor | undefined,
): Equation {
  const taken = new Set(equation.outs.map((i) => i.name))
  // A rule may use an operand twice: the indices bound in the copies are renamed apart.
  const simplify = (e: Scalar): Scalar =>
    renameBound(simplifyScalar(e, equation.outs, tensor), taken)
  const at = equation.at?.map(simplify)
  return { ...equation, at, body: simplify(equation.body) }
}

export function tensorsOf(program: Program, entry: Entry): (name: string) => Tensor | undefined {
  const all = new Map<string, Tensor>()
  for (const t of program.tensors) all.set(t.name, t)
  for (const t of entry.tensors) all.set(t.name, t)
  for (const stage of entry.stages) {
    for (const rule of stage.rules) {
      all.set(rule.cotangent.name, rule.cotangent)
      for (const t of rule.tensors) all.set(t.name, t)
    }
  }
  return (name) => all.get(name)
}

export const simplify: Pass = {
  name: 'simplify',
  description: 'algebraic simplification of every equation',
  run: (program) => ({
    ...program,
    entries: program.entries.map((entry) => {
      const tensor = tensorsOf(program, entry)
      return mapEquations(entry, (equation) => simplifyEquation(equation, tensor))
    }),
  }),
}
