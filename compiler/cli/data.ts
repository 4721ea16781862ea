/** The `data` block of a model, found on disk and read: each source becomes feeds for a block's inputs. */
import {
  type Dataset,
  type Encoding,
  feedsOf,
  readSource,
  type SourceCall,
  type Vocabularies,
} from '../../runtime/data/index.ts'
import { type Feeds, NetcError } from '../../runtime/index.ts'
import type { DataSource, Program } from '../ir/types.ts'
import { diagnostic } from '../support/catalogue.ts'
import { type Diagnostic, Diagnostics } from '../support/diagnostic.ts'
import type { InputSpec } from '../wasm/manifest.ts'
import { InputError } from './errors.ts'
import { locate, locateAll, readBytes } from './files.ts'
import type { Io } from './io.ts'
import { report } from './model-file.ts'
import { decodePng } from './png.ts'

class Missing extends InputError {
  readonly path: string
  readonly folders: readonly string[]

  constructor(path: string, folders: readonly string[]) {
    super(`there is no file ${path} in ${folders.join(', ')}`)
    this.path = path
    this.folders = folders
  }
}

/** The data of one model, each source read at most once. */
export class ModelData {
  readonly #program: Program
  readonly #file: string
  readonly #isJson: boolean
  readonly #io: Io
  readonly #read = new Map<string, Dataset>()
  readonly #vocabularies: Vocabularies

  constructor(program: Program, vocabularies: Vocabularies, file: string, isJson: boolean, io: Io) {
    this.#program = program
    this.#vocabularies = vocabularies
    this.#file = file
    this.#isJson = isJson
    this.#io = io
  }

  has(name: string): boolean {
    return this.#program.data.some((source) => source.name === name)
  }

  get names(): readonly string[] {
    return this.#program.data.map((source) => source.name)
  }

  source(name: string): DataSource {
    const found = this.#program.data.find((source) => source.name === name)
    if (found) return found
    const names = this.names.join(', ') || 'none'
    throw new InputError(
      `${this.#file} has no data source ${name} (it has ${names}): add it as data { ${name}: csv("…", …) }`,
    )
  }

  /** What `block` is trained on: `BLOCK_train` where the model has that source, else `train`. */
  trainOf(block: string): string {
    return this.has(`${block}_train`) ? `${block}_train` : 'train'
  }

  /** What `block` is tested on: `BLOCK_test` or, unless it is trained on data of its own, `test`. */
  testOf(block: string): string | undefined {
    const own = `${block}_test`
    if (this.has(own)) return own
    return this.trainOf(block) === 'train' && this.has('test') ? 'test' : undefined
  }

  /** What a command reads for `block` where no source is named. */
  usualOf(block: string): string {
    return this.testOf(block) ?? this.trainOf(block)
  }

  /** Reads source `name`; classes and scales come from the training data that it belongs to. */
  async dataset(name: string): Promise<Dataset> {
    const known = this.#read.get(name)
    if (known) return known
    const source = this.source(name)
    const encoding = name === this.#trainingOf(name) ? undefined : await this.encoding(name)
    const dataset = await this.#try(source, () =>
      readSource(source, this.#open, {
        ...(encoding && { encoding }),
        vocabularies: this.#vocabularies,
        decodeImage: decodePng,
        list: async (pattern) => locateAll(pattern, this.#file),
      }),
    )
    this.#read.set(name, dataset)
    return dataset
  }

  /** The training data whose classes and scales the source `name` has: `B_train` for `B_test` and any other `B_…`. */
  #trainingOf(name: string): string {
    const own = this.names.filter((n) => n.endsWith('_train') && name.startsWith(n.slice(0, -5)))
    return own.sort((a, b) => b.length - a.length)[0] ?? 'train'
  }

  /** The classes and scales of the training rows that the source `name` belongs to, where there are any. */
  async encoding(name: string): Promise<Encoding | undefined> {
    const train = this.#trainingOf(name)
    return this.has(train) ? (await this.dataset(train)).encoding : undefined
  }

  /** The names of its classes, a list for each column of names. */
  async classes(name: string): Promise<readonly (readonly string[])[]> {
    return [...((await this.encoding(name))?.classes.values() ?? [])]
  }

  /** The source's columns as feeds for `inputs`. */
  async feeds(name: string, inputs: readonly InputSpec[], extra = false): Promise<Feeds> {
    const dataset = await this.dataset(name)
    return this.#try(this.source(name), async () => feedsOf(inputs, dataset, `data ${name}`, extra))
  }

  readonly #open = async (path: string): Promise<Uint8Array<ArrayBuffer>> => {
    const found = locate(path, this.#file)
    if (typeof found !== 'string') throw new Missing(path, found)
    return readBytes(found)
  }

  /** Errors in data are shown at the place of the source. */
  async #try<T>(source: DataSource, act: () => Promise<T>): Promise<T> {
    try {
      return await act()
    } catch (error) {
      const found = this.#diagnose(error, source)
      if (!found) throw error
      const diagnostics = new Diagnostics()
      diagnostics.add(found)
      report(diagnostics.all, this.#isJson, this.#io)
      throw error
    }
  }

  #diagnose(error: unknown, { span }: DataSource): Diagnostic | undefined {
    if (!span) return undefined
    if (error instanceof Missing) return diagnostic('NET6001', span, error)
    if (error instanceof NetcError) return diagnostic('NET6002', span, { what: error.message })
    return undefined
  }
}

/** How `netc predict` reads a file that is no source of the model: like the training data where it can. */
export async function readInput(path: string, data: ModelData, outputs: number): Promise<Dataset> {
  const bytes = readBytes(path)
  const reader = readerOf(path)
  const train = data.has('train') ? data.source('train') : undefined
  const open = async (): Promise<Uint8Array<ArrayBuffer>> => bytes
  const isTable = reader === 'csv' || reader === 'json'
  if (train && train.reader === reader && isTable) {
    const cuts = ['split', 'fraction', 'limit', 'balance']
    const args = train.args.filter((arg) => arg.name !== undefined && !cuts.includes(arg.name))
    const named = args.filter((arg) => typeof arg.value === 'string').map((arg) => arg.name!)
    const encoding = (await data.dataset('train')).encoding
    const only = (await data.dataset('train')).columns.slice(0, outputs).map((c) => c.name)
    const call: SourceCall = { name: 'input', reader, args: [{ name: null, value: path }, ...args] }
    if (only.every((name) => named.includes(name)))
      return readSource(call, open, { encoding, only })
  }
  const call: SourceCall = { name: 'input', reader, args: [{ name: null, value: path }] }
  return readSource(call, open, { whole: true })
}

function readerOf(path: string): string {
  const name = path.replace(/\.gz$/i, '')
  const ending = /\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? ''
  if (['csv', 'json', 'npy', 'idx', 'safetensors'].includes(ending)) return ending
  if (/idx\d-ubyte$/.test(name)) return 'idx'
  throw new InputError(
    `${path}: the name does not tell how to read it; netc reads .csv, .json, .npy, .idx`,
  )
}
