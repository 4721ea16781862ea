/**
 * Random choices behind one interface, so that a generator serves both fast-check (which shrinks) and long runs that
 * are reproduced from a single number.
 */
import fc from 'fast-check'
import { randomFrom } from './random.ts'

export interface Choose {
  /** An integer, both ends included. */
  int(min: number, max: number): number
}

/** Reproducible from `seed` alone. */
export function seeded(seed: number): Choose {
  const random = randomFrom(seed)
  return { int: (min, max) => min + Math.floor(random() * (max - min + 1)) }
}

/** Lets fast-check make the choices of `build`. */
export function arbitraryFrom<T>(build: (choose: Choose) => T): fc.Arbitrary<T> {
  return fc.gen().map((g) => build({ int: (min, max) => g(fc.integer, { min, max }) }))
}

/** True once in `n`. */
export const oneIn = (choose: Choose, n: number): boolean => choose.int(1, n) === 1

export function pick<T>(choose: Choose, items: readonly T[]): T {
  if (items.length === 0) throw new Error('nothing to pick from')
  return items[choose.int(0, items.length - 1)]!
}

/** One of the makers, each as likely as its weight says. */
export function weighted<T>(choose: Choose, table: readonly (readonly [number, () => T])[]): T {
  const total = table.reduce((sum, [weight]) => sum + weight, 0)
  let k = choose.int(1, total)
  for (const [weight, make] of table) {
    k -= weight
    if (k <= 0) return make()
  }
  throw new Error('no weight')
}

/** A value that f32 holds exactly: a multiple of 1/64 in [-limit, limit]. */
export function dyadic(choose: Choose, limit: number): number {
  return choose.int(-limit * 64, limit * 64) / 64
}
