/**
 * What an expression of the language means while a program is elaborated. Tensors are lazy: a value holds one scalar
 * expression over the placeholder indices `#0`, `#1`, … of its dimensions, and becomes an equation only when it is
 * bound, indexed or reduced. A scalar inside an equation is a tensor of rank 0 whose expression has free indices;
 * index variables have ids like `n#12` so that substitution never captures.
 */

import { constant, int } from '../ir/build.ts'
import { mapChildren, size } from '../ir/traverse.ts'
import type { DType, Extent, Index, Origin, Scalar } from '../ir/types.ts'
import { assertNever } from '../support/diagnostic.ts'

export interface TensorValue {
  readonly kind: 'tensor'
  readonly dtype: DType
  /** Extents under the names that are valid where the value is seen. */
  readonly shape: readonly Extent[]
  /** Over the placeholders, one per dimension. */
  readonly body: Scalar
  /** The tensor whose plain read this is. */
  readonly stored: string | undefined
  /** A name to be stored under, and names for its indices. */
  readonly hint: string | undefined
  /** Where a value with a hint came from, should it be stored elsewhere. */
  readonly origin: Origin | undefined
  readonly indices: readonly string[]
  /** Filled when the value is stored, so that a second use finds it. */
  readonly memo: { tensor: TensorValue | undefined }
}

export interface NumberValue {
  readonly kind: 'number'
  readonly value: number
  readonly isInt: boolean
  /** How the user calls it, for dims: `I`, `4*H`. */
  readonly name: string | undefined
}

export interface ParamsValue {
  readonly kind: 'params'
  readonly name: string
  readonly members: readonly TensorValue[]
}

export type Value =
  | TensorValue
  | NumberValue
  | ParamsValue
  | { readonly kind: 'bool'; readonly value: boolean }
  /** A bounded dim; a static one is a number. */
  | { readonly kind: 'dim'; readonly extent: Extent }
  | { readonly kind: 'shape'; readonly shape: readonly Extent[] }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'tuple'; readonly parts: readonly Value[] }
  /** Something was wrong and has been reported; whatever is computed from it stays silent. */
  | { readonly kind: 'error' }

export const errorValue: Value = { kind: 'error' }

export const number = (value: number, isInt: boolean, name?: string): NumberValue => ({
  kind: 'number',
  value,
  isInt,
  name,
})

export const placeholder = (k: number): string => `#${k}`

export const placeholders = (rank: number): Scalar[] =>
  Array.from({ length: rank }, (_, k) => ({ kind: 'index', name: placeholder(k) }) as const)

export function lazy(
  dtype: DType,
  shape: readonly Extent[],
  body: Scalar,
  indices: readonly string[] = [],
  hint?: string,
): TensorValue {
  return {
    kind: 'tensor',
    dtype,
    shape,
    body,
    stored: undefined,
    hint,
    origin: undefined,
    indices,
    memo: { tensor: undefined },
  }
}

export const scalar = (dtype: DType, body: Scalar): TensorValue => lazy(dtype, [], body)

export function storedTensor(
  name: string,
  dtype: DType,
  shape: readonly Extent[],
  indices: readonly string[] = [],
): TensorValue {
  const body: Scalar = {
    kind: 'read',
    tensor: name,
    type: dtype,
    at: placeholders(shape.length),
    guarded: false,
  }
  return { ...lazy(dtype, shape, body, indices), stored: name }
}

/** The value with its dimensions called otherwise. */
export function renamed(value: TensorValue, shape: readonly Extent[]): TensorValue {
  return { ...value, shape }
}

/** The element of `value` at the positions. */
export function elementAt(value: TensorValue, at: readonly Scalar[]): Scalar {
  const go = (e: Scalar): Scalar => {
    if (e.kind === 'index') {
      return e.name.startsWith('#') ? (at[Number(e.name.slice(1))] ?? e) : e
    }
    return mapChildren(e, go)
  }
  return at.length === 0 ? value.body : go(value.body)
}

/** Cheap enough to be written twice: a read, a constant or an index. */
export const isTrivial = (value: TensorValue): boolean =>
  value.stored !== undefined || size(value.body, 6) <= 5

/** The id of a fresh index variable keeps its name before the `#`. */
export const baseName = (id: string): string => id.slice(0, id.indexOf('#'))

export const isVariable = (id: string): boolean => !id.startsWith('#')

/** A compile-time value as a rank-0 tensor; undefined when it is no scalar. */
export function asTensor(value: Value): TensorValue | undefined {
  switch (value.kind) {
    case 'tensor':
      return value
    case 'number':
      return value.isInt && Math.abs(value.value) < 2 ** 31
        ? scalar('i32', int(value.value))
        : scalar('f32', constant(Math.fround(value.value)))
    case 'bool':
      return scalar('bool', constant(value.value ? -1 : 0, 'bool'))
    case 'dim':
      return scalar('i32', { kind: 'count', dim: value.extent.bound ?? '' })
    case 'params':
    case 'shape':
    case 'string':
    case 'tuple':
    case 'error':
      return undefined
    default:
      return assertNever(value)
  }
}

export function showExtent(extent: Extent): string {
  if (extent.bound !== undefined) return extent.bound
  return extent.name === undefined ? `${extent.size}` : `${extent.name}=${extent.size}`
}

/** `[batch, I=784]` */
export const showShape = (shape: readonly Extent[]): string =>
  `[${shape.map(showExtent).join(', ')}]`

export const typeNames = { f32: 'float', i32: 'int', bool: 'bool' } as const

/** A value in a message: `a float tensor of shape [batch, 10]`, `the number 3`. */
export function describe(value: Value): string {
  switch (value.kind) {
    case 'tensor':
      return value.shape.length === 0
        ? `${value.dtype === 'i32' ? 'an' : 'a'} ${typeNames[value.dtype]}`
        : `${value.dtype === 'f32' ? '' : typeNames[value.dtype]}${showShape(value.shape)}`
    case 'number':
      return `the number ${value.value}`
    case 'bool':
      return `${value.value}`
    case 'dim':
      return `the bounded dim \`${value.extent.name ?? value.extent.bound}\``
    case 'params':
      return `the parameter set \`${value.name}\``
    case 'shape':
      return `the shape ${showShape(value.shape)}`
    case 'string':
      return 'a string'
    case 'tuple':
      return `${value.parts.length} values`
    case 'error':
      return 'an error'
    default:
      return assertNever(value)
  }
}

/** A dimension's index name where the user gave none: `n` for a bounded dim, else its initial, else i, j, k. */
export function indexNames(shape: readonly Extent[], given: readonly string[] = []): string[] {
  // An index that is called like a dim would hide it.
  const taken = new Set(shape.flatMap((e) => (e.name === undefined ? [] : [e.name])))
  return shape.map((extent, k) => {
    const letter = /^[A-Za-z]/.exec(extent.name ?? '')?.[0]?.toLowerCase()
    const wishes = [given[k], extent.bound !== undefined ? 'n' : letter, 'i', 'j', 'k', 'l', 'm']
    const name = wishes.find((w) => w !== undefined && w !== '' && !taken.has(w)) ?? `i${k}`
    taken.add(name)
    return name
  })
}

/** The domain and body of a value, its placeholders replaced by fresh variables. */
export function instantiate(
  value: TensorValue,
  fresh: (base: string, extent: Extent) => Index,
): { readonly outs: readonly Index[]; readonly body: Scalar } {
  const names = indexNames(value.shape, value.indices)
  const outs = value.shape.map((extent, k) => fresh(names[k] ?? 'i', extent))
  return {
    outs,
    body: elementAt(
      value,
      outs.map((i) => ({ kind: 'index', name: i.name })),
    ),
  }
}

/** The body with its placeholders moved up by `by` and variables replaced. */
export function shift(
  value: TensorValue,
  by: number,
  variables: ReadonlyMap<string, Scalar>,
): Scalar {
  const go = (e: Scalar): Scalar => {
    if (e.kind !== 'index') return mapChildren(e, go)
    if (!e.name.startsWith('#')) return variables.get(e.name) ?? e
    return { kind: 'index', name: placeholder(Number(e.name.slice(1)) + by) }
  }
  return go(value.body)
}
