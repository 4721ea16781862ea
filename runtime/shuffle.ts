/**
 * Seeded orders of rows: the same on every engine, and a pure function of (seed, epoch), so that a training can go on
 * from the middle of any epoch without replaying those before.
 */

/** splitmix32: a 32-bit counter through a mixing function, uniform on [0, 2^32). */
function generator(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let z = state ^ (state >>> 16)
    z = Math.imul(z, 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }
}

/** Shuffles `rows` in place (Fisher–Yates) and returns them. */
export function shuffle(rows: Uint32Array, seed: number, epoch: number): Uint32Array {
  const mixed = generator(seed)() ^ Math.imul(epoch + 1, 0x85ebca6b)
  const random = generator(mixed)
  for (let k = rows.length - 1; k > 0; k--) {
    const other = Math.floor((random() / 2 ** 32) * (k + 1))
    const value = rows[k]!
    rows[k] = rows[other]!
    rows[other] = value
  }
  return rows
}

/** 0, 1, …, length - 1. */
export const range = (length: number): Uint32Array => new Uint32Array(length).map((_, k) => k)
