// Augmentation: what each row of a batch is after a train step is found again among what it may be, different rows being
// changed differently; in evaluation nothing changes.
import { describe, expect, test } from 'vitest'
import { at, closeTo, fill, inTraining, varied } from './trial.ts'

const [N, H, W, C] = [40, 5, 6, 2]
const shape = [N, H, W, C]
const size = H * W * C
const x = varied(N * size).map((v) => Math.fround(v + 2))
const pixel = (n: number, i: number, j: number, c: number): number => at(x, shape, n, i, j, c)

const row = (values: ArrayLike<number>, n: number, length = size): number[] =>
  fill([length], (k) => values[n * length + k]!)

const same = (a: readonly number[], b: readonly number[]): boolean =>
  a.every((v, k) => Math.abs(v - b[k]!) < 1e-5)

/** Which of the candidates each row has become. */
function choices(
  call: string,
  candidates: (n: number) => readonly (readonly number[])[],
): readonly number[] {
  const { trained, predicted } = inTraining(call, shape, x)
  closeTo(predicted, x, `${call} in evaluation`)
  return fill([N], (n) => {
    const found = candidates(n).findIndex((candidate) => same(candidate, row(trained, n)))
    if (found < 0) throw new Error(`${call}: row ${n} is none of what it may be`)
    return found
  })
}

/** How many different choices were made. */
const variety = (all: readonly number[]): number => new Set(all).size

test('random_shift', () => {
  const made = choices('random_shift(2)', (n) =>
    fill([25], (k) => k).map((k) => {
      const [dy, dx] = [Math.floor(k / 5) - 2, (k % 5) - 2]
      return fill([H, W, C], (h, w, c) => pixel(n, h + dy, w + dx, c))
    }),
  )
  expect(variety(made)).toBeGreaterThan(12)
  // The outermost shifts are made too.
  expect(variety(made.map((k) => Math.floor(k / 5)))).toBe(5)
  expect(variety(made.map((k) => k % 5))).toBe(5)
})

test('random_flip', () => {
  const made = choices('random_flip', (n) => [
    row(x, n),
    fill([H, W, C], (h, w, c) => pixel(n, h, W - 1 - w, c)),
  ])
  const flipped = made.filter((k) => k === 1).length
  expect(flipped).toBeGreaterThan(8)
  expect(flipped).toBeLessThan(32)
})

test('random_crop', () => {
  const { trained, predicted } = inTraining('random_crop(3, 4)', shape, x)
  const cut = (n: number, top: number, left: number): number[] =>
    fill([3, 4, C], (h, w, c) => pixel(n, h + top, w + left, c))
  closeTo(
    predicted,
    fill([N], (n) => n).flatMap((n) => cut(n, 1, 1)),
    'the middle',
  )
  const made = fill([N], (n) => {
    const places = fill([9], (k) => k).map((k) => cut(n, Math.floor(k / 3), k % 3))
    return places.findIndex((place) => same(place, row(trained, n, 24)))
  })
  expect(made.every((k) => k >= 0)).toBe(true)
  expect(variety(made)).toBeGreaterThan(6)
})

test('cutout', () => {
  const made = choices('cutout(3)', (n) =>
    fill([H * W], (k) => k).map((k) => {
      const [top, left] = [Math.floor(k / W) - 1, (k % W) - 1]
      return fill([H, W, C], (h, w, c) =>
        h >= top && h < top + 3 && w >= left && w < left + 3 ? 0 : pixel(n, h, w, c),
      )
    }),
  )
  expect(variety(made)).toBeGreaterThan(12)
})

describe('by a number of each row', () => {
  /** The number that explains all elements of a row. */
  function numbers(call: string, numberOf: (n: number, y: number[]) => number[]): number[] {
    const { trained, predicted } = inTraining(call, shape, x)
    closeTo(predicted, x, `${call} in evaluation`)
    return fill([N], (n) => {
      const all = numberOf(n, row(trained, n))
      for (const v of all) expect(Math.abs(v - all[0]!)).toBeLessThan(1e-4)
      return all[0]!
    })
  }
  const spread = (all: readonly number[], from: number, to: number): void => {
    const [least, most] = [Math.min(...all), Math.max(...all)]
    expect(least).toBeGreaterThan(from)
    expect(most).toBeLessThan(to)
    expect(most - least).toBeGreaterThan(0.7 * (to - from))
  }
  test('random_brightness', () => {
    spread(
      numbers('random_brightness(0.3)', (n, y) => y.map((v, k) => v - row(x, n)[k]!)),
      -0.3,
      0.3,
    )
  })
  test('random_contrast', () => {
    const factors = numbers('random_contrast(0.3)', (n, y) => {
      const before = row(x, n)
      const mean = before.reduce((a, b) => a + b, 0) / size
      return y.map((v, k) => (v - mean) / (before[k]! - mean))
    })
    spread(factors, 0.7, 1.3)
  })
})

test('random_rotation turns a linear image into a linear image', () => {
  // Of h and w themselves, so that the turned values give the angle; borders, where zeros come in, left out.
  const side = 9
  const middle = (side - 1) / 2
  const plane = fill([N, side, side, 2], (_, h, w, c) => (c === 0 ? h : w) - middle)
  const { trained, predicted } = inTraining('random_rotation(20)', [N, side, side, 2], plane)
  closeTo(predicted, plane, 'evaluation')
  const angles = fill([N], (n) => {
    const y = (h: number, w: number, c: number): number =>
      at(trained, [N, side, side, 2], n, h + middle, w + middle, c)
    const angle = Math.atan2(y(2, 0, 1), y(2, 0, 0))
    for (const [h, w] of [
      [2, 1],
      [-1, 2],
      [0, -2],
      [-2, -2],
    ] as const) {
      closeTo(
        [y(h, w, 0), y(h, w, 1)],
        [h * Math.cos(angle) - w * Math.sin(angle), h * Math.sin(angle) + w * Math.cos(angle)],
        `row ${n}, turned by ${angle}`,
      )
    }
    return angle
  })
  const limit = (20 * Math.PI) / 180
  expect(Math.max(...angles.map(Math.abs))).toBeLessThan(limit)
  expect(Math.max(...angles)).toBeGreaterThan(0.6 * limit)
  expect(Math.min(...angles)).toBeLessThan(-0.6 * limit)
})
