/**
 * Structural identity of scalar expressions: two expressions have one key exactly when they are the same up to the
 * names of the indices that they bind. Free indices keep their names unless a renaming is given.
 */

import { freeIndices } from '../ir/traverse.ts'
import type { Extent, Scalar } from '../ir/types.ts'
import { assertNever } from '../support/diagnostic.ts'

const extentKey = (x: Extent): string =>
  x.bound === undefined ? `${x.size}` : `${x.size}${x.bound}`

export function keyOf(e: Scalar, names: ReadonlyMap<string, string> = new Map()): string {
  switch (e.kind) {
    case 'const':
      return `${e.type[0]}${Object.is(e.value, -0) ? '-0' : e.value}`
    case 'index':
      return names.get(e.name) ?? `'${e.name}`
    case 'count':
      return `#${e.dim}`
    case 'read':
      return `${e.tensor}${e.guarded ? '?' : ''}[${e.at.map((p) => keyOf(p, names)).join(',')}]`
    case 'unary':
      return `${e.op}(${keyOf(e.value, names)})`
    case 'binary':
      return `(${keyOf(e.left, names)} ${e.op} ${keyOf(e.right, names)})`
    case 'select':
      return `if(${keyOf(e.test, names)},${keyOf(e.then, names)},${keyOf(e.otherwise, names)})`
    case 'cast':
      return `${e.type}:(${keyOf(e.value, names)})`
    case 'stopgrad':
      return `stop(${keyOf(e.value, names)})`
    case 'random':
      return `random(${e.site},${keyOf(e.element, names)})`
    case 'reduce': {
      const inner = new Map(names)
      for (const i of e.over) inner.set(i.name, `@${inner.size}`)
      const over = e.over.map((i) => extentKey(i.extent)).join(',')
      return `${e.op}{${over}}(${keyOf(e.body, inner)})`
    }
    default:
      return assertNever(e)
  }
}

export const same = (a: Scalar, b: Scalar): boolean => a === b || keyOf(a) === keyOf(b)

export { extentKey }

/**
 * The key of an expression up to the names of its free indices as well, and those indices in their order of
 * appearance: two expressions with one key are equal when their free indices are matched in that order.
 */
export function openKey(
  e: Scalar,
  extents: ReadonlyMap<string, Extent>,
): { readonly key: string; readonly free: readonly string[] } {
  const free = [...freeIndices(e)]
  const names = new Map(free.map((name, k) => [name, `@${k}`]))
  const shape = free.map((name) => {
    const extent = extents.get(name)
    return extent ? extentKey(extent) : name
  })
  return { key: `${shape.join(',')}:${keyOf(e, names)}`, free }
}
