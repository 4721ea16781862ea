/** The compiler, loaded when a command needs it: help, `fmt` and mistyped calls do not wait for binaryen. */
import type * as compiler from '../index.ts'
import type * as notation from '../notation/net.ts'

export type { Compiled, Target } from '../index.ts'

export type Compiler = Pick<typeof compiler, 'compile' | 'lower' | 'passNames'>

export const loadCompiler = (): Promise<Compiler> => import('../index.ts')

export type Notation = Pick<typeof notation, 'gradientText'>

export const loadNotation = (): Promise<Notation> => import('../notation/net.ts')
