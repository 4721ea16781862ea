// Class weights that a reader makes: `balance = "kind"`.
import { expect, test } from 'vitest'
import { readSource } from '../../runtime/data/index.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)

test('balanced classes count alike, by the training rows', async () => {
  const text = 'w,kind\n1,a\n2,a\n3,a\n4,b\n5,b\n6,c\n'
  const source = (more: object, options = {}) =>
    readSource(
      {
        name: 'train',
        reader: 'csv',
        args: Object.entries({ '': 't.csv', x: 'w', kind: 'kind', ...more }).map(
          ([name, value]) => ({ name: name || null, value }),
        ),
      },
      async () => utf8(text) as Uint8Array<ArrayBuffer>,
      options,
    )
  const all = await source({ balance: 'kind' })
  const weight = all.columns.at(-1)!
  expect(weight).toMatchObject({ name: 'weight', shape: [6] })
  expect([...weight.data]).toEqual([2 / 3, 2 / 3, 2 / 3, 1, 1, 2].map(Math.fround))
  expect((await source({ balance: true })).columns.at(-1)!.data).toEqual(weight.data)
  const split = { balance: 'kind', split: 'train', fraction: 0.5, seed: 2 }
  const train = await source(split)
  const kinds = [...train.columns[1]!.data]
  const sums = [0, 1, 2].map((k) =>
    kinds.reduce((s, kind, r) => s + (kind === k ? train.columns[2]!.data[r]! : 0), 0),
  )
  const there = sums.filter((s) => s > 0)
  for (const s of there) expect(s).toBeCloseTo(3 / there.length, 5)
  const { encoding } = train
  const test = await source({ ...split, split: 'test' }, { encoding })
  test.columns[1]!.data.forEach((kind, r) => {
    const known = kinds.indexOf(kind)
    const expected = known < 0 ? 1 : train.columns[2]!.data[known]!
    expect(test.columns[2]!.data[r]).toBe(expected)
  })
  await expect(source({ balance: 'sort' })).rejects.toThrow('balance names sort')
  await expect(source({ weight: 'w', balance: 'kind' })).rejects.toThrow('there is one already')
  await expect(source({ x: 'w, w', balance: 'x' })).rejects.toThrow('x has several values')
  await expect(
    readSource(
      {
        name: 'd',
        reader: 'csv',
        args: [
          { name: null, value: 't.csv' },
          { name: 'x', value: 'w' },
          { name: 'balance', value: 'x' },
        ],
      },
      async () => utf8('w\n1.5\n') as Uint8Array<ArrayBuffer>,
    ),
  ).rejects.toThrow('balance takes classes, and x holds 1.5')
})
