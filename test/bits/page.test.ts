/** The runtime in a page: the bundle of `netc/runtime` loads a compiled model in Chromium, trains it and predicts. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import { inBrowser, skipBrowser } from './browser.ts'

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url))

test.skipIf(skipBrowser)('a page trains exclusive or, predicts it, saves and loads', async () => {
  const { outputFiles } = await build({
    entryPoints: [path('runtime/index.ts')],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    write: false,
  })
  const { modules } = compile(readFileSync(path('models/xor.net'), 'utf8'), { file: 'xor.net' })
  const files = {
    'runtime.js': outputFiles[0]!.text,
    'xor.wasm': modules!.simd!.wasm,
    'xor.relaxed.wasm': modules!.relaxed!.wasm,
  }
  const result = (await inBrowser(
    files,
    `const { load, hasRelaxed } = await import('/runtime.js')
     const model = await load('/xor')
     model.init(42)
     const feeds = { x: [0, 0, 0, 1, 1, 0, 1, 1], y: [0, 1, 1, 0] }
     const first = model.train.xor(feeds).loss
     for await (const _ of model.fit('xor', feeds, { epochs: 400 }));
     const { loss, accuracy } = await model.evaluate('xor', feeds)
     const { probability } = model.predict.either({ x: feeds.x })
     const again = await load('/xor', { weights: model.save() })
     const same = again.predict.either({ x: feeds.x }).probability
     return {
       target: model.manifest.target, relaxed: hasRelaxed(), step: model.step, first, loss, accuracy,
       rounded: Array.from(probability, Math.round),
       same: probability.every((p, k) => p === same[k]),
     }`,
  )) as Record<string, unknown>
  expect(result).toMatchObject({ step: 401, accuracy: 1, rounded: [0, 1, 1, 0], same: true })
  expect(result.target).toBe(result.relaxed ? 'relaxed' : 'simd')
  expect(result.loss).toBeLessThan((result.first as number) / 4)
})
