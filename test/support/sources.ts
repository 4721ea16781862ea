/** The sources that a program's spans point into, by file name: what `parseProgram` needs to restore them. */
import type { Program, Tensor } from '../../compiler/ir/types.ts'
import type { Source, Span } from '../../compiler/support/span.ts'

export function sourcesOf(program: Program): Map<string, Source> {
  const sources = new Map<string, Source>()
  const see = (span: Span | undefined): void => {
    if (span) sources.set(span.source.file, span.source)
  }
  const seeTensors = (tensors: readonly Tensor[]): void => {
    for (const t of tensors) see(t.span)
  }
  seeTensors(program.tensors)
  for (const d of program.data) see(d.span)
  for (const entry of program.entries) {
    seeTensors(entry.tensors)
    for (const stage of entry.stages) {
      for (const e of stage.equations) see(e.origin.span)
      for (const rule of stage.rules) {
        seeTensors([rule.cotangent, ...rule.tensors])
        for (const e of rule.equations) see(e.origin.span)
      }
    }
  }
  return sources
}
