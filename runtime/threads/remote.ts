/**
 * A model that lives in a worker, for a page: nothing it does stops the page, and with shared memory several threads share
 * its work. In: what `load` takes. Out: the methods of a model, each of which gives a promise.
 */
import type { Manifest } from '../../compiler/wasm/manifest.ts'
import type { Results } from '../entry.ts'
import { type Details, type ErrorCode, NetcError } from '../errors.ts'
import type { Evaluation, FitOptions, Metrics, Report } from '../fit.ts'
import type { Counts, SaveOptions, TextFeeds } from '../model.ts'
import type { Restored, RestoreOptions } from '../weights.ts'
import { start, type Thread } from './crew.ts'
import type { ThreadedSource, ThreadOptions } from './load.ts'

/** What the page asks of the worker. */
export interface Request {
  readonly id: number
  readonly what: string
  readonly name: string
  readonly args: readonly unknown[]
}

/** What the worker says: the answer to a request, or a notice. */
export interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: {
    readonly message: string
    readonly code?: ErrorCode
    readonly details?: Details
  }
}

/** Functions do not go to a worker: it has the texts of every model. */
export type OpenOptions = Omit<ThreadOptions, 'text'>

type Call<R> = (feeds: TextFeeds, counts?: Counts) => Promise<R>

const closed = { message: 'the model was closed', code: 'call' } as const

class Caller {
  readonly #thread: Thread
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #last = 0
  #isOver = false

  constructor(notice: (text: string) => void) {
    this.#thread = start('host', {
      message: (data) => {
        const answer = data as Answer & { readonly notice?: string }
        if (answer.notice !== undefined) notice(answer.notice)
        else this.#settle(answer)
      },
      error: (message) => {
        const error = {
          message: `the worker of the model failed: ${message}`,
          code: 'module',
        } as const
        for (const id of [...this.#waiting.keys()]) this.#settle({ id, error })
      },
    })
  }

  #settle(answer: Answer): void {
    this.#waiting.get(answer.id)?.(answer)
    this.#waiting.delete(answer.id)
  }

  ask<T>(what: string, name: string, ...args: readonly unknown[]): Promise<T> {
    return this.numbered<T>(what, name, ...args).answer
  }

  numbered<T>(what: string, name: string, ...args: readonly unknown[]) {
    const id = ++this.#last
    const answer = new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, ({ value, error }) => {
        if (!error) resolve(value as T)
        else if (!error.code) reject(new Error(error.message))
        else reject(new NetcError(error.code, error.message, error.details))
      })
      if (this.#isOver) this.#settle({ id, error: closed })
      else this.#thread.send({ id, what, name, args } satisfies Request)
    })
    return { id, answer }
  }

  /** What is not answered. */
  tell(what: string, ...args: readonly unknown[]): void {
    this.#thread.send({ id: 0, what, name: '', args } satisfies Request)
  }

  end(): void {
    this.#thread.end()
    this.#isOver = true
    for (const id of [...this.#waiting.keys()]) {
      this.#settle({ id, error: closed })
    }
  }
}

export class RemoteModel {
  readonly manifest: Manifest
  /** How many threads share its work. */
  readonly threads: number
  readonly train: Readonly<Record<string, Call<Record<string, number>>>>
  readonly eval: Readonly<Record<string, Call<Record<string, number>>>>
  readonly predict: Readonly<Record<string, Call<Results>>>
  readonly #caller: Caller

  /** @internal Use `open`. */
  constructor(caller: Caller, manifest: Manifest, threads: number) {
    this.#caller = caller
    this.manifest = manifest
    this.threads = threads
    const calls = <R>(kind: string): Readonly<Record<string, Call<R>>> =>
      Object.fromEntries(
        manifest.entries
          .filter((entry) => entry.kind === kind)
          .map(({ of }) => [of, (feeds, counts) => caller.ask<R>(kind, of, feeds, counts)]),
      )
    this.train = calls('train')
    this.eval = calls('eval')
    this.predict = calls('predict')
  }

  init(seed = 0): Promise<void> {
    return this.#caller.ask('init', '', seed)
  }

  reset(block?: string, seed?: number): Promise<void> {
    return this.#caller.ask('reset', '', block, seed)
  }

  evaluate(name: string, data: TextFeeds): Promise<Metrics> {
    return this.#caller.ask('evaluate', '', name, data)
  }

  measure(name: string, data: TextFeeds): Promise<Evaluation> {
    return this.#caller.ask('measure', '', name, data)
  }

  /** As `fit` of a model. The training waits until its last report was taken; an abort is heard at the next one. */
  async *fit(
    name: string,
    data: TextFeeds,
    { signal, ...options }: FitOptions = {},
  ): AsyncGenerator<Report, void, void> {
    const { id, answer } = this.#caller.numbered<void>('fit', name, data, options)
    const abort = (): void => this.#caller.tell('abort', id)
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort)
    try {
      await answer
      for (;;) {
        const next = await this.#caller.ask<IteratorResult<Report, void>>('next', '', id)
        if (next.done) return
        yield next.value
      }
    } finally {
      signal?.removeEventListener('abort', abort)
      await this.#caller.ask('return', '', id)
    }
  }

  save(options: SaveOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    return this.#caller.ask('save', '', options)
  }

  restore(file: BufferSource, options: RestoreOptions = {}): Promise<Restored> {
    return this.#caller.ask('restore', '', file, options)
  }

  /** Training steps made so far. */
  step(): Promise<number> {
    return this.#caller.ask('step', '')
  }

  /** A copy of a parameter; undefined where there is none of the name. */
  param(name: string): Promise<Float32Array | undefined> {
    return this.#caller.ask('param', name)
  }

  hyper(name: string): Promise<number | undefined> {
    return this.#caller.ask('get', name)
  }

  setHyper(name: string, value: number): Promise<void> {
    return this.#caller.ask('set', name, value)
  }

  /** Ends the worker and its threads. */
  close(): void {
    this.#caller.end()
  }
}

/** Opens a model in a worker of its own. URLs are those of the page. */
export async function open(
  source: ThreadedSource,
  options: OpenOptions = {},
): Promise<RemoteModel> {
  const { notice = console.warn, weights, ...rest } = options
  const caller = new Caller(notice)
  // A worker has another address than its page.
  const absolute = (value: unknown): unknown => {
    const { location } = globalThis as { location?: { href: string } }
    if (value instanceof URL) return value.href
    if (typeof value === 'string' && location) return new URL(value, location.href).href
    if (Object.getPrototypeOf(value) !== Object.prototype) return value
    return Object.fromEntries(Object.entries(value as object).map(([k, v]) => [k, absolute(v)]))
  }
  try {
    const { manifest, threads } = await caller.ask<{ manifest: Manifest; threads: number }>(
      'load',
      '',
      absolute(source),
      { ...rest, ...(weights !== undefined && { weights: absolute(weights) }) },
    )
    return new RemoteModel(caller, manifest, threads)
  } catch (error) {
    caller.end()
    throw error
  }
}
