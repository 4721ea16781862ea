/** netc/runtime/threads in Chromium: a page that shares memory trains with two threads, one that does not with one, to the same bits. */
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import { load } from '../../runtime/index.ts'
import { inBrowser, skipBrowser } from '../bits/browser.ts'

const text = `dim batch <= 8
net f(x: [batch, 16]) -> [batch, 4] { x |> dense(24) |> tanh |> dense(4) }
train t(x: [batch, 16], label: int[batch]) { minimize cross_entropy(f(x), label) using adam(1e-2) }`

const built = (threads: boolean): Uint8Array<ArrayBuffer> =>
  compile(text, { targets: ['simd'], ...(threads && { threads: { least: 0 } }) }).modules!.simd!
    .wasm as Uint8Array<ArrayBuffer>

const files = ['index', 'worker', 'host']

async function pageFiles(): Promise<Record<string, string | Uint8Array>> {
  const { outputFiles } = await build({
    entryPoints: files.map(
      (name) => new URL(`../../runtime/threads/${name}.ts`, import.meta.url).pathname,
    ),
    bundle: true,
    format: 'esm',
    platform: 'browser',
    outdir: '/',
    write: false,
  })
  const bundles = outputFiles.map((file) => [file.path.split('/').at(-1)!, file.text])
  return {
    ...Object.fromEntries(bundles),
    'm.wasm': built(false),
    'm.threads.wasm': built(true),
  }
}

const data = `const x = Float32Array.from({ length: 40 * 16 }, (_, k) => ((k * 7919) % 256) / 128 - 1)
  const label = Int32Array.from({ length: 40 }, (_, k) => k % 4)
  const notices = []
  const options = { threads: 2, target: 'simd', notice: (text) => notices.push(text) }`

const trainRemote = `const { open } = await import('/index.js')
  ${data}
  const model = await open('/m', options)
  await model.init(3)
  for await (const _ of model.fit('t', { x, label }, { epochs: 2, seed: 1 }));
  const saved = [...await model.save()]
  model.close()
  return { threads: model.threads, notices, saved }`

test.skipIf(skipBrowser)('pages train with threads and without, to the bits of Node', async () => {
  const page = await pageFiles()
  const alone = await load(built(false))
  alone.init(3)
  const x = Float32Array.from({ length: 40 * 16 }, (_, k) => ((k * 7919) % 256) / 128 - 1)
  const label = Int32Array.from({ length: 40 }, (_, k) => k % 4)
  for await (const _ of alone.fit('t', { x, label }, { epochs: 2, seed: 1 }));
  const saved = [...alone.save()]

  const shared = await inBrowser(page, trainRemote, { isolated: true })
  expect(shared).toEqual({ threads: 2, notices: [], saved })
  expect(await inBrowser(page, trainRemote)).toEqual({
    threads: 1,
    notices: [expect.stringContaining('netc: one thread: this page has no shared memory')],
    saved,
  })
  const main = `const { load } = await import('/index.js')
    ${data}
    const model = await load('/m', options)
    model.init(3)
    for await (const _ of model.fit('t', { x, label }, { epochs: 2, seed: 1 }));
    return { threads: model.threads, notices, saved: [...model.save()] }`
  expect(await inBrowser(page, main, { isolated: true })).toEqual({
    threads: 1,
    notices: [expect.stringContaining('the main thread of a page may not wait')],
    saved,
  })
})
