/**
 * The invariants of one scalar expression: dtypes, ranks, index scope and positions in range. In: an expression and
 * what it may name. Out: nothing, or a complaint through `fail`, which throws.
 *
 * A position must be proven in range by `rangeOf`, save where it is guarded or depends on data (then it is clamped).
 * In a bounded dimension an affine position must be a constant 0 or follow an index of the same bound, because rows
 * beyond the count hold nothing; in an arm of a select whose test looks at that count it may be any in range.
 */
import { assertNever } from '../support/diagnostic.ts'
import { affineOf, type Extents, isDataDependent, rangeOf } from './affine.ts'
import { typeOf } from './build.ts'
import { printExtent, printScalar } from './print.ts'
import { comparisons } from './text.ts'
import { visit } from './traverse.ts'
import type { BoundedDim, DType, Extent, Scalar, Tensor, UnaryOp } from './types.ts'

export interface ScalarScope {
  readonly dims: readonly BoundedDim[]
  readonly extents: Extents
  /** Bounded dims whose count an enclosing select tests. */
  readonly counted?: ReadonlySet<string>
  /** A tensor that may be read here; complains otherwise. */
  tensor(name: string): Tensor
  fail(message: string): never
}

/** Checks `e` and everything in it. `inScope`: names of the indices it may use. */
export function verifyScalar(e: Scalar, scope: ScalarScope, inScope: ReadonlySet<string>): void {
  const check = (part: Scalar): void => verifyScalar(part, scope, inScope)
  const expect = (test: boolean, message: string): void => {
    if (!test) scope.fail(`${message}: ${printScalar(e)}`)
  }
  switch (e.kind) {
    case 'const':
      expect(constantFits(e.type, e.value), `constant ${e.value} is no ${e.type}`)
      return
    case 'index':
      expect(inScope.has(e.name), `index ${e.name} is not in scope`)
      return
    case 'count':
      expect(isDim(scope, e.dim), `no bounded dim ${e.dim}`)
      return
    case 'read': {
      e.at.forEach(check)
      const tensor = scope.tensor(e.tensor)
      expect(e.type === tensor.dtype, `read as ${e.type}, the tensor is ${tensor.dtype}`)
      verifyPositions(e.at, tensor, e.guarded, scope)
      return
    }
    case 'unary': {
      check(e.value)
      const type = typeOf(e.value)
      expect(e.type === type, `${e.op} of ${type} typed ${e.type}`)
      expect(unaryTypes[e.op].includes(type), `${e.op} of ${type}`)
      return
    }
    case 'binary': {
      check(e.left)
      check(e.right)
      const type = typeOf(e.left)
      expect(type === typeOf(e.right), `${e.op} of ${type} and ${typeOf(e.right)}`)
      expect(e.type === (comparisons.has(e.op) ? 'bool' : type), `${e.op} typed ${e.type}`)
      const wantsBool = e.op === 'and' || e.op === 'or'
      const takesBool = wantsBool || e.op === 'eq' || e.op === 'ne'
      expect(type === 'bool' ? takesBool : !wantsBool, `${e.op} of ${type}`)
      return
    }
    case 'select': {
      check(e.test)
      const counted = new Set(scope.counted)
      visit(e.test, (node) => {
        if (node.kind === 'count') counted.add(node.dim)
      })
      const inArm: ScalarScope = { ...scope, counted }
      verifyScalar(e.then, inArm, inScope)
      verifyScalar(e.otherwise, inArm, inScope)
      expect(typeOf(e.test) === 'bool', `a test of ${typeOf(e.test)}`)
      expect(
        typeOf(e.then) === e.type && typeOf(e.otherwise) === e.type,
        `${typeOf(e.then)} or ${typeOf(e.otherwise)} typed ${e.type}`,
      )
      return
    }
    case 'cast':
      check(e.value)
      return
    case 'stopgrad':
      check(e.value)
      expect(typeOf(e.value) === e.type, `stopgrad of ${typeOf(e.value)} typed ${e.type}`)
      return
    case 'reduce': {
      const extreme = e.op === 'argmax' || e.op === 'argmin'
      expect(e.over.length > 0, 'a reduction over nothing')
      verifyScalar(e.body, scope, new Set([...inScope, ...e.over.map((i) => i.name)]))
      expect(typeOf(e.body) !== 'bool', `${e.op} of bool`)
      expect(e.type === (extreme ? 'i32' : typeOf(e.body)), `${e.op} typed ${e.type}`)
      return
    }
    case 'random':
      check(e.element)
      expect(typeOf(e.element) === 'i32', 'an element that is not i32')
      expect(Number.isInteger(e.site) && e.site >= 0, `site ${e.site}`)
      return
    default:
      assertNever(e)
  }
}

const isDim = (scope: ScalarScope, name: string): boolean => scope.dims.some((d) => d.name === name)

const number: readonly DType[] = ['f32', 'i32']
const float: readonly DType[] = ['f32']

const unaryTypes: Readonly<Record<UnaryOp, readonly DType[]>> = {
  neg: number,
  abs: number,
  sign: number,
  sqrt: float,
  exp: float,
  log: float,
  tanh: float,
  sigmoid: float,
  erf: float,
  sin: float,
  cos: float,
  floor: float,
  ceil: float,
  not: ['bool'],
}

function constantFits(type: DType, value: number): boolean {
  if (type === 'f32') return true
  if (type === 'i32') return value === (value | 0)
  return value === 0 || value === -1
}

/** One i32 position per dimension, in range. */
export function verifyPositions(
  at: readonly Scalar[],
  tensor: Tensor,
  guarded: boolean,
  scope: ScalarScope,
): void {
  const { name, shape } = tensor
  if (at.length !== shape.length) {
    scope.fail(`${at.length} positions for the ${shape.length} dimensions of ${name}`)
  }
  at.forEach((position, k) => {
    const text = printScalar(position)
    if (typeOf(position) !== 'i32') scope.fail(`position ${text} of ${name} is ${typeOf(position)}`)
    if (guarded || isDataDependent(position)) return
    const extent = shape[k]!
    const range = rangeOf(position, scope.extents, scope.dims)
    const where = `dimension ${k + 1} of ${name} (${printExtent(extent)})`
    if (!range) scope.fail(`position ${text} is not proven in range of ${where}`)
    if (range.min < 0 || range.max >= extent.size) {
      scope.fail(`position ${text} is in ${range.min}..${range.max}, outside of ${where}`)
    }
    const counted = extent.bound !== undefined && scope.counted?.has(extent.bound)
    if (!counted && !followsBound(position, extent, scope.extents)) {
      scope.fail(`position ${text} does not follow ${extent.bound}, the bound of ${where}`)
    }
  })
}

function followsBound(position: Scalar, extent: Extent, extents: Extents): boolean {
  const affine = extent.bound === undefined ? undefined : affineOf(position)
  if (!affine) return true
  const [term, ...more] = affine.terms
  if (!term) return affine.constant === 0
  const [name, coefficient] = term
  const bound = extents.get(name)?.bound
  return more.length === 0 && coefficient === 1 && affine.constant <= 0 && bound === extent.bound
}
