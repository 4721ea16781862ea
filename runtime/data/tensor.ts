/** What readers give: numbers with a shape whose first extent counts rows. Shared checks and conversions. */
import { type Details, fail } from '../errors.ts'

export type Numbers =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array

export interface Tensor {
  readonly shape: readonly number[]
  readonly data: Numbers
}

/** Ends reading `file` with what is wrong with it. */
export function malformed(file: string, what: string, details: Details = {}): never {
  return fail('data', `${file}: ${what}`, { file, ...details })
}

/** The number of elements, or undefined where no array could hold them. */
export function sizeOf(shape: readonly number[]): number | undefined {
  let size = 1
  for (const extent of shape) size *= extent
  return Number.isSafeInteger(size) && size <= 2 ** 32 ? size : undefined
}

/** 64-bit integers as i32 where they fit: they are labels and ids, and the module computes in 32 bits. */
export function narrow(values: BigInt64Array | BigUint64Array, file: string): Int32Array {
  const out = new Int32Array(values.length)
  for (let k = 0; k < values.length; k++) {
    const value = values[k]!
    if (value > 0x7fffffffn || value < -0x80000000n) {
      malformed(file, `element ${k} is ${value}, which 32 bits cannot hold`, { element: k })
    }
    out[k] = Number(value)
  }
  return out
}

/** IEEE half precision to single. */
export function fromHalf(halves: Uint16Array): Float32Array {
  return Float32Array.from(halves, (bits) => {
    const exponent = (bits >> 10) & 31
    const fraction = bits & 1023
    const sign = bits >> 15 ? -1 : 1
    if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
    return sign * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24)
  })
}

/** bfloat16 to single. */
export function fromBfloat(halves: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(halves, (bits) => bits << 16).buffer)
}
