/** The command as a process of its own: signals, streams and exit codes as a shell sees them. */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { folder } from './support.ts'

const main = fileURLToPath(new URL('../../compiler/cli/main.ts', import.meta.url))

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs netc; `interrupt` is asked at each piece of stdout whether to press Ctrl-C. */
function start(args: readonly string[], interrupt?: (out: string) => boolean): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let out = ''
    let err = ''
    let isInterrupted = false
    child.stdout.on('data', (piece) => {
      out += piece
      if (!isInterrupted && interrupt?.(out)) {
        isInterrupted = true
        child.kill('SIGINT')
      }
    })
    child.stderr.on('data', (piece) => {
      err += piece
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

const model = `dim batch <= 8

data {
  train: csv("points.csv", x = "a, b", y = "c")
}

net guess(x: [batch, 2]) -> [batch, 1] {
  x |> dense(8) |> tanh |> dropout(0.2) |> dense(1)
}

train points(x: [batch, 2], y: [batch]) {
  z = guess(x)
  p[n] = z[n, 0]
  minimize mse(p, y)
  using adam(lr = 0.01)
}
`
const points = `a,b,c\n${Array.from({ length: 203 }, (_, k) => `${k / 203},${(k % 17) / 17},${Math.sin(k)}\n`).join('')}`

test('Ctrl-C saves a checkpoint, and --resume ends at the same bits', async () => {
  const at = folder({ 'points.net': model, 'points.csv': points })
  const file = join(at, 'points.net')
  const args = ['train', file, '--epochs', '2500', '--batch', '7', '--seed', '5', '--json']
  const whole = join(at, 'whole.safetensors')
  expect((await start([...args, '--out', whole])).code).toBe(0)

  const out = join(at, 'parts.safetensors')
  const first = await start([...args, '--out', out], (text) => text.includes('"epoch":40,'))
  expect(first.code).toBe(130)
  const last = JSON.parse(first.out.trim().split('\n').at(-1)!)
  expect(last).toMatchObject({ event: 'interrupted' })
  expect(last.step).toBeLessThan(2500 * 29)
  expect(readdirSync(at)).not.toContain('parts.safetensors')

  const second = await start(['train', file, '--resume', '--out', out, '--json'])
  expect(second.code).toBe(0)
  expect(readFileSync(out)).toEqual(readFileSync(whole))
  expect(readdirSync(at).sort()).toEqual([
    'parts.safetensors',
    'points.csv',
    'points.net',
    'whole.safetensors',
  ])
})

test('results on stdout, diagnostics on stderr, exit codes', async () => {
  const at = folder({ 'points.net': model, 'bad.net': 'net a(x: [2]) { y }\n' })
  const good = await start(['check', join(at, 'points.net')])
  expect(good).toMatchObject({ code: 0, out: '' })
  const bad = await start(['check', join(at, 'bad.net')])
  expect(bad).toMatchObject({ code: 1, out: '' })
  expect(bad.err).toContain('bad.net:1:17: error NET')
  expect((await start(['chekc'])).code).toBe(2)
})
