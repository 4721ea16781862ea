// Every user error of elaboration, with its whole text.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { catalogue } from '../../compiler/support/catalogue.ts'
import { renderAll } from '../../compiler/support/render.ts'
import { runCases } from '../support/cases.ts'
import { diagnosticsOf } from './elaborated.ts'

const files = ['names', 'scan', 'shapes', 'training', 'state', 'limits', 'vocabularies']

for (const file of files) {
  runCases(`elaborate/${file}.txt`, (input) => renderAll(diagnosticsOf(input)))
}

test('every error of elaboration has a case', () => {
  const texts = files.map((file) =>
    readFileSync(new URL(`../cases/elaborate/${file}.txt`, import.meta.url), 'utf8'),
  )
  const codes = Object.keys(catalogue).filter((code) => /^NET[2-5]/.test(code))
  const missing = codes.filter((code) => !texts.some((text) => text.includes(`${code}:`)))
  expect(missing).toEqual([])
})
