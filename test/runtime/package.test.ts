/** What a page loads: its size, and what must not be in it. */
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { expect, test } from 'vitest'

async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [new URL(`../../runtime/${entry}`, import.meta.url).pathname],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    write: false,
  })
  return outputFiles[0]!.text
}

test('the runtime is under 8 KB, minified and gzipped', async () => {
  const text = await bundle('index.ts')
  const bytes = gzipSync(text, { level: 9 }).length
  console.log(`netc/runtime: ${text.length} bytes minified, ${bytes} gzipped`)
  expect(bytes).toBeLessThan(8000)
})

test.each(['index.ts', 'data/index.ts', 'text/index.ts', 'training/index.ts', 'generate/index.ts'])(
  '%s evaluates no text and imports nothing',
  async (file) => {
    const text = await bundle(file)
    const wrong = /[^.\w]eval\(|\bFunction\(|\bimport[\s("{]|createObjectURL|new Worker|require\(/
    expect(wrong.exec(text)?.[0]).toBeUndefined()
  },
)
