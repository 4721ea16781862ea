/** `netc train --threads` and `netc compile --threads`. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { folder, netc } from './support.ts'

const model = (width: number): string => `dim batch <= 32
data {
  train: csv("rows.csv", x = "x", y = "y")
}
net f(x: [batch, 1]) -> [batch, 1] { x |> dense(${width}) |> tanh |> dense(${width}) |> tanh |> dense(1) }
train t(x: [batch, 1], y: [batch, 1]) {
  minimize mse(f(x), y)
  using adam(0.01)
}
`
const rows = Array.from({ length: 70 }, (_, k) => `${k / 35 - 1},${(k * k) / 4900}\n`).join('')

test('two threads train a large model to the same weights', async () => {
  const at = folder({ 'm.net': model(320), 'rows.csv': `x,y\n${rows}` })
  const out = join(at, 'w.safetensors')
  const args = ['train', join(at, 'm.net'), '--epochs', '2', '--out', out, '--json']
  expect((await netc(args)).code).toBe(0)
  const weights = readFileSync(out)
  const shared = await netc([...args, '--threads', '2'])
  expect(shared.err).toBe('')
  expect(shared.events().find((e) => e.event === 'compiled')).toMatchObject({ threads: 2 })
  expect(readFileSync(out)).toEqual(weights)
})

test('two threads evaluate and predict to the same bits', async () => {
  const at = folder({
    'm.net': `${model(320)}predict p(x: [batch, 1]) { y = f(x) }\n`,
    'rows.csv': `x,y\n${rows}`,
  })
  const file = join(at, 'm.net')
  const out = join(at, 'w.safetensors')
  expect((await netc(['train', file, '--epochs', '1', '--out', out])).code).toBe(0)
  for (const args of [
    ['eval', file, '--data', 'train', '--json'],
    ['predict', file, '--data', 'train'],
  ]) {
    const alone = await netc([...args, '--weights', out])
    const shared = await netc([...args, '--weights', out, '--threads', '2'])
    expect(alone.code).toBe(0)
    expect(shared).toMatchObject({ code: 0, out: alone.out, err: '' })
  }
  const none = await netc(['eval', file, '--weights', out, '--threads', '1.5'])
  expect(none.err).toContain('--threads 1.5: it takes a whole number from 1 up')
})

test('a small model stays on one thread and it is said; its builds for threads can be had', async () => {
  const at = folder({ 'm.net': model(4), 'rows.csv': `x,y\n${rows}` })
  const file = join(at, 'm.net')
  const args = ['train', file, '--epochs', '1', '--out', join(at, 'w.safetensors')]
  const small = await netc([...args, '--threads', '2'])
  expect(small.code).toBe(0)
  expect(small.err).toContain(
    'netc: one thread: the model is so small that more would make it slower\n',
  )
  expect((await netc([...args, '--threads', '0'])).err).toContain(
    '--threads 0: it takes a whole number from 1 up',
  )
  const compiled = await netc(['compile', file, '--threads', '-o', at])
  expect(compiled.out).toMatch(/^simd, threads .*m\.threads\.wasm$/m)
  for (const ending of ['wasm', 'relaxed.wasm', 'threads.wasm', 'threads.relaxed.wasm']) {
    expect(existsSync(join(at, `m.${ending}`))).toBe(true)
  }
})
