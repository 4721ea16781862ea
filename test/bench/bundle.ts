/**
 * Makes of one engine the file that its measuring processes run, and tells how many bytes a page needs of it: one
 * bundle, minified, with all that it imports.
 */
import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { type BuildOptions, build } from 'esbuild'
import type { Contestant } from './engines.ts'

const here = fileURLToPath(new URL('.', import.meta.url))

const common: BuildOptions = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  format: 'esm',
  write: false,
  logLevel: 'silent',
}

async function bundled(options: BuildOptions): Promise<Uint8Array> {
  const { outputFiles } = await build({ ...common, ...options })
  return outputFiles![0]!.contents
}

/** Writes NAME.mjs and the launcher to `folder` and returns the launcher. */
export async function bundle({ name, file }: Contestant, folder: string): Promise<string> {
  const code = await bundled({
    platform: 'node',
    // As a page has them: the modules, not what is made for require.
    mainFields: ['module', 'main'],
    // Packages that were written for require find it.
    banner: {
      js: `import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(${JSON.stringify(`${here}engines.ts`)}); const __dirname = ${JSON.stringify(here)}; const __filename = ${JSON.stringify(`${here}engines.ts`)};`,
    },
    stdin: {
      contents: `
        import engine from './${file}'
        import { main } from './measure.ts'
        export const start = (imported) => main(engine, imported)`,
      resolveDir: here,
    },
  })
  writeFileSync(`${folder}/${name}.mjs`, code)
  const launcher = `${folder}/${name}.launch.mjs`
  writeFileSync(
    launcher,
    `const imported = performance.now()
     const { start } = await import('./${name}.mjs')
     await start(imported)`,
  )
  return launcher
}

const gzipped = (bytes: Uint8Array): number => gzipSync(bytes, { level: 9 }).length

/** Bytes, gzipped, of what a page fetches beside a model: the engine and, of a rival, the networks as code. */
export async function pageBytes({ name, file, fetched = [] }: Contestant): Promise<number> {
  const code = await bundled({
    entryPoints: [name === 'netc' ? '../../runtime/index.ts' : file],
    platform: 'browser',
    external: [
      'node:*',
      'fs',
      'path',
      'util',
      'crypto',
      'perf_hooks',
      'worker_threads',
      'os',
      'module',
    ],
  })
  const { resolve } = createRequire(`${here}engines.ts`)
  const files = await Promise.all(fetched.map((path) => readFile(resolve(path))))
  return [code, ...files].reduce((sum, bytes) => sum + gzipped(bytes), 0)
}
