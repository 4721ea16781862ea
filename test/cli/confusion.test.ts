/** Confusion matrices of `netc eval`, by hand and of a compiled model. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { classScores } from '../../compiler/cli/confusion.ts'
import { folder, netc } from './support.ts'

test('the scores of each class and their means', () => {
  // Class c is neither there nor guessed; d is guessed only.
  const counts = [3, 1, 0, 0, 0, 2, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]
  const [a, b, c, d, mean, weighted] = classScores(counts, ['a', 'b', 'c', 'd'])
  expect(a).toEqual({ class: 'a', precision: 1, recall: 0.75, f1: 6 / 7, rows: 4 })
  expect(b).toEqual({ class: 'b', precision: 2 / 3, recall: 0.5, f1: 4 / 7, rows: 4 })
  expect(c).toEqual({ class: 'c', precision: 0, recall: 0, f1: 0, rows: 0 })
  expect(d).toEqual({ class: 'd', precision: 0, recall: 0, f1: 0, rows: 0 })
  expect(mean!.recall).toBeCloseTo(1.25 / 3, 12)
  expect(weighted!.precision).toBeCloseTo(5 / 6, 12)
  expect(weighted!.rows).toBe(8)
})

const text = `dim batch <= 4
data {
  train: csv("rows.csv", x = "x", kind = "kind")
}
net f(x: [batch, 1]) -> [batch, 2] { x |> dense(2) }
train t(x: [batch, 1], kind: int[batch]) {
  logits = f(x)
  minimize cross_entropy(logits, kind)
  using adam(0.3)
  report confusion(logits, kind), sums = total(sum(x))
}
`

test('netc eval shows the matrix with the names of the classes', async () => {
  const rows = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((x) => `${x - 5},${x < 6 ? 'low' : 'tall'}\n`)
  // One that cannot be right.
  const at = folder({ 'm.net': text, 'rows.csv': `x,kind\n${rows.join('')}-9,tall\n` })
  const file = join(at, 'm.net')
  const out = join(at, 'w.safetensors')
  const trained = await netc(['train', file, '--epochs', '60', '--out', out])
  expect(trained.err).not.toContain('error')
  expect(trained.out).toMatch(/^train {6}loss \S+ {2}sums -9\.000\n/)
  const shown = await netc(['eval', file, '-w', out])
  expect(shown.out.split('\n').slice(1)).toEqual([
    '',
    'rows: the class, columns: what it was taken for',
    'confusion  low  tall',
    '      low    5     0',
    '     tall    1     4',
    '',
    '        class  precision  recall      f1  rows',
    '          low     0.8333  1.0000  0.9091     5',
    '         tall     1.0000  0.8000  0.8889     5',
    '         mean     0.9167  0.9000  0.8990    10',
    'weighted mean     0.9167  0.9000  0.8990    10',
    '',
  ])
  const json = (await netc(['eval', file, '-w', out, '--json'])).events()
  expect(json[0]).toMatchObject({
    event: 'done',
    metrics: { train: { sums: -9 } },
    tensors: {
      confusion: {
        values: [
          [5, 0],
          [1, 4],
        ],
        classes: [{ class: 'low', rows: 5 }, { class: 'tall' }, {}, {}],
      },
    },
  })
})
