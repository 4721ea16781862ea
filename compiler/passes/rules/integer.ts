/**
 * Rules for index arithmetic: linear forms, floor division and remainder by constants, comparisons decided by range.
 * In: i32 and bool nodes. They make positions canonical, so that equal ones compare equal and guards can be dropped.
 */
import { binary, constant as constantOf, int, mul, typeOf } from '../../ir/build.ts'
import { freeIndices, size } from '../../ir/traverse.ts'
import type { BinaryOp, Scalar } from '../../ir/types.ts'
import { keyOf, same } from '../key.ts'
import { type Context, isConst, on, type Rule, rangeIn, within } from './rule.ts'

interface Term {
  readonly atom: Scalar
  readonly coefficient: number
}

/** Σ coefficient * atom + constant, where an atom is anything that is not a sum or a multiple. */
export interface Linear {
  readonly terms: ReadonlyMap<string, Term>
  readonly constant: number
}

export function linearOf(e: Scalar): Linear {
  if (e.kind === 'const') return { terms: new Map(), constant: e.value }
  if (e.kind === 'unary' && e.op === 'neg') return combine(none, linearOf(e.value), -1)
  if (e.kind === 'binary') {
    if (e.op === 'add') return combine(linearOf(e.left), linearOf(e.right), 1)
    if (e.op === 'sub') return combine(linearOf(e.left), linearOf(e.right), -1)
    if (e.op === 'mul' && e.left.kind === 'const') {
      return combine(none, linearOf(e.right), e.left.value)
    }
    if (e.op === 'mul' && e.right.kind === 'const') {
      return combine(none, linearOf(e.left), e.right.value)
    }
  }
  return { terms: new Map([[keyOf(e), { atom: e, coefficient: 1 }]]), constant: 0 }
}

const none: Linear = { terms: new Map(), constant: 0 }

function combine(a: Linear, b: Linear, factor: number): Linear {
  const terms = new Map(a.terms)
  for (const [key, { atom, coefficient }] of b.terms) {
    const sum = (terms.get(key)?.coefficient ?? 0) + factor * coefficient
    if (sum === 0) terms.delete(key)
    else terms.set(key, { atom, coefficient: sum })
  }
  return { terms, constant: a.constant + factor * b.constant }
}

/** Positive terms first, so that nothing starts with a minus sign: `p - r + 1`. */
export function scalarOfLinear(a: Linear): Scalar {
  const terms = [...a.terms.values()].sort(
    (s, t) => Math.sign(t.coefficient) - Math.sign(s.coefficient),
  )
  let sum: Scalar | undefined
  let constant = a.constant
  for (const { atom, coefficient } of terms) {
    if (!sum && coefficient < 0 && a.constant > 0) {
      // `2 - i`, not `-i + 2`.
      sum = binary('sub', int(a.constant), times(-coefficient, atom))
      constant = 0
    } else if (!sum)
      sum = coefficient === -1 ? binary('sub', int(0), atom) : times(coefficient, atom)
    else if (coefficient < 0) sum = binary('sub', sum, times(-coefficient, atom))
    else sum = binary('add', sum, times(coefficient, atom))
  }
  if (!sum) return int(constant)
  return constant < 0 ? binary('sub', sum, int(-constant)) : binary('add', sum, int(constant))
}

const times = (coefficient: number, atom: Scalar): Scalar => mul(int(coefficient), atom)

const isInt = (e: Scalar): boolean => typeOf(e) === 'i32'

/** The parts of e that are multiples of m and the rest, when the rest is provably in [0, m). */
function divide(
  e: Scalar,
  m: number,
  context: Context,
): { readonly quotient: Scalar; readonly rest: Scalar } | undefined {
  const form = linearOf(e)
  const multiples = new Map<string, Term>()
  const others = new Map<string, Term>()
  for (const [key, term] of form.terms) {
    if (term.coefficient % m === 0) {
      multiples.set(key, { atom: term.atom, coefficient: term.coefficient / m })
    } else others.set(key, term)
  }
  const whole = Math.floor(form.constant / m)
  const rest = scalarOfLinear({ terms: others, constant: form.constant - whole * m })
  if (!within(rangeIn(rest, context), m)) return undefined
  return { quotient: scalarOfLinear({ terms: multiples, constant: whole }), rest }
}

const comparison: Partial<
  Record<BinaryOp, (d: { min: number; max: number }) => boolean | undefined>
> = {
  lt: (d) => (d.max < 0 ? true : d.min >= 0 ? false : undefined),
  le: (d) => (d.max <= 0 ? true : d.min > 0 ? false : undefined),
  gt: (d) => (d.min > 0 ? true : d.max <= 0 ? false : undefined),
  ge: (d) => (d.min >= 0 ? true : d.max < 0 ? false : undefined),
  eq: (d) => (d.min === 0 && d.max === 0 ? true : d.min > 0 || d.max < 0 ? false : undefined),
  ne: (d) => (d.min > 0 || d.max < 0 ? true : d.min === 0 && d.max === 0 ? false : undefined),
}

const truth = (value: boolean): Scalar => constantOf(value ? -1 : 0, 'bool')
const isTrue = (e: Scalar): boolean => e.kind === 'const' && e.value !== 0
const isFalse = (e: Scalar): boolean => isConst(e, 0)

export const integerRules: readonly Rule[] = [
  on('binary', 'i + 1 - i -> 1', (e) => {
    if (!isInt(e) || (e.op !== 'add' && e.op !== 'sub' && e.op !== 'mul')) return undefined
    const after = scalarOfLinear(linearOf(e))
    return size(after) <= size(e) && !same(after, e) ? after : undefined
  }),
  on('binary', '(m*a + b) / m -> a, (m*a + b) % m -> b where b in [0, m)', (e, context) => {
    if (!isInt(e) || (e.op !== 'div' && e.op !== 'mod')) return undefined
    if (e.right.kind !== 'const' || e.right.value <= 0) return undefined
    const m = e.right.value
    if (m === 1) return e.op === 'div' ? e.left : int(0)
    const parts = divide(e.left, m, context)
    if (!parts) return partial(e.left, m, e.op)
    return e.op === 'div' ? parts.quotient : parts.rest
  }),
  on('binary', 'm * (x / m) + x % m -> x', (e) => {
    if (!isInt(e) || (e.op !== 'add' && e.op !== 'sub')) return undefined
    const form = linearOf(e)
    for (const [low, { atom, coefficient }] of form.terms) {
      if (atom.kind !== 'binary' || atom.op !== 'mod' || atom.right.kind !== 'const') continue
      const high = keyOf(binary('div', atom.left, atom.right))
      const multiple = form.terms.get(high)
      if (multiple?.coefficient !== coefficient * atom.right.value) continue
      const rest = new Map([...form.terms].filter(([key]) => key !== low && key !== high))
      const whole = { terms: rest, constant: form.constant }
      return scalarOfLinear(combine(whole, linearOf(atom.left), coefficient))
    }
    return undefined
  }),
  on('binary', '(x / a) / b -> x / (a*b)', (e) => {
    if (!isInt(e) || e.op !== 'div' || e.right.kind !== 'const' || e.right.value <= 0)
      return undefined
    const inner = e.left
    if (inner.kind !== 'binary' || inner.op !== 'div' || inner.right.kind !== 'const')
      return undefined
    if (inner.right.value <= 0) return undefined
    return binary('div', inner.left, int(inner.right.value * e.right.value))
  }),
  on('binary', 'i < 10 -> true where i in [0, 10)', (e, context) => {
    const decide = comparison[e.op]
    if (!decide || !isInt(e.left)) return undefined
    if (e.op === 'lt' && e.left.kind === 'index' && e.right.kind === 'count') {
      if (context.extents.get(e.left.name)?.bound === e.right.dim) return truth(true)
    }
    const difference = scalarOfLinear(linearOf(binary('sub', e.left, e.right)))
    const range = rangeIn(difference, context) ?? apart(e.left, e.right, context)
    const value = range && decide(range)
    return value === undefined ? undefined : truth(value)
  }),
  on('binary', 'true and b -> b, false and b -> false, …', (e) => {
    if (e.op === 'and') {
      if (isTrue(e.left)) return e.right
      if (isTrue(e.right)) return e.left
      if (isFalse(e.left) || isFalse(e.right)) return truth(false)
    }
    if (e.op === 'or') {
      if (isFalse(e.left)) return e.right
      if (isFalse(e.right)) return e.left
      if (isTrue(e.left) || isTrue(e.right)) return truth(true)
    }
    return undefined
  }),
  on('unary', 'not not b -> b', (e) => {
    if (e.op !== 'not') return undefined
    if (e.value.kind === 'unary' && e.value.op === 'not') return e.value.value
    return e.value.kind === 'const' ? truth(e.value.value === 0) : undefined
  }),
  on('binary', 'min(i, 9) -> i, max(i, 0) -> i where i in [0, 9]', (e, context) => {
    if (!isInt(e) || (e.op !== 'min' && e.op !== 'max')) return undefined
    const left = rangeIn(e.left, context)
    const right = rangeIn(e.right, context)
    if (!left || !right) return undefined
    if (e.op === 'min') {
      return left.max <= right.min ? e.left : right.max <= left.min ? e.right : undefined
    }
    return left.min >= right.max ? e.left : right.min >= left.max ? e.right : undefined
  }),
]

/** The range of a - b when only the ranges of both are known: inputs used as indices. */
function apart(
  a: Scalar,
  b: Scalar,
  context: Context,
): { readonly min: number; readonly max: number } | undefined {
  const left = rangeIn(a, context)
  const right = rangeIn(b, context)
  return left && right ? { min: left.min - right.max, max: left.max - right.min } : undefined
}

/** Multiples of m leave a division even when the rest stays: (m*a + x) / m -> a + x / m. */
function partial(e: Scalar, m: number, op: 'div' | 'mod'): Scalar | undefined {
  const form = linearOf(e)
  const multiples = new Map([...form.terms].filter(([, t]) => t.coefficient % m === 0))
  const whole = Math.floor(form.constant / m) * m
  if (multiples.size === 0 && whole === 0) return undefined
  const rest = new Map([...form.terms].filter(([, t]) => t.coefficient % m !== 0))
  if (rest.size === 0) return undefined
  const inner = binary(op, scalarOfLinear({ terms: rest, constant: form.constant - whole }), int(m))
  if (op === 'mod') return inner
  const quotients = new Map(
    [...multiples].map(([k, t]) => [k, { ...t, coefficient: t.coefficient / m }]),
  )
  return binary('add', scalarOfLinear({ terms: quotients, constant: whole / m }), inner)
}

/** `i` when `left == right` says so: the index's coefficient is ±1 and the rest does not hold it. */
export function solveEquality(test: Scalar, i: string): Scalar | undefined {
  if (test.kind !== 'binary' || test.op !== 'eq' || typeOf(test.left) !== 'i32') return undefined
  const form = linearOf(binary('sub', test.left, test.right))
  const own = form.terms.get(keyOf({ kind: 'index', name: i }))
  if (!own || Math.abs(own.coefficient) !== 1) return undefined
  const terms = new Map(form.terms)
  terms.delete(keyOf(own.atom))
  for (const { atom } of terms.values()) if (freeIndices(atom).has(i)) return undefined
  return scalarOfLinear(combine(none, { terms, constant: form.constant }, -own.coefficient))
}
