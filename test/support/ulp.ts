// What the tests of the scalar functions measure with: the wasm functions, run over blocks of
// memory; references in f64; and the distance between the two in units in the last place of f32.

import binaryen from 'binaryen'
import { mathLibrary } from '../../compiler/generate.ts'
import type { Target } from '../../compiler/wasm/assembler.ts'
import { mathPoolAddress } from '../../compiler/wasm/pool.ts'

/** How many numbers one call of a driver computes. */
export const BLOCK = 1 << 16
/** Where blocks begin: the constants lie before. */
const base = 1 << 16

const arities = {
  exp: 1,
  log: 1,
  tanh: 1,
  sigmoid: 1,
  erf: 1,
  sin: 1,
  cos: 1,
  pow: 2,
  random: 4,
  uniform: 4,
} as const

export type MathName = keyof typeof arities

export const mathNames = Object.keys(arities) as readonly MathName[]

/** The functions of the math module over blocks: `run` computes `result` from `inputs`. */
export interface Driver {
  /** One block for each argument. */
  readonly inputs: readonly Float32Array[]
  readonly inputBits: readonly Uint32Array[]
  readonly result: Float32Array
  readonly resultBits: Uint32Array
  /** Computes the first `count` results, a multiple of 4. */
  run(name: MathName, count?: number): void
}

/** Wraps every function of the math module into a loop over memory and instantiates it. */
export function createDriver(target: Target, options = { inline: false }): Driver {
  const bytes = BLOCK * 4
  const library = mathLibrary(target)
  const module = binaryen.readBinary(library.functions)
  module.setFeatures(binaryen.Features.All)
  const pages = 1 + 5 * (bytes >> 16)
  const constants = {
    offset: module.i32.const(mathPoolAddress),
    data: library.constants,
    passive: false,
  }
  module.setMemory(pages, pages, 'memory', [constants])
  for (const name of mathNames) addLoop(module, name, bytes)
  if (options.inline) inlineAll(module)
  const code = module.emitBinary()
  module.dispose()

  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code as BufferSource))
  const { buffer } = exports.memory as WebAssembly.Memory
  const places = [0, 1, 2, 3]
  return {
    inputs: places.map((place) => new Float32Array(buffer, base + place * bytes, BLOCK)),
    inputBits: places.map((place) => new Uint32Array(buffer, base + place * bytes, BLOCK)),
    result: new Float32Array(buffer, base + 4 * bytes, BLOCK),
    resultBits: new Uint32Array(buffer, base + 4 * bytes, BLOCK),
    run(name, count = BLOCK) {
      const loop = exports[`loop ${name}`] as (bytes: number) => void
      loop(count * 4)
    },
  }
}

/** Adds `loop NAME(end)`: for at = 0, 16, … below end, stores NAME of the arguments at `at`. */
function addLoop(module: binaryen.Module, name: MathName, bytes: number): void {
  const { i32, v128 } = module
  const at = () => module.local.get(1, binaryen.i32)
  const inner = module.getExport(name)
  const args = Array.from({ length: arities[name] }, (_, place) =>
    v128.load(base + place * bytes, 16, at()),
  )
  const callee = binaryen.getExportInfo(inner).value
  const body = module.block(null, [
    v128.store(base + 4 * bytes, 16, at(), module.call(callee, args, binaryen.v128)),
    module.local.set(1, i32.add(at(), i32.const(16))),
    module.br_if('next', i32.lt_u(at(), module.local.get(0, binaryen.i32))),
  ])
  const loop = module.loop('next', body)
  module.addFunction(`loop ${name}`, binaryen.i32, binaryen.none, [binaryen.i32], loop)
  module.addFunctionExport(`loop ${name}`, `loop ${name}`)
}

/** Inlines the functions into their loops, as the compiler does with its kernels. */
function inlineAll(module: binaryen.Module): void {
  const level = binaryen.getOptimizeLevel()
  const size = binaryen.getFlexibleInlineMaxSize()
  binaryen.setOptimizeLevel(3)
  binaryen.setFlexibleInlineMaxSize(10_000)
  module.optimize()
  binaryen.setOptimizeLevel(level)
  binaryen.setFlexibleInlineMaxSize(size)
}

export type UnaryName = 'exp' | 'log' | 'tanh' | 'sigmoid' | 'erf' | 'sin' | 'cos'

/** What a function of one argument promises. */
export interface Promised {
  /** The value in f64, good to a few of its last places. */
  readonly reference: (x: number) => number
  /** The greatest error, in ULP. */
  readonly bound: number
  /** The bound holds for |x| up to here; beyond, the result is within [-1, 1]. */
  readonly limit: number
}

export const promised: Readonly<Record<UnaryName, Promised>> = {
  exp: { reference: Math.exp, bound: 2, limit: Infinity },
  log: { reference: Math.log, bound: 2, limit: Infinity },
  tanh: { reference: Math.tanh, bound: 2, limit: Infinity },
  sigmoid: { reference: sigmoid, bound: 2, limit: Infinity },
  erf: { reference: erf, bound: 2, limit: Infinity },
  sin: { reference: Math.sin, bound: 2, limit: 10_000 },
  cos: { reference: Math.cos, bound: 2, limit: 10_000 },
}

export const unaryNames = Object.keys(promised) as readonly UnaryName[]

export const POW_BOUND = 4

export function sigmoid(x: number): number {
  const power = Math.exp(-Math.abs(x))
  return (x < 0 ? power : 1) / (1 + power)
}

/**
 * erf x = 2/sqrt(pi) e^(-x^2) (x + 2 x^3 / 3 + 4 x^5 / 15 + …): no term is negative, so none is
 * lost.
 */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x)
  const z = 2 * x * x
  let term = x
  let sum = x
  for (let k = 3; Math.abs(term) > Math.abs(sum) * 1e-17; k += 2) {
    term *= z / k
    sum += term
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
}

/** IEEE 754 pow, of which Math.pow keeps all but three cases. */
export function pow(x: number, y: number): number {
  if (x === 1 || (x === -1 && Math.abs(y) === Infinity)) return 1
  return x ** y
}

const f64 = new Float64Array(1)
const f64Words = new Uint32Array(f64.buffer)

/** Past the greatest f32, where Inf stands when distances are measured. */
const BEYOND = 2 ** 128

/** 1 / ulp by the exponent field of an f64; what an f32 holds as subnormal shares one. */
const unitsByExponent = Float64Array.from(
  { length: 2048 },
  (_, field) => 2 ** (23 - Math.max(field - 1023, -126)),
)

/**
 * The distance from a computed f32 to the exact value, in units in the last place of f32 at the
 * exact value. Infinite when one is NaN and the other is not, or when the sign of a zero is wrong.
 */
export function ulpError(computed: number, exact: number): number {
  if (Number.isNaN(exact)) return Number.isNaN(computed) ? 0 : Infinity
  if (computed === 0 || exact === 0) {
    if (exact === 0 && computed !== 0) return Infinity
    if (1 / computed < 0 !== (exact < 0 || Object.is(exact, -0))) return Infinity
  }
  if (computed === exact) return 0
  const to = Math.max(-BEYOND, Math.min(BEYOND, exact))
  const from = Math.max(-BEYOND, Math.min(BEYOND, computed))
  f64[0] = Math.abs(to) === BEYOND ? BEYOND / 2 : to
  const error = Math.abs(from - to) * unitsByExponent[(f64Words[1]! >>> 20) & 0x7ff]!
  return Number.isNaN(error) ? Infinity : error
}

/** The f32 whose bits are given, with the bits, for messages. */
export function describeBits(bits: number): string {
  const x = new Float32Array(Uint32Array.of(bits).buffer)[0]
  return `${x} (0x${(bits >>> 0).toString(16).padStart(8, '0')})`
}

/** The worst error that was met, and the bits of the arguments where it was. */
export interface Worst {
  readonly error: number
  readonly at: readonly number[]
}

/** Measures a function at the f32s whose bits are start, start + stride, … below end. */
export function measure(
  driver: Driver,
  name: UnaryName,
  { start = 0, end = 2 ** 32, stride = 1 } = {},
): Worst {
  const { reference, limit } = promised[name]
  const { result } = driver
  const x = driver.inputs[0]!
  const bits = driver.inputBits[0]!
  let worst = 0
  let at = start
  for (let from = start; from < end; from += BLOCK * stride) {
    const count = Math.min(BLOCK, Math.ceil((end - from) / stride))
    for (let i = 0; i < count; i++) bits[i] = from + i * stride
    driver.run(name, (count + 3) & ~3)
    for (let i = 0; i < count; i++) {
      const error =
        Math.abs(x[i]!) > limit && Math.abs(x[i]!) < Infinity
          ? outsideUnit(result[i]!)
          : ulpError(result[i]!, reference(x[i]!))
      if (error > worst) {
        worst = error
        at = bits[i]!
      }
    }
  }
  return { error: worst, at: [at] }
}

function outsideUnit(computed: number): number {
  return Math.abs(computed) <= 1 ? 0 : Infinity
}

/** Measures pow at `count` pairs of four kinds, which `seed` picks. */
export function measurePow(driver: Driver, count: number, seed: number): Worst {
  const [xs, ys] = [driver.inputs[0]!, driver.inputs[1]!]
  const [xBits, yBits] = [driver.inputBits[0]!, driver.inputBits[1]!]
  let state = seed
  // Marsaglia's xorshift.
  const next = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
  /** A y for which 2^-152 < x^y < 2^130, which are all that are neither 0 nor Inf. */
  const exponentFor = (x: number) => (next() * (282 / 2 ** 32) - 152) / Math.log2(x)
  let worst = 0
  let at: readonly number[] = []
  for (let done = 0; done < count; done += BLOCK) {
    for (let i = 0; i < BLOCK; i += 4) {
      // Anything; a positive x; an x close to 1; a negative x to the power of a small integer.
      xBits[i] = next()
      yBits[i] = next()
      xBits[i + 1] = next() % 0x7f800000
      ys[i + 1] = exponentFor(xs[i + 1]!)
      xBits[i + 2] = 0x3f800000 + ((next() >> 16) >> (next() & 15))
      ys[i + 2] = exponentFor(xs[i + 2]!)
      xs[i + 3] = -(2 ** (next() * 2 ** -29 - 4))
      ys[i + 3] = (next() >>> 25) - 64
    }
    driver.run('pow')
    for (let i = 0; i < BLOCK; i++) {
      const error = ulpError(driver.result[i]!, pow(xs[i]!, ys[i]!))
      if (error > worst) {
        worst = error
        at = [xBits[i]!, yBits[i]!]
      }
    }
  }
  return { error: worst, at }
}
