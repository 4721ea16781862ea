/**
 * Which values a derivative passes through: those that depend on a parameter it is taken to and that the loss depends
 * on, along paths that are not flat (comparisons, positions, stopgrad, integers).
 */

import type { Equation, RuleCall, Scalar } from '../ir/types.ts'
import { assertNever } from '../support/diagnostic.ts'
import { binaryRules, unaryRules } from './scalar-rules.ts'

/** Calls `f` with every tensor that e depends on differentiably. */
export function differentiableReads(e: Scalar, f: (tensor: string) => void): void {
  switch (e.kind) {
    case 'const':
    case 'index':
    case 'count':
    case 'cast':
    case 'stopgrad':
    case 'random':
      return
    case 'read':
      if (e.type === 'f32') f(e.tensor)
      return
    case 'unary':
      if (unaryRules[e.op].vjp) differentiableReads(e.value, f)
      return
    case 'binary':
      if (e.type !== 'f32') return
      if (binaryRules[e.op].left) differentiableReads(e.left, f)
      if (binaryRules[e.op].right) differentiableReads(e.right, f)
      return
    case 'select':
      differentiableReads(e.then, f)
      differentiableReads(e.otherwise, f)
      return
    case 'reduce':
      if (e.type === 'f32') differentiableReads(e.body, f)
      return
    default:
      assertNever(e)
  }
}

export interface Activity {
  readonly isActive: (tensor: string) => boolean
  /** Whether a derivative passes through this expression of an active equation. */
  readonly through: (e: Scalar) => boolean
}

/** The tensors that the value of an equation depends on differentiably; a rule call stands for its equation. */
function dependencies(equation: Equation, rules: ReadonlyMap<string, RuleCall>): Set<string> {
  const found = new Set<string>()
  const rule = rules.get(equation.target)
  if (rule) {
    rule.args.forEach((arg, k) => {
      if (rule.cotangents[k] !== undefined) found.add(arg)
    })
  } else differentiableReads(equation.body, (tensor) => found.add(tensor))
  return found
}

export function activityOf(
  equations: readonly Equation[],
  rules: ReadonlyMap<string, RuleCall>,
  loss: string,
  params: ReadonlySet<string>,
): Activity {
  const reads = new Map(equations.map((eq) => [eq.target, dependencies(eq, rules)]))
  const readers = new Map<string, string[]>()
  for (const [target, tensors] of reads) {
    for (const tensor of tensors) {
      const known = readers.get(tensor)
      if (known) known.push(target)
      else readers.set(tensor, [target])
    }
  }
  const varied = reachable(params, (tensor) => readers.get(tensor) ?? [])
  const useful = reachable([loss], (tensor) => reads.get(tensor) ?? [])
  const isActive = (tensor: string): boolean => varied.has(tensor) && useful.has(tensor)
  return { isActive, through: throughOf(isActive) }
}

/** With `from`; equations that read each other in a loop are reached like any. */
function reachable(
  from: Iterable<string>,
  next: (tensor: string) => Iterable<string>,
): ReadonlySet<string> {
  const found = new Set(from)
  // A set is walked in the order of insertion, what is added on the way too.
  for (const tensor of found) for (const other of next(tensor)) found.add(other)
  return found
}

/** `through` for tensors whose activity is known; answers are kept per node. */
export function throughOf(isActive: (tensor: string) => boolean): (e: Scalar) => boolean {
  const known = new WeakMap<Scalar, boolean>()
  return (e) => {
    const before = known.get(e)
    if (before !== undefined) return before
    let active = false
    differentiableReads(e, (tensor) => {
      active ||= isActive(tensor)
    })
    known.set(e, active)
    return active
  }
}
