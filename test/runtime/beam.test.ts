/** Beam search over small random languages, against all their sequences. */
import { describe, expect, test } from 'vitest'
import { beamSearch, type Following } from '../../runtime/generate/index.ts'
import { seeded } from '../support/choose.ts'

const start = 9
const end = 0

/** A language of `size` tokens whose log-probabilities depend on the row and the whole prefix, and `asked`, its calls. */
function language(size: number, seed: number): { following: Following; asked: number[] } {
  const asked: number[] = []
  const following: Following = (prefixes, rows) => {
    asked.push(prefixes.length)
    return prefixes.flatMap((prefix, k) => logProbabilities(prefix, rows[k]!, size, seed))
  }
  return { following, asked }
}

function logProbabilities(prefix: ArrayLike<number>, row: number, size: number, seed: number) {
  expect(prefix[0]).toBe(start)
  let key = seed * 31 + row
  for (let k = 0; k < prefix.length; k++) key = Math.imul(key, 16777619) ^ (prefix[k]! + 1)
  const choose = seeded(key >>> 0)
  const weights = Array.from({ length: size }, () => choose.int(1, 1000))
  const whole = weights.reduce((a, b) => a + b)
  return weights.map((w) => Math.log(w / whole))
}

interface Sequence {
  readonly tokens: readonly number[]
  readonly logProbability: number
  readonly ended: boolean
}

/** Every sequence of at most `most` tokens. */
function all(size: number, seed: number, row: number, most: number): readonly Sequence[] {
  const found: Sequence[] = []
  const go = (tokens: readonly number[], logProbability: number): void => {
    const values = logProbabilities([start, ...tokens], row, size, seed)
    values.forEach((value, token) => {
      const sum = logProbability + value
      if (token === end) found.push({ tokens, logProbability: sum, ended: true })
      else if (tokens.length + 1 < most) go([...tokens, token], sum)
      else found.push({ tokens: [...tokens, token], logProbability: sum, ended: false })
    })
  }
  go([], 0)
  return found
}

const written = ({ tokens, ended }: { tokens: ArrayLike<number>; ended: boolean }): number =>
  tokens.length + (ended ? 1 : 0)

describe('beam search', () => {
  test.each([0, 0.7, 1])(
    'with room for all sequences it finds them, penalty %d',
    async (penalty) => {
      for (let seed = 1; seed <= 5; seed++) {
        const { following } = language(3, seed)
        const [got] = await beamSearch(following, { start, end, most: 4, beams: 100, penalty })
        const score = (s: Sequence): number => s.logProbability / written(s) ** penalty
        const expected = all(3, seed, 0, 4).toSorted((a, b) => score(b) - score(a))
        expect(got!.map(({ tokens }) => [...tokens])).toEqual(expected.map(({ tokens }) => tokens))
        expect(got!.map(({ ended }) => ended)).toEqual(expected.map(({ ended }) => ended))
        got!.forEach((hypothesis, k) => {
          expect(hypothesis.logProbability).toBeCloseTo(expected[k]!.logProbability, 12)
          expect(hypothesis.score).toBeCloseTo(score(expected[k]!), 12)
        })
      }
    },
  )

  test('one beam is greedy decoding', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { following } = language(5, seed)
      const [got] = await beamSearch(following, { start, end, most: 6, beams: 1 })
      const tokens: number[] = []
      let ended = false
      while (tokens.length < 6 && !ended) {
        const values = logProbabilities([start, ...tokens], 0, 5, seed)
        const token = values.indexOf(Math.max(...values))
        if (token === end) ended = true
        else tokens.push(token)
      }
      expect(got).toHaveLength(1)
      expect([...got![0]!.tokens]).toEqual(tokens)
      expect(got![0]!.ended).toBe(ended)
    }
  })

  test('more beams find likelier sequences than greedy decoding', async () => {
    // a leads to four ways of 1/4 each, b to one: 0.6 · 0.25 < 0.4 · 1.
    const [a, b] = [1, 2]
    const following: Following = (prefixes) =>
      prefixes.flatMap((prefix) => {
        if (prefix.length === 1) return [0, 0.6, 0.4, 0, 0].map(Math.log)
        if (prefix.length === 2 && prefix[1] === a) return [0, 0.25, 0.25, 0.25, 0.25].map(Math.log)
        return [1, 0, 0, 0, 0].map(Math.log)
      })
    const options = { start, end, most: 5 }
    const [greedy] = await beamSearch(following, { ...options, beams: 1 })
    const [found] = await beamSearch(following, { ...options, beams: 2 })
    expect(greedy![0]!.tokens[0]).toBe(a)
    expect([...found![0]!.tokens]).toEqual([b])
    expect(Math.exp(found![0]!.logProbability)).toBeCloseTo(0.4, 12)
  })

  test('rows are searched side by side, each as if alone', async () => {
    const { following, asked } = language(4, 7)
    const options = { start, end, most: 8, beams: 3 }
    const together = await beamSearch(following, { ...options, rows: 5 })
    expect(asked.length).toBeLessThanOrEqual(8)
    for (let row = 0; row < 5; row++) {
      const alone = await beamSearch(
        (prefixes) => following(prefixes, new Int32Array(prefixes.length).fill(row)),
        options,
      )
      expect(together[row]).toEqual(alone[0])
    }
  })

  test('a forbidden token is never written', async () => {
    const { following } = language(4, 3)
    const without: Following = async (prefixes, rows) =>
      Array.from(await following(prefixes, rows), (value, k) => (k % 4 === 2 ? -Infinity : value))
    const [got] = await beamSearch(without, { start, end, most: 5, beams: 50 })
    expect(got!.length).toBeGreaterThan(20)
    expect(got!.some(({ tokens }) => tokens.includes(2))).toBe(false)
  })

  test('options and values that make no sense', async () => {
    const { following } = language(4, 1)
    const options = { start, end, most: 5 }
    const search = (change: object, next: Following = following) =>
      beamSearch(next, { ...options, ...change })
    await expect(search({ most: 0 })).rejects.toThrow('most is a whole number from 1 up, not 0')
    await expect(search({ beams: 1.5 })).rejects.toThrow('beams is a whole number')
    await expect(search({ penalty: -1 })).rejects.toThrow('penalty is a number from 0 up, not -1')
    await expect(search({}, () => [])).rejects.toThrow('for 1 prefixes there came 0 values')
    await expect(search({ end: 4 })).rejects.toThrow('token 4 ends a sequence')
    await expect(search({}, () => [0, 0, Number.NaN, 0])).rejects.toMatchObject({
      code: 'non-finite',
    })
  })
})
