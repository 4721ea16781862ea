/**
 * Vector constants in memory. Engines build a constant in code anew at each use, in several instructions, however far out
 * of the loop it stands; a load is one. The constants of the scalar functions are at the start of memory, placed when netc is
 * built; those of a module's own kernels are behind everything else.
 */
import type { Data, Module, Ref } from './assembler.ts'

/** Address 0 stays empty. */
export const mathPoolAddress = 64
/** Room for the constants of all scalar functions. */
export const mathPoolBytes = 640

export class ConstantPool {
  readonly #address: number
  /** Words in order, and where each run of them begins. */
  readonly #words: number[] = []
  readonly #places = new Map<string, number>()

  constructor(address: number) {
    this.#address = address
  }

  /** Four lanes of 32 bits. */
  get(module: Module, lanes: Uint8Array): Ref {
    const words = new Int32Array(lanes.slice().buffer)
    const isSplat = words.every((word) => word === words[0])
    // All zeros and all ones are made by one instruction.
    if (isSplat && (words[0] === 0 || words[0] === -1)) return module.v128.const(lanes)
    const kept = isSplat ? [words[0]!] : [...words]
    const key = kept.join()
    let place = this.#places.get(key)
    if (place === undefined) {
      place = this.#address + 4 * this.#words.length
      this.#words.push(...kept)
      this.#places.set(key, place)
    }
    const from = module.i32.const(0)
    return isSplat ? module.v128.load32_splat(place, 4, from) : module.v128.load(place, 4, from)
  }

  get end(): number {
    return this.#address + 4 * this.#words.length
  }

  get segment(): Data {
    return { address: this.#address, data: new Uint8Array(Int32Array.from(this.#words).buffer) }
  }
}
