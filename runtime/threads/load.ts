/**
 * Loads a model that was compiled with `--threads`. Out: the same `Model`, each call of which is shared by threads, or where that
 * cannot be the model on one thread and a notice why. A page's main thread may not wait for others: see remote.ts.
 */
import type { Manifest } from '../../compiler/wasm/manifest.ts'
import type { LoadOptions } from '../load.ts'
import { type AnyBlocks, type Blocks, Model } from '../model.ts'
import { fetched, type Instance, instantiate, type Source } from '../module.ts'
import { type Crew, recruit } from './crew.ts'

/**
 * A base URL: `mnist` means `mnist.threads.wasm` or `mnist.threads.relaxed.wasm`, and without shared memory `mnist.wasm` or
 * `mnist.relaxed.wasm`. Or the builds for threads and those for one, each as `load` of netc/runtime takes them.
 */
export type ThreadedSource = string | URL | { readonly threads: Source; readonly alone?: Source }

export interface ThreadOptions extends LoadOptions {
  /** How many; default: as the machine has cores, but no more than the compiler expects to be of use. */
  readonly threads?: number
  /** Told why there is only one, or fewer than asked for. Default: `console.warn`. */
  readonly notice?: (text: string) => void
}

export class ThreadedModel<B extends Blocks = AnyBlocks> extends Model<B> {
  readonly #crew: Crew | undefined
  #threads: number

  /** @internal Use `load`. */
  constructor(instance: Instance, options: ThreadOptions, crew: Crew | undefined) {
    super(instance, options.text)
    this.#crew = crew
    this.#threads = crew ? crew.size : 1
  }

  /** How many threads run it. */
  get threads(): number {
    return this.#threads
  }

  /** Ends the other threads; the model goes on with one. In Node they end with the program too. */
  close(): void {
    this.#crew?.end()
    this.#threads = 1
  }
}

/** Whether this thread may sleep: the main thread of a page may not. */
function mayWait(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0)
    return true
  } catch {
    return false
  }
}

/** Whether memory can be shared: a page needs two headers for it. */
export const hasSharedMemory = (): boolean =>
  typeof SharedArrayBuffer === 'function' &&
  (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated !== false

const noMemory =
  'this page has no shared memory, which it gets with the headers Cross-Origin-Opener-Policy: same-origin and ' +
  'Cross-Origin-Embedder-Policy: require-corp'

/** Loads a model that threads share. Everything is as with `load` of netc/runtime; `close` ends the threads. */
export async function load<B extends Blocks = AnyBlocks>(
  source: ThreadedSource,
  options: ThreadOptions = {},
): Promise<ThreadedModel<B>> {
  const { weights, target, notice = console.warn } = options
  const asked = options.threads ?? cores()
  const say = (why: string): void => notice(`netc: one thread: ${why}`)
  const isShared = hasSharedMemory()
  if (!isShared) say(noMemory)
  let module: WebAssembly.Module | undefined
  let memory: WebAssembly.Memory | undefined
  const instance = await instantiate(choose(source, isShared), target, (compiled) => {
    const [section] = WebAssembly.Module.customSections(compiled, 'netc')
    const { threads } = JSON.parse(section ? new TextDecoder().decode(section) : '{}') as Manifest
    if (!threads) return {}
    module = compiled
    const { pages } = threads
    memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
    return { env: { memory } }
  })
  const crew =
    module && memory && isShared
      ? await crewOf(instance, { module, memory }, asked, options.threads !== undefined, say)
      : undefined
  if (isShared && !instance.manifest.threads && asked > 1) {
    say('this module was compiled without --threads')
  }
  if (crew) instance.call('.team')(crew.size, looksOf(crew.size))
  const model = new ThreadedModel<B>(instance, options, crew)
  if (weights !== undefined) model.restore(await fetched(weights))
  return model
}

/** The builds for threads, or those for one where memory cannot be shared. */
function choose(source: ThreadedSource, isShared: boolean): Source {
  if (typeof source !== 'string' && !(source instanceof URL)) {
    return isShared ? source.threads : (source.alone ?? source.threads)
  }
  const base = String(source)
  return isShared && !/\.wasm($|[?#])/.test(base) ? `${base}.threads` : base
}

const cores = (): number => navigator.hardwareConcurrency || 1

/**
 * How often a thread looks before it sleeps: some 0.5 ms, for to be woken takes longer than most kernels; but not where others
 * wait for its core.
 */
const looksOf = (threads: number): number => (threads > cores() ? 0 : 300_000)

async function crewOf(
  { manifest, call }: Instance,
  parts: { readonly module: WebAssembly.Module; readonly memory: WebAssembly.Memory },
  asked: number,
  explicit: boolean,
  say: (why: string) => void,
): Promise<Crew | undefined> {
  const { most } = manifest.threads!
  const size = Math.min(asked, most)
  if (asked <= 1) return undefined
  if (most === 1) {
    if (explicit) say('the model is so small that more would make it slower')
    return undefined
  }
  if (!mayWait()) {
    say('the main thread of a page may not wait for others; `open` runs the model in a worker')
    return undefined
  }
  return recruit({ ...parts, size, looks: looksOf(size) }, call('.stop'))
}
