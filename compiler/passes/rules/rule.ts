/**
 * What a rewrite rule is: a name and a partial function from a node, whose children are already simple, to a node
 * that has the same value and costs no more. Rules assume finite operands, as `0 * x -> 0` shows: where one is NaN or
 * infinite the rewritten expression may be finite. Sums and products of f32 may be regrouped.
 */
import { extentsOf, type Range, rangeOf } from '../../ir/affine.ts'
import { binary, int } from '../../ir/build.ts'
import { mapChildren } from '../../ir/traverse.ts'
import type { Extent, Index, Scalar, Tensor } from '../../ir/types.ts'

export type Kind = Scalar['kind']
export type Node<K extends Kind> = Extract<Scalar, { readonly kind: K }>

/** What a rule may know beside the node. */
export interface Context {
  /** The extents of all indices in scope; names are unique in an equation. */
  readonly extents: Map<string, Extent>
  readonly tensor: (name: string) => Tensor | undefined
}

export interface Rule {
  readonly name: string
  readonly kind: Kind
  readonly rewrite: (e: Scalar, context: Context) => Scalar | undefined
}

export function on<K extends Kind>(
  kind: K,
  name: string,
  rewrite: (e: Node<K>, context: Context) => Scalar | undefined,
): Rule {
  return { kind, name, rewrite: (e, c) => (isKind(e, kind) ? rewrite(e, c) : undefined) }
}

function isKind<K extends Kind>(e: Scalar, kind: K): e is Node<K> {
  return e.kind === kind
}

export const isConst = (e: Scalar, value: number): boolean =>
  e.kind === 'const' && e.value === value

/** Range of an i32 expression, of an input used as an index too. */
export function rangeIn(e: Scalar, { extents, tensor }: Context): Range | undefined {
  if (e.kind === 'read') {
    const range = tensor(e.tensor)?.range
    return range === undefined ? undefined : { min: 0, max: range - 1 }
  }
  return rangeOf(e, extents)
}

export const within = (range: Range | undefined, size: number): boolean =>
  range !== undefined && range.min >= 0 && range.max < size

/**
 * Guards every read whose positions are not provably in range any more. Its data-dependent positions, which without
 * the guard were clamped, are clamped in so many words.
 */
export function guardReads(e: Scalar, context: Context): Scalar {
  if (e.kind === 'reduce') addIndices(context, e.over)
  const f = mapChildren(e, (child) => guardReads(child, context))
  if (f.kind !== 'read' || f.guarded) return f
  if (readInRange(f, context)) return f
  const shape = context.tensor(f.tensor)?.shape
  const at = f.at.map((p, k) => {
    const extent = shape?.[k]
    return extent && holdsData(p) ? clamped(p, extent, context) : p
  })
  return { ...f, at, guarded: true }
}

/** A data-dependent position as an unguarded read takes it: clamped into the dimension. */
export function clamped(p: Scalar, extent: Extent, context: Context): Scalar {
  if (within(rangeIn(p, context), extent.size) && extent.bound === undefined) return p
  const last: Scalar =
    extent.bound === undefined
      ? int(extent.size - 1)
      : binary('sub', { kind: 'count', dim: extent.bound }, int(1))
  return binary('min', binary('max', p, int(0)), last)
}

export function addIndices(context: Context, over: readonly Index[]): void {
  for (const [name, extent] of extentsOf(over)) context.extents.set(name, extent)
}

/** Whether an unguarded read may stand at these positions. */
export function readInRange(e: Node<'read'>, context: Context): boolean {
  const shape = context.tensor(e.tensor)?.shape
  return e.at.every((p, k) => {
    const extent = shape?.[k]
    return extent === undefined || isProven(p, extent, context) || holdsData(p)
  })
}

/** Whether a position surely lies in a dimension; in a bounded one the count may be less than the size. */
export function isProven(p: Scalar, extent: Extent, context: Context): boolean {
  if (extent.bound === undefined) return within(rangeIn(p, context), extent.size)
  if (p.kind === 'index') return context.extents.get(p.name)?.bound === extent.bound
  return isConst(p, 0)
}

const holdsData = (e: Scalar): boolean =>
  e.kind === 'read' ||
  e.kind === 'random' ||
  (e.kind === 'unary' && holdsData(e.value)) ||
  (e.kind === 'cast' && holdsData(e.value)) ||
  (e.kind === 'stopgrad' && holdsData(e.value)) ||
  (e.kind === 'reduce' && holdsData(e.body)) ||
  (e.kind === 'select' && (holdsData(e.test) || holdsData(e.then) || holdsData(e.otherwise))) ||
  (e.kind === 'binary' && (holdsData(e.left) || holdsData(e.right)))
