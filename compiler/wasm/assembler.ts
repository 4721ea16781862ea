/**
 * The one door to binaryen: what netc uses of it, typed as it really is. binaryen.js has no methods for relaxed SIMD
 * although its C interface has; its options (optimize level, inlining limits) are global to the process, so
 * `optimize` sets all it needs each time.
 */
import binaryen from 'binaryen'

export type Ref = binaryen.ExpressionRef
export type Module = binaryen.Module
export type Type = binaryen.Type

export const i32: Type = binaryen.i32
export const f32: Type = binaryen.f32
export const v128: Type = binaryen.v128
export const none: Type = binaryen.none

export const params = (types: readonly Type[]): Type => binaryen.createType([...types])

export type Target = 'simd' | 'relaxed'

interface Raw {
  _BinaryenSIMDTernary(module: number, op: number, a: Ref, b: Ref, c: Ref): Ref
  RelaxedMaddVecF32x4: number
}
const raw = binaryen as unknown as Raw

/** a * b + c in one rounding or two, as the machine likes. */
export function relaxedMadd(module: Module, a: Ref, b: Ref, c: Ref): Ref {
  const { ptr } = module as unknown as { ptr: number }
  return raw._BinaryenSIMDTernary(ptr, raw.RelaxedMaddVecF32x4, a, b, c)
}

export function features(target: Target, threads = false): number {
  const { Features } = binaryen
  const simd =
    (threads ? Features.Atomics : 0) |
    Features.MutableGlobals |
    Features.NontrappingFPToInt |
    Features.SIMD128 |
    Features.BulkMemory |
    Features.BulkMemoryOpt |
    Features.SignExt
  return target === 'relaxed' ? simd | Features.RelaxedSIMD : simd
}

export function newModule(target: Target, threads = false): Module {
  const module = new binaryen.Module()
  module.setFeatures(features(target, threads))
  return module
}

export function readModule(bytes: Uint8Array, target: Target): Module {
  const module = binaryen.readBinary(bytes)
  module.setFeatures(features(target))
  return module
}

export const functionInfo = (f: binaryen.FunctionRef): binaryen.FunctionInfo =>
  binaryen.getFunctionInfo(f)

export const exportInfo = (e: binaryen.ExportRef): binaryen.ExportInfo => binaryen.getExportInfo(e)

/** Names of functions that begin with this are never inlined: those of kernels do. */
export const neverInlined = 'k.'

/**
 * Kernels are never inlined: each must stay a function of its own, called often, so that the engine replaces it by
 * optimized code. Constants are not propagated into loops either, where the engine would rebuild them at each use. More
 * passes (optimize-instructions, a second simplify-locals) were measured: twice the compile time, the same speed and size.
 */
const passes: readonly string[] = [
  'remove-unused-module-elements',
  'no-inline',
  'inlining',
  'simplify-locals-nostructure',
  'coalesce-locals',
  'reorder-locals',
  'vacuum',
  'remove-unused-module-elements',
]

/** Data that is in memory when the module is instantiated, or, passive, when code copies it there. */
export interface Data {
  readonly address: number
  readonly data: Uint8Array
}

/**
 * The memory, exported as `memory` once its segments are known. `shared` says that it is imported, `env.memory`, and shared with other instances; the data is
 * then passive.
 */
export function setMemory(
  module: Module,
  pages: number,
  shared: boolean,
  segments?: readonly Data[],
): void {
  const list = (segments ?? []).map(({ address, data }, k) => ({
    name: `${k}`,
    // A passive segment has no place of its own.
    offset: shared ? (0 as Ref) : module.i32.const(address),
    data,
    passive: shared,
  }))
  module.setMemory(pages, pages, segments ? 'memory' : null, list, shared, false, '0')
  if (shared) module.addMemoryImport('0', 'env', 'memory', true)
}

export function optimize(module: Module): void {
  binaryen.setOptimizeLevel(2)
  binaryen.setShrinkLevel(0)
  binaryen.setAlwaysInlineMaxSize(160)
  binaryen.setFlexibleInlineMaxSize(160)
  binaryen.setOneCallerInlineMaxSize(160)
  binaryen.setPassArgument('no-inline', `${neverInlined}*`)
  module.runPasses([...passes])
}
