// Counter-based random numbers: Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw, "Parallel
// random numbers: as easy as 1, 2, 3", SC 2011). The key is (seed, step), the counter (site,
// element); lanes are u32. compiler/ir/random.ts is the same in TypeScript.

/** The parity constant of the key schedule. */
const PARITY: i32 = 0x1bd11bda

/** The first word of the block that the key (seed, step) and the counter (site, element) name. */
export function random(seed: v128, step: v128, site: v128, element: v128): v128 {
  const third = v128.xor(v128.xor(seed, step), i32x4.splat(PARITY))
  let a = i32x4.add(site, seed)
  let b = i32x4.add(element, step)

  a = i32x4.add(a, b)
  b = mix(a, b, 13)
  a = i32x4.add(a, b)
  b = mix(a, b, 15)
  a = i32x4.add(a, b)
  b = mix(a, b, 26)
  a = i32x4.add(a, b)
  b = mix(a, b, 6)
  a = i32x4.add(a, step)
  b = i32x4.add(b, i32x4.add(third, i32x4.splat(1)))

  a = i32x4.add(a, b)
  b = mix(a, b, 17)
  a = i32x4.add(a, b)
  b = mix(a, b, 29)
  a = i32x4.add(a, b)
  b = mix(a, b, 16)
  a = i32x4.add(a, b)
  b = mix(a, b, 24)
  a = i32x4.add(a, third)
  b = i32x4.add(b, i32x4.add(seed, i32x4.splat(2)))

  a = i32x4.add(a, b)
  b = mix(a, b, 13)
  a = i32x4.add(a, b)
  b = mix(a, b, 15)
  a = i32x4.add(a, b)
  b = mix(a, b, 26)
  a = i32x4.add(a, b)
  b = mix(a, b, 6)
  a = i32x4.add(a, seed)
  b = i32x4.add(b, i32x4.add(step, i32x4.splat(3)))

  a = i32x4.add(a, b)
  b = mix(a, b, 17)
  a = i32x4.add(a, b)
  b = mix(a, b, 29)
  a = i32x4.add(a, b)
  b = mix(a, b, 16)
  a = i32x4.add(a, b)
  b = mix(a, b, 24)
  a = i32x4.add(a, step)
  b = i32x4.add(b, i32x4.add(third, i32x4.splat(4)))

  a = i32x4.add(a, b)
  b = mix(a, b, 13)
  a = i32x4.add(a, b)
  b = mix(a, b, 15)
  a = i32x4.add(a, b)
  b = mix(a, b, 26)
  a = i32x4.add(a, b)
  return i32x4.add(a, third)
}

/** The second half of a round: b rotated left by `bits`, xor a. */
function mix(a: v128, b: v128, bits: i32): v128 {
  return v128.xor(a, v128.or(i32x4.shl(b, bits), i32x4.shr_u(b, 32 - bits)))
}
