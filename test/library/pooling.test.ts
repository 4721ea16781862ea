// Pooling, resizing and cutting of images, against plain loops, and their gradients.
import { describe, test } from 'vitest'
import { at, fill, type Reference, sumOver, tryOut, volume } from './trial.ts'

const [H, W, C] = [5, 7, 3]
const input = [H, W, C]
const image = [3, H, W, C]

/** Outputs along a side and the elements before the first, as TensorFlow documents `SAME`. */
function side(size: number, R: number, stride: number, isSame: boolean) {
  const count = isSame ? Math.ceil(size / stride) : Math.floor((size - R) / stride) + 1
  const before = isSame ? Math.floor(Math.max((count - 1) * stride + R - size, 0) / 2) : 0
  return { count, before }
}

function pool(
  R: number,
  stride: number,
  isSame: boolean,
  of: (all: number[]) => number,
): Reference {
  const [rows, columns] = [side(H, R, stride, isSame), side(W, R, stride, isSame)]
  return (x) =>
    fill([3, rows.count, columns.count, C], (n, h, w, c) => {
      const all: number[] = []
      for (let r = 0; r < R; r++) {
        for (let s = 0; s < R; s++) {
          const [i, j] = [stride * h + r - rows.before, stride * w + s - columns.before]
          if (i >= 0 && i < H && j >= 0 && j < W) all.push(at(x, image, n, i, j, c))
        }
      }
      return of(all)
    })
}

const largest = (all: number[]): number => Math.max(...all)
const mean = (all: number[]): number => all.reduce((a, b) => a + b, 0) / all.length

describe('max_pool and avg_pool', () => {
  const windows: readonly (readonly [args: string, R: number, stride: number, isSame: boolean])[] =
    [
      ['', 2, 2, false],
      ['3', 3, 3, false],
      ['3, stride = 1', 3, 1, false],
      ['3, stride = 2', 3, 2, false],
      ['2, stride = 3', 2, 3, false],
      ['3, stride = 2, padding = same', 3, 2, true],
      ['2, padding = same', 2, 2, true],
    ]
  for (const [args, R, stride, isSame] of windows) {
    test(`max_pool(${args})`, () =>
      tryOut({ call: `max_pool(${args})`, input, reference: pool(R, stride, isSame, largest) }))
    test(`avg_pool(${args})`, () =>
      tryOut({ call: `avg_pool(${args})`, input, reference: pool(R, stride, isSame, mean) }))
  }
  test('of sequences', () => {
    const windowed = (of: (all: number[]) => number): Reference => {
      const { count, before } = side(8, 3, 2, true)
      return (x) =>
        fill([3, count, C], (n, t, c) => {
          const taken = [0, 1, 2].map((r) => 2 * t + r - before).filter((i) => i >= 0 && i < 8)
          return of(taken.map((i) => at(x, [3, 8, C], n, i, c)))
        })
    }
    const args = '3, stride = 2, padding = same'
    tryOut({ call: `max_pool1d(${args})`, input: [8, C], reference: windowed(largest) })
    tryOut({ call: `avg_pool1d(${args})`, input: [8, C], reference: windowed(mean) })
  })
  test('global', () => {
    const over = (of: (all: number[]) => number): Reference => {
      return (x) => fill([3, C], (n, c) => of(fill([H, W], (h, w) => at(x, image, n, h, w, c))))
    }
    tryOut({ call: 'global_max_pool', input, reference: over(largest) })
    tryOut({ call: 'global_avg_pool', input, reference: over(mean) })
  })
})

describe('resizing', () => {
  for (const factor of [2, 3]) {
    test(`upsample(${factor})`, () =>
      tryOut({
        call: `upsample(${factor})`,
        input,
        reference: (x) =>
          fill([3, factor * H, factor * W, C], (n, h, w, c) =>
            at(x, image, n, Math.floor(h / factor), Math.floor(w / factor), c),
          ),
      }))
    test(`upsample_bilinear(${factor})`, () => {
      /** Source positions and shares along one side, centres of points aligned. */
      const taps = (k: number, size: number): readonly (readonly [number, number])[] => {
        const centre = Math.min(Math.max((k + 0.5) / factor - 0.5, 0), size - 1)
        const low = Math.min(Math.floor(centre), size - 1)
        const high = Math.min(low + 1, size - 1)
        return [
          [low, 1 - (centre - low)],
          [high, centre - low],
        ]
      }
      tryOut({
        call: `upsample_bilinear(${factor})`,
        input,
        reference: (x) =>
          fill([3, factor * H, factor * W, C], (n, h, w, c) => {
            const [rows, columns] = [taps(h, H), taps(w, W)]
            return sumOver([2, 2], (a, b) => {
              const [[i, p], [j, q]] = [rows[a]!, columns[b]!]
              return p * q * at(x, image, n, i, j, c)
            })
          }),
      })
    })
  }
})

describe('cutting and joining', () => {
  const cases: readonly (readonly [call: string, reference: Reference])[] = [
    [
      'pad(1, 2, 3, 0)',
      (x) => fill([3, H + 3, W + 3, C], (n, h, w, c) => at(x, image, n, h - 1, w - 3, c)),
    ],
    ['pad(2)', (x) => fill([3, H + 4, W + 4, C], (n, h, w, c) => at(x, image, n, h - 2, w - 2, c))],
    [
      'crop(3, 4, top = 1, left = 2)',
      (x) => fill([3, 3, 4, C], (n, h, w, c) => at(x, image, n, h + 1, w + 2, c)),
    ],
    ['flip', (x) => fill(image, (n, h, w, c) => at(x, image, n, h, W - 1 - w, c))],
    ['swap_sides', (x) => fill([3, W, H, C], (n, w, h, c) => at(x, image, n, h, w, c))],
    ['flatten', (x) => [...x]],
    [
      'twice',
      (x) => fill([3, H, W, 2 * C], (n, h, w, c) => (c < C ? 1 : 2) * at(x, image, n, h, w, c % C)),
    ],
  ]
  const prelude = 'fn twice(x: [N, H, W, C]) = concat(x, 2 * x)'
  for (const [call, reference] of cases) {
    test(call, () => tryOut({ call, input, reference, prelude }))
  }
  test('nothing is lost by flattening', () => {
    tryOut({
      call: 'flatten |> dense(4)',
      input: [2, 3, 2],
      reference: (x, params) =>
        fill(
          [3, 4],
          (n, o) =>
            params('dense_1.b')[o]! +
            sumOver([volume([2, 3, 2])], (i) => x[12 * n + i]! * params('dense_1.W')[4 * i + o]!),
        ),
    })
  })
})
