/** `netc compile`: a model as files to ship, and a report of what it costs. */
import { basename, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Manifest } from '../wasm/manifest.ts'
import { type Call, type Command, common } from './command.ts'
import type { Target } from './compiler.ts'
import { exit } from './errors.ts'
import { type Io, json, replaceFile } from './io.ts'
import { compileFile } from './model-file.ts'
import { wrapperJs, wrapperTypes } from './wrapper.ts'

export const compileCommand: Command = {
  name: 'compile',
  usage: 'MODEL.net [-o FOLDER] [options]',
  summary: 'Compile a model to WebAssembly, with a JavaScript wrapper and its types.',
  details: `Writes NAME.wasm, NAME.relaxed.wasm, NAME.js and NAME.d.ts. The report gives for every entry the floating-point
operations, the bytes its kernels read and write, those it would be if each equation were a kernel of
its own, and the temporary memory, at the largest batch.`,
  positionals: [1, 1],
  options: {
    out: { value: 'FOLDER', short: 'o', text: 'where to (default .)' },
    dim: common.dim,
    target: { value: 'simd|relaxed', text: 'only this build (default both)' },
    threads: {
      text: 'also NAME.threads.wasm and NAME.threads.relaxed.wasm, which netc/runtime/threads runs on several threads',
    },
    json: common.json,
  },
  run: async (call: Call, io: Io): Promise<number> => {
    const file = call.positionals[0]!
    const folder = call.text('out') ?? '.'
    const name = basename(file).replace(/\.net$/, '')
    const only = call.oneOf<Target>('target', ['simd', 'relaxed'])
    const targets: readonly Target[] = only ? [only] : ['simd', 'relaxed']
    const isJson = call.has('json')
    const start = performance.now()
    const { modules } = await compileFile(
      file,
      { dims: call.pairs('dim'), targets, json: isJson },
      io,
    )
    const shared = call.has('threads')
      ? (
          await compileFile(
            file,
            { dims: call.pairs('dim'), targets, json: isJson, forThreads: true },
            { ...io, out: () => {}, err: () => {} },
          )
        ).modules
      : {}
    const milliseconds = Math.round(performance.now() - start)
    const builds = [modules, shared].flatMap((made, k) =>
      targets.flatMap((build) => {
        const { wasm, manifest } = made[build] ?? {}
        if (!wasm || !manifest) return []
        const suffix = `${k === 0 ? '' : '.threads'}${build === 'simd' ? '' : '.relaxed'}`
        const path = join(folder, `${name}${suffix}.wasm`)
        const target = k === 0 ? build : `${build}, threads`
        return [{ target, path, wasm, manifest, gzip: gzipSync(wasm, { level: 9 }).length }]
      }),
    )
    const { manifest } = builds[0]!
    const files = builds.map(({ path }) => path)
    for (const { path, wasm } of builds) replaceFile(path, wasm)
    if (!only) {
      for (const [ending, text] of [
        ['js', wrapperJs(name, manifest)],
        ['d.ts', wrapperTypes(manifest)],
      ] as const) {
        const path = join(folder, `${name}.${ending}`)
        replaceFile(path, text)
        files.push(path)
      }
    }
    if (isJson) {
      json(io, {
        event: 'done',
        model: file,
        milliseconds,
        files,
        modules: builds.map((b) => ({ target: b.target, bytes: b.wasm.length, gzip: b.gzip })),
        memory: manifest.memory,
        entries: manifest.entries.map(
          ({ name: entry, kind, flops, bytes, unfused, peak, carries }) => ({
            name: entry,
            kind,
            flops,
            bytes,
            unfused,
            peak,
            ...(carries && { carries }),
          }),
        ),
      })
      return exit.done
    }
    io.out(entryTable(manifest))
    for (const { name, carries } of manifest.entries) {
      if (carries) io.out(`${name} carries ${carries.join(', ')} from call to call\n\n`)
    }
    io.out(
      table([
        ['module', 'bytes', 'gzip', 'file'],
        ...builds.map((b) => [b.target, count(b.wasm.length), count(b.gzip), b.path]),
      ]),
    )
    io.err(`memory ${scaled(manifest.memory, 'B')}; compiled in ${milliseconds} ms\n`)
    return exit.done
  },
}

const count = (n: number): string => n.toLocaleString('en-US')

/** `27.4 MFLOP`, `3.1 MB`. */
function scaled(n: number, unit: string): string {
  const steps = ['', 'k', 'M', 'G', 'T']
  let step = 0
  let value = n
  for (; value >= 1000 && step < steps.length - 1; step++) value /= 1000
  return `${step === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${steps[step]}${unit}`
}

const entryTable = ({ entries }: Manifest): string =>
  `${table([
    ['entry', 'kind', 'operations', 'bytes moved', 'unfused', 'peak memory'],
    ...entries.map((e) => [
      e.name,
      e.kind,
      scaled(e.flops, 'FLOP'),
      scaled(e.bytes, 'B'),
      scaled(e.unfused, 'B'),
      scaled(e.peak, 'B'),
    ]),
  ])}\n`

/** Columns padded to their widest cell. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, c) => Math.max(...rows.map((row) => row[c]!.length)))
  const line = (row: readonly string[]) => row.map((cell, c) => cell.padEnd(widths[c]!)).join('  ')
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('')
}
