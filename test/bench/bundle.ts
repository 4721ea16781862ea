/**
 * Makes of one engine the file that its measuring processes run, and tells how many bytes a page needs of it: one
 * bundle, minified, with all that it imports.
 */
import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { type BuildOptions, build } from 'esbuild'
import { type Contestant, threadsOf } from './engines.ts'

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

/** Writes its module and the launcher to `folder` and returns the launcher. */
export async function bundle(contestant: Contestant, folder: string): Promise<string> {
  const { file } = contestant
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
  const engine = basename(file, '.ts')
  writeFileSync(`${folder}/${engine}.mjs`, code)
  if (threadsOf(contestant) > 1) {
    const worker = await bundled({
      platform: 'node',
      entryPoints: ['../../runtime/threads/worker.ts'],
    })
    writeFileSync(`${folder}/worker.js`, worker)
  }
  const launcher = `${folder}/${engine}.launch.mjs`
  writeFileSync(
    launcher,
    `const imported = performance.now()
     const { start } = await import('./${engine}.mjs')
     await start(imported)`,
  )
  return launcher
}

const gzipped = (bytes: Uint8Array): number => gzipSync(bytes, { level: 9 }).length

/**
 * Bytes, gzipped, of what a page fetches beside a model: the engine and, of a rival, the networks as code. What is only
 * imported when asked for, such as a backend for the GPU, does not count.
 */
export async function pageBytes({ name, file, fetched = [] }: Contestant): Promise<number> {
  const entry = name === 'netc' ? '../../runtime/index.ts' : file
  const { outputFiles, metafile } = await build({
    ...common,
    entryPoints: [entry],
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
    splitting: true,
    metafile: true,
    outdir: 'page',
  })
  const chunks = metafile!.outputs
  const needed = new Set(Object.keys(chunks).filter((chunk) => chunks[chunk]!.entryPoint === entry))
  // A set that grows while it is walked.
  for (const chunk of needed) {
    for (const { path, kind } of chunks[chunk]?.imports ?? []) {
      if (kind === 'import-statement' && chunks[path]) needed.add(path)
    }
  }
  const code = [...needed].map((chunk) => {
    const wanted = resolve(here, chunk)
    return outputFiles!.find((o) => o.path === wanted)!.contents
  })
  const files = await Promise.all(fetched.map((path) => readFile(`${here}node_modules/${path}`)))
  return [...code, ...files].reduce((sum, bytes) => sum + gzipped(bytes), 0)
}
