// Builds netc: scalar functions → build/math*.wasm → compiler/generated/ → dist/.
//
// Every step records a hash of what it read and is skipped while that hash and its output stand,
// so this is cheap enough to run before every test. `--force` runs all of them again.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import binaryen from 'binaryen'
import { mathPoolAddress, mathPoolBytes } from './wasm/pool.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const force = process.argv.includes('--force')

const mathEntry = 'compiler/wasm/math/index.ts'
/** The scalar functions for each target. */
const mathWasm = { simd: 'build/math.wasm', relaxed: 'build/math.relaxed.wasm' } as const
const generated = 'compiler/generated'

/** One step: what it reads (files or folders), what it leaves behind, how it is run. */
interface Step {
  readonly name: string
  readonly reads: readonly string[]
  readonly writes: readonly string[]
  readonly run: () => void
}

const steps: readonly Step[] = [
  {
    name: 'math',
    reads: ['compiler/wasm/math', 'asconfig.json'],
    writes: Object.values(mathWasm),
    run: buildMath,
  },
  {
    name: 'generated',
    reads: [
      ...Object.values(mathWasm),
      'compiler/std',
      'compiler/build.ts',
      'compiler/wasm/pool.ts',
    ],
    writes: [`${generated}/math.ts`, `${generated}/std.ts`],
    run: generate,
  },
  {
    name: 'dist',
    reads: ['compiler', 'runtime', 'tsconfig.json'],
    writes: ['dist/compiler', 'dist/runtime'],
    run: buildDist,
  },
]

function buildMath(): void {
  if (!existsSync(path(mathEntry))) {
    console.warn(`build: there is no ${mathEntry}, so this build has no scalar functions`)
    for (const file of Object.values(mathWasm)) write(file, '')
    return
  }
  for (const [target, file] of Object.entries(mathWasm)) {
    const fresh = `${file}.${process.pid}`
    const args = ['--config', 'asconfig.json', '--target', target, '-o', fresh]
    if (!tool('assemblyscript', 'asc', ...args)) fail('asc')
    renameSync(path(fresh), path(file))
  }
}

function generate(): void {
  const libraries = Object.entries(mathWasm).map(([target, file]) => {
    const { functions, constants } = withConstantsInMemory(readFileSync(path(file)))
    return (
      `  ${target}: {\n    functions:\n      '${functions.toString('base64')}',\n` +
      `    constants:\n      '${constants.toString('base64')}',\n  },\n`
    )
  })
  write(
    `${generated}/math.ts`,
    `/**\n * For each target the scalar functions of compiler/wasm/math as a wasm module, and what they load from\n` +
      ` * \`mathPoolAddress\` (wasm/pool.ts) on, in base64.\n */\n` +
      `export const math = {\n${libraries.join('')}} as const\n`,
  )
  const layers = files('compiler/std').filter((file) => file.endsWith('.net'))
  const entries = layers.map((file) => {
    const name = relative('compiler/std', file)
    return `  ${JSON.stringify(name)}: ${JSON.stringify(readFileSync(path(file), 'utf8'))},\n`
  })
  write(
    `${generated}/std.ts`,
    `/** The standard library: the text of every file of compiler/std by its name. */\n` +
      `export const std: Readonly<Record<string, string>> = {\n${entries.join('')}}\n`,
  )
}

/** The library with its vector constants as loads from memory: see wasm/pool.ts. */
function withConstantsInMemory(wasm: Buffer): { functions: Buffer; constants: Buffer } {
  if (wasm.length === 0) return { functions: wasm, constants: wasm }
  const words: string[] = []
  /** Where these words stand in a row. */
  const place = (row: readonly string[]): number => {
    let at = words.findIndex((_, k) => row.every((word, l) => words[k + l] === word))
    if (at < 0) at = words.push(...row) - row.length
    return mathPoolAddress + 4 * at
  }
  const before = binaryen.readBinary(wasm)
  const text = before
    .emitText()
    .replace(
      /\(v128\.const i32x4 (0x\w+) (0x\w+) (0x\w+) (0x\w+)\)/g,
      (constant: string, a: string, b: string, c: string, d: string): string => {
        if (a !== c || b !== d) fail(`${constant} in the scalar functions, which is no splat,`)
        // All zeros and all ones are made by one instruction.
        if (a === b && (a === '0x00000000' || a === '0xffffffff')) return constant
        return a === b
          ? `(v128.load32_splat offset=${place([a])} (i32.const 0))`
          : `(v128.load64_splat offset=${place([a, b])} align=4 (i32.const 0))`
      },
    )
    .replace(/^\(module/, '(module (memory 1)')
  before.dispose()
  if (4 * words.length > mathPoolBytes) fail(`a pool of ${4 * words.length} bytes`)
  const after = binaryen.parseText(text)
  after.setFeatures(binaryen.Features.SIMD128 | binaryen.Features.RelaxedSIMD)
  const functions = Buffer.from(after.emitBinary())
  after.dispose()
  return { functions, constants: Buffer.from(Int32Array.from(words, Number).buffer) }
}

function buildDist(): void {
  // Into a folder of its own first: a module whose source is gone must not live on in dist, and
  // whoever runs netc meanwhile keeps a whole one. tsc emits in spite of type errors, and so do we.
  const fresh = `build/dist.${process.pid}`
  const clean = tool('typescript', 'tsc', '-p', 'compiler/tsconfig.build.json', '--outDir', fresh)
  if (existsSync(path(fresh))) {
    rmSync(path('dist'), { recursive: true, force: true })
    renameSync(path(fresh), path('dist'))
  }
  if (!clean) fail('tsc')
}

/** Runs a command of an installed package under this Node, and tells whether it was content. */
function tool(packageName: string, command: string, ...args: string[]): boolean {
  const manifestFile = path(`node_modules/${packageName}/package.json`)
  const manifest = JSON.parse(readFileSync(manifestFile, 'utf8'))
  const script = join(dirname(manifestFile), manifest.bin[command])
  const options = { cwd: root, stdio: 'inherit' } as const
  return spawnSync(process.execPath, [script, ...args], options).status === 0
}

function fail(command: string): never {
  console.error(`build: ${command} failed`)
  process.exit(1)
}

function path(file: string): string {
  return join(root, file)
}

/** The files below a file or folder, relative to the root, in a fixed order; none if it is missing. */
function files(start: string): string[] {
  if (!existsSync(path(start))) return []
  if (!lstatSync(path(start)).isDirectory()) return [start]
  return readdirSync(path(start))
    .sort()
    .flatMap((name) => files(`${start}/${name}`))
}

/** Replaces a file in one go, so that whoever reads it meanwhile sees the old or the new text. */
function write(file: string, content: string): void {
  mkdirSync(dirname(path(file)), { recursive: true })
  writeFileSync(path(`${file}.${process.pid}`), content)
  renameSync(path(`${file}.${process.pid}`), path(file))
}

function hashOf(reads: readonly string[]): string {
  const hash = createHash('sha256')
  for (const file of [...reads, 'package-lock.json'].flatMap(files)) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(path(file)))
      .update('\0')
  }
  return hash.digest('hex')
}

/** Makes `npx netc` find this checkout without installing it anywhere. */
function linkOwnCommand(): void {
  const link = path('node_modules/.bin/netc')
  if (process.platform === 'win32' || !existsSync(dirname(link)) || existsSync(link)) return
  rmSync(link, { force: true })
  symlinkSync('../../compiler/cli/netc.cjs', link)
}

for (const { name, reads, writes, run } of steps) {
  const stamp = `build/${name}.stamp`
  const hash = hashOf(reads)
  const stands =
    !force &&
    [stamp, ...writes].every((file) => existsSync(path(file))) &&
    readFileSync(path(stamp), 'utf8') === hash
  if (stands) continue
  run()
  write(stamp, hash)
}
linkOwnCommand()
