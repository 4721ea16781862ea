/** Texts and pictures through the real commands, and data that is refused before anything is trained on it. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { encodePng } from '../../compiler/cli/png.ts'
import { folder, netc, type Ran } from './support.ts'

/** A folder with files, some in folders of their own. */
function files(all: Readonly<Record<string, string | Uint8Array>>): string {
  const at = folder({})
  for (const [name, content] of Object.entries(all)) {
    mkdirSync(dirname(join(at, name)), { recursive: true })
    writeFileSync(join(at, name), content)
  }
  return at
}

const train = (at: string): Promise<Ran> =>
  netc(['train', join(at, 'm.net'), '--epochs', '1', '-o', join(at, 'w')])

const picture = (value: number, width = 2): Uint8Array =>
  encodePng({ width, height: 2, channels: 1, data: new Uint8Array(2 * width).fill(value) })

const writer = (tokens: string): string => `dim batch <= 4
vocab char = chars("book.txt.gz", special = "<pad>")
data { train: text("book.txt.gz", tokens = "${tokens}", stride = 2) }
net follow(tokens: char[batch, 3]) -> [batch, char] {
  param table: [char, 4] = normal(0, 1)
  e[n, d] = sum[t](table[tokens[n, t], d])
  e |> dense(char)
}
train lm(tokens: char[batch, 3], next: char[batch, 3]) {
  last[n] = next[n, 2]
  minimize cross_entropy(follow(tokens), last)
  using sgd(0.1)
}
predict following(tokens: char[batch, 3], pick: char[batch], scale: [batch]) {
  scores = follow(tokens)
  next: char[batch, 3] = tokens
  copy: char[batch] = pick
  twice[n] = 2 * scale[n] + 0 * scores[n, 0]
  (next, copy, twice)
}
`
const book = gzipSync('to be, or "not"\nto be')

test('a model is trained on a text, and predicts from texts', async () => {
  const at = files({ 'm.net': writer('char[3]'), 'book.txt.gz': book })
  const ran = await train(at)
  expect(ran.code).toBe(0)
  const predict = (...args: string[]) =>
    netc(['predict', join(at, 'm.net'), '-w', join(at, 'w'), ...args])
  const both = ['--in', 'tokens=to', '--in', 'tokens=be,', '--in', 'pick="t', '--in', 'scale=1,2.5']
  expect((await predict(...both)).out).toBe(
    '{"next":"to<pad>","copy":"\\"","twice":2}\n{"next":"be,","copy":"t","twice":5}\n',
  )
  expect((await predict(...both, '--format', 'csv')).out).toBe(
    'next,copy,twice\nto<pad>,"""",2\n"be,",t,5\n',
  )
  const told = async (...args: string[]) => (await predict(...args)).err
  expect(await told('--in', 'tokens=tq', '--in', 'pick=t', '--in', 'scale=1')).toBe(
    'netc: "q" at position 1 is no token of the vocabulary char\n',
  )
  expect(await told('--in', 'token=t')).toBe(
    'netc: --in token=t: it takes NAME=VALUE, and the inputs of following are tokens, pick, scale; did you mean tokens?\n',
  )
  expect(await told('--in', 'scale=x')).toBe(
    'netc: --in scale=x: scale is f32 and takes numbers, with commas between\n',
  )
  expect(await told('--in', 'scale=1', '--data', 'train')).toBe('netc: either --in or --data\n')
})

test('a text of which there is no file is told at the vocabulary', async () => {
  const at = files({ 'm.net': writer('char[3]') })
  const { code, err } = await train(at)
  expect(code).toBe(1)
  expect(err).toContain('m.net:2:20: error NET2062: there is no file `book.txt.gz`')
})

const classes = `dim batch <= 4
data { train: images("pictures/*/*.png") }
net classify(image: [batch, 2, 2, 1]) -> [batch, 2] {
  y[n, c: 2] = sum[h, w, k](image[n, h, w, k]) * float(c) / 1000
}
net scaled(y: [batch, 2]) -> [batch, 2] { y |> dense(2) }
train kinds(image: [batch, 2, 2, 1], label: int[batch]) {
  logits = scaled(classify(image))
  minimize cross_entropy(logits, label)
  using sgd(0.1)
  report accuracy(logits, label)
}
predict kind(image: [batch, 2, 2, 1]) { y = classify(image) }
`

test('pictures in folders are read with their labels', async () => {
  const at = files({
    'm.net': classes,
    'pictures/dark/a.png': picture(0),
    'pictures/dark/b.png': picture(10),
    'pictures/light/a.png': picture(250),
    'pictures/light/notes.txt': 'none',
  })
  expect((await train(at)).code).toBe(0)
  const { out } = await netc(['predict', join(at, 'm.net'), '-w', join(at, 'w'), '--data', 'train'])
  expect(out).toBe('{"y":[0,0]}\n{"y":[0,0.04]}\n{"y":[0,1]}\n')
})

test('pictures in a table, grey from colours', async () => {
  const red = {
    width: 2,
    height: 2,
    channels: 3,
    data: Uint8Array.from([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9]),
  }
  const source = 'images("list.csv", image = "file", label = "kind", channels = 1)'
  const at = files({
    'm.net': classes.replace('images("pictures/*/*.png")', source),
    'list.csv': 'kind,file\nb,p/1.png\na,p/2.png\n',
    'p/1.png': encodePng(red),
    'p/2.png': picture(100),
  })
  expect((await train(at)).code).toBe(0)
  const { out } = await netc(['predict', join(at, 'm.net'), '-w', join(at, 'w'), '--data', 'train'])
  // Rec. 601: 76.2, 149.7 and 29.1, rounded.
  expect(out).toBe('{"y":[0,0.264]}\n{"y":[0,0.4]}\n')
})

const table = `dim batch <= 4
data { train: csv("t.csv", id = "id", label = "label") }
net look(id: int[batch]) -> [batch, 2] {
  param table: [5, 2] = normal(0, 1)
  y[n, c] = table[id[n], c]
}
train t(id: int[batch], label: int[batch]) {
  minimize cross_entropy(look(id), label)
  using sgd(0.1)
}
`

test.each<[string, Record<string, string | Uint8Array>, string]>([
  [
    'an id outside a table',
    { 'm.net': table, 't.csv': 'id,label\n4,1\n5,0\n' },
    'data train, column id: row 1 holds 5, and input id takes whole numbers from 0 to 4',
  ],
  [
    'a label outside its range',
    { 'm.net': table, 't.csv': 'id,label\n4,1\n0,0\n1,2\n' },
    'data train, column label: row 2 holds 2, and input label takes whole numbers from 0 to 1',
  ],
  [
    'a sequence longer than the model takes',
    { 'm.net': writer('char[5]'), 'book.txt.gz': book },
    'data train, column tokens: its rows have shape [5] and input tokens takes [3]',
  ],
  [
    'an unknown character',
    {
      'm.net': writer('char[3]').replace('text("book.txt.gz"', 'text("other.txt"'),
      'book.txt.gz': book,
      'other.txt': 'to be\nor be queen',
    },
    'other.txt: line 2, column 7: "q" is no token of the vocabulary char',
  ],
  [
    'an image of another size than the others',
    { 'm.net': classes, 'pictures/a/1.png': picture(0), 'pictures/b/2.png': picture(1, 3) },
    'row 1 is 3 by 2 pixels and row 0,',
  ],
  [
    'images of another size than the model takes',
    { 'm.net': classes, 'pictures/a/1.png': picture(0, 3), 'pictures/b/2.png': picture(1, 3) },
    'data train, column image: its rows have shape [2, 3, 1] and input image takes [2, 2, 1]',
  ],
  ['no pictures at all', { 'm.net': classes }, 'pictures/*/*.png: there is no such file'],
])('%s is refused before training', async (_, all, told) => {
  const { code, out, err } = await train(files(all))
  expect([code, out]).toEqual([1, ''])
  expect(err).toContain('error NET6002: ')
  expect(err).toContain(told)
  expect(err).toMatch(/m\.net:\d:\d/)
})
