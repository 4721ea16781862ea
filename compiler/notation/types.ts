/**
 * Which equations of a loop would be taken for ints by their text. In the language equations that read each other have
 * the types of what they are made of (elaborate/types.ts), where `2` is an int and the cast of a count is not written;
 * floats that are made of nothing else must say so.
 */

import type { DType, Equation, Scalar, Tensor } from '../ir/types.ts'
import { assertNever } from '../support/diagnostic.ts'
import { isSilent, isWhole } from './scalar.ts'

export function takenForInts(
  equations: readonly Equation[],
  tensors: ReadonlyMap<string, Tensor>,
): ReadonlySet<string> {
  const inside = new Map<string, DType | undefined>(equations.map((eq) => [eq.target, undefined]))
  const read = (name: string): DType | undefined =>
    inside.has(name) ? inside.get(name) : tensors.get(name)?.dtype
  for (let changed = true; changed; ) {
    changed = false
    for (const { target, body } of equations) {
      const found = wider(inside.get(target), textType(body, read))
      if (found === inside.get(target)) continue
      inside.set(target, found)
      changed = true
    }
  }
  const floats = equations.filter((eq) => tensors.get(eq.target)?.dtype === 'f32')
  return new Set(floats.map((eq) => eq.target).filter((name) => inside.get(name) === 'i32'))
}

/** Of an int and a float, the float; unknown gives way. */
function wider(a: DType | undefined, b: DType | undefined): DType | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return a === b ? a : 'f32'
}

function textType(e: Scalar, read: (tensor: string) => DType | undefined): DType | undefined {
  const of = (part: Scalar): DType | undefined => textType(part, read)
  switch (e.kind) {
    case 'const':
      return e.type === 'f32' && isWhole(e) ? 'i32' : e.type
    case 'index':
    case 'count':
      return 'i32'
    case 'read':
      return read(e.tensor)
    case 'unary':
      if (e.op === 'not') return 'bool'
      return e.op === 'neg' || e.op === 'abs' || e.op === 'sign' ? of(e.value) : 'f32'
    case 'binary':
      if (e.type === 'bool') return 'bool'
      return e.op === 'pow' ? 'f32' : wider(of(e.left), of(e.right))
    case 'select':
      return wider(of(e.then), of(e.otherwise))
    case 'cast':
      return isSilent(e) ? 'i32' : e.type
    case 'stopgrad':
      return of(e.value)
    case 'reduce':
      return e.op === 'argmax' || e.op === 'argmin' ? 'i32' : of(e.body)
    case 'random':
      return 'f32'
    default:
      return assertNever(e)
  }
}
