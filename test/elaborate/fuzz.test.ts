// Whatever the text, elaboration gives diagnostics or a program that the verifier accepts, in bounded work.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { render } from '../../compiler/support/render.ts'
import { parseCases } from '../support/cases.ts'
import { fuzz } from '../support/fuzz.ts'
import { randomFrom } from '../support/random.ts'
import { elaborated } from './elaborated.ts'

const root = new URL('../../', import.meta.url)

const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')

const netFiles = (folder: string): string[] =>
  readdirSync(new URL(folder, root))
    .filter((name) => name.endsWith('.net'))
    .map((name) => read(`${folder}/${name}`))

const corpus = [
  ...netFiles('models'),
  ...netFiles('test/cases/elaborate/programs'),
  ...['names', 'shapes', 'training'].flatMap((name) =>
    parseCases(read(`test/cases/elaborate/${name}.txt`)).map((c) => c.input),
  ),
]

function check(text: string): void {
  const { program, diagnostics } = elaborated(text)
  if (program === undefined && !diagnostics.hasErrors) throw new Error('neither program nor error')
  for (const d of diagnostics.all) {
    if (d.span.start < 0 || d.span.start > d.span.end) throw new Error(`${d.code} has no place`)
  }
  const [first] = diagnostics.all
  if (first !== undefined && render(first).length > 4000) throw new Error('a diagnostic too long')
}

const count = Number(process.env.FUZZ ?? 4000)

test(`${count} mutated programs give diagnostics or programs`, () => {
  fuzz({ texts: corpus, count, firstSeed: Number(process.env.SEED ?? 1), check })
})

/** Exchanges a few words and numbers, so that most texts still parse and reach elaboration. */
function exchangeWords(seed: number): string {
  const next = randomFrom(seed)
  const pick = <T>(all: readonly T[]): T => all[Math.floor(next() * all.length)]!
  const parts = pick(corpus).split(/(\b[A-Za-z_]\w*\b|\b\d+(?:\.\d+)?\b)/)
  const others = pick(corpus).match(/\b[A-Za-z_]\w*\b|\b\d+\b/g) ?? ['x']
  for (let k = Math.ceil(next() * 3); k > 0; k--) {
    const at = 1 + 2 * Math.floor((next() * (parts.length - 1)) / 2)
    parts[at] = next() < 0.3 ? String(Math.floor(next() ** 4 * 1000)) : pick(others)
  }
  return parts.join('')
}

test(`${count} programs with exchanged words give diagnostics or programs`, () => {
  const seed = Number(process.env.SEED ?? 1)
  for (let k = seed; k < seed + count; k++) {
    const text = exchangeWords(k)
    try {
      check(text)
    } catch (error) {
      throw new Error(`seed ${k}: ${error instanceof Error ? error.stack : error}\n${text}`)
    }
  }
})

test('the corpus is not empty', () => {
  expect(corpus.length).toBeGreaterThan(50)
})
