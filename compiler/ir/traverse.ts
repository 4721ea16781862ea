/** Walking and rebuilding scalar expressions, and what equations read. */
import { assertNever } from '../support/diagnostic.ts'
import { binary, cast, reduce, select, unary } from './build.ts'
import type { Equation, Index, Scalar } from './types.ts'

export function children(e: Scalar): readonly Scalar[] {
  switch (e.kind) {
    case 'const':
    case 'index':
    case 'count':
      return []
    case 'read':
      return e.at
    case 'unary':
    case 'cast':
    case 'stopgrad':
      return [e.value]
    case 'binary':
      return [e.left, e.right]
    case 'select':
      return [e.test, e.then, e.otherwise]
    case 'reduce':
      return [e.body]
    case 'random':
      return [e.element]
    default:
      return assertNever(e)
  }
}

/** The same node over other children, rebuilt with the folding constructors; unchanged children give the node itself. */
export function mapChildren(e: Scalar, f: (child: Scalar) => Scalar): Scalar {
  switch (e.kind) {
    case 'const':
    case 'index':
    case 'count':
      return e
    case 'read': {
      const at = e.at.map(f)
      return at.every((p, k) => p === e.at[k]) ? e : { ...e, at }
    }
    case 'unary': {
      const value = f(e.value)
      return value === e.value ? e : unary(e.op, value)
    }
    case 'cast': {
      const value = f(e.value)
      return value === e.value ? e : cast(e.type, value)
    }
    case 'stopgrad': {
      const value = f(e.value)
      return value === e.value ? e : { ...e, value }
    }
    case 'binary': {
      const left = f(e.left)
      const right = f(e.right)
      return left === e.left && right === e.right ? e : binary(e.op, left, right)
    }
    case 'select': {
      const test = f(e.test)
      const then = f(e.then)
      const otherwise = f(e.otherwise)
      return test === e.test && then === e.then && otherwise === e.otherwise
        ? e
        : select(test, then, otherwise)
    }
    case 'reduce': {
      const body = f(e.body)
      return body === e.body ? e : reduce(e.op, e.over, body)
    }
    case 'random': {
      const element = f(e.element)
      return element === e.element ? e : { ...e, element }
    }
    default:
      return assertNever(e)
  }
}

/** Calls `visit` on every node, parents first; a node shared in the tree is visited once per occurrence. */
export function visit(e: Scalar, f: (node: Scalar) => void): void {
  f(e)
  for (const child of children(e)) visit(child, f)
}

export function some(e: Scalar, test: (node: Scalar) => boolean): boolean {
  return test(e) || children(e).some((child) => some(child, test))
}

/** The tensors that an equation reads, or waits for. */
export function readsOf(equation: Equation): Set<string> {
  const found = new Set<string>()
  for (const e of [equation.body, ...(equation.at ?? [])]) {
    visit(e, (node) => {
      if (node.kind === 'read') found.add(node.tensor)
    })
  }
  if (equation.after) found.add(equation.after.tensor)
  return found
}

/** What `from` depends on through the equations, in loops too, with `from` itself. */
export function dependencies(
  equations: readonly Equation[],
  from: Iterable<string>,
): ReadonlySet<string> {
  const definitions = new Map(equations.map((eq) => [eq.target, eq]))
  const needed = new Set(from)
  // A set is walked in the order of insertion, what is added on the way too.
  for (const name of needed) {
    const equation = definitions.get(name)
    if (equation) for (const tensor of readsOf(equation)) needed.add(tensor)
  }
  return needed
}

/** What a part of an equation, over some of its indices, waits for: nothing where it lacks an index to say it with. */
export function waiting(
  { after }: Equation,
  outs: readonly Index[],
): { readonly after?: NonNullable<Equation['after']> } {
  const fits = after?.at.every((name) => name === undefined || outs.some((i) => i.name === name))
  return after && fits ? { after } : {}
}

/** The names of the index variables that `e` uses and does not itself bind. */
export function freeIndices(e: Scalar): Set<string> {
  const free = new Set<string>()
  const walk = (node: Scalar, bound: ReadonlySet<string>): void => {
    if (node.kind === 'index') {
      if (!bound.has(node.name)) free.add(node.name)
    } else if (node.kind === 'reduce') {
      walk(node.body, new Set([...bound, ...node.over.map((i) => i.name)]))
    } else {
      for (const child of children(node)) walk(child, bound)
    }
  }
  walk(e, new Set())
  return free
}

/** Every index bound by a reduction in `e`. */
export function boundIndices(e: Scalar): Index[] {
  const found: Index[] = []
  visit(e, (node) => {
    if (node.kind === 'reduce') found.push(...node.over)
  })
  return found
}

/**
 * Replaces index variables by expressions. Names bound in `e` must not occur free in the replacements: rename them
 * apart first (`renameBound`).
 */
export function substitute(e: Scalar, by: ReadonlyMap<string, Scalar>): Scalar {
  if (by.size === 0) return e
  if (e.kind === 'index') return by.get(e.name) ?? e
  return mapChildren(e, (child) => substitute(child, by))
}

/** Gives every index bound in `e` a name that `taken` does not have, and adds the names used to `taken`. */
export function renameBound(e: Scalar, taken: Set<string>): Scalar {
  if (e.kind !== 'reduce') return mapChildren(e, (child) => renameBound(child, taken))
  const by = new Map<string, Scalar>()
  // A new name must not be one that the body binds further in (it would be captured there) or uses from outside.
  const inside = new Set([...boundIndices(e.body).map((i) => i.name), ...freeIndices(e)])
  const used = { has: (name: string) => taken.has(name) || inside.has(name) }
  const over = e.over.map((i) => {
    const name = taken.has(i.name) ? freshName(i.name, used) : i.name
    taken.add(name)
    if (name !== i.name) by.set(i.name, { kind: 'index', name })
    return { ...i, name }
  })
  const body = renameBound(by.size > 0 ? substitute(e.body, by) : e.body, taken)
  return reduce(e.op, over, body)
}

/** `base`, or `base2`, `base3`, … : the first that is not taken. */
export function freshName(base: string, taken: { has(name: string): boolean }): string {
  if (!taken.has(base)) return base
  const stem = base.replace(/\d+$/, '') || base
  for (let k = 2; ; k++) {
    const name = `${stem}${k}`
    if (!taken.has(name)) return name
  }
}

/** Number of nodes, counting shared ones each time, given up at `limit`. */
export function size(e: Scalar, limit = Number.POSITIVE_INFINITY): number {
  let count = 0
  const walk = (node: Scalar): void => {
    if (++count >= limit) return
    for (const child of children(node)) {
      if (count >= limit) return
      walk(child)
    }
  }
  walk(e)
  return count
}
