/** Orders of rows: permutations, each seed and epoch its own, and the same for ever (checkpoints rely on them). */
import { expect, test } from 'vitest'
import { range, shuffle } from '../../runtime/shuffle.ts'

const order = (rows: number, seed: number, epoch: number) => [...shuffle(range(rows), seed, epoch)]

test('recorded orders', () => {
  expect([order(8, 0, 0), order(8, 0, 1), order(8, 1, 0)]).toMatchInlineSnapshot(`
    [
      [
        3,
        2,
        7,
        5,
        1,
        0,
        4,
        6,
      ],
      [
        5,
        6,
        0,
        3,
        1,
        4,
        2,
        7,
      ],
      [
        3,
        0,
        1,
        6,
        7,
        5,
        4,
        2,
      ],
    ]
  `)
})

test('every row once', () => {
  for (const rows of [0, 1, 2, 1000]) {
    expect(order(rows, 5, 3).sort((a, b) => a - b)).toEqual([...range(rows)])
  }
})

test('no place is favoured', () => {
  const counts = Array.from({ length: 5 }, () => new Array<number>(5).fill(0))
  const runs = 20_000
  for (let epoch = 0; epoch < runs; epoch++) {
    order(5, 7, epoch).forEach((row, place) => {
      counts[place]![row]!++
    })
  }
  // Six standard deviations of a binomial count around its mean.
  const slack = 6 * Math.sqrt(runs * 0.2 * 0.8)
  for (const count of counts.flat()) expect(Math.abs(count - runs / 5)).toBeLessThan(slack)
})
