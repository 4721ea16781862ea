/**
 * Scatter to gather. In: a contribution, which adds to `dX[positions(domain)]` for every point of a domain. Out: the
 * same as an expression for one element `dX[p]`, a sum over the domain indices that the positions do not determine:
 *
 *   dX[n, 2*h + r] += v(n, h, r)      dX[n, p] = sum[r](where((p - r) % 2 == 0, v(n, (p - r) / 2, r), 0))
 *
 * Each position determines one domain index (two where it is a mixed radix, `2*h + r` with r < 2). A window wider than
 * its stride is made one by splitting its index, `2*h + (2*q + r)`, so that no term of the sum is left to a test:
 *
 *   dX[n, 2*h + r] += v(n, h, r)      dX[n, p] = sum[q](v(n, p / 2 - q, 2*q + p % 2))      where r < 4
 *
 * Values outside an index's extent are excluded by a guarded read where one suffices, else by a test. Undefined where a position depends
 * on data and on an index that nothing determines (an embedding), or where the sum would be much longer than the
 * scatter: the contribution then stays a scatter.
 */
import { affineOf } from '../ir/affine.ts'
import { binary, index, int, reduce, select, typeOf } from '../ir/build.ts'
import { freeIndices, freshName, some, substitute } from '../ir/traverse.ts'
import type { Extent, Index, Scalar, Tensor } from '../ir/types.ts'
import { linearOf, scalarOfLinear } from '../passes/rules/integer.ts'
import { type Context, clamped, guardReads, isConst } from '../passes/rules/rule.ts'
import { simplifyScalar } from '../passes/simplify.ts'
import { guardFactor } from './guard.ts'
import type { Contribution } from './reverse.ts'

/** An element of the cotangent over `outs`, whose names are placeholders. */
export interface Gather {
  readonly outs: readonly Index[]
  readonly body: Scalar
  /** Per dimension the name of the domain index it came from. */
  readonly names: readonly (string | undefined)[]
}

type Find = (name: string) => Tensor | undefined

export function gatherOf(
  contribution: Contribution,
  shape: readonly Extent[],
  find: Find,
): Gather | undefined {
  return new Inversion(contribution, shape, find).run()
}

/** `$0`, `$1`, …: no source name starts like that. */
const placeholder = (k: number): string => `$${k}`

const volume = (extents: readonly Extent[]): number => extents.reduce((n, x) => n * x.size, 1)

class Inversion {
  readonly #shape: readonly Extent[]
  readonly #find: Find
  readonly #outs: readonly Index[]
  readonly #names: (string | undefined)[]
  readonly #guarded: boolean
  readonly #points: number
  /** Positions not used yet, by dimension. */
  readonly #open = new Map<number, Scalar>()
  #unsolved: Index[]
  /** Parts of an index that was split: their names say nothing to a reader. */
  readonly #invented = new Set<string>()
  #value: Scalar
  #tests: Scalar[] = []
  /** What strides multiply the work by when they are solved with a test of divisibility. */
  #stride = 1

  constructor(contribution: Contribution, shape: readonly Extent[], find: Find) {
    this.#shape = shape
    this.#find = find
    this.#outs = shape.map((extent, k) => ({ name: placeholder(k), extent }))
    this.#names = shape.map(() => undefined)
    this.#guarded = contribution.guarded
    this.#unsolved = [...contribution.domain]
    this.#points = volume(contribution.domain.map((i) => i.extent))
    this.#value = contribution.value
    contribution.at.forEach((p, k) => {
      this.#open.set(k, this.#simple(p))
    })
  }

  run(): Gather | undefined {
    this.#splitIndices()
    this.#splitWindows()
    while (this.#solveNext()) {}
    for (const [k, p] of this.#open) {
      // All that is left must be determined already: it becomes a test.
      const free = freeIndices(p)
      if (this.#unsolved.some((i) => free.has(i.name))) return undefined
      const position = this.#guarded ? p : clamped(p, this.#shape[k]!, this.#context())
      this.#test(binary('eq', index(placeholder(k)), position))
    }
    const over = this.#unsolved
    const work = volume(this.#shape) * volume(over.map((i) => i.extent))
    if (work > this.#points * this.#stride * 2 + 2 * volume(this.#shape)) return undefined
    const value = guardReads(this.#value, this.#context())
    const tests = this.#tests.map((t) => guardReads(t, this.#context()))
    const test = tests.reduce<Scalar | undefined>(
      (a, b) => (a ? binary('and', a, b) : b),
      undefined,
    )
    const zero: Scalar = { kind: 'const', type: 'f32', value: 0 }
    const body = reduce('sum', over, test ? select(test, value, zero) : value)
    return { outs: this.#outs, body, names: this.#names }
  }

  #context(): Context {
    const extents = new Map([...this.#outs, ...this.#unsolved].map((i) => [i.name, i.extent]))
    return { extents, tensor: this.#find }
  }

  #simple(e: Scalar): Scalar {
    return simplifyScalar(e, [...this.#outs, ...this.#unsolved], this.#find)
  }

  #test(test: Scalar): void {
    const simple = this.#simple(test)
    if (simple.kind !== 'const' || simple.value === 0) this.#tests.push(simple)
  }

  /** Positions `i / m` and `i % m` of one index: i becomes m*i + r, which they determine part by part. */
  #splitIndices(): void {
    for (let rounds = 0; rounds < 16; rounds++) {
      const found = this.#radix()
      if (!found) return
      this.#split(found.i, found.m)
    }
  }

  /** i becomes m*i + r with r < m. */
  #split(i: Index, m: number): void {
    const taken = new Set([...this.#unsolved.map((j) => j.name), ...freeIndices(this.#value)])
    const low: Index = { name: freshName('r', taken), extent: fixed(m) }
    const high: Index = { name: i.name, extent: fixed(Math.ceil(i.extent.size / m)) }
    this.#invented.add(low.name).add(high.name)
    const whole = binary('add', binary('mul', int(m), index(high)), index(low))
    this.#unsolved = this.#unsolved.flatMap((j) => (j === i ? [high, low] : [j]))
    const partial = i.extent.size % m !== 0
    const guarded = partial ? guardFactor(this.#value, i, this.#find) : undefined
    if (guarded) this.#value = guarded
    this.#replace(new Map([[i.name, whole]]))
    if (partial && !guarded) this.#test(binary('lt', whole, int(i.extent.size)))
  }

  /** Positions `m*h + r` with r < R, R > m: the window's index is split, so that both its parts are determined. */
  #splitWindows(): void {
    for (const p of [...this.#open.values()]) {
      const form = affineOf(p)
      if (!form) continue
      const free = this.#unsolved.filter((i) => form.terms.has(i.name))
      const [a, b] = free
      if (!a || !b || free.length > 2) continue
      const [high, low] = form.terms.get(b.name) === 1 ? [a, b] : [b, a]
      const m = form.terms.get(high.name)!
      if (form.terms.get(low.name) !== 1 || m <= 1 || low.extent.bound !== undefined) continue
      if (low.extent.size > m && high.extent.bound === undefined) this.#split(low, m)
    }
  }

  /** The smallest m by which an unsolved static index is divided in a position. */
  #radix(): { readonly i: Index; readonly m: number } | undefined {
    let best: { readonly i: Index; readonly m: number } | undefined
    for (const p of this.#open.values()) {
      some(p, (node) => {
        if (node.kind !== 'binary' || (node.op !== 'div' && node.op !== 'mod')) return false
        const { left, right } = node
        if (typeOf(node) !== 'i32' || right.kind !== 'const' || left.kind !== 'index') return false
        const i = this.#unsolved.find((j) => j.name === left.name)
        if (!i || i.extent.bound !== undefined || right.value <= 1) return false
        if (this.#isGiven(i)) return false
        if (!best || right.value < best.m) best = { i, m: right.value }
        return false
      })
    }
    return best
  }

  /** Whether a position determines i alone and as it is (`x[t, t % 2]`, in a loop over t): it must stay whole. */
  #isGiven(i: Index): boolean {
    return [...this.#open.values()].some((p) => {
      const form = affineOf(p)
      const unit = Math.abs(form?.terms.get(i.name) ?? 0) === 1
      return unit && this.#unsolved.every((j) => j === i || !form?.terms.has(j.name))
    })
  }

  /** Replaces domain indices everywhere. */
  #replace(by: ReadonlyMap<string, Scalar>): void {
    for (const [k, p] of this.#open) this.#open.set(k, this.#simple(substitute(p, by)))
    this.#value = substitute(this.#value, by)
    this.#tests = this.#tests.map((t) => this.#simple(substitute(t, by)))
  }

  /** Lets the position that determines an index with least left to sum do so. */
  #solveNext(): boolean {
    let best: { rank: number; k: number; i: Index; by: number; low?: Index } | undefined
    for (const [k, p] of this.#open) {
      const form = affineOf(p)
      if (!form) continue
      const free = this.#unsolved.filter((i) => form.terms.has(i.name))
      const [first] = free
      if (!first) continue
      const coefficient = (i: Index): number => form.terms.get(i.name)!
      const offer = (rank: number, i: Index, low?: Index): void => {
        if (!best || rank < best.rank) {
          best = { rank, k, i, by: coefficient(i), ...(low ? { low } : {}) }
        }
      }
      if (free.length === 1) {
        const by = Math.abs(coefficient(first))
        offer(by === 1 ? (p.kind === 'index' ? 0 : 1) : 2, first)
        continue
      }
      const radix = mixedRadix(free, coefficient)
      if (radix) {
        offer(3, radix.high, radix.low)
        continue
      }
      for (const i of free) {
        // Larger extents first: fewer terms are left in the sum. Units before strides.
        const stride = Math.abs(coefficient(i)) === 1 ? 0 : 0.5
        offer(4 + (1 + stride) / (1 + i.extent.size), i)
      }
    }
    if (!best) return false
    this.#solve(best.k, best.i, best.by, best.low)
    return true
  }

  #solve(k: number, i: Index, by: number, low: Index | undefined): void {
    const p = this.#open.get(k)!
    this.#open.delete(k)
    if (!this.#invented.has(i.name)) this.#names[k] = i.name
    const solved = new Set([i.name, low?.name])
    const zeros = new Map([...solved].map((name): [string, Scalar] => [name ?? '', int(0)]))
    const rest = substitute(p, zeros)
    const gap = binary('sub', index(placeholder(k)), rest)
    const sign = by < 0 ? binary('sub', int(0), gap) : gap
    const size = Math.abs(by)
    const exact = size === 1
    const numerator = scalarOfLinear(linearOf(sign))
    const solution = new Map<string, Scalar>()
    solution.set(i.name, this.#simple(exact ? numerator : binary('div', numerator, int(size))))
    if (low) solution.set(low.name, this.#simple(binary('mod', numerator, int(size))))
    else if (!exact) {
      this.#stride *= size
      this.#test(binary('eq', binary('mod', numerator, int(size)), int(0)))
    }
    for (const j of low ? [i, low] : [i]) this.#limit(j, solution.get(j.name)!)
    this.#unsolved = this.#unsolved.filter((j) => !solved.has(j.name))
    this.#replace(solution)
  }

  /** Excludes solutions outside the extent of the index: by a guarded factor, else by a test. */
  #limit(i: Index, solution: Scalar): void {
    const { size, bound } = i.extent
    if (bound !== undefined) {
      const own = solution.kind === 'index' && this.#context().extents.get(solution.name)
      if (own && own.bound === bound) return
    }
    const end: Scalar = bound === undefined ? int(size) : { kind: 'count', dim: bound }
    const tests = [binary('ge', solution, int(0)), binary('lt', solution, end)]
      .map((t) => this.#simple(t))
      .filter((t) => t.kind !== 'const' || isConst(t, 0))
    if (tests.length === 0) return
    const guarded = guardFactor(this.#value, i, this.#find)
    if (guarded) this.#value = guarded
    else this.#tests.push(...tests)
  }
}

/** In `m*h + m*q + r` with r < m: r, and the longest index with the coefficient m. */
function mixedRadix(
  free: readonly Index[],
  coefficient: (i: Index) => number,
): { readonly high: Index; readonly low: Index } | undefined {
  const low = free.find((i) => coefficient(i) === 1)
  const highs = free.filter((i) => i !== low).sort((a, b) => b.extent.size - a.extent.size)
  const [high] = highs
  if (!low || !high || low.extent.bound !== undefined) return undefined
  const m = coefficient(high)
  if (m <= 1 || low.extent.size > m || highs.some((i) => coefficient(i) !== m)) return undefined
  return { high, low }
}

const fixed = (size: number): Extent => ({ size, bound: undefined, name: undefined })
