/** Pictures: tensors as pixels, grids, heat maps, points, and what a parameter or a value is drawn as. */
import { describe, expect, test } from 'vitest'
import {
  amountRange,
  colourAt,
  pictureRange,
  signedRange,
} from '../../compiler/cli/pictures/colour.ts'
import { type Figure, partOf, pixelsOf, render } from '../../compiler/cli/pictures/figure.ts'
import { heatMaps } from '../../compiler/cli/pictures/heatmap.ts'
import { principalComponents, project } from '../../compiler/cli/pictures/pca.ts'
import {
  below,
  enlarge,
  guessSize,
  imageGrid,
  interleave,
} from '../../compiler/cli/pictures/raster.ts'
import { scatter } from '../../compiler/cli/pictures/scatter.ts'
import { figure, showToken } from '../../compiler/cli/pictures/text.ts'
import { isAttention, valueFigures } from '../../compiler/cli/pictures/values.ts'
import { wayOf, weightFigure } from '../../compiler/cli/pictures/weights.ts'
import { decodePng } from '../../compiler/cli/png.ts'

const ground = [128, 128, 136]

/** The red of each pixel, line by line. */
const reds = ({ width, data }: { width: number; data: Uint8Array }): number[][] => {
  const all = Array.from(data).filter((_, k) => k % 3 === 0)
  return Array.from({ length: all.length / width }, (_, y) => all.slice(y * width, (y + 1) * width))
}

const seed = (length: number): Float64Array => {
  let state = 7
  return Float64Array.from({ length }, () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647 - 0.5
  })
}

describe('colours', () => {
  test('the ends and the middle of each scale', () => {
    expect([0, 0.5, 1].map((t) => colourAt('grey', t))).toEqual([
      [0, 0, 0],
      [128, 128, 128],
      [255, 255, 255],
    ])
    expect([-1, 0].map((t) => colourAt('viridis', t))).toEqual([
      [68, 1, 84],
      [68, 1, 84],
    ])
    expect(colourAt('diverging', 0.5)).toEqual([247, 247, 247])
    expect(colourAt('grey', Number.NaN)).toEqual([255, 0, 255])
  })

  test('the range that values are meant for', () => {
    expect(pictureRange([0, 0.4])).toEqual({ low: 0, high: 1 })
    expect(pictureRange([-0.9, 0.4])).toEqual({ low: -1, high: 1 })
    expect(pictureRange([0, 200])).toEqual({ low: 0, high: 255 })
    expect(pictureRange([-3, 300, Number.NaN])).toEqual({ low: -3, high: 300 })
    expect(amountRange([2, 5])).toEqual({ low: 0, high: 5 })
    // One value in a thousand does not pale the others.
    const values = Float32Array.from({ length: 1000 }, (_, k) => (k === 9 ? 100 : (k % 3) - 1))
    expect(signedRange(values)).toEqual({ low: -1, high: 1 })
    expect(signedRange([0, 0])).toEqual({ low: -1, high: 1 })
  })
})

describe('grids', () => {
  const tiles = { count: 3, height: 1, width: 2, channels: 1, values: [0, 1, 1, 0, 1, 1] } as const

  test('tiles line by line, on a ground between and behind them', () => {
    const picture = imageGrid(tiles, { columns: 2, gap: 1, scale: 1 })
    const g = ground[0]!
    expect(reds(picture)).toEqual([
      [g, g, g, g, g, g, g],
      [g, 0, 255, g, 255, 0, g],
      [g, g, g, g, g, g, g],
      [g, 255, 255, g, g, g, g],
      [g, g, g, g, g, g, g],
    ])
    expect([...picture.data.slice(0, 3)]).toEqual(ground)
  })

  test('values become squares, and a PNG keeps every pixel', () => {
    const options = { columns: 3, gap: 0, scale: 2 }
    const picture = imageGrid(tiles, options)
    expect(reds(picture)).toEqual(
      new Array(2).fill([0, 0, 255, 255, 255, 255, 0, 0, 255, 255, 255, 255]),
    )
    const figure: Figure = { kind: 'images', title: 't', tiles, options }
    expect(decodePng(render([figure], 'png', '') as Uint8Array, 'x.png')).toEqual({
      ...picture,
      channels: 3,
    })
  })

  test('three channels are colours', () => {
    const one = { count: 1, height: 1, width: 1, channels: 3, values: [1, 0.5, 0] } as const
    expect([...imageGrid(one, { gap: 0, scale: 1 }).data]).toEqual([255, 128, 0])
  })

  test('lines are full where the count allows', () => {
    const columns = (count: number) =>
      imageGrid(
        { count, height: 2, width: 2, channels: 1, values: new Float32Array(4 * count) },
        { gap: 0, scale: 1 },
      ).width / 2
    expect([1, 64, 256, 100, 7].map(columns)).toEqual([1, 8, 16, 10, 3])
  })

  test('two sets in turn: a line of inputs, a line of reconstructions', () => {
    const set = (values: number[]) =>
      ({ count: 3, height: 1, width: 1, channels: 1, values }) as const
    const both = interleave([set([1, 2, 3]), set([4, 5, 6])], 2)
    expect([both.count, [...(both.values as Float32Array)]]).toEqual([8, [1, 2, 4, 5, 3, 0, 6, 0]])
  })

  test('enlarged and stacked', () => {
    const picture = { width: 2, height: 1, channels: 3, data: Uint8Array.of(1, 1, 1, 2, 2, 2) }
    expect(reds(enlarge(picture, 1, 2))).toEqual([
      [1, 2],
      [1, 2],
    ])
    const tall = below([picture, enlarge(picture, 2)], 1)
    expect([tall.width, tall.height, reds(tall)[0]]).toEqual([4, 4, [1, 2, 128, 128]])
  })

  test('the size of an image is guessed from its values', () => {
    expect(guessSize(784)).toEqual({ height: 28, width: 28, channels: 1 })
    expect(guessSize(3072)).toEqual({ height: 32, width: 32, channels: 3 })
    expect(guessSize(10)).toBeUndefined()
  })
})

describe('principal components', () => {
  test('a known covariance', () => {
    // Points on a line in direction (3, 4), with a little across it.
    const values = [-2, -1, 0, 1, 2].flatMap((t, k) => {
      const across = k % 2 === 0 ? 0.1 : -0.15
      return [1 + 3 * t - 4 * across, 2 + 4 * t + 3 * across]
    })
    const found = principalComponents(values, 2, 2)
    expect([...found.mean]).toEqual([expect.closeTo(1, 9), expect.closeTo(2, 9)])
    expect([...found.components.slice(0, 2)]).toEqual([
      expect.closeTo(0.6, 9),
      expect.closeTo(0.8, 9),
    ])
    expect(found.variances[0]).toBeCloseTo(50, 9)
    expect([...project([4, 6], found)][0]).toBeCloseTo(5, 9)
  })

  test('orthonormal, and as much variance as the best of random directions and more', () => {
    const [rows, columns] = [40, 12]
    const values = seed(rows * columns).map((v, k) => v * (1 + (k % columns)))
    const { components, variances } = principalComponents(values, columns, 3)
    const row = (k: number) => components.subarray(k * columns, (k + 1) * columns)
    const dot = (a: Float64Array, b: Float64Array) => a.reduce((s, v, k) => s + v * b[k]!, 0)
    for (let a = 0; a < 3; a++) {
      for (let b = 0; b < 3; b++) expect(dot(row(a), row(b))).toBeCloseTo(a === b ? 1 : 0, 9)
    }
    const mean = Float64Array.from({ length: columns }, (_, c) =>
      values.reduce((s, v, k) => s + (k % columns === c ? v / rows : 0), 0),
    )
    const along = (direction: Float64Array) => {
      let sum = 0
      for (let r = 0; r < rows; r++) {
        const centred = Float64Array.from(mean, (m, c) => values[r * columns + c]! - m)
        sum += dot(centred, direction) ** 2 / rows
      }
      return sum
    }
    expect(along(row(0))).toBeCloseTo(variances[0]!, 7)
    // The gradient of the variance on the sphere vanishes: nudged directions have less.
    for (let c = 0; c < columns; c++) {
      const nudged = Float64Array.from(row(0), (v, k) => v + (k === c ? 0.05 : 0))
      const length = Math.sqrt(dot(nudged, nudged))
      expect(along(nudged.map((v) => v / length))).toBeLessThanOrEqual(variances[0]! + 1e-9)
    }
    expect([...variances]).toEqual([...variances].sort((a, b) => b - a))
  })

  test('rows that do not differ', () => {
    expect([...principalComponents(new Float32Array(12).fill(3), 4, 2).variances]).toEqual([0, 0])
  })
})

const image = { height: 5, width: 5, channels: 1 } as const

describe('parameters', () => {
  test('what each is drawn as', () => {
    const way = (shape: number[], hints = {}) => wayOf({ shape }, hints)
    expect(way([25, 8])).toBe('heatmap')
    expect(way([25, 8], { seen: [image] })).toBe('images')
    expect(way([8, 25], { made: [image] })).toBe('images')
    expect(way([8, 25], { seen: [image] })).toBe('heatmap')
    expect(way([3, 3, 4, 8])).toBe('images')
    expect(way([28, 28])).toBe('heatmap')
    expect(way([30, 16], { isTable: true })).toBe('points')
    expect(way([256])).toBe('heatmap')
  })

  test('the weights of a unit are its image, of an output unit too', () => {
    const values = Float32Array.from({ length: 50 }, (_, k) => k)
    const seen = weightFigure({ name: 'W', shape: [25, 2], values }, { seen: [image] })
    const made = weightFigure({ name: 'W', shape: [2, 25], values }, { made: [image] })
    if (seen.kind !== 'images' || made.kind !== 'images') throw new Error('no images')
    expect([...(seen.tiles.values as Float32Array)].slice(25, 28)).toEqual([1, 3, 5])
    expect([...(made.tiles.values as Float32Array)].slice(25, 28)).toEqual([25, 26, 27])
    expect([seen.tiles.count, made.tiles.count]).toEqual([2, 2])
    // 0.5 % of 50 values are none: the scale ends at the largest.
    expect(seen.options.range).toEqual({ low: -49, high: 49 })
  })

  test('a filter is a column of windows, one for each channel', () => {
    // F[r, s, c, k] = 1000 r + 100 s + 10 c + k of [2, 2, 2, 3].
    const values = Float32Array.from({ length: 24 }, (_, at) => {
      const [k, c, s, r] = [
        at % 3,
        Math.floor(at / 3) % 2,
        Math.floor(at / 6) % 2,
        Math.floor(at / 12),
      ]
      return 1000 * r + 100 * s + 10 * c + k
    })
    const figure = weightFigure({ name: 'F', shape: [2, 2, 2, 3], values })
    if (figure.kind !== 'images') throw new Error('no images')
    expect(figure.options.columns).toBe(3)
    const tile = (k: number) => [...(figure.tiles.values as Float32Array)].slice(4 * k, 4 * k + 4)
    expect(tile(2)).toEqual([2, 102, 1002, 1102])
    expect(tile(4)).toEqual([11, 111, 1011, 1111])
  })

  test('a table is points with the names of its rows', () => {
    const values = [0, 0, 4, 0, 0, 1]
    const figure = weightFigure(
      { name: 'table', shape: [3, 2], values },
      { isTable: true, tokens: ['a', 'b', 'c'] },
    )
    if (figure.kind !== 'points') throw new Error('no points')
    expect(figure.points.map((p) => p.name)).toEqual(['a', 'b', 'c'])
    const [a, b] = [figure.points[0]!, figure.points[1]!]
    // All of the plane is kept, so distances are.
    expect(Math.hypot(a.x - b.x, a.y - b.y)).toBeCloseTo(4, 9)
    expect(figure.axes[0]).toMatch(/^component 1 \(9\d % of the variance\)$/)
  })
})

describe('values', () => {
  const weights = { name: 'layer.weights', shape: [2, 2, 3], rows: ['4'] }
  const soft = [1, 0, 0, 0.5, 0.5, 0, 0.2, 0.3, 0.5, 0, 0, 1]

  test('what a softmax leaves is attention, a map a head, with the tokens of its row', () => {
    expect(isAttention({ shape: [2, 3], values: soft })).toBe(true)
    expect(isAttention({ shape: [2, 3], values: [...soft.slice(1), 0.5] })).toBe(false)
    const sequences = [
      { name: 'source', tokens: [['a', 'b', 'c']] },
      { name: 'target', tokens: [['x', 'y']] },
    ]
    const [map] = valueFigures({ ...weights, values: soft }, { sequences })
    expect(map).toMatchObject({
      kind: 'heatmap',
      title: 'layer.weights [2, 2, 3], row 4',
      rows: 2,
      columns: 3,
      rowLabels: ['x', 'y'],
      columnLabels: ['a', 'b', 'c'],
      range: { low: 0, high: 1 },
      maps: [
        { name: 'head 1', values: soft.slice(0, 6) },
        { name: 'head 2', values: soft.slice(6) },
      ],
    })
    const svg = partOf(map!).body
    expect(svg.match(/<image/g)).toHaveLength(3)
    expect([...svg.matchAll(/>([abcxy])</g)].map((m) => m[1]).join('')).toBe('abcxyabcxy')
  })

  test('channels are maps, all on one scale; other tensors heat maps', () => {
    const values = [1, -1, 2, -2, 3, -3, 4, -4]
    const [maps] = valueFigures({ name: 'conv', shape: [2, 2, 2], values, rows: ['0'] })
    if (maps?.kind !== 'images') throw new Error('no images')
    expect([...(maps.tiles.values as Float32Array)]).toEqual([1, 2, 3, 4, -1, -2, -3, -4])
    const [flat] = valueFigures(
      { name: 'h', shape: [2, 4], values, rows: ['0'] },
      { sequences: [{ name: 's', tokens: [['a', 'b']] }] },
    )
    expect(flat).toMatchObject({ kind: 'heatmap', rows: 2, columns: 4, rowLabels: ['a', 'b'] })
    const [lines] = valueFigures({ name: 'p', shape: [4], values, rows: ['0', '7'] })
    expect(lines).toMatchObject({ rows: 2, columns: 4, rowLabels: ['row 0', 'row 7'] })
  })

  test('rows as large as an image are images', () => {
    const values = new Float32Array(50).fill(0.5)
    const [images] = valueFigures(
      { name: 'out', shape: [25], values, rows: ['0', '1'] },
      { images: [image] },
    )
    expect(images).toMatchObject({ kind: 'images', tiles: { count: 2, height: 5 } })
    const [tensor] = valueFigures(
      { name: 'out', shape: [5, 5, 1], values, rows: ['0', '1'] },
      { images: [image] },
    )
    expect(tensor).toMatchObject({ kind: 'images', tiles: { count: 2 } })
  })
})

describe('drawn', () => {
  test('names that would cover others are left out, points never', () => {
    const points = Array.from({ length: 60 }, (_, k) => ({
      x: k < 50 ? 0 : k,
      y: 0,
      name: `n${k}`,
    }))
    const { body } = scatter({ title: 't', points, axes: ['a', 'b'] })
    expect(body.match(/<circle/g)).toHaveLength(60)
    const names = [...body.matchAll(/>(n\d+)</g)].map((m) => m[1])
    expect(names.filter((n) => Number(n!.slice(1)) < 50).length).toBeLessThanOrEqual(4)
    expect(names).toContain('n59')
  })

  test('long names run upwards, cells stay square', () => {
    const maps = { rows: 2, columns: 2, look: 'viridis', range: { low: 0, high: 1 } } as const
    const one = { ...maps, title: 't', maps: [{ name: '', values: [0, 1, 1, 0] }] }
    const { body } = heatMaps({ ...one, columnLabels: ['long', 'name'] })
    expect(body.match(/rotate\(-90/g)).toHaveLength(2)
    expect(body).toMatch(/<image [^>]*width="56" height="56"/)
    expect(heatMaps({ ...one, columnLabels: ['a', 'b'] }).body).not.toContain('rotate')
    expect(pixelsOf({ kind: 'heatmap', ...one })).toMatchObject({ width: 32, height: 32 })
  })

  test('a page of pictures needs no network', () => {
    const figure: Figure = {
      kind: 'points',
      title: '<b>',
      points: [{ x: 0, y: 0, name: '&' }],
      axes: ['a', 'b'],
    }
    const html = render([figure, figure], 'html', 'model.net', 'w.safetensors') as string
    expect(html).toContain('&lt;b&gt;')
    expect(html.match(/<svg/g)).toHaveLength(2)
    expect(html).not.toMatch(/src=|https?:\/\/(?!www\.w3\.org)/)
  })

  test('words', () => {
    expect([0, 0.5, 1 / 3, -1e-7, 12345678].map(figure)).toEqual([
      '0',
      '0.5',
      '0.3333',
      '-1e-7',
      '1.235e+7',
    ])
    expect([' ', '\n', 'a b', ''].map(showToken)).toEqual(['␣', '⏎', 'a␣b', '∅'])
  })
})
