/** Every model and every program among the cases, as elaborated and after every pass: verified, and its text reads back to an equal program. */
import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readDataFile } from '../../compiler/cli/model-file.ts'
import { analyze, passes } from '../../compiler/compile.ts'
import { parseProgram } from '../../compiler/ir/parse.ts'
import { printProgram } from '../../compiler/ir/print.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { verify } from '../../compiler/ir/verify.ts'
import type { Source } from '../../compiler/support/span.ts'
import { sourcesOf } from '../support/sources.ts'

const root = new URL('../../', import.meta.url)

function roundTrip(program: Program): void {
  const text = printProgram(program)
  const sources: ReadonlyMap<string, Source> = sourcesOf(program)
  const again = parseProgram(text, sources)
  expect(again).toEqual(program)
  expect(printProgram(again)).toBe(text)
}

const files = globSync(['models/*.net', 'test/cases/**/*.net'], { cwd: root.pathname }).sort()

for (const file of files) {
  test(file, () => {
    const text = readFileSync(new URL(file, root), 'utf8')
    const { program, diagnostics } = analyze(text, { file, readFile: readDataFile })
    expect(diagnostics.filter((d) => d.severity === 'error')).toEqual([])
    let current = program!
    verify(current, 'elaborate')
    roundTrip(current)
    for (const pass of passes) {
      current = pass.run(current)
      verify(current, pass.name)
      roundTrip(current)
    }
  })
}
