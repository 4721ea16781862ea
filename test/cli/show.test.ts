/** `netc show` and `netc predict --out`: which tensors, which rows, which file. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { decodePng } from '../../compiler/cli/png.ts'
import { folder, netc } from './support.ts'

/** A NumPy file of version 1. */
function npy(type: '<f4' | '<i4', shape: readonly number[], data: Float32Array | Int32Array) {
  const head = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`
  const text = `${head.padEnd(117)}\n`
  const bytes = Buffer.alloc(10 + text.length)
  bytes.write('\x93NUMPY\x01\x00', 'latin1')
  bytes.writeUInt16LE(text.length, 8)
  bytes.write(text, 10, 'latin1')
  return Buffer.concat([bytes, new Uint8Array(data.buffer)])
}

const copier = `dim batch <= 2

data {
  train: npy("images.npy")
}

net code(image: [batch, 64]) -> [batch, 64] {
  image |> dense(3) |> tanh |> dense(64)
}

train copy(image: [batch, 64]) {
  out = code(image)
  minimize mean[n, i]((out[n, i] - image[n, i])^2)
  using sgd(0.1)
}

predict same(image: [batch, 64]) { out = image + 0 * code(image) }

predict sample() {
  noise[n: batch, i: 64] = random([batch, 64])[n, i]
}
`

const reader = `dim batch <= 4
vocab char = chars(text = "abc ")

data {
  train: npy("ids.npy")
}

net look(ids: char[batch, 5]) -> [batch, 5, 1, 8] {
  x = embedding(ids, char, 8) |> split_heads(1)
  attention(x, x, x, causal = true)
}

train guess(ids: char[batch, 5]) {
  y = look(ids)
  minimize mean[n, t, h, d](y[n, t, h, d]^2)
  using sgd(0.1)
}

predict seen(ids: char[batch, 5]) { y = look(ids) }
`

let at: string
let copy: readonly string[]
let read: readonly string[]

beforeAll(async () => {
  const images = Float32Array.from({ length: 3 * 64 }, (_, k) =>
    k % 64 === Math.floor(k / 64) ? 1 : 0,
  )
  const ids = Int32Array.from([0, 1, 2, 3, 0, 3, 2, 1, 0, 0])
  at = folder({
    'copy.net': copier,
    'read.net': reader,
    'images.npy': npy('<f4', [3, 64], images),
    'ids.npy': npy('<i4', [2, 5], ids),
  })
  for (const name of ['copy', 'read']) {
    const out = join(at, `${name}.safetensors`)
    const ran = await netc(['train', join(at, `${name}.net`), '--epochs', '1', '--out', out])
    expect(ran.err).not.toContain('error')
  }
  copy = [join(at, 'copy.net'), '-w', join(at, 'copy.safetensors')]
  read = [join(at, 'read.net'), '-w', join(at, 'read.safetensors')]
})

test('without a name: what tells most about the model', async () => {
  const out = join(at, 'a.html')
  const ran = await netc(['show', ...copy, '-o', out, '--grid', '1x3', '--json'])
  expect(ran.events()).toEqual([
    {
      event: 'figure',
      kind: 'images',
      title: expect.stringMatching(/^code\.dense_1\.W \[64, 3\], blue -/),
    },
    {
      event: 'figure',
      kind: 'images',
      title: expect.stringMatching(/^code\.dense_2\.W \[3, 64\], blue -/),
    },
    { event: 'figure', kind: 'images', title: 'same: out, below image' },
    { event: 'figure', kind: 'images', title: 'sample: noise' },
    { event: 'done', model: copy[0], file: out, figures: 4 },
  ])
  expect(readFileSync(out, 'utf8')).toContain('<figure')

  const text = await netc(['show', ...read, '-o', join(at, 'b.svg')])
  expect(text.out).toBe(
    'look.embedding_1.table [4, 8]\nlook.attention_1.weights [1, 5, 5], row 0\n',
  )
  const svg = readFileSync(join(at, 'b.svg'), 'utf8')
  // The vocabulary names the points, the row's tokens the lines and columns of the map.
  expect([...svg.matchAll(/>([abc␣])</g)].map((m) => m[1]).join('')).toBe(
    ['␣abc', '␣abc␣', '␣abc␣'].join(''),
  )
})

test('outputs as a grid, under the inputs that they are made from', async () => {
  const [shown, predicted] = [join(at, 'c.png'), join(at, 'd.png')]
  const grid = ['--grid', '2x2']
  expect((await netc(['show', ...copy, '--predict', 'same', '-o', shown, ...grid])).code).toBe(0)
  expect((await netc(['predict', ...copy, '--block', 'same', '-o', predicted, ...grid])).code).toBe(
    0,
  )
  const picture = decodePng(readFileSync(shown), shown)
  expect(decodePng(readFileSync(predicted), predicted)).toEqual(picture)
  // Three rows of a batch of two, in lines of two: two lines of inputs and two of outputs, 8 pixels of 7 and a gap of 2.
  expect([picture.width, picture.height]).toEqual([2 * 58 + 2, 4 * 58 + 2])
  const red = (x: number, y: number) => picture.data[3 * (y * picture.width + x)]
  // Image k has its only white pixel at k; what is computed from it is the same, a line below.
  const lit = [0, 1, 2].map(
    (k) => [2 + 58 * (k % 2) + 7 * k + 3, 2 + 116 * Math.floor(k / 2) + 3] as const,
  )
  for (const [x, y] of lit)
    expect([red(x, y), red(x, y + 58), red(x, y + 7)]).toEqual([255, 255, 0])
})

test('rows by number, tensors by the end of a path, gradients too', async () => {
  const out = join(at, 'e.svg')
  const ran = await netc(['show', ...read, 'weights', 'd_embedding_1', '--row', '1', '-o', out])
  expect(ran.out).toBe(
    'look.attention_1.weights [1, 5, 5], row 1\nd_look.embedding_1 [5, 8], row 1\n',
  )
  const maps = await netc(['show', ...copy, 'image', '--row', '2', '--row', '0', '-o', out])
  expect(maps.out).toBe('image\n')
  // A step of training was made for the gradient; the weights that are drawn are those of the file.
  const [before, after] = [join(at, 'f.png'), join(at, 'g.png')]
  await netc(['show', ...read, 'table', '--as', 'heatmap', '-o', before])
  await netc(['show', ...read, 'd_embedding_1', 'table', '--as', 'heatmap', '-o', after])
  const [alone, second] = [before, after].map((path) => decodePng(readFileSync(path), path))
  const rows = (p: { width: number; data: Uint8Array }, count: number) =>
    Buffer.from(p.data.subarray(p.data.length - 3 * p.width * count))
  expect(alone!.width).toBe(second!.width)
  expect(rows(second!, alone!.height)).toEqual(rows(alone!, alone!.height))
})

const chain = `dim batch <= 2

data {
  train: npy("ids.npy")
}

net narrow(x: [batch, 5]) -> [batch, 4] { x |> dense(4) |> tanh }

net widen(x: [batch, 4]) -> [batch, 3] { x |> dense(3) |> tanh }

predict outer(code: [batch, 4]) { out = widen(code) }

predict drawn() { other = widen(normal([batch, 4])) }

predict inner(ids: [batch, 5]) { all = ids |> narrow |> widen }

train fit(ids: [batch, 5]) {
  y = ids |> narrow |> widen
  minimize mean[n, i](y[n, i]^2)
  using sgd(0.1)
}
`

test('of several blocks the first that the data, or the values given, can feed', async () => {
  const file = join(at, 'chain.net')
  writeFileSync(file, chain)
  const weights = join(at, 'chain.safetensors')
  expect((await netc(['train', file, '--epochs', '1', '--out', weights])).code).toBe(0)
  const shown = async (...more: readonly string[]) => {
    const out = join(at, 'chain.svg')
    const ran = await netc(['show', file, 'widen.dense_1', '-w', weights, '-o', out, ...more])
    expect(ran.code).toBe(0)
    return ran.err.split('\n')[0]
  }
  expect(await shown()).toBe(
    'widen.dense_1: as inner computes it; others with --block: outer, drawn, fit',
  )
  expect(await shown('--in', 'code=1,2,3,4')).toBe(
    'widen.dense_1: as outer computes it; others with --block: drawn, inner, fit',
  )
  expect(await shown('--block', 'drawn')).toBe(`a picture in ${join(at, 'chain.svg')}`)
})

test('a text in place of data', async () => {
  const out = join(at, 'h.svg')
  const ran = await netc(['show', ...read, 'weights', '--in', 'ids=ab ca', '-o', out])
  expect(ran.code).toBe(0)
  const names = [...readFileSync(out, 'utf8').matchAll(/>([abc␣])</g)].map((m) => m[1]).join('')
  expect(names).toBe('ab␣caab␣ca')
  const odd = await netc(['show', ...read, 'weights', '--in', 'ids=abxca', '-o', out])
  expect([odd.code, odd.err]).toEqual([1, expect.stringContaining('x')])
})

test('what can be shown', async () => {
  const ran = await netc(['show', copy[0]!, '--list', '--json'])
  const found = ran.events().map(({ name, kind, blocks }) => [name, kind, blocks])
  expect(found).toContainEqual(['code.dense_1.W', 'param', []])
  expect(found).toContainEqual(['image', 'input', ['same', 'copy']])
  expect(found).toContainEqual(['code.tanh_1', 'value', ['same', 'copy']])
  expect(found).toContainEqual(['d_code.tanh_1', 'value', ['copy']])
  const text = await netc(['show', copy[0]!, '--list'])
  expect(text.out).toMatch(/^param {2}code\.dense_1\.W +\[64, 3\] +images\n/)
})

test('calls that cannot be met say why', async () => {
  const out = ['-o', join(at, 'x.png')]
  const cases: readonly [string[], number, string][] = [
    [['show', copy[0]!], 2, 'netc show needs --weights FILE, or --list'],
    [['show', ...copy, '-o', 'x.gif'], 2, '--out x.gif: the name ends in .png, .svg or .html'],
    [
      ['show', ...copy, 'tanh_2', ...out],
      1,
      'has no tensor tanh_2; did you mean tanh_1? netc show',
    ],
    [['show', ...copy, '--predict', 'sam', ...out], 2, `has same, sample; did you mean same?`],
    [['show', ...copy, '--row', '3', 'image', ...out], 1, '--row 3: data train has 3 rows, 0 to 2'],
    [
      ['show', ...copy, '--row', '-1', 'image', ...out],
      2,
      '--row -1: it takes the number of a row',
    ],
    [
      ['show', ...copy, '--grid', '8', ...out],
      2,
      '--grid 8: it takes rows and columns, such as 8x8',
    ],
    [['show', ...copy, '--size', '0x3', ...out], 2, '--size 0x3: it takes height and width'],
    [
      ['show', ...copy, 'tanh_1', '--block', 'sample', ...out],
      2,
      'code.tanh_1 is computed by same, copy',
    ],
    [
      ['show', ...read, 'table', ...out],
      1,
      'points are nothing without their names; take .svg or .html',
    ],
    [
      ['predict', ...copy, ...out],
      2,
      'has several predict blocks: choose one of same, sample with --block',
    ],
    [['predict', ...copy, '--grid', '2x2'], 2, '--grid belongs to --out FILE'],
  ]
  for (const [args, code, message] of cases) {
    const ran = await netc(args)
    expect([args.slice(3), ran.code, ran.out]).toEqual([args.slice(3), code, ''])
    expect(ran.err).toContain(message)
  }
})
