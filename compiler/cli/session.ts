/** What `train`, `eval` and `predict` share: the model compiled and loaded, the block chosen, the data at hand. */
import { load, type Model } from '../../runtime/index.ts'
import { text } from '../../runtime/text/index.ts'
import { load as loadShared } from '../../runtime/threads/index.ts'
import type { EntrySpec } from '../wasm/manifest.ts'
import { type Call, meant } from './command.ts'
import type { Target } from './compiler.ts'
import { ModelData } from './data.ts'
import { InputError, UsageError } from './errors.ts'
import { readBytes } from './files.ts'
import { type Io, json } from './io.ts'
import { type CompiledFile, compileFile } from './model-file.ts'

export interface Session {
  readonly file: string
  readonly compiled: CompiledFile
  readonly model: Model
  readonly data: ModelData
  readonly milliseconds: number
  /** How many threads run the model. */
  readonly threads: number
  /** Ends those beside this one. */
  readonly close: () => void
}

export interface SessionOptions {
  readonly dims: Readonly<Record<string, number>>
  readonly target: Target
  readonly json: boolean
  /** Compile with what `netc train --monitor` looks at. */
  readonly monitor?: boolean
  /** Intermediate tensors that become outputs. */
  readonly expose?: readonly string[] | undefined
  /** How many threads may run the model; 1 when left out. */
  readonly threads?: number | undefined
}

export async function open(file: string, options: SessionOptions, io: Io): Promise<Session> {
  const { dims, target, json: isJson, monitor = false, expose, threads = 1 } = options
  const start = performance.now()
  const asked = { dims, targets: [target], json: isJson, monitor, expose, forThreads: threads > 1 }
  const compiled = await compileFile(file, asked, io)
  const built = compiled.modules[target]
  if (!built) throw new InputError(`${file} has no ${target} build`)
  const wasm = built.wasm as Uint8Array<ArrayBuffer>
  const notice = (told: string): void => io.err(`${told}\n`)
  const shared =
    threads > 1 ? await loadShared({ threads: wasm }, { threads, text, notice }) : undefined
  const model: Model = shared ?? (await load(wasm, { text }))
  const data = new ModelData(compiled.program, model.vocabularies, file, isJson, io)
  const milliseconds = performance.now() - start
  const close = (): void => shared?.close()
  return { file, compiled, model, data, milliseconds, threads: shared?.threads ?? 1, close }
}

/** What was made, for whoever waits. */
export function announce(
  { compiled, milliseconds, threads }: Session,
  options: SessionOptions,
  io: Io,
): void {
  const { wasm, manifest } = compiled.modules[options.target]!
  const parameters = manifest.params.reduce((n, p) => n + p.shape.reduce((a, b) => a * b, 1), 0)
  if (options.json) {
    json(io, {
      event: 'compiled',
      model: compiled.source.file,
      target: options.target,
      milliseconds: Math.round(milliseconds),
      bytes: wasm.length,
      parameters,
      ...(threads > 1 && { threads }),
    })
  } else {
    const size = `${(wasm.length / 1024).toFixed(1)} KB`
    io.err(
      `${compiled.source.file}: ${parameters.toLocaleString('en-US')} parameters, ${options.target} module of ${size}, compiled in ${Math.round(milliseconds)} ms${threads > 1 ? `; ${threads} threads` : ''}\n`,
    )
  }
}

/** The entry of the block asked for, or of the only one there is. */
export function chooseEntry(
  { model, file }: Session,
  kind: EntrySpec['kind'],
  name: string | undefined,
): EntrySpec {
  const entries = model.manifest.entries.filter((entry) => entry.kind === kind)
  const names = entries.map((entry) => entry.of)
  const what = kind === 'predict' ? 'predict' : 'train'
  if (name === undefined && entries.length === 1) return entries[0]!
  if (entries.length === 0) throw new InputError(`${file} has no ${what} block`)
  const found = entries.find((entry) => entry.of === name)
  if (found) return found
  throw new UsageError(
    name === undefined
      ? `${file} has several ${what} blocks: choose one of ${names.join(', ')} with --block`
      : `--block ${name}: ${file} has ${names.join(', ')}${meant(name, names)}`,
  )
}

/** Options common to the commands that run a model. */
export function sessionOptions(call: Call): SessionOptions {
  return {
    dims: call.pairs('dim'),
    target: call.oneOf('target', ['simd', 'relaxed']) ?? 'simd',
    json: call.has('json'),
    threads: call.integer('threads', 1),
  }
}

/** Loads the weights that `--weights` names. */
export function loadWeights(model: Model, call: Call): void {
  const path = call.text('weights')
  if (path === undefined) {
    throw new UsageError('which weights? --weights FILE, a file that `netc train` saved')
  }
  model.restore(readBytes(path))
}
