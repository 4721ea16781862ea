// Every example of the written reference: parses, is formatted as it stands there or nearly, and compiles.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { renderAll } from '../compiler/support/render.ts'
import { format } from '../compiler/syntax/format.ts'
import { elaborated } from './elaborate/elaborated.ts'
import { parseText, shape } from './support/net-text.ts'

interface Example {
  readonly line: number
  readonly kind: string
  readonly text: string
}

const reference = readFileSync(new URL('../compiler/LANGUAGE.md', import.meta.url), 'utf8')

const examples: readonly Example[] = [
  ...reference.matchAll(/^```net *([^\n]*)\n(.*?)^```$/gms),
].map((found) => ({
  line: reference.slice(0, found.index).split('\n').length + 1,
  kind: found[1]!,
  text: found[2]!,
}))

/** What LANGUAGE.md says a fragment stands in. */
const wrap = (fragment: string): string => `dim batch <= 32
net model(x: [batch, 4]) -> [batch, 3] { x |> dense(3) }
predict example(x: [batch, 4], w: [4, 3], label: int[batch]) {
${fragment}}
`

describe('examples of the reference', () => {
  for (const { line, kind, text } of examples) {
    test(`LANGUAGE.md:${line} ${kind}`, () => {
      const whole = kind === 'fragment' ? wrap(text) : text
      const { program, diagnostics } = elaborated(whole)
      const code = /^error (NET\d{4})$/.exec(kind)?.[1]
      if (code !== undefined) {
        expect(diagnostics.all.map((d) => d.code)).toContain(code)
        return
      }
      expect(['', 'fragment']).toContain(kind)
      const errors = diagnostics.all.filter((d) => d.severity === 'error')
      expect(renderAll(errors)).toBe('')
      expect(program).toBeDefined()
      const { file } = parseText(whole)
      const formatted = format(file)
      expect(shape(parseText(formatted).file)).toBe(shape(file))
      if (kind === '') expect(formatted).toBe(text)
    })
  }
})

test('the reference has its examples', () => {
  expect(examples.length).toBeGreaterThan(15)
})
