// Convolutions of the standard library: each against plain loops, its gradients against differences, compiled against the
// evaluator. Sizes are odd, borders uneven.
import { describe, expect, test } from 'vitest'
import { diagnosticsOf } from '../elaborate/elaborated.ts'
import { at, fill, type Reference, sumOver, tryOut } from './trial.ts'

interface Window {
  readonly R: number
  readonly stride?: number
  readonly dilation?: number
  readonly padding?: number | 'same' | 'causal'
}

/** Outputs along H, and zeros before. As TensorFlow documents `SAME`. */
function sides(H: number, { R, stride = 1, dilation = 1, padding = 'same' }: Window) {
  const reach = dilation * (R - 1) + 1
  if (typeof padding === 'number') {
    let count = 0
    while (count * stride + reach <= H + 2 * padding) count++
    return { count, before: padding }
  }
  const count = Math.ceil(H / stride)
  if (padding === 'causal') return { count, before: reach - 1 }
  return { count, before: Math.floor(Math.max((count - 1) * stride + reach - H, 0) / 2) }
}

function conv2d(
  [H, W, C]: readonly [number, number, number],
  K: number,
  window: Window,
  groups = 1,
): Reference {
  const { R, stride = 1, dilation = 1 } = window
  const [rows, columns] = [sides(H, window), sides(W, window)]
  const [own, per] = [C / groups, K / groups]
  return (x, params) =>
    fill([3, rows.count, columns.count, K], (n, h, w, k) => {
      const group = Math.floor(k / per)
      const total = sumOver([R, R, own], (r, s, c) => {
        const i = stride * h + dilation * r - rows.before
        const j = stride * w + dilation * s - columns.before
        const F = at(params('conv2d_1.F'), [R, R, own, K], r, s, c, k)
        return at(x, [3, H, W, C], n, i, j, group * own + c) * F
      })
      return total + params('conv2d_1.b')[k]!
    })
}

describe('conv2d', () => {
  const input = [5, 6, 4] as const
  const cases: readonly (readonly [call: string, window: Window, groups?: number])[] = [
    ['conv2d(6)', { R: 3 }],
    ['conv2d(6, 2)', { R: 2 }],
    ['conv2d(6, 1)', { R: 1 }],
    ['conv2d(6, stride = 2)', { R: 3, stride: 2 }],
    ['conv2d(6, 5, stride = 3)', { R: 5, stride: 3 }],
    ['conv2d(6, dilation = 2)', { R: 3, dilation: 2 }],
    ['conv2d(6, padding = valid)', { R: 3, padding: 0 }],
    ['conv2d(6, stride = 2, padding = valid)', { R: 3, stride: 2, padding: 0 }],
    ['conv2d(6, 4, stride = 2, padding = 1)', { R: 4, stride: 2, padding: 1 }],
    ['conv2d(6, stride = 2, dilation = 3)', { R: 3, stride: 2, dilation: 3 }],
    ['conv2d(6, 1, stride = 2)', { R: 1, stride: 2 }],
    ['conv2d(6, groups = 2)', { R: 3 }, 2],
    ['conv2d(4, stride = 2, groups = 4)', { R: 3, stride: 2 }, 4],
  ]
  for (const [call, window, groups] of cases) {
    const K = Number(/\((\d+)/.exec(call)![1])
    test(call, () => tryOut({ call, input, reference: conv2d(input, K, window, groups) }))
  }
})

describe('conv1d', () => {
  const [T, C, K] = [9, 4, 6]
  const cases: readonly (readonly [call: string, window: Window, groups?: number])[] = [
    ['conv1d(6)', { R: 3 }],
    ['conv1d(6, 4, stride = 3)', { R: 4, stride: 3 }],
    ['conv1d(6, 2, dilation = 4, padding = causal)', { R: 2, dilation: 4, padding: 'causal' }],
    ['conv1d(6, 5, padding = valid)', { R: 5, padding: 0 }],
    ['conv1d(6, groups = 2)', { R: 3 }, 2],
  ]
  for (const [call, window, groups = 1] of cases) {
    const { R, stride = 1, dilation = 1 } = window
    const { count, before } = sides(T, window)
    const [own, per] = [C / groups, K / groups]
    const reference: Reference = (x, params) =>
      fill([3, count, K], (n, t, k) => {
        const total = sumOver([R, own], (r, c) => {
          const i = stride * t + dilation * r - before
          const channel = Math.floor(k / per) * own + c
          return at(x, [3, T, C], n, i, channel) * at(params('conv1d_1.F'), [R, own, K], r, c, k)
        })
        return total + params('conv1d_1.b')[k]!
      })
    test(call, () => tryOut({ call, input: [T, C], reference }))
  }
})

describe('depthwise and separable', () => {
  const [H, W, C] = [5, 6, 3] as const
  const depthwise = (window: Window, x: Float64Array, F: Float64Array, b: Float64Array) => {
    const { R, stride = 1, dilation = 1 } = window
    const [rows, columns] = [sides(H, window), sides(W, window)]
    const shape = [3, rows.count, columns.count, C] as const
    const values = fill(shape, (n, h, w, c) => {
      const total = sumOver([R, R], (r, s) => {
        const i = stride * h + dilation * r - rows.before
        const j = stride * w + dilation * s - columns.before
        return at(x, [3, H, W, C], n, i, j, c) * at(F, [R, R, C], r, s, c)
      })
      return total + b[c]!
    })
    return { shape, values }
  }
  const reference =
    (window: Window): Reference =>
    (x, params) =>
      depthwise(window, x, params('depthwise_conv2d_1.F'), params('depthwise_conv2d_1.b')).values
  test('depthwise_conv2d(3)', () =>
    tryOut({ call: 'depthwise_conv2d(3)', input: [H, W, C], reference: reference({ R: 3 }) }))
  test('depthwise_conv2d(4, stride = 2)', () =>
    tryOut({
      call: 'depthwise_conv2d(4, stride = 2)',
      input: [H, W, C],
      reference: reference({ R: 4, stride: 2 }),
    }))
  test('separable_conv2d(5, 3, stride = 2)', () =>
    tryOut({
      call: 'separable_conv2d(5, 3, stride = 2)',
      input: [H, W, C],
      reference: (x, params) => {
        const own = (name: string) => params(`separable_conv2d_1.${name}`)
        const [F, b] = [own('depthwise_conv2d_1.F'), own('depthwise_conv2d_1.b')]
        const { shape, values } = depthwise({ R: 3, stride: 2 }, x, F, b)
        return fill([...shape.slice(0, 3), 5], (n, h, w, k) => {
          const total = sumOver([C], (c) => {
            return at(values, shape, n, h, w, c) * at(own('dense_1.W'), [C, 5], c, k)
          })
          return total + own('dense_1.b')[k]!
        })
      },
    }))
})

describe('conv_transpose2d', () => {
  const [H, W, C, K] = [3, 4, 5, 3]
  /** Each input adds its window to a canvas, from which `crop` rows and columns are cut off. */
  const transpose =
    (R: number, stride: number, crop: number, rows: number, columns: number): Reference =>
    (x, params) => {
      const F = params('conv_transpose2d_1.F')
      const canvas = new Map<string, number>()
      for (const [n, i, j, c] of fill(
        [3, H, W, C],
        (...p) => p as never,
      ) as unknown as number[][]) {
        for (let r = 0; r < R; r++) {
          for (let s = 0; s < R; s++) {
            for (let k = 0; k < K; k++) {
              const key = `${n} ${stride * i! + r} ${stride * j! + s} ${k}`
              const product = at(x, [3, H, W, C], n!, i!, j!, c!) * at(F, [R, R, C, K], r, s, c!, k)
              canvas.set(key, (canvas.get(key) ?? 0) + product)
            }
          }
        }
      }
      return fill([3, rows, columns, K], (n, h, w, k) => {
        return (
          (canvas.get(`${n} ${h + crop} ${w + crop} ${k}`) ?? 0) +
          params('conv_transpose2d_1.b')[k]!
        )
      })
    }
  const cases: readonly (readonly [call: string, reference: Reference])[] = [
    ['conv_transpose2d(3)', transpose(4, 2, 1, 6, 8)],
    ['conv_transpose2d(3, 3)', transpose(3, 2, 0, 6, 8)],
    ['conv_transpose2d(3, 5, stride = 3)', transpose(5, 3, 1, 9, 12)],
    ['conv_transpose2d(3, 2, stride = 3)', transpose(2, 3, 0, 9, 12)],
    ['conv_transpose2d(3, 3, stride = 1)', transpose(3, 1, 1, 3, 4)],
    ['conv_transpose2d(3, 3, padding = valid)', transpose(3, 2, 0, 7, 9)],
    ['conv_transpose2d(3, 4, padding = 1)', transpose(4, 2, 1, 6, 8)],
  ]
  for (const [call, reference] of cases) {
    test(call, () => tryOut({ call, input: [H, W, C], reference }))
  }
})

describe('what does not fit is refused with the sizes', () => {
  const refused = (shape: string, call: string): string =>
    diagnosticsOf(`predict p(x: [2, ${shape}]) { f(x) }\nnet f(x: [2, ${shape}]) { x |> ${call} }`)
      .map((d) => `${d.code} ${d.message}`)
      .join('\n')
  const cases: readonly (readonly [shape: string, call: string, text: string])[] = [
    [
      '8, 8, 3',
      'conv2d(4, groups = 2)',
      'NET3002 `conv2d` wants `x: [N=2, H=8, W=8, groups=2 * C]` and is given [2, 8, 8, 3]',
    ],
    [
      '8, 8, 4',
      'conv2d(6, groups = 4)',
      'NET3007 the index `k` runs over groups*K/groups=4 and over K=6, which differ',
    ],
    [
      '3, 8, 4',
      'conv2d(6, 5, padding = valid)',
      'NET3016 `window_count(H, R, stride, dilation, padding)` is -1, and a dimension has at least 1 element',
    ],
    [
      '8, 4',
      'conv2d(6)',
      'NET3002 `conv2d` wants `x: [N, H, W, groups=1 * C]` and is given [2, 8, 4]',
    ],
    ['8, 8, 4', 'conv2d(6, padding = full)', 'NET2001 the name `full` is not defined'],
  ]
  for (const [shape, call, text] of cases) {
    test(`[N, ${shape}] |> ${call}`, () => expect(refused(shape, call)).toBe(text))
  }
})
