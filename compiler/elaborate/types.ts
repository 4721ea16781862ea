/**
 * The element types of equations that read each other, from their text: a type is found where all that is read is known,
 * or follows from the rest of the body; what only reads itself is a float.
 */

import type { DType } from '../ir/types.ts'
import type { Expr, Statement } from '../syntax/ast.ts'
import type { Scope } from './scope.ts'
import { asTensor } from './values.ts'

type Equation = Extract<Statement, { readonly kind: 'equation' }>

type Types = ReadonlyMap<string, DType | undefined>

export function inferTypes(
  equations: readonly Equation[],
  scope: Scope,
): ReadonlyMap<string, DType> {
  const types = new Map<string, DType | undefined>(
    equations.map((e) => [e.target.name.text, undefined]),
  )
  // A type once found can only become a float, so this ends.
  for (let changed = true; changed; ) {
    changed = false
    for (const e of equations) {
      const name = e.target.name.text
      const found = wider(
        types.get(name),
        typeOfExpr(e.value, new Set(indexNames(e)), types, scope),
      )
      if (found === types.get(name)) continue
      types.set(name, found)
      changed = true
    }
  }
  return new Map([...types].map(([name, type]) => [name, type ?? 'f32']))
}

const indexNames = (e: Equation): string[] =>
  e.at.flatMap((p) => (p.kind === 'at' && p.value.kind === 'name' ? [p.value.name] : []))

/** Of an int and a float, the float; unknown gives way. */
function wider(a: DType | undefined, b: DType | undefined): DType | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return a === b ? a : 'f32'
}

const comparisons: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=', 'and', 'or'])
const keepingInts: ReadonlySet<string> = new Set([
  'abs',
  'sign',
  'min',
  'max',
  'stopgrad',
  'checkpoint',
])

function typeOfExpr(
  e: Expr,
  indices: ReadonlySet<string>,
  types: Types,
  scope: Scope,
): DType | undefined {
  const of = (x: Expr): DType | undefined => typeOfExpr(x, indices, types, scope)
  switch (e.kind) {
    case 'number':
      return e.isInt ? 'i32' : 'f32'
    case 'bool':
      return 'bool'
    case 'name': {
      if (indices.has(e.name)) return 'i32'
      if (types.has(e.name)) return types.get(e.name)
      const value = scope.find(e.primed ? `${e.name}'` : e.name)?.value
      return value === undefined ? undefined : asTensor(value)?.dtype
    }
    case 'read':
      return of(e.base)
    case 'unary':
      return e.op === 'not' ? 'bool' : of(e.value)
    case 'binary':
      if (comparisons.has(e.op)) return 'bool'
      return e.op === '^' ? 'f32' : wider(of(e.left), of(e.right))
    case 'reduce': {
      if (e.op === 'argmax' || e.op === 'argmin') return 'i32'
      if (e.op === 'mean') return 'f32'
      const inner = new Set([...indices, ...e.indices.map((i) => i.name.text)])
      return typeOfExpr(e.body, inner, types, scope)
    }
    case 'call': {
      const name = e.callee.text
      const args = e.args.map((a) => a.value)
      if (name === 'int') return 'i32'
      if (name === 'where') return args.slice(1).map(of).reduce(wider, undefined)
      return keepingInts.has(name) ? args.map(of).reduce(wider, undefined) : 'f32'
    }
    case 'if':
    case 'pipe':
    case 'scan':
    case 'shape':
    case 'string':
    case 'tuple':
    case 'error':
      return 'f32'
  }
}
