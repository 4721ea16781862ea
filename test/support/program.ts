/** The text of a `.net` file to the program that code is generated from, verified after every pass. */
import { analyze, lower } from '../../compiler/compile.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { renderAll } from '../../compiler/support/render.ts'

export function programOf(text: string, dims: Readonly<Record<string, number>> = {}): Program {
  const { program, diagnostics } = analyze(text, { file: 'test.net', dims })
  if (!program) throw new Error(renderAll(diagnostics))
  return lower(program, { verify: true })
}
