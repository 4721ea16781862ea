/** Train blocks that learn from data of their own, and trainings that go on from the weights of others. */
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

test('--from takes the weights that fit, and says which do not', async () => {
  const other = files['m.net']
    .replace(
      'net score(h: [batch, 4]) -> [batch, 3] { h |> dense(3) }',
      'net score(h: [batch, 4]) -> [batch, 3] { h |> dense(4) |> tanh |> dense(3) }',
    )
    .replaceAll('value(', 'number(')
  const at = folder({ ...files, 'other.net': other })
  const [w, out] = ['w', 'out'].map((name) => join(at, name))
  const args = ['--block', 'tags', '--epochs', '1', '--lr', '0']
  const saved = async (model: string, path: string, ...more: string[]) => {
    const ran = await netc(['train', join(at, model), ...args, '-o', path, ...more])
    const { tensors } = readSafetensors(readFileSync(path))
    return { ran, tensors: new Map(tensors.map(({ name, bytes }) => [name, [...bytes]])) }
  }
  const before = await saved('m.net', w!, '--seed', '1')
  const fresh = await saved('other.net', join(at, 'fresh'), '--seed', '2')
  const { ran, tensors } = await saved('other.net', out!, '--seed', '2', '--from', w!)
  expect(ran.err).toContain(`${w}: 2 of 8 tensors taken
  not in the file, initialised: number.dense_1.W, number.dense_1.b, score.dense_2.W, score.dense_2.b
  of another shape, initialised: score.dense_1.W [4, 4], in the file [4, 3]
  of another shape, initialised: score.dense_1.b [4], in the file [3]
  not in the model: value.dense_1.W, value.dense_1.b
`)
  expect(tensors.get('read.dense_1.W')).toEqual(before.tensors.get('read.dense_1.W'))
  expect(tensors.get('read.dense_1.W')).not.toEqual(fresh.tensors.get('read.dense_1.W'))
  for (const name of ['score.dense_1.W', 'score.dense_2.W', 'number.dense_1.W']) {
    expect(tensors.get(name)).toEqual(fresh.tensors.get(name))
  }

  const told = await netc([
    'train',
    join(at, 'other.net'),
    ...args,
    '-o',
    out!,
    '--from',
    w!,
    '--json',
  ])
  expect(told.events().find(({ event }) => event === 'from')).toMatchObject({
    file: w,
    taken: expect.arrayContaining(['read.dense_1.W', 'read.dense_1.b']),
    unlike: [
      { name: 'score.dense_1.W', file: '[4, 3]', model: '[4, 4]' },
      { name: 'score.dense_1.b' },
    ],
    unused: ['value.dense_1.W', 'value.dense_1.b'],
  })
})

test('weights that cannot be begun with', async () => {
  const at = folder({
    ...files,
    'other.net': files['m.net'].replaceAll(/(read|value|score)\(/g, 'my_$1('),
  })
  const [model, w] = ['m.net', 'w'].map((name) => join(at, name))
  await netc(['train', model!, '--block', 'tags', '--epochs', '1', '-o', w!])
  const begin = (name: string, ...args: string[]) =>
    netc(['train', join(at, name), '--block', 'tags', '-o', join(at, 'out'), ...args])
  const none = await begin('other.net', '--from', w!)
  expect([none.code, none.err]).toEqual([
    1,
    `netc: --from ${w} has none of the model's parameters; it has read.dense_1.W [1, 4], read.dense_1.b [4], ` +
      'value.dense_1.W [4, 1], value.dense_1.b [1], score.dense_1.W [4, 3], score.dense_1.b [3]\n',
  ])
  const both = await begin('m.net', '--from', w!, '--weights', w!)
  expect([both.code, both.err]).toEqual([
    2,
    expect.stringContaining('netc: either --weights or --from\n'),
  ])
})
