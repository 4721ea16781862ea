/** The public API of the compiler, without any input or output. What is not exported here does not exist for users. */
export {
  analyze,
  type Compiled,
  type CompileOptions,
  compile,
  lower,
  passNames,
} from './compile.ts'
export type { CompiledModule } from './generate.ts'
export type { Program } from './ir/types.ts'
export type { Diagnostic } from './support/diagnostic.ts'
export { render } from './support/render.ts'
export type { Source, Span } from './support/span.ts'
export { version } from './version.ts'
export type { Target } from './wasm/assembler.ts'
export type { EntrySpec, Manifest, TensorSpec } from './wasm/manifest.ts'
