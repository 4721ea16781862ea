/** `netc train --monitor` on a compiled model, beside the training without it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { folder, netc } from './support.ts'

const text = `dim batch <= 8
data {
  train: csv("rows.csv", x = "x", y = "y")
}
net f(x: [batch, 1]) -> [batch, 1] { x |> dense(6) |> relu |> dense(1) }
train t(x: [batch, 1], y: [batch, 1]) {
  minimize mse(f(x), y)
  using adam(0.01)
}
`
const rows = Array.from({ length: 20 }, (_, k) => `${k - 10},${(k * k) / 40}\n`).join('')

test('a table an epoch, events, warnings, and the same weights', async () => {
  const at = folder({ 'm.net': text, 'rows.csv': `x,y\n${rows}` })
  const file = join(at, 'm.net')
  const out = join(at, 'w.safetensors')
  const args = ['train', file, '--epochs', '3', '--out', out]
  const plain = await netc(args)
  expect(plain.code).toBe(0)
  const weights = readFileSync(out)
  const shown = await netc([...args, '--monitor'])
  expect(readFileSync(out)).toEqual(weights)
  expect(shown.out).toBe(plain.out)
  const head = shown.err.split('\n').filter((line) => /^epoch \d +\|/.test(line))
  expect(head.map((line) => line.replace(/ +/g, ' '))).toEqual(
    [1, 2, 3].map((n) => `epoch ${n} |weight| |gradient| |update| update/weight`),
  )
  expect(shown.err).toMatch(/\nf\.dense_1\.W +\d\S* +\d\S* +\d\S* +\d\S*\n/)
  expect(shown.err).toMatch(/\nf\.relu_1 +\d+\.\d % dead\n/)

  const json = await netc([...args, '--monitor', '--json', '--lr', '0.5'])
  expect(json.code).toBe(0)
  const events = json.events().filter((e) => e.event === 'monitor')
  expect(events.length).toBe(3)
  expect(events[0]).toMatchObject({ epoch: 1, parameters: [{ name: 'f.dense_1.W' }, {}, {}, {}] })
  const warnings = events.flatMap((e) => e.warnings as string[])
  expect(warnings.some((w) => w.startsWith('large steps: each changes f.dense_'))).toBe(true)
  const epochs = json.events().filter((e) => e.event === 'epoch')
  expect(Object.keys(epochs[0]!.metrics as object)).toEqual(['loss'])
})

test('an interrupted training goes on with the monitor that it had', async () => {
  const at = folder({ 'm.net': text, 'rows.csv': `x,y\n${rows}` })
  const file = join(at, 'm.net')
  const out = join(at, 'w.safetensors')
  const whole = await netc(['train', file, '--epochs', '6', '--out', out, '--json', '--monitor'])
  const straight = readFileSync(out)
  const interruptAt = (line: string) => line.includes('"event":"monitor","epoch":3')
  const args = ['train', file, '--epochs', '6', '--out', out, '--json', '--monitor']
  expect((await netc(args, { interruptAt })).code).toBe(130)
  const rest = await netc(['train', file, '--out', out, '--json', '--resume'])
  expect(readFileSync(out)).toEqual(straight)
  const of = (events: Record<string, unknown>[]) =>
    events.filter((e) => e.event === 'monitor').at(-1)
  expect(of(rest.events())).toEqual({ ...of(whole.events()), warnings: expect.anything() })
})
