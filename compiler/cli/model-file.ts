/** Reads a `.net` file and those it imports, compiles, and prints what is wrong with it. */
import { readFileSync } from 'node:fs'
import { dirname, isAbsolute, join, normalize } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { Program } from '../ir/types.ts'
import type { Diagnostic } from '../support/diagnostic.ts'
import { diagnosticJson, renderAll } from '../support/render.ts'
import type { Source } from '../support/span.ts'
import { type Compiled, loadCompiler, type Target } from './compiler.ts'
import { InputError, Reported } from './errors.ts'
import { locate, readBytes } from './files.ts'
import { type Io, json, reason } from './io.ts'

export interface CompileOptions {
  readonly dims: Readonly<Record<string, number>>
  readonly targets: readonly Target[]
  readonly json: boolean
  readonly monitor?: boolean
  /** Intermediate tensors that become outputs. */
  readonly expose?: readonly string[] | undefined
  /** Modules that several threads run. */
  readonly forThreads?: boolean
}

export interface CompiledFile {
  readonly program: Program
  readonly modules: NonNullable<Compiled['modules']>
  readonly source: Source
}

/** The text of a file; every kind of line ending becomes a line feed in the parser, not here. */
export function readSource(path: string): Source {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path))
    return { file: path, text }
  } catch (error) {
    const why = error instanceof TypeError ? 'it is no text in UTF-8' : reason(error)
    throw new InputError(`cannot read ${path}: ${why}`)
  }
}

/** `import "path"`: relative to the file that says it. */
export function resolveImport(path: string, from: Source): Source | undefined {
  const file = isAbsolute(path) ? path : normalize(join(dirname(from.file), path))
  try {
    return { file, text: readFileSync(file, 'utf8') }
  } catch {
    return undefined
  }
}

/** The bytes of a file that `from` names, found as the files of a data block are. */
export function readDataFile(path: string, from: Source): Uint8Array | undefined {
  const found = locate(path, from.file)
  return typeof found === 'string' ? gunzip(readBytes(found), path) : undefined
}

function gunzip(bytes: Uint8Array, path: string): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes
  try {
    return gunzipSync(bytes)
  } catch {
    throw new InputError(`${path}: its gzip data is damaged or cut off`)
  }
}

/** Prints diagnostics; throws when there are errors among them. */
export function report(diagnostics: readonly Diagnostic[], isJson: boolean, io: Io): void {
  if (isJson) for (const d of diagnostics) json(io, { event: 'diagnostic', ...diagnosticJson(d) })
  else if (diagnostics.length > 0) io.err(`${renderAll(diagnostics, { color: io.color })}\n`)
  if (diagnostics.some((d) => d.severity === 'error')) throw new Reported()
}

export async function compileFile(
  path: string,
  options: CompileOptions,
  io: Io,
): Promise<CompiledFile> {
  const source = readSource(path)
  const { compile } = await loadCompiler()
  const { diagnostics, program, modules } = compile(source.text, {
    file: path,
    dims: { ...options.dims },
    targets: options.targets,
    resolve: resolveImport,
    readFile: readDataFile,
    monitor: options.monitor ?? false,
    expose: options.expose ?? [],
    threads: options.forThreads ?? false,
  })
  report(diagnostics, options.json, io)
  if (!program) throw new InputError(`${path} could not be compiled`)
  return { program, modules: modules ?? {}, source }
}
