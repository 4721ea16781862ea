// The random numbers of a netc program: Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw,
// "Parallel random numbers: as easy as 1, 2, 3", SC 2011), a pure function of (seed, step, site,
// element). What compiler/wasm/math/random.ts does four lanes at a time, bit for bit.

/** The parity constant of the key schedule. */
const PARITY = 0x1bd11bda

/** How far each of eight rounds rotates; the next eight begin again. */
const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const

const ROUNDS = 20

/** The first word of the block that the key and the counter name, as an unsigned 32-bit integer. */
export function threefry2x32(key0: number, key1: number, ctr0: number, ctr1: number): number {
  const keys = [key0, key1, key0 ^ key1 ^ PARITY]
  let a = (ctr0 + key0) | 0
  let b = (ctr1 + key1) | 0
  for (let round = 0; round < ROUNDS; round++) {
    const bits = ROTATIONS[round % ROTATIONS.length]!
    a = (a + b) | 0
    b = ((b << bits) | (b >>> (32 - bits))) ^ a
    if (round % 4 === 3) {
      const block = (round + 1) / 4
      a = (a + keys[block % 3]!) | 0
      b = (b + keys[(block + 1) % 3]! + block) | 0
    }
  }
  return a >>> 0
}

/** A number in [0, 1) with 24 random bits, which an f32 holds exactly. */
export function uniform(seed: number, step: number, site: number, element: number): number {
  return (threefry2x32(seed, step, site, element) >>> 8) * 2 ** -24
}
