// What small programs become: names, extents, storage, order. Only the equations and updates are shown.
import { printProgram } from '../../compiler/ir/print.ts'
import { renderAll } from '../../compiler/support/render.ts'
import { runCases } from '../support/cases.ts'
import { elaborated } from './elaborated.ts'

/** The entries, without source places, and without `init` unless the title asks for it. */
function equations(input: string, title: string): string {
  const { program, diagnostics } = elaborated(input)
  if (program === undefined) return renderAll(diagnostics.all)
  const shown = title.includes('init')
    ? program
    : { ...program, entries: program.entries.filter((e) => e.kind !== 'init') }
  return printProgram(shown)
    .split('\n')
    .filter(
      (line) => !/^(program|dim|data|seed|step|param|state|hyper)|^ {2}(temp|gradient) /.test(line),
    )
    .map((line) => line.replace(/ @(".*?" )?\d+\.\.\d+/, '').replace(/ -- ".*"$/, ''))
    .join('\n')
    .replace(/\n{2,}/g, '\n')
    .trim()
}

runCases('elaborate/equations.txt', equations)
runCases('elaborate/recurrences.txt', equations)
