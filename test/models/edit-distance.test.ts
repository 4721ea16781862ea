import { expect, test } from 'vitest'
import { editDistance, errorRates } from '../support/edit-distance.ts'

const codes = (text: string): number[] => [...text].map((c) => c.codePointAt(0)!)

test.each([
  ['kitten', 'sitting', 3],
  ['sunday', 'saturday', 3],
  ['', 'abc', 3],
  ['abc', '', 3],
  ['same', 'same', 0],
])('from %s to %s: %d', (from, to, edits) => {
  expect(editDistance(codes(from), codes(to))).toBe(edits)
})

test('the nearest reference counts, with its length', () => {
  const guesses = ['abc', 'xy'].map(codes)
  const references = [['zzzzzz', 'abcd'].map(codes), ['xy', 'xyz'].map(codes)]
  expect(errorRates(guesses, references)).toEqual({ tokens: 1 / 6, sequences: 0.5 })
})
