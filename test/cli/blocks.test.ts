/** Train blocks that learn from data of their own, and one that goes on from the weights of another. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readSafetensors } from '../../runtime/safetensors.ts'
import { folder, netc } from './support.ts'

// `tags_test` has no b: numbered by itself, its c would be 1 and not 2. `test` is not for `tags`: it has no column tag.
const files = {
  'm.net': `dim batch <= 4
data {
  train:      csv("train.csv", x = "x", y = "y")
  test:       csv("train.csv", x = "x", y = "y")
  tags_train: csv("tags.csv", x = "x", tag = "tag")
  tags_test:  csv("held.csv", x = "x", tag = "tag")
  tags_more:  csv("held.csv", x = "x", tag = "tag")
}
net read(x: [batch, 1]) -> [batch, 4] { x |> dense(4) |> tanh }
net value(h: [batch, 4]) -> [batch, 1] { h |> dense(1) }
net score(h: [batch, 4]) -> [batch, 3] { h |> dense(3) }
train values(x: [batch, 1], y: [batch, 1]) {
  minimize mse(value(read(x)), y)
  using adam(0.01)
}
train tags(x: [batch, 1], tag: int[batch]) {
  scores = score(read(x))
  minimize cross_entropy(scores, tag)
  using adam(0.05)
  report accuracy(scores, tag)
}
predict tagged(x: [batch, 1]) { probs = softmax(score(read(x))) }
`,
  'train.csv': 'x,y\n1,2\n2,4\n-1,-2\n',
  'tags.csv': 'x,tag\n-2,a\n-1.5,a\n0,b\n0.1,b\n1.5,c\n2,c\n',
  'held.csv': 'x,tag\n-1.8,a\n1.8,c\n',
}

type Metrics = Record<string, Record<string, number>>

test('a block takes the data that has its name, and begins with weights of another', async () => {
  const at = folder(files)
  const [model, first, second] = ['m.net', 'first', 'second'].map((name) => join(at, name))
  const run = async (...args: string[]) => {
    const ran = await netc(args)
    expect(ran.err.replace(/^.*compiled in.*\n|^\d+ steps.*\n/gm, '')).toBe('')
    return ran.events().at(-1)!
  }
  const begin = ['train', model!, '--json', '--block']
  const values = await run(...begin, 'values', '--epochs', '3', '-o', first!)
  expect([values.step, Object.keys(values.metrics as Metrics)]).toEqual([3, ['train', 'test']])

  // A rate of 0 leaves what the first block has learned, and both heads, as they were.
  const still = ['tags', '--weights', first!, '-o', second!]
  const kept = await run(...begin, ...still, '--lr', '0', '--epochs', '1')
  expect(kept.step).toBe(2)
  const tensorsOf = (path: string) =>
    readSafetensors(readFileSync(path)).tensors.map(({ name, bytes }) => [name, [...bytes]])
  expect(tensorsOf(second!)).toEqual(tensorsOf(first!))

  // The classes of what is tested and validated on are those of tags_train.
  const watched = ['--validation', 'tags_more', '--epochs', '300']
  const { metrics } = await run(...begin, ...still, ...watched)
  expect((metrics as Metrics).train!.accuracy).toBe(1)
  expect((metrics as Metrics).validation!.accuracy).toBe(1)
  expect((metrics as Metrics).test!.accuracy).toBe(1)
  const evaluated = await run('eval', model!, '--block', 'tags', '-w', second!, '--json')
  expect(evaluated).toMatchObject({ data: 'tags_test', metrics: { tags_test: { accuracy: 1 } } })
  const other = await run('eval', model!, '--block', 'values', '-w', second!, '--json')
  expect(other.data).toBe('test')
})

test('a block without data of its own is trained on what there is for all', async () => {
  const at = folder({ ...files, 'm.net': files['m.net'].replaceAll('tags_', 'marks_') })
  const ran = await netc(['train', join(at, 'm.net'), '--block', 'tags', '-o', join(at, 'w')])
  expect(ran.code).toBe(1)
  expect(ran.err).toContain('data train, column y tag: row 1 holds 4')
})
