/**
 * A loaded model: initialise, train, evaluate, predict, save, restore. One instance of a module with its own memory;
 * nothing is shared between models. Calls are synchronous; `fit` and `evaluate` let the page draw in between.
 */
import type { EntrySpec, Manifest } from '../compiler/wasm/manifest.ts'
import { Entry, type Feed, type Feeds, type Results, type View, viewsOf } from './entry.ts'
import { fail } from './errors.ts'
import {
  type Evaluation,
  evaluateRows,
  type FitOptions,
  fit,
  type Metrics,
  type Report,
  rowsOf,
} from './fit.ts'
import type { Instance } from './module.ts'
import { range } from './shuffle.ts'
import type { Vocabulary } from './text/vocabulary.ts'
import { checkLoss, unknownEntry } from './trace.ts'
import {
  type Cells,
  cellsOf,
  type Restored,
  type RestoreOptions,
  restoreCells,
  saveCells,
} from './weights.ts'

/** Counts of bounded dims that no input tells, by name: `{ batch: 16 }`. */
export type Counts = Readonly<Record<string, number>>

/** Feeds where an input that has a vocabulary may be given text: one, or one a row. */
export type TextFeeds = Readonly<Record<string, Feed | string | readonly string[]>>

/** What `netc/runtime/text` adds to a model. */
export interface Texts {
  readonly vocabularies: Readonly<Record<string, Vocabulary>>
  /** Feeds with the numbers of tokens for texts. */
  readonly feeds: (spec: EntrySpec, feeds: TextFeeds) => Feeds
}

type Calls<R> = Readonly<Record<string, (feeds: TextFeeds, counts?: Counts) => R>>

/** The blocks of a model. `netc compile` writes this interface for the model at hand. */
export interface Blocks {
  readonly train: object
  readonly eval: object
  readonly predict: object
  readonly hyper: object
  readonly params: object
  readonly vocabularies?: object
}

/** The blocks of a model about which nothing is known. */
export interface AnyBlocks extends Blocks {
  readonly train: Calls<Record<string, number>>
  readonly eval: Calls<Record<string, number>>
  readonly predict: Calls<Results>
  readonly hyper: Record<string, number>
  readonly params: Readonly<Record<string, View>>
  readonly vocabularies: Readonly<Record<string, Vocabulary>>
}

const checkSeed = (seed = 0): unknown =>
  Number.isInteger(seed) || fail('call', `the seed is an integer, not ${seed}`)

export interface SaveOptions {
  /** Also optimizer state, hyper-parameters, step and seed: enough to go on bit for bit. */
  readonly training?: boolean
  /** Kept in the file. */
  readonly metadata?: Readonly<Record<string, string>>
}

export class Model<B extends Blocks = AnyBlocks> {
  readonly manifest: Manifest
  /** One step: `model.train.digits({ image, label })` gives the losses and metrics of these rows. */
  readonly train: B['train']
  /** The losses and metrics of rows, without a step. */
  readonly eval: B['eval']
  /** The outputs for rows, any number of them where every output has a row for each. */
  readonly predict: B['predict']
  /** Hyper-parameters, to read and to set: `model.hyper['digits.lr'] = 1e-4`. */
  readonly hyper: B['hyper']
  /** Live views of the parameters. */
  readonly params: B['params']
  /** `model.vocabularies.char.encode('Ahab')`, where `load` was given `text`. */
  readonly vocabularies: B['vocabularies']
  readonly #entries = new Map<string, Entry>()
  readonly #cells: Cells
  readonly #init: (seed: number) => void
  readonly #text: Texts | undefined
  #isReady = false

  /** @internal Use `load`. */
  constructor(instance: Instance, text?: (manifest: Manifest) => Texts) {
    const { manifest, memory } = instance
    this.manifest = manifest
    this.#text = text?.(manifest)
    this.vocabularies = (this.#text?.vocabularies ?? {}) as B['vocabularies']
    this.#cells = cellsOf(manifest, memory)
    this.#init = instance.call('init')
    const calls: Record<string, Record<string, unknown>> = { train: {}, eval: {}, predict: {} }
    const limits = new Map(manifest.dims.map((dim) => [dim.name, dim.max]))
    for (const spec of manifest.entries) {
      const entry = new Entry(
        spec,
        spec.counts.map((dim) => limits.get(dim)!),
        instance,
      )
      this.#entries.set(spec.name, entry)
      calls[spec.kind] ??= {}
      calls[spec.kind]![spec.of] = (feeds: TextFeeds, counts?: Counts) =>
        this.#call(entry, this.#feeds(entry, feeds ?? {}), counts)
    }
    this.train = Object.freeze(calls.train) as B['train']
    this.eval = Object.freeze(calls.eval) as B['eval']
    this.predict = Object.freeze(calls.predict) as B['predict']
    this.params = Object.freeze(viewsOf(this.#cells.params)) as B['params']
    this.hyper = this.#hyperCells() as B['hyper']
  }

  #hyperCells(): object {
    const hyper = {}
    for (const { spec, view } of this.#cells.hyper) {
      const { name } = spec
      view[0] = spec.initial
      Object.defineProperty(hyper, name, {
        enumerable: true,
        get: () => view[0],
        set: (value: unknown) => {
          if (typeof value !== 'number' || !Number.isFinite(value)) {
            fail('call', `hyper-parameter ${name} cannot be ${value}`, { name })
          }
          view[0] = value as number
        },
      })
    }
    return Object.seal(hyper)
  }

  /** Training steps made so far. */
  get step(): number {
    return this.#cells.step.view[0]!
  }

  /** Draws new parameters from `seed`, a 32-bit integer, and forgets all training. */
  init(seed = 0): void {
    checkSeed(seed)
    this.#init(seed | 0)
    this.#isReady = true
  }

  /**
   * Gives the states that predict blocks carry from call to call, of one block or of all, their start values again.
   * A block that draws random numbers draws the same ones again, or those of `seed`. Parameters stay.
   */
  reset(block?: string, seed?: number): void {
    if (block === undefined) this.#checkReady('reset')
    else this.#entryOf('predict', block)
    checkSeed(seed)
    for (const { spec, run, outs } of this.#entries.values()) {
      if (spec.kind === 'reset' && spec.of === (block ?? spec.of)) {
        run()
        // The output of the entry is the seed that the block draws with.
        if (seed !== undefined) outs[0]?.view.fill(seed)
      }
    }
  }

  /**
   * The raw way to an entry, by the name in the manifest (`digits`, `digits_eval`): preallocated views of inputs and
   * outputs, and the module's own function. Nothing is checked and nothing allocated.
   */
  entry(name: string): Entry {
    return this.#entries.get(name) ?? unknownEntry('entry', name, [...this.#entries.keys()])
  }

  #feeds({ spec }: Entry, feeds: TextFeeds): Feeds {
    return this.#text ? this.#text.feeds(spec, feeds) : (feeds as Feeds)
  }

  #call(entry: Entry, feeds: Feeds, given: Counts | undefined): Results {
    this.#checkReady(entry.spec.of)
    entry.measure(feeds, given)
    entry.checkValues(feeds)
    const { counts, limits, spec } = entry
    const rows = counts[0] ?? 0
    const limit = limits[0] ?? 0
    const canSplit =
      spec.kind === 'predict' &&
      !spec.carries &&
      counts.length === 1 &&
      entry.outs.every((o) => o.count === 0) &&
      entry.ins.some((i) => i.count === 0)
    if (rows > limit && canSplit) return this.#chunks(entry, feeds, rows, limit)
    if (rows <= limit) entry.write(feeds, 0, rows)
    const step = this.step + 1
    entry.runCounts()
    if (spec.kind === 'train') checkLoss(entry, step)
    return entry.results()
  }

  #chunks(entry: Entry, feeds: Feeds, rows: number, limit: number): Results {
    const results: Results = {}
    for (let from = 0; from < rows; from += limit) {
      const count = Math.min(limit, rows - from)
      entry.write(feeds, from, count)
      entry.counts[0] = count
      entry.runCounts()
      for (const { spec, view, stride } of entry.outs) {
        const Type = view.constructor as new (length: number) => View
        results[spec.name] ??= new Type(rows * stride)
        const all = results[spec.name] as View
        all.set(view.subarray(0, count * stride), from * stride)
      }
    }
    return results
  }

  #checkReady(name: string): void {
    if (!this.#isReady) {
      fail('call', `${name} needs parameters first: call init(seed), or load weights`)
    }
  }

  #find(kind: EntrySpec['kind'], name: string): Entry | undefined {
    return [...this.#entries.values()].find(({ spec }) => spec.kind === kind && spec.of === name)
  }

  #entryOf(kind: 'train' | 'predict', name: string): Entry {
    this.#checkReady(name)
    return this.#find(kind, name) ?? unknownEntry(kind, name, Object.keys(this[kind]))
  }

  /** Trains on all rows of `data` and reports on the way; see `FitOptions`. */
  fit(name: string, data: TextFeeds, options: FitOptions = {}): AsyncGenerator<Report, void, void> {
    const entry = this.#entryOf('train', name)
    const [evaluation, combine] = [this.#find('eval', name), this.#find('combine', name)]
    return fit(entry, evaluation, combine, this.#cells, this.#feeds(entry, data), options)
  }

  /** The metrics of train block `name` over all rows of `data`: means over rows, and those made of totals. */
  async evaluate(name: string, data: TextFeeds): Promise<Metrics> {
    return (await this.measure(name, data)).metrics
  }

  /** As `evaluate`, with those metrics that are tensors. */
  async measure(name: string, data: TextFeeds): Promise<Evaluation> {
    this.#entryOf('train', name)
    // Every train block has one.
    const entry = this.#find('eval', name)!
    const feeds = this.#feeds(entry, data)
    return evaluateRows(entry, this.#find('combine', name), feeds, range(rowsOf(entry, feeds)))
  }

  /** The parameters, and the running state of layers, as a safetensors file. */
  save(options: SaveOptions = {}): Uint8Array<ArrayBuffer> {
    this.#checkReady('save')
    const { model, source } = this.manifest
    const metadata = { format: 'netc', model, source, ...options.metadata }
    return saveCells(this.#cells, options.training, metadata)
  }

  /** Takes parameters, or a whole checkpoint, from a safetensors file; on an error nothing has changed. */
  restore(file: BufferSource, options: RestoreOptions = {}): Restored {
    return restoreCells(this.#cells, file, options, () => {
      this.#isReady = true
      this.reset()
    })
  }
}
