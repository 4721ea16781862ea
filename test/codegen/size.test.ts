/**
 * What is shipped and what it costs while it runs: the module and the runtime are small, the runtime needs no package, and
 * ten thousand training steps leave the heap and the module's memory as they were.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { afterAll, expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url))
const modelText = (name: string): string => readFileSync(path(`models/${name}.net`), 'utf8')

test('the module of mnist.net is under 25 KB gzipped, in both builds', () => {
  const { modules } = compile(modelText('mnist'), { file: 'mnist.net' })
  for (const { wasm, manifest } of [modules!.simd!, modules!.relaxed!]) {
    const bytes = gzipSync(wasm, { level: 9 }).length
    console.log(`mnist.net, ${manifest.target}: ${wasm.length} bytes, ${bytes} gzipped`)
    expect(bytes).toBeLessThan(25_000)
  }
})

test('the runtime is under 8 KB minified and gzipped, of its own files alone', async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: [path('runtime/index.ts')],
    absWorkingDir: path('.'),
    bundle: true,
    minify: true,
    format: 'esm',
    metafile: true,
    write: false,
  })
  expect(gzipSync(outputFiles[0]!.contents, { level: 9 }).length).toBeLessThan(8000)
  const foreign = Object.keys(metafile.inputs).filter((file) => !file.startsWith('runtime/'))
  expect(foreign).toEqual([])
  expect(Object.values(metafile.outputs).flatMap((o) => o.imports)).toEqual([])
})

const folder = mkdtempSync(join(tmpdir(), 'netc-heap-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** In a process of its own, so that nothing else allocates. Nothing is collected between the two measurements. */
const script = `
  import { readFileSync } from 'node:fs'
  import { getHeapStatistics } from 'node:v8'
  import { load } from './runtime.mjs'
  const model = await load(readFileSync('model.wasm'))
  model.init(3)
  const { run, inputs, outputs, spec } = model.entry(process.argv[1])
  const [row] = Object.values(inputs)
  const [loss] = Object.values(outputs)
  const rows = Number(process.argv[2])
  const steps = (count) => {
    let seen = 0
    for (let k = 0; k < count; k++) {
      row[0] = k & 1
      run(rows)
      seen += loss[0]
    }
    return seen
  }
  const heap = () => getHeapStatistics().used_heap_size + getHeapStatistics().external_memory
  const memory = row.buffer
  const bytes = memory.byteLength
  // Long enough for every tier of the engine to have compiled what runs.
  steps(5000)
  gc()
  // What the collection threw away of compiled code comes back.
  steps(5000)
  heap()
  const before = heap()
  steps(10000)
  const allocated = heap() - before
  gc()
  console.log(JSON.stringify({
    allocated, kept: heap() - before, step: model.step,
    same: model.entry(process.argv[1]).inputs[spec.inputs[0].name].buffer === memory && memory.byteLength === bytes,
    finite: Number.isFinite(loss[0]),
  }))`

test.each([
  ['xor', 'xor', { batch: 32 }],
  ['mnist', 'digits', { batch: 1, hidden: 32 }],
])('ten thousand steps of %s.net allocate nothing', async (model, entry, dims) => {
  const { outputFiles } = await build({
    entryPoints: [path('runtime/index.ts')],
    bundle: true,
    format: 'esm',
    write: false,
  })
  const { modules } = compile(modelText(model), { file: `${model}.net`, dims })
  writeFileSync(join(folder, 'runtime.mjs'), outputFiles[0]!.contents)
  writeFileSync(join(folder, 'model.wasm'), modules!.simd!.wasm)
  const output = execFileSync(
    process.execPath,
    ['--expose-gc', '--input-type=module', '--eval', script, '--', entry, String(dims.batch)],
    { cwd: folder, encoding: 'utf8' },
  )
  const { allocated, kept, ...rest } = JSON.parse(output) as Record<string, number | boolean>
  console.log(`${model}.net: ${allocated} bytes allocated in 10,000 steps, ${kept} kept`)
  expect(rest).toEqual({ step: 20000, same: true, finite: true })
  // Half a byte a step: the measurement itself, not an object for each step.
  expect(allocated).toBeLessThan(5000)
  expect(kept).toBeLessThan(5000)
})
