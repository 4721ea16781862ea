/**
 * Text cases: a file of `=== title`, input, `==>`, expected. `UPDATE=1` writes what came out as the expectation, to
 * be read before it is committed. A case without an expectation is an error.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'

export interface Case {
  readonly title: string
  readonly input: string
  readonly expected: string
}

export function parseCases(text: string): Case[] {
  return text
    .split(/^=== /m)
    .slice(1)
    .map((part) => {
      const titleEnd = part.indexOf('\n')
      const title = part.slice(0, titleEnd)
      const body = part.slice(titleEnd + 1)
      const arrow = /^==>\n?/m.exec(body)
      if (arrow === null) return { title, input: body.trimEnd(), expected: '' }
      const input = body.slice(0, arrow.index).replace(/\n$/, '')
      return { title, input, expected: body.slice(arrow.index + arrow[0].length).trimEnd() }
    })
}

const show = (c: Case): string => `=== ${c.title}\n${c.input}\n==>\n${c.expected}\n`

/** Defines a test for every case of `test/cases/<file>`; returns the cases. */
export function runCases(file: string, run: (input: string, title: string) => string): Case[] {
  const path = fileURLToPath(new URL(`../cases/${file}`, import.meta.url))
  const text = readFileSync(path, 'utf8')
  const cases = parseCases(text)
  const preface = text.slice(0, text.search(/^=== /m))
  const update = process.env.UPDATE === '1'
  const updated: Case[] = []
  describe(file, () => {
    for (const c of cases) {
      test(c.title, () => {
        const actual = run(c.input, c.title).trimEnd()
        if (update) updated.push({ ...c, expected: actual })
        else {
          expect(c.expected, 'a case must expect something').not.toBe('')
          expect(actual).toBe(c.expected)
        }
      })
    }
    afterAll(() => {
      if (update && updated.length === cases.length) {
        writeFileSync(path, preface + updated.map(show).join('\n'))
      }
    })
  })
  return cases
}
