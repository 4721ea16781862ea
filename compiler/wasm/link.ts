/**
 * The scalar functions: SIMD code that AssemblyScript compiled at build time, copied into a module on demand. In: the
 * bytes of that library. Out: a function that gives the internal name of a math function.
 */
import { InternalError } from '../support/diagnostic.ts'
import { exportInfo, functionInfo, type Module, readModule, type Target } from './assembler.ts'

export interface MathLibrary {
  readonly functions: Uint8Array
  /** What they load from `mathPoolAddress` on. */
  readonly constants: Uint8Array
}

/** Copies all functions into `module`; those never called are removed when it is optimized. */
export function linkMath(
  bytes: Uint8Array,
  module: Module,
  target: Target,
): (name: string) => string {
  const library = readModule(bytes, target)
  const names = new Map<string, string>()
  for (let k = 0; k < library.getNumExports(); k++) {
    const { name, value } = exportInfo(library.getExportByIndex(k))
    names.set(name, value)
  }
  for (let k = 0; k < library.getNumFunctions(); k++) {
    const { name, params, results, vars, body } = functionInfo(library.getFunctionByIndex(k))
    module.addFunction(name, params, results, [...vars], module.copyExpression(body))
  }
  library.dispose()
  return (name) => {
    const found = names.get(name)
    if (found === undefined) throw new InternalError(`no math function ${name}`)
    return found
  }
}
