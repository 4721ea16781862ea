/**
 * Splits equations where the derivative needs a value that is only a part of a body, so that it is computed once and
 * read twice:
 *
 *   loss[] = log(sum[c](exp(x[c])))      e[c] = exp(x[c]);  s[] = sum[c](e[c]);  loss[] = log(s[])
 *
 * In: one active equation. Out: the new equations, then the equation reading them; the values are unchanged. Split are
 * reductions whose value a derivative uses, `max`, `min` and `prod` that are not a whole body (they need an equation
 * for their arg-max), functions whose derivative is an expression of their result, and long operands. A part that a
 * sum evaluates over more elements than any tensor it reads is computed again instead of stored.
 */

import { index, read, reduce } from '../ir/build.ts'
import { boundIndices, freeIndices, mapChildren, size, some } from '../ir/traverse.ts'
import type { Equation, Index, Scalar, Tensor } from '../ir/types.ts'
import type { Activity } from './activity.ts'
import { binaryRules, unaryRules } from './scalar-rules.ts'
import { boundedFirst, type Scope } from './scope.ts'

/** An operand used again by a derivative is stored from this many nodes on. */
const longOperand = 32

const hasReduce = (e: Scalar): boolean => some(e, (node) => node.kind === 'reduce')

/** Sums reached from the top through operators that are linear in them. */
function linearSums(e: Scalar): Scalar[] {
  switch (e.kind) {
    case 'reduce':
      return e.op === 'sum' ? [e] : []
    case 'unary':
      return e.op === 'neg' ? linearSums(e.value) : []
    case 'binary':
      if (e.op === 'add' || e.op === 'sub' || e.op === 'mul') {
        return [...linearSums(e.left), ...linearSums(e.right)]
      }
      return e.op === 'div' ? linearSums(e.left) : []
    default:
      return []
  }
}

const nameOfPart = (e: Scalar): string => {
  switch (e.kind) {
    case 'reduce':
    case 'unary':
    case 'binary':
      return e.op
    default:
      return 'part'
  }
}

export function normalise(equation: Equation, activity: Activity, scope: Scope): Equation[] {
  return new Normaliser(equation, activity, scope).run()
}

class Normaliser {
  readonly #equation: Equation
  readonly #activity: Activity
  readonly #scope: Scope
  readonly #target: Tensor
  readonly #extents: ReadonlyMap<string, Index>
  readonly #made: Equation[] = []

  constructor(equation: Equation, activity: Activity, scope: Scope) {
    this.#equation = equation
    this.#activity = activity
    this.#scope = scope
    this.#target = scope.get(equation.target)
    const indices = [...equation.outs, ...boundIndices(equation.body)]
    this.#extents = new Map(indices.map((i) => [i.name, i]))
  }

  run(): Equation[] {
    const { body } = this.#equation
    const after = this.#equation.at ? this.#rewrite(body, false) : this.#root(body)
    return [...this.#made, after === body ? this.#equation : { ...this.#equation, body: after }]
  }

  /** A body as a whole: its value is stored in the target, so nothing at the top needs splitting. */
  #root(e: Scalar): Scalar {
    if (!this.#activity.through(e)) return e
    if (e.kind === 'reduce' && e.op !== 'sum') {
      // The arg-max equation evaluates the body a second time.
      return reduce(e.op, e.over, this.#operand(e.body))
    }
    if (e.kind === 'unary' && unaryRules[e.op].reuse) {
      return mapChildren(e, (value) => this.#operand(value))
    }
    return this.#rewrite(e, false)
  }

  /** `needed`: a derivative uses the value of e. */
  #rewrite(e: Scalar, needed: boolean): Scalar {
    const active = this.#activity.through(e)
    if (!active && !(needed && hasReduce(e))) return e
    switch (e.kind) {
      case 'reduce':
        if (needed || e.op !== 'sum') return this.#split(e)
        return reduce(e.op, e.over, this.#rewrite(e.body, false))
      case 'read':
        return mapChildren(e, (p) => this.#rewrite(p, true))
      case 'unary': {
        if (e.op === 'neg') return mapChildren(e, (value) => this.#rewrite(value, needed))
        if (active && unaryRules[e.op].reuse && this.#isWorthStoring(e)) return this.#split(e)
        return mapChildren(e, (value) => this.#operand(value))
      }
      case 'binary': {
        const [left, right] = this.#needs(e, needed, active)
        const children = [left, right]
        let k = 0
        return mapChildren(e, (child) =>
          children[k++] ? this.#operand(child) : this.#rewrite(child, false),
        )
      }
      case 'select': {
        let k = 0
        return mapChildren(e, (child) =>
          k++ === 0 ? this.#rewrite(child, true) : this.#rewrite(child, needed),
        )
      }
      default:
        return mapChildren(e, (child) => this.#rewrite(child, true))
    }
  }

  /** Whether a derivative uses the value of the left, the right operand. */
  #needs(
    e: Extract<Scalar, { kind: 'binary' }>,
    needed: boolean,
    active: boolean,
  ): [boolean, boolean] {
    const { through } = this.#activity
    if (needed || !active) return [true, true]
    if (binaryRules[e.op].linear) return [false, false]
    if (e.op === 'mul') return [through(e.right), through(e.left)]
    if (e.op === 'div') return [through(e.right), true]
    return [true, true]
  }

  /** An operand whose value a derivative uses. */
  #operand(e: Scalar): Scalar {
    if (this.#activity.through(e) && e.kind !== 'read' && e.kind !== 'reduce') {
      const sums = linearSums(e)
      const free = freeIndices(e).size
      // `x W + b` as one value, not the product alone: its cotangent is then one value too.
      if (sums.some((s) => freeIndices(s).size === free)) return this.#split(e)
      if (size(e, longOperand) >= longOperand && this.#isWorthStoring(e)) return this.#split(e)
    }
    return this.#rewrite(e, true)
  }

  #free(e: Scalar): Index[] {
    const free = freeIndices(e)
    return boundedFirst([...this.#extents.values()].filter((i) => free.has(i.name)))
  }

  #isWorthStoring(e: Scalar): boolean {
    const over = this.#free(e)
    if (over.filter((i) => i.extent.bound !== undefined).length > 1) return false
    const elements = over.reduce((n, i) => n * i.extent.size, 1)
    let largest = this.#target.shape.reduce((n, x) => n * x.size, 1)
    some(e, (node) => {
      if (node.kind === 'read') {
        const { shape } = this.#scope.get(node.tensor)
        largest = Math.max(
          largest,
          shape.reduce((n, x) => n * x.size, 1),
        )
      }
      return false
    })
    return elements <= largest
  }

  #split(e: Scalar): Scalar {
    const outs = this.#free(e)
    const bounded = outs.filter((i) => i.extent.bound !== undefined)
    // No tensor can have two bounded dims: such a part stays where it is and is computed again.
    if (bounded.length > 1) return e
    const name = `${this.#equation.target}_${nameOfPart(e)}`
    const part = this.#scope.temp(
      name,
      outs.map((i) => i.extent),
      this.#target,
      e.kind === 'reduce' ? e.type : 'f32',
      this.#target.checkpoint,
    )
    const equation: Equation = {
      target: part.name,
      outs,
      at: undefined,
      body: e,
      origin: this.#equation.origin,
    }
    this.#made.push(...normalise(equation, this.#activity, this.#scope))
    return read(
      part,
      outs.map((i) => index(i)),
    )
  }
}
