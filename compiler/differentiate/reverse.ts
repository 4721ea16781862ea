/**
 * The one rule. In: an equation and the cotangent of its target. Out: for each read of an active tensor what it adds
 * to that tensor's cotangent, as an equation over the same domain with the maps exchanged:
 *
 *   y[oy] = body        dX[ox] += dY[oy] * d(body)/d(X read)
 *
 * The body is walked from the top with the cotangent of each node; entering a `sum` extends the domain, a `max` or
 * `min` goes through the equation of its arg-max, a `prod` through the product of the other elements.
 */

import { add, binary, constant, index, int, mul, read, reduce, select } from '../ir/build.ts'
import { freeIndices, renameBound, substitute } from '../ir/traverse.ts'
import type { Equation, Index, Origin, Scalar } from '../ir/types.ts'
import { same } from '../passes/key.ts'
import { diagnostic } from '../support/catalogue.ts'
import { assertNever, InternalError, Refusal } from '../support/diagnostic.ts'
import type { Activity } from './activity.ts'
import { binaryRules, unaryRules, type Vjp } from './scalar-rules.ts'
import { boundedFirst, type Scope } from './scope.ts'

/** `value`, for every point of the domain, is added to the cotangent of the tensor read, at the positions read. */
export interface Contribution {
  readonly domain: readonly Index[]
  readonly at: readonly Scalar[]
  /** Positions may lie outside the tensor; nothing flows there. */
  readonly guarded: boolean
  readonly value: Scalar
  readonly origin: Origin
}

export interface Adjoint {
  /** Equations of arg-maxima that the contributions read. */
  readonly helpers: readonly Equation[]
  readonly contributions: readonly { readonly tensor: string; readonly to: Contribution }[]
}

type Reduce = Extract<Scalar, { readonly kind: 'reduce' }>

const zero = constant(0)

export function adjointOf(
  equation: Equation,
  cotangent: (at: readonly Scalar[]) => Scalar,
  activity: Activity,
  scope: Scope,
): Adjoint {
  const walk = new Walk(equation, activity, scope)
  const at = equation.at ?? equation.outs.map((i) => index(i))
  walk.enter(equation.body, cotangent(at), equation.outs, equation.at === undefined)
  return walk
}

class Walk implements Adjoint {
  readonly helpers: Equation[] = []
  readonly contributions: { readonly tensor: string; readonly to: Contribution }[] = []
  readonly #equation: Equation
  readonly #activity: Activity
  readonly #scope: Scope

  constructor(equation: Equation, activity: Activity, scope: Scope) {
    this.#equation = equation
    this.#activity = activity
    this.#scope = scope
  }

  /** `top`: e is the whole body, stored in the target. */
  enter(e: Scalar, dy: Scalar, domain: readonly Index[], top = false): void {
    if (!this.#activity.through(e)) return
    switch (e.kind) {
      case 'const':
      case 'index':
      case 'count':
      case 'cast':
      case 'stopgrad':
      case 'random':
        return
      case 'read':
        this.contributions.push({
          tensor: e.tensor,
          to: { domain, at: e.at, guarded: e.guarded, value: dy, origin: this.#origin(e.tensor) },
        })
        return
      case 'unary': {
        const { vjp } = unaryRules[e.op]
        if (vjp) this.enter(e.value, vjp(dy, e.value, this.#result(e, top)), domain)
        return
      }
      case 'binary': {
        if (e.op === 'mul' && same(e.left, e.right)) {
          // x * x passes 2 x dy once, not x dy twice.
          this.enter(e.left, mul(dy, mul(constant(2), e.left)), domain)
          return
        }
        const { left, right } = binaryRules[e.op]
        const operand = (x: Scalar, vjp: Vjp | undefined): void => {
          // Only for an operand that a derivative passes: the rule of the other may not even be defined there.
          if (!vjp || !this.#activity.through(x)) return
          this.enter(x, vjp(dy, e.left, e.right, this.#result(e, top)), domain)
        }
        operand(e.left, left)
        operand(e.right, right)
        return
      }
      case 'select':
        this.enter(e.then, select(e.test, dy, zero), domain)
        this.enter(e.otherwise, select(e.test, zero, dy), domain)
        return
      case 'reduce':
        this.#reduce(e, dy, domain)
        return
      default:
        assertNever(e)
    }
  }

  #origin(tensor: string): Origin {
    const { span, note } = this.#equation.origin
    return { span, note: `adjoint of ${tensor}${note === '' ? '' : ` ${note}`}` }
  }

  #result(e: Scalar, top: boolean): Scalar {
    if (!top) return e
    const { target, outs } = this.#equation
    return read(
      this.#scope.get(target),
      outs.map((i) => index(i)),
    )
  }

  #reduce(e: Reduce, dy: Scalar, domain: readonly Index[]): void {
    const inside = [...domain, ...e.over]
    switch (e.op) {
      case 'sum':
        this.enter(e.body, dy, inside)
        return
      case 'max':
      case 'min': {
        const position = this.#argument(e, domain)
        const chosen = binary('eq', rowMajor(e.over), position)
        this.enter(e.body, select(chosen, dy, zero), inside)
        return
      }
      case 'prod':
        this.enter(e.body, mul(dy, othersOf(e)), inside)
        return
      case 'argmax':
      case 'argmin':
        return
      default:
        assertNever(e.op)
    }
  }

  /** A read of the position of the extreme element, defined by an equation of its own. */
  #argument(e: Reduce, domain: readonly Index[]): Scalar {
    const free = freeIndices(e)
    const outs = boundedFirst(domain.filter((i) => free.has(i.name)))
    const like = this.#scope.get(this.#equation.target)
    const op = e.op === 'max' ? 'argmax' : 'argmin'
    const tensor = this.#scope.temp(
      `${this.#equation.target}_${op}`,
      outs.map((i) => i.extent),
      like,
      'i32',
    )
    const { span, note } = this.#equation.origin
    const dims = outs.flatMap((i) => i.extent.bound ?? [])
    if (dims.length > 1) {
      if (span) throw new Refusal(diagnostic('NET4019', span, { op: e.op, dims }))
      throw new InternalError(`differentiate: ${tensor.name} would have two bounded dims`)
    }
    const origin: Origin = { span, note: `${op} for the adjoint${note === '' ? '' : ` ${note}`}` }
    const body = reduce(op, e.over, e.body)
    this.helpers.push({ target: tensor.name, outs, at: undefined, body, origin })
    return read(
      tensor,
      outs.map((i) => index(i)),
    )
  }
}

/** The position of the indices' values as `argmax` counts it: packed for maximum extents. */
export function rowMajor(over: readonly Index[]): Scalar {
  let position: Scalar = int(0)
  for (const i of over) {
    position = add(
      position.kind === 'const' ? position : mul(position, int(i.extent.size)),
      index(i),
    )
  }
  return position
}

/** prod[j](where(j == i, 1, f(j))): no division, so that a zero among the elements is no exception. */
function othersOf(e: Reduce): Scalar {
  const taken = new Set(freeIndices(e.body))
  for (const i of e.over) taken.add(i.name)
  const by = new Map<string, Scalar>()
  const over = e.over.map((i) => {
    let name = `${i.name}2`
    while (taken.has(name)) name += '2'
    taken.add(name)
    by.set(i.name, { kind: 'index', name })
    return { ...i, name }
  })
  const equal = e.over
    .map((i, k) => binary('eq', index(i), index(over[k]!)))
    .reduce((a, b) => binary('and', a, b))
  const body = substitute(renameBound(e.body, taken), by)
  return reduce('prod', over, select(equal, constant(1), body))
}
