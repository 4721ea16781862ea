/** The compiler, loaded when a command needs it: help, `fmt` and mistyped calls do not wait for binaryen. */
import type * as compiler from '../index.ts'
import type { Program } from '../ir/types.ts'

export type { Compiled, Target } from '../index.ts'

export type Compiler = Pick<typeof compiler, 'compile' | 'lower' | 'passNames'>

export const loadCompiler = (): Promise<Compiler> => import('../index.ts')

export interface Notation {
  readonly gradientText: (
    program: Program,
    train: string,
    options: { readonly of?: string; readonly wrt?: readonly string[] },
  ) => string
}

const notation = '../notation/net.ts'

export const loadNotation = async (): Promise<Notation> => (await import(notation)) as Notation
