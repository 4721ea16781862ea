/** The compiler, loaded when a command needs it: help, `fmt` and mistyped calls do not wait for binaryen. */
import type { Program } from '../ir/types.ts'
import type { Diagnostic } from '../support/diagnostic.ts'
import type { Source } from '../support/span.ts'
import type { Manifest } from '../wasm/manifest.ts'

export type Target = 'simd' | 'relaxed'

export interface Compiled {
  readonly diagnostics: readonly Diagnostic[]
  readonly program?: Program | undefined
  readonly modules?:
    | Readonly<Partial<Record<Target, { readonly wasm: Uint8Array; readonly manifest: Manifest }>>>
    | undefined
}

export interface Compiler {
  readonly compile: (
    text: string,
    options: {
      readonly file?: string
      readonly dims?: Record<string, number>
      readonly targets?: readonly Target[]
      readonly resolve?: (path: string, from: Source) => Source | undefined
    },
  ) => Compiled
  readonly passNames: readonly string[]
  readonly lower: (program: Program, options: { readonly after?: string }) => Program
}

const path = '../index.ts'

export const loadCompiler = async (): Promise<Compiler> => (await import(path)) as Compiler

export interface Notation {
  readonly gradientText: (
    program: Program,
    train: string,
    options: { readonly of?: string; readonly wrt?: readonly string[] },
  ) => string
}

const notation = '../notation/net.ts'

export const loadNotation = async (): Promise<Notation> => (await import(notation)) as Notation
