/** The readers of texts and pairs: what their columns hold, what they refuse and how, and damaged files at random. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { feedsOf, readSource, type SourceCall } from '../../runtime/data/index.ts'
import { NetcError } from '../../runtime/index.ts'
import { Vocabulary } from '../../runtime/text/index.ts'

const vocabulary = (
  name: string,
  tokens: readonly string[],
  separator: '' | ' ' = '',
): Vocabulary => new Vocabulary({ name, tokens, separator, lower: false, unknown: null })

const vocabularies = {
  char: vocabulary('char', [...'abcdefghijklmnopqrstuvwxyz \n']),
  letter: vocabulary('letter', ['<pad>', ...'abcdefgh']),
  phone: vocabulary('phone', ['<pad>', '<start>', '<end>', 'AA', 'B', 'K'], ' '),
}

type Option = string | number | boolean

const call = (reader: string, file: string, named: Record<string, Option>): SourceCall => ({
  name: 'train',
  reader,
  args: [
    { name: null, value: file },
    ...Object.entries(named).map(([name, value]) => ({ name, value })),
  ],
})

const read = (
  reader: string,
  file: string,
  text: string | Uint8Array,
  named: Record<string, Option>,
) =>
  readSource(
    call(reader, file, named),
    async () =>
      (typeof text === 'string' ? new TextEncoder().encode(text) : text) as Uint8Array<ArrayBuffer>,
    { vocabularies },
  )

const message = async (reading: Promise<unknown>): Promise<string> => {
  try {
    await reading
  } catch (error) {
    if (error instanceof NetcError) return error.message
    throw error
  }
  throw new Error('nothing was thrown')
}

const alphabet = 'abcdefghijklmnopqrstuvwxyz'
const rowsOf = (column: { shape: readonly number[]; data: ArrayLike<number> }): number[][] => {
  const [rows, width = 1] = column.shape as [number, number?]
  return Array.from({ length: rows }, (_, r) =>
    Array.from({ length: width }, (_, k) => column.data[r * width + k]!),
  )
}

describe('windows over a text', () => {
  test('hold the tokens and those that follow', async () => {
    const { columns, rows } = await read('text', 't', alphabet, { tokens: 'char[4]', stride: 10 })
    expect(rows).toBe(3)
    expect(columns.map((c) => [c.name, c.shape])).toEqual([
      ['tokens', [3, 4]],
      ['next', [3, 4]],
      ['file', [3]],
    ])
    const starts = rowsOf(columns[0]!)
    expect(starts).toEqual([
      [0, 1, 2, 3],
      [10, 11, 12, 13],
      [20, 21, 22, 23],
    ])
    expect(rowsOf(columns[1]!)).toEqual(starts.map((row) => row.map((id) => id + 1)))
  })

  test('of several files lie each in one, which is told', async () => {
    const source: SourceCall = {
      name: 'train',
      reader: 'text',
      args: [
        ...['abcde', 'xy', 'pqrstu'].map((value) => ({ name: null, value })),
        { name: 'tokens', value: 'char[3]' },
        { name: 'stride', value: 1 },
      ],
    }
    const open = async (file: string) => new TextEncoder().encode(file) as Uint8Array<ArrayBuffer>
    const { columns } = await readSource(source, open, { vocabularies })
    const [tokens, next, file] = columns.map(rowsOf)
    const { char } = vocabularies
    expect(tokens!.map((row) => char.decode(row))).toEqual(['abc', 'bcd', 'pqr', 'qrs', 'rst'])
    expect(next!.map((row) => char.decode(row))).toEqual(['bcd', 'cde', 'qrs', 'rst', 'stu'])
    expect(file!.flat()).toEqual([0, 0, 2, 2, 2])
  })

  test('of training and of testing meet nowhere and, one after another, leave nothing out', async () => {
    const cases = fc.record({
      length: fc.integer({ min: 1, max: 7 }),
      stride: fc.integer({ min: 1, max: 9 }),
      tokens: fc.integer({ min: 40, max: 200 }),
      fraction: fc.double({ min: 0.3, max: 0.7, noNaN: true }),
    })
    await fc.assert(
      fc.asyncProperty(cases, async ({ length, stride, tokens, fraction }) => {
        // Every token is its own position, told by the place in a vocabulary as large as the text.
        const places = Array.from({ length: tokens }, (_, k) => String.fromCodePoint(0x4e00 + k))
        const part = async (split: string) => {
          const { columns } = await readSource(
            call('text', 't', { x: `all[${length}]`, stride, split, fraction }),
            async () => new TextEncoder().encode(places.join('')) as Uint8Array<ArrayBuffer>,
            { vocabularies: { all: vocabulary('all', places) } },
          )
          const next = rowsOf(columns[1]!)
          expect(rowsOf(columns[0]!)).toEqual(next.map((row) => row.map((id) => id - 1)))
          return next
        }
        const train = await part('train')
        const held = await part('test')
        const border = Math.round(tokens * fraction)
        expect(train.map((row) => row[0])).toEqual(train.map((_, k) => k * stride + 1))
        expect(held.map((row) => row[0])).toEqual(held.map((_, k) => border + k * stride + 1))
        const last = (rows: number[][]): number => rows.at(-1)!.at(-1)!
        expect(last(train)).toBeLessThan(border)
        expect(last(train) + stride).toBeGreaterThanOrEqual(border)
        expect(last(held) + stride).toBeGreaterThanOrEqual(tokens)
      }),
      { numRuns: 60 },
    )
  })

  test.each<[Record<string, Option>, string, string]>([
    [
      { tokens: 'char[4]' },
      'ab\ncdé',
      't: line 2, column 3: "é" is no token of the vocabulary char',
    ],
    [
      { tokens: 'char[4]' },
      'abcd',
      't: there are 4 tokens to take windows from, and one with what follows takes 5',
    ],
    [
      { tokens: 'char[4]', split: 'test' },
      alphabet,
      't: there are 3 tokens to take windows from, and one with what follows takes 5',
    ],
    [
      { tokens: 'word[4]' },
      alphabet,
      'train: text(…): tokens: there is no vocabulary word; the model has char, letter, phone',
    ],
    [
      { tokens: 'char' },
      alphabet,
      'train: text(…): tokens = "char" is no vocabulary with a length: text = "char[128]"',
    ],
    [
      { x: 'char[4]', y: 'char[4]' },
      alphabet,
      'train: text(…): it names 2 outputs and takes 1, such as text = "char[128]"',
    ],
    [{ x: 'char[4]', stride: 0 }, alphabet, 'train: text(…): stride is a number of tokens'],
    [{ x: 'char[4]', limit: 0.5 }, alphabet, 'train: text(…): limit is a number of rows'],
    [{ x: 'char[4]', split: 'x' }, alphabet, 'train: text(…): split is "train" or "test"'],
    [
      { x: 'char[4]', onehot: 'x' },
      alphabet,
      'train: text(…): it has no option onehot; its options are split, fraction, limit, stride',
    ],
  ])('%j is refused', async (named, text, told) => {
    expect(await message(read('text', 't', text, named))).toBe(told)
  })

  test('a text in another encoding is refused', async () => {
    const latin = Uint8Array.of(0x66, 0xfc, 0x72)
    expect(await message(read('text', 't', latin, { x: 'char[2]' }))).toBe(
      't: this is no text in UTF-8',
    )
  })

  test('longer than the sequences of the model are told', async () => {
    const data = await read('text', 't', alphabet, { tokens: 'char[8]' })
    const tokens = {
      name: 'tokens',
      dtype: 'i32' as const,
      shape: [4, 6],
      bounds: ['batch', null],
      offset: 0,
      range: 28,
      vocabulary: 'char',
    }
    expect(() => feedsOf([tokens], data, 'data train')).toThrow(
      'data train, column tokens: its rows have shape [8] and input tokens takes [6]',
    )
  })
})

const sides = { word: 'letter[4]', sound: 'phone[3]' }

describe('pairs', () => {
  test('are filled up, shifted and masked', async () => {
    const { columns, rows } = await read('pairs', 'a.tsv', 'ab\tAA B\nc\tK\n\n', sides)
    expect(rows).toBe(2)
    expect(Object.fromEntries(columns.map((c) => [c.name, rowsOf(c)]))).toEqual({
      word: [
        [1, 2, 0, 0],
        [3, 0, 0, 0],
      ],
      sound: [
        [1, 3, 4],
        [1, 5, 0],
      ],
      next: [
        [3, 4, 2],
        [5, 2, 0],
      ],
      word_length: [[2], [1]],
      sound_length: [[3], [2]],
      word_mask: [
        [1, 1, 0, 0],
        [1, 0, 0, 0],
      ],
      sound_mask: [
        [1, 1, 1],
        [1, 1, 0],
      ],
    })
  })

  test.each([
    ['a.json', '{"ab": "AA", "c": "B", "c(2)": "K"}'],
    ['a.json', '[["ab", "AA"], ["c", "B"], ["c", "K"]]'],
    [
      'a.mjs',
      '/** {@type {x}} */\nexport const d = {\n  "ab": "AA",\n  "c": "B",\n  "c(2)": "K",\n};\n',
    ],
    ['a.js', 'module.exports = [["ab", "AA"], ["c", "B"], ["c", "K"]]'],
    ['a.tsv', 'ab\tAA\r\nc\t B\r\nc\tK'],
  ])('from %s: %s', async (file, text) => {
    const { columns } = await read('pairs', file, text, sides)
    expect(rowsOf(columns[0]!).map(([a, b]) => [a, b])).toEqual([
      [1, 2],
      [3, 0],
      [3, 0],
    ])
    expect(rowsOf(columns[2]!).map(([a]) => a)).toEqual([3, 4, 5])
  })

  test('may leave out characters, comments, and rows that do not fit', async () => {
    const text = 'ab  AA1 B0 # note\nabcdefgh  K\nz  K\na  AA B K\nb  K2'
    const named = { ...sides, separator: '  ', ignore: '012', comment: '#', unfit: 'drop' }
    const { columns } = await read('pairs', 'a.txt', text, named)
    expect(rowsOf(columns[2]!)).toEqual([
      [3, 4, 2],
      [5, 2, 0],
    ])
  })

  test('that belong together stay on one side of a split, which a seed decides', async () => {
    const words = fc.uniqueArray(fc.stringMatching(/^[a-h]{1,4}$/), {
      minLength: 60,
      maxLength: 80,
    })
    await fc.assert(
      fc.asyncProperty(words, fc.integer(), async (all, seed) => {
        const text = all.flatMap((word) => [`${word}\tAA`, `${word}\tB K`]).join('\n')
        const part = async (split: string, seed: number) => {
          const named = { ...sides, split, fraction: 0.5, seed }
          const { columns } = await read('pairs', 'a.tsv', text, named)
          return rowsOf(columns[0]!).map((row) => vocabularies.letter.decode(row))
        }
        const [train, held] = [await part('train', seed), await part('test', seed)]
        expect(train.length + held.length).toBe(2 * all.length)
        expect(train.filter((word) => held.includes(word))).toEqual([])
        expect(await part('train', seed)).toEqual(train)
        expect(await part('train', seed + 1)).not.toEqual(train)
      }),
      { numRuns: 15 },
    )
  })

  test.each<[string, string, Record<string, Option>, string]>([
    [
      'a.tsv',
      'ab\tAA\nabcde\tB',
      {},
      'a.tsv: row 1, "abcde": the first text has 5 tokens, and word takes 4 (unfit = "drop" leaves such rows out)',
    ],
    [
      'a.tsv',
      'ab\tAA B K',
      {},
      'a.tsv: row 0, "ab": with <end> the second text has 4 tokens, and sound takes 3 (unfit = "drop" leaves such rows out)',
    ],
    ['a.tsv', 'a\tB\nxy\tB', {}, 'a.tsv: row 1, "xy": "x" is no token of the vocabulary letter'],
    ['a.tsv', 'a\tZH B', {}, 'a.tsv: row 0, "a": "ZH" is no token of the vocabulary phone'],
    ['a.tsv', 'a\tB\nb B', {}, 'a.tsv: line 2: there is no "\\t" in it'],
    ['a.tsv', '\n', {}, 'a.tsv: there are no rows'],
    ['a.json', '{"a": 1}', {}, 'a.json: the value of "a" is no text; it takes pairs of texts'],
    ['a.json', '[["a"]]', {}, 'a.json: element 0 is not two texts; it takes pairs of texts'],
    ['a.json', '3', {}, 'a.json: it is no object and no array; it takes pairs of texts'],
    ['a.json', '{}', { separator: ',' }, 'train: pairs(…): separator is for lines of text'],
    ['a.tsv', 'a\tB', { unfit: 'keep' }, 'train: pairs(…): unfit is "error" or "drop"'],
    [
      'a.tsv',
      'a\tB',
      { word: 'char[4]' },
      'train: pairs(…): the vocabulary char has no token <pad>: special = "<pad>"',
    ],
  ])('%s with %j, %j is refused', async (file, text, named, told) => {
    expect(await message(read('pairs', file, text, { ...sides, ...named }))).toBe(told)
  })

  test('a module that computes its data is refused', async () => {
    const told = await message(read('pairs', 'a.js', 'export default make()', sides))
    expect(told).toMatch(/^a\.js: what it exports is not plain data: /)
  })
})

test('damaged files give an error of data or rows of whole columns', async () => {
  const files: readonly [string, string, Record<string, Option>, string][] = [
    ['text', 't', { tokens: 'char[3]' }, 'some words of a text\nand more of them'],
    ['pairs', 'a.tsv', sides, 'ab\tAA B\nc\tK\nd\tB'],
    ['pairs', 'a.mjs', sides, 'export const d = {"ab": "AA B", "c": "K"}'],
    ['pairs', 'a.json', sides, '[["ab", "AA B"], ["c", "K"]]'],
  ]
  const property = fc.asyncProperty(
    fc.constantFrom(...files),
    fc.array(fc.tuple(fc.nat(60), fc.oneof(fc.nat(255), fc.constantFrom(9, 10, 34, 91, 123)))),
    fc.nat(60),
    async ([reader, file, named, text], changes, length) => {
      const bytes = new TextEncoder().encode(text).slice(0, length)
      for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte
      try {
        const { rows, columns } = await read(reader, file, bytes, named)
        for (const { shape, data } of columns) {
          expect(shape[0]).toBe(rows)
          expect(data.length).toBe(shape.reduce((a, b) => a * b, 1))
        }
      } catch (error) {
        if (!(error instanceof NetcError) || error.code !== 'data') throw error
      }
    },
  )
  await fc.assert(property, { numRuns: 1500 })
})
