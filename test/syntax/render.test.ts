import { expect, test } from 'vitest'
import { diagnostic } from '../../compiler/support/catalogue.ts'
import { diagnosticJson, render, renderAll } from '../../compiler/support/render.ts'
import type { Span } from '../../compiler/support/span.ts'

/** The span of `part` in `text`. */
function spanOf(text: string, part: string, file = 'a.net'): Span {
  const start = text.indexOf(part)
  return { source: { file, text }, start, end: start + part.length }
}

const at = (text: string, part: string) => diagnostic('NET1060', spanOf(text, part), undefined)

/** The frame alone. */
const frameOf = (text: string, part: string): string =>
  `\n${render(at(text, part)).split('\n').slice(2, -1).join('\n')}`

test('a span, the place and the help', () => {
  expect(render(at('fn f(x) =\n  (x)(1)\n', '(1)'))).toMatchInlineSnapshot(`
    "a.net:2:6: error NET1060: only a name can be called
      |
    2 |   (x)(1)
      |      ^^^
      help: Bind the value to a name, or put an operator between the two."
  `)
})

test('tabs are spaces', () => {
  expect(frameOf('\ta\tb = (x)(1)', '(1)')).toMatchInlineSnapshot(`
    "
    1 |     a   b = (x)(1)
      |                ^^^"
  `)
})

test('wide characters take two columns, combining marks none', () => {
  expect(frameOf('"日本" "😀" "e\u0301" (1)', '(1)')).toMatchInlineSnapshot(`
    "
    1 | "日本" "😀" "é" (1)
      |                 ^^^"
  `)
})

test('controls and direction marks cannot reach the terminal', () => {
  expect(frameOf('a\u001b[31m \u202e (1)', '(1)')).toMatchInlineSnapshot(`
    "
    1 | a�[31m � (1)
      |          ^^^"
  `)
})

test('a long line is cut around the span', () => {
  expect(frameOf(`${'a + '.repeat(60)}(1)${' + b'.repeat(60)}`, '(1)')).toMatchInlineSnapshot(`
    "
    1 | …a + a + a + a + a + a + a + a + a + a + (1) + b + b + b + b + b + b + b + b + b + b + b + b + b + b…
      |                                          ^^^"
  `)
  expect(frameOf(`(1)${' + b'.repeat(60)}`, '(1)')).toMatchInlineSnapshot(`
    "
    1 | (1) + b + b + b + b + b + b + b + b + b + b + b + b + b + b + b + b + b + b + b + b + b + b + b + b …
      | ^^^"
  `)
  expect(frameOf(`(${'1'.repeat(300)})`, `(${'1'.repeat(300)})`)).toMatchInlineSnapshot(`
    "
    1 | (111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111…
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^"
  `)
})

test('a span over lines', () => {
  expect(frameOf('a = (\n  1\n)', '(\n  1\n)')).toMatchInlineSnapshot(`
    "
    1 | a = (
      |     ^
    2 |   1
      |   ^
    3 | )
      | ^"
  `)
  expect(frameOf('(\n  1,\n  2,\n  3\n)', '(\n  1,\n  2,\n  3\n)')).toMatchInlineSnapshot(`
    "
    1 | (
      | ^
    2 |   1,
      |   ^^
      | …
    5 | )
      | ^"
  `)
})

test('the end of the file, an empty file', () => {
  expect(frameOf('a', '')).toMatchInlineSnapshot(`
    "
    1 | a
      | ^"
  `)
  expect(frameOf('', '')).toMatchInlineSnapshot(`
    "
    1 |
      | ^"
  `)
})

test('related places and the path of calls', () => {
  const text = 'net f(x: [4]) {\n  x |> g |> h\n}\n'
  const d = diagnostic('NET1060', spanOf(text, 'g'), undefined, {
    label: 'this one',
    related: [{ span: spanOf('layer g() {}', 'g', 'b.net'), text: 'declared here' }],
    callPath: [
      { callee: 'f', span: spanOf(text, 'net f') },
      { callee: 'g', span: spanOf(text, 'g |>') },
    ],
  })
  expect(render(d)).toMatchInlineSnapshot(`
    "a.net:2:8: error NET1060: only a name can be called
      |
    2 |   x |> g |> h
      |        ^ this one
      b.net:1:7: declared here
      |
    1 | layer g() {}
      |       -
      in the call \`g\` at a.net:2:8
      in the call \`f\` at a.net:1:1
      help: Bind the value to a name, or put an operator between the two."
  `)
  expect(diagnosticJson(d)).toMatchInlineSnapshot(`
    {
      "callPath": [
        {
          "callee": "f",
          "column": 1,
          "endColumn": 6,
          "endLine": 1,
          "file": "a.net",
          "line": 1,
        },
        {
          "callee": "g",
          "column": 8,
          "endColumn": 12,
          "endLine": 2,
          "file": "a.net",
          "line": 2,
        },
      ],
      "code": "NET1060",
      "column": 8,
      "endColumn": 9,
      "endLine": 2,
      "file": "a.net",
      "help": "Bind the value to a name, or put an operator between the two.",
      "label": "this one",
      "line": 2,
      "message": "only a name can be called",
      "related": [
        {
          "column": 7,
          "endColumn": 8,
          "endLine": 1,
          "file": "b.net",
          "line": 1,
          "text": "declared here",
        },
      ],
      "severity": "error",
    }
  `)
})

test('colours only when asked for', () => {
  const d = at('(1)', '(1)')
  expect(render(d)).not.toContain('\u001b')
  const pieces = render(d, { color: true }).split('\u001b')
  const plain = pieces.map((piece, i) => (i === 0 ? piece : piece.replace(/^\[\d+m/, ''))).join('')
  expect(plain).toBe(render(d))
})

test('all of them, with a count', () => {
  expect(renderAll([])).toBe('')
  const error = at('(1)', '(1)')
  const warning = { ...error, severity: 'warning' as const }
  expect(renderAll([error, error, warning]).split('\n').at(-1)).toBe('2 errors, 1 warning')
})
