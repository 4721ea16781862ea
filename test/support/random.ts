/** Random numbers of tests and benchmarks: from a seed alone, the same on every machine. */

/** Uniform in [0, 1): mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A standard normal number of two uniform ones, `u` not 0 (Box and Muller 1958). */
export const normalOf = (u: number, v: number): number =>
  Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v)

/** Standard normal numbers. */
export function normalFrom(seed: number): () => number {
  const random = randomFrom(seed)
  const unit = (): number => (1 + Math.floor(random() * 2 ** 30)) / 2 ** 30
  return () => normalOf(unit(), unit())
}
