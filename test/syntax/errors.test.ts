import { expect, test } from 'vitest'
import { syntaxErrors } from '../../compiler/support/catalogue/syntax.ts'
import { renderAll } from '../../compiler/support/render.ts'
import { maxNesting } from '../../compiler/syntax/layout.ts'
import { runCases } from '../support/cases.ts'
import { parseText } from '../support/net-text.ts'

const cases = runCases('syntax/errors.txt', (input) => renderAll(parseText(input).diagnostics))

test('each syntax error of the catalogue has a case that shows its text', () => {
  const shown = cases.map((c) => c.expected).join('\n')
  const missing = Object.keys(syntaxErrors).filter((code) => !shown.includes(`error ${code}:`))
  // Shown below: the text that makes it is long.
  expect(missing).toEqual(['NET1013'])
})

const deep = 100_000
const bombs: Readonly<Record<string, string>> = {
  parentheses: `fn f() = ${'('.repeat(deep)}x${')'.repeat(deep)}`,
  'parentheses never closed': `fn f() = ${'('.repeat(deep)}`,
  'closers only': `fn f() = ${')'.repeat(deep)}`,
  brackets: `fn f() = ${'['.repeat(deep)}`,
  reads: `fn f() = ${'x['.repeat(deep)}0${']'.repeat(deep)}`,
  calls: `fn f() = ${'f('.repeat(deep)}0${')'.repeat(deep)}`,
  blocks: `fn f() {${'if a {'.repeat(deep)}}`,
  'minus signs': `fn f() = ${'-'.repeat(deep)}x`,
  'not not not': `fn f() = ${'not '.repeat(deep)}x`,
  powers: `fn f() = x${'^x'.repeat(deep)}`,
  sums: `fn f() = x${' + x'.repeat(deep)}`,
  pipelines: `fn f() = x${' |> g'.repeat(deep)}`,
  'else if': `fn f() {if a {b}${' else if a {b}'.repeat(deep)}}`,
  'values of else if': `fn f() = if a {b}${' else if a {b}'.repeat(deep)} else {c}`,
  'if if if': `fn f() = ${'if '.repeat(deep)}`,
  'if in conditions': `fn f() {${'if a + '.repeat(deep)}}`,
  'reads of reads': `fn f() = x${'[0]'.repeat(deep)}`,
}

for (const [name, text] of Object.entries(bombs)) {
  test(`a nesting bomb is refused: ${name}`, () => {
    const { diagnostics } = parseText(text)
    expect(diagnostics.length).toBeGreaterThan(0)
    const codes = new Set(diagnostics.map((d) => d.code))
    expect([...codes]).toEqual([name === 'closers only' ? 'NET1010' : 'NET1013'])
  })
}

test('the text of a nesting error', () => {
  const text = `fn f() = ${'('.repeat(201)}`
  expect(renderAll(parseText(text).diagnostics)).toMatchInlineSnapshot(`
    "input.net:1:210: error NET1013: brackets are nested too deeply
      |
    1 | …(((((((((((((((((((((((((((((((((((((((((
      |                                          ^ more than 200 levels
      help: Bind parts of it to names, or move them into functions.

    1 error"
  `)
})

test('what is nested less deeply is accepted', () => {
  const nest = (open: string, close: string): string =>
    `fn f() = ${open.repeat(maxNesting - 1)}x${close.repeat(maxNesting - 1)}`
  for (const text of [
    nest('(', ')'),
    nest('g(', ')'),
    nest('x[', ']'),
    nest('if a {', '} else {b}'),
  ]) {
    expect(renderAll(parseText(text).diagnostics)).toBe('')
  }
})

test('broken text cannot flood', () => {
  expect(parseText('a b c\n'.repeat(10_000)).diagnostics.length).toBeLessThanOrEqual(50)
  expect(parseText(`fn f() {\n${'a b c\n'.repeat(10_000)}}`).diagnostics.length).toBe(50)
})
