/** Vocabularies in the runtime: texts to numbers and back, and models that are fed with texts. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compile } from '../../compiler/index.ts'
import type { Manifest, VocabularySpec } from '../../compiler/wasm/manifest.ts'
import { load, NetcError } from '../../runtime/index.ts'
import { text, Vocabulary, vocabulariesOf } from '../../runtime/text/index.ts'
import { manifest } from './fixture.ts'

const spec = (tokens: readonly string[], more: Partial<VocabularySpec> = {}): VocabularySpec => ({
  name: 'v',
  separator: '',
  lower: false,
  unknown: null,
  tokens,
  ...more,
})

function errorOf(f: () => unknown): NetcError {
  try {
    f()
  } catch (error) {
    if (error instanceof NetcError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('a vocabulary', () => {
  test('gives back every text of its characters', () => {
    const tokens = ['<pad>', '\n', ' ', 'a', 'b', 'é', '😀', '<']
    const vocabulary = new Vocabulary(spec(tokens))
    const texts = fc.array(fc.constantFrom(...tokens.slice(1))).map((parts) => parts.join(''))
    fc.assert(
      fc.property(texts, (one) => {
        const ids = vocabulary.encode(one)
        expect(ids.length).toBe([...one].length)
        expect(vocabulary.decode(ids)).toBe(one)
      }),
    )
  })

  test('takes the longest token', () => {
    const vocabulary = new Vocabulary(spec(['a', 'ab', 'abc', 'c', 'b']))
    expect([...vocabulary.encode('abcabac')]).toEqual([2, 1, 0, 3])
    expect(vocabulary.id('abc')).toBe(2)
    expect(vocabulary.id('ca')).toBeUndefined()
    expect(vocabulary.size).toBe(5)
  })

  test('parts words by white space', () => {
    const vocabulary = new Vocabulary(spec(['<unk>', 'AA', 'B'], { separator: ' ', unknown: 0 }))
    expect([...vocabulary.encode('  AA\nB  x AA ')]).toEqual([1, 2, 0, 1])
    expect(vocabulary.decode([1, 2, 0])).toBe('AA B <unk>')
  })

  test('takes texts in lower case where it says so', () => {
    expect([...new Vocabulary(spec(['a', 'b'], { lower: true })).encode('AbB')]).toEqual([0, 1, 1])
  })

  test('names what is no token, and where', () => {
    const vocabulary = new Vocabulary(spec(['a', 'b']))
    const error = errorOf(() => vocabulary.encode('ab😀'))
    expect(error.message).toBe('"😀" at position 2 is no token of the vocabulary v')
    expect(error).toMatchObject({ code: 'token', details: { token: '😀', position: 2 } })
    const words = new Vocabulary(spec(['a', 'b'], { separator: ' ' }))
    expect(errorOf(() => words.encode('a b  cd')).message).toContain('"cd" at position 5')
    const { message, code } = errorOf(() => vocabulary.decode([0, 1, 2]))
    expect(message).toBe('value 2 is 2, and the vocabulary v numbers its tokens from 0 to 1')
    expect(code).toBe('feed-range')
  })
})

const source = `dim batch <= 2
vocab char = chars(text = "abc", special = "<pad>")
vocab strict = chars(text = "xyz")
predict echo(a: char[batch, 4], b: strict[batch], w: [batch]) {
  c: char[batch, 4] = a
  d: strict[batch] = b
  n[i] = w[i] * 2
  (c, d, n)
}`

async function model() {
  const { modules, diagnostics } = compile(source, { targets: ['simd'] })
  expect(diagnostics).toEqual([])
  const made = await load(modules!.simd!.wasm as Uint8Array<ArrayBuffer>, { text })
  made.init(1)
  return made
}

describe('a model with vocabularies', () => {
  test('takes texts, one a row, filled up where there is a token for it', async () => {
    const { predict, vocabularies } = await model()
    const { c, d } = predict.echo!({ a: ['ab', 'cab', 'abca'], b: 'xzy', w: [1, 2, 3] })
    expect([...(c as Int32Array)]).toEqual([1, 2, 0, 0, 3, 1, 2, 0, 1, 2, 3, 1])
    expect(vocabularies.strict!.decode(d as Int32Array)).toBe('xzy')
  })

  test('takes numbers as ever, and tells texts that do not fit', async () => {
    const { predict } = await model()
    const run = (feeds: object) =>
      errorOf(() => predict.echo!({ a: 'ab', b: 'x', w: [1], ...feeds }))
    expect([...(predict.echo!({ a: [1, 2, 3, 0], b: [2], w: [1] }).d as Int32Array)]).toEqual([2])
    expect(run({ a: 'abd' }).message).toBe('"d" at position 2 is no token of the vocabulary char')
    expect(run({ a: ['ab', 'abcab'], b: 'xy', w: [1, 2] }).message).toBe(
      'input a takes 4 tokens a row, and the text of row 1 has 5: shorten it',
    )
    expect(run({ b: 'xy' }).message).toContain('input b has 2 rows')
    expect(run({ a: [0, 0, 0, 4] }).message).toBe(
      'input a takes whole numbers from 0 to 3, and row 0 holds 4',
    )
    expect(run({ w: 'a' }).message).toBe('input w takes a flat array of numbers')
  })

  test('has them in its manifest', async () => {
    const { manifest } = await model()
    expect(manifest.vocabularies).toEqual([
      {
        name: 'char',
        separator: '',
        lower: false,
        unknown: null,
        tokens: ['<pad>', 'a', 'b', 'c'],
      },
      { name: 'strict', separator: '', lower: false, unknown: null, tokens: ['x', 'y', 'z'] },
    ])
    const [entry] = manifest.entries
    expect(entry!.inputs.map((i) => [i.vocabulary, i.range])).toEqual([
      ['char', 4],
      ['strict', 3],
      [undefined, null],
    ])
    expect(entry!.outputs.map((o) => o.vocabulary)).toEqual(['char', 'strict', undefined])
  })
})

test.each([
  [{}],
  [[null]],
  [[{ ...spec(['a']), name: 1 }]],
  [[{ ...spec(['a']), separator: '-' }]],
  [[{ ...spec(['a']), tokens: 'a' }]],
  [[spec(['a', ''])]],
  [[spec(['a'], { unknown: 1 })]],
])('a damaged list of vocabularies is told: %j', (vocabularies) => {
  const damaged = { ...manifest, vocabularies } as unknown as Manifest
  expect(errorOf(() => vocabulariesOf(damaged)).code).toBe('manifest')
})
