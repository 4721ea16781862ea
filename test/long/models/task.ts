/**
 * What the long model runs share. A `Task` trains one or more models of models/ on real data and yields a `Result` for each
 * figure that it is held to; `Tools` run the command line from this repository's sources and keep what tasks leave for each
 * other (weights, pictures) in build/models/.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CompileOptions, compile } from '../../../compiler/compile.ts'
import { type AnyBlocks, load, type Model } from '../../../runtime/index.ts'
import { text } from '../../../runtime/text/index.ts'

export interface Result {
  /** The file in models/, without its ending; a variant stands behind it: `mnist, no dropout`. */
  readonly model: string
  readonly data: string
  readonly parameters: number
  readonly epochs: number
  /** Of training, on the machine at hand. */
  readonly seconds: number
  /** What is measured on data held out. */
  readonly figure: string
  readonly value: number
  /** What the value is held to; undefined for a figure that is only told. */
  readonly bound: { readonly is: 'at least' | 'at most'; readonly value: number } | undefined
  /** Of the module of the build that was trained. */
  readonly bytes: number
}

export interface Task {
  readonly name: string
  /** One line: what it trains and what it is held to. */
  readonly summary: string
  readonly run: (tools: Tools) => AsyncIterable<Result> | Iterable<Result>
}

export const reached = ({ value, bound }: Result): boolean =>
  bound === undefined || (bound.is === 'at least' ? value >= bound.value : value <= bound.value)

export interface Trained {
  /** The weights. */
  readonly weights: string
  readonly parameters: number
  readonly bytes: number
  readonly epochs: number
  readonly seconds: number
  /** By part (`train`, `validation`, `test`) and metric. */
  readonly metrics: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly events: readonly Event[]
}

export type Event = Readonly<Record<string, unknown>> & { readonly event: string }

export class Tools {
  readonly folder: string

  constructor(folder: string) {
    this.folder = folder
    mkdirSync(folder, { recursive: true })
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  say(text: string): void {
    console.error(text)
  }

  /** `netc ARGS --json`: the lines it prints. Throws where it fails. */
  netc(...args: readonly string[]): readonly Event[] {
    const program = 'compiler/cli/netc.cjs'
    const ran = spawnSync(process.execPath, [program, ...args, '--json'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      maxBuffer: 1 << 30,
    })
    if (ran.status !== 0)
      throw new Error(`netc ${args.join(' ')} failed: ${ran.stdout.slice(-2000)}`)
    return ran.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Event)
  }

  /** `netc train models/MODEL.net ARGS` with seed 1, to `name`.safetensors in the folder. */
  train(model: string, args: readonly string[] = [], name = model): Trained {
    const weights = this.path(`${name}.safetensors`)
    const seed = args.includes('--seed') ? [] : ['--seed', '1']
    const events = this.netc('train', `models/${model}.net`, '--out', weights, ...seed, ...args)
    const compiled = events.find((e) => e.event === 'compiled') as unknown as Compiled
    const done = events.findLast((e) => e.event === 'done') as unknown as Done
    const { parameters, bytes } = compiled
    const { epochs, seconds, metrics } = done
    return { weights, parameters, bytes, epochs, seconds, metrics, events }
  }

  /** The weights of a training that another task may have left, or of `make`. */
  weights(name: string, make: () => Trained): string {
    const path = this.path(`${name}.safetensors`)
    return existsSync(path) ? path : make().weights
  }
}

interface Compiled {
  readonly parameters: number
  readonly bytes: number
}

interface Done {
  readonly epochs: number
  readonly seconds: number
  readonly metrics: Trained['metrics']
}

/** A model of models/ with trained weights, as the relaxed build runs it. */
export async function loadTrained(
  name: string,
  weights: string,
  sizes: Pick<CompileOptions, 'dims' | 'expose'> = {},
): Promise<Model<AnyBlocks>> {
  const file = `models/${name}.net`
  const options = { file, targets: ['relaxed'], ...sizes } as const
  const { modules, diagnostics } = compile(readFileSync(file, 'utf8'), options)
  if (!modules) throw new Error(diagnostics.map((d) => d.message).join('\n'))
  const wasm = modules.relaxed!.wasm as Uint8Array<ArrayBuffer>
  return load(wasm, { weights: readFileSync(weights), text })
}

/** A result of a training, of a metric on the test data unless said otherwise. */
export function resultOf(
  model: string,
  data: string,
  trained: Trained,
  figure: string,
  bound: Result['bound'],
  value = trained.metrics.test![figure]!,
): Result {
  const { parameters, epochs, seconds, bytes } = trained
  return { model, data, parameters, epochs, seconds, figure, value, bound, bytes }
}

export const atLeast = (value: number): Result['bound'] => ({ is: 'at least', value })
export const atMost = (value: number): Result['bound'] => ({ is: 'at most', value })
