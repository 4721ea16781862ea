import { expect, test } from 'vitest'
import { format } from '../../compiler/syntax/format.ts'
import { runCases } from '../support/cases.ts'
import { parseText, repositoryFiles, shape } from '../support/net-text.ts'

/** Formats, and checks what holds for every text. */
function formatText(text: string): string {
  const before = parseText(text)
  expect(before.diagnostics).toEqual([])
  const once = format(before.file)
  const after = parseText(once)
  expect(after.diagnostics).toEqual([])
  expect(shape(after.file)).toBe(shape(before.file))
  expect(after.file.comments.map((c) => c.text)).toEqual(before.file.comments.map((c) => c.text))
  expect(format(after.file)).toBe(once)
  return once
}

runCases('syntax/format.txt', formatText)

test('the files of the repository are formatted', () => {
  for (const { file, text } of repositoryFiles()) expect(formatText(text), file).toBe(text)
})

test('an empty file stays empty', () => {
  expect(format(parseText('').file)).toBe('')
  expect(format(parseText('\n\n// only a comment\n\n').file)).toBe('// only a comment\n')
})

test.each([
  ['quotients', `x${' / x'.repeat(250)}`],
  ['minus signs', `${'-'.repeat(250)}x`],
  ['powers', `${'2^-'.repeat(220)}x`],
  ['conditions', `${'1 + if true { '.repeat(120)}x${' } else { 1 }'.repeat(120)}`],
])('%s whose parentheses would nest too deep stay as they are written', (_, deep) => {
  const text = `// deep\nfn  f(x) = ${deep}  // behind\n\nfn  g(x) = x/x/x\n`
  const once = formatText(text)
  expect(once).toContain(`fn  f(x) = ${deep}  // behind`)
  expect(once).toContain('fn g(x) = (x / x) / x\n')
})

test('long files take time in proportion', () => {
  const text = 'fn f(x) = x + 1  // why\n'.repeat(20_000)
  expect(format(parseText(text).file)).toBe(text)
})
