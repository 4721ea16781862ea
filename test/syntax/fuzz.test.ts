/** Whatever the text, the front end gives diagnostics and nothing else. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { render } from '../../compiler/support/render.ts'
import { format } from '../../compiler/syntax/format.ts'
import { parseCases } from '../support/cases.ts'
import { fuzz, pieces } from '../support/fuzz.ts'
import { parseText, repositoryFiles, shape } from '../support/net-text.ts'

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')

const corpus = [
  ...repositoryFiles().map((source) => source.text),
  ...['parse', 'format', 'errors'].flatMap((name) =>
    parseCases(read(`../cases/syntax/${name}.txt`)).map((c) => c.input),
  ),
]

/** Diagnostics that can be shown; where there are none, a text that can be formatted. */
function check(text: string): void {
  const { file, diagnostics } = parseText(text)
  if (diagnostics.length > 50) throw new Error(`${diagnostics.length} diagnostics`)
  for (const d of diagnostics) {
    if (d.span.start < 0 || d.span.start > d.span.end || d.span.end > text.length) {
      throw new Error(`${d.code} at ${d.span.start} to ${d.span.end} of ${text.length}`)
    }
  }
  if (diagnostics[0] !== undefined) {
    const shown = render(diagnostics[0])
    if (shown.length > 2000) throw new Error(`a diagnostic of ${shown.length} characters`)
    return
  }
  const once = format(file)
  const again = parseText(once)
  if (again.diagnostics[0] !== undefined) {
    throw new Error(`formatted text is refused: ${render(again.diagnostics[0])}\n${once}`)
  }
  if (shape(again.file) !== shape(file)) throw new Error(`formatting changed the tree\n${once}`)
  if (again.file.comments.length !== file.comments.length)
    throw new Error(`a comment was lost\n${once}`)
  const twice = format(again.file)
  if (twice !== once) throw new Error(`not a fixed point\n${once}\n--- then\n${twice}`)
}

test('100,000 mutated texts give only diagnostics', () => {
  fuzz({ texts: pieces(corpus), count: 100_000, firstSeed: 1, check })
}, 600_000)

test('mutated whole files give only diagnostics', () => {
  fuzz({ texts: corpus, count: 2_000, firstSeed: 1_000_000, check })
})

test('the corpus is not empty', () => {
  expect(pieces(corpus).length).toBeGreaterThan(50)
})
