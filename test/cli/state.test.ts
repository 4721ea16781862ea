/** Blocks that carry state, and that draw, through the real commands: row by row, generated, resumed. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { folder, netc } from './support.ts'

const model = `dim batch <= 4
vocab letter = chars(text = "abcd")
data { train: csv("rows.csv", x = "a, b", y = "c") }
net f(x: [batch, 2]) -> [batch, 1] { x |> batch_norm |> dense(4) |> tanh |> dense(1) }
train fit(x: [batch, 2], y: [batch, 1]) {
  minimize mse(f(x), y)
  using adam(0.01)
  average 0.9
}
predict value(x: [batch, 2]) { y = f(x) }
predict total(x: [2]) {
  state sum_of: [] = 0
  sum_of' = sum_of + x[0] + x[1]
}
predict rows(x: [batch, 2]) {
  state n: int[] = 0
  n' = n + 1
  y[r] = x[r, 0] + float(n')
  (y, n')
}
predict next(token: letter[], by: int[]) -> letter[] {
  state at: int[] = 0
  at' = at + 1
  follower = (token + by + at / 3) % 4
}
predict noise() { normal([2]) }
`
const rows = ['a,b,c', '1,2,3', '2,-1,1', '0.5,0.5,1', '-1,2,1', '3,1,4', '0,0,0'].join('\n')

const at = folder({ 'm.net': model, 'rows.csv': rows, 'two.csv': 'a,b,c\n1,2,0\n10,20,0\n' })
const file = join(at, 'm.net')
const weights = join(at, 'w')

const predict = (block: string, ...args: string[]) =>
  netc(['predict', file, '-w', weights, '--block', block, ...args])

test('an interrupted training with batch norm and averages goes on to the same bytes', async () => {
  const args = ['train', file, '--seed', '3', '--epochs', '6', '--json']
  expect((await netc([...args, '--out', weights])).code).toBe(0)
  const half = join(at, 'half')
  let epochs = 0
  const first = await netc([...args, '--out', half], {
    interruptAt: (text) => text.includes('"event":"epoch"') && ++epochs === 3,
  })
  expect(first.code).toBe(130)
  expect((await netc(['train', file, '--out', half, '--resume'])).code).toBe(0)
  expect(readFileSync(half)).toEqual(readFileSync(weights))
  const { out } = await predict('value', '--input', join(at, 'two.csv'))
  expect(out.trim().split('\n')).toHaveLength(2)
})

test('a block that carries state is called for each row in turn', async () => {
  expect((await predict('total', '--input', join(at, 'two.csv'))).out).toBe(
    '{"sum_of":3}\n{"sum_of":33}\n',
  )
  expect((await predict('total', '--in', 'x=1,2,3,4,5,6', '--limit', '2')).out).toBe(
    '{"sum_of":3}\n{"sum_of":10}\n',
  )
  const bounded = await predict('rows', '--in', 'x=1,0,5,0', '--format', 'csv')
  expect(bounded.out).toBe('y,n\n2,1\n7,2\n')
})

test('text is fed token by token, and goes on by itself', async () => {
  expect((await predict('next', '--in', 'token=ab', '--in', 'by=1')).out).toBe(
    '{"follower":"b"}\n{"follower":"c"}\n',
  )
  const made = await predict('next', '--in', 'token=ab', '--in', 'by=1', '--generate', '4')
  // after a, b: c; then d + 1 from the third call on, b, d.
  expect(made.out).toBe('{"follower":"cdbd"}\n')
  const odd = await predict('next', '--in', 'token=abc', '--in', 'by=1,2')
  expect(odd.err).toBe('netc: input by has 2 rows and another one 3: as many, or one\n')
  expect((await predict('next', '--generate', '3')).err).toBe(
    'netc: --generate goes on from tokens: give them with --in token=…\n',
  )
  expect((await predict('value', '--in', 'x=1,2', '--generate', '3')).err).toBe(
    'netc: value carries no state from call to call, so it cannot go on\n',
  )
})

test('a block that draws: other numbers each call, the same for a seed', async () => {
  const draw = async (...args: string[]): Promise<string[]> =>
    (await predict('noise', '--limit', '3', ...args)).out.trim().split('\n')
  const first = await draw()
  expect(new Set(first).size).toBe(3)
  expect(await draw()).toEqual(first)
  expect(await draw('--seed', '9')).not.toEqual(first)
  expect(await draw('--seed', '9')).toEqual(await draw('--seed', '9'))
})

test('the report and the types name what is carried', async () => {
  const ran = await netc(['compile', file, '-o', at])
  expect(ran.out).toContain('next carries next.at from call to call\n')
  const types = readFileSync(join(at, 'm.d.ts'), 'utf8')
  expect(types).toContain(
    '/** Carries total.sum_of from call to call; `reset("total")` starts afresh. */ total(',
  )
  expect(types).not.toContain('_reset')
})
