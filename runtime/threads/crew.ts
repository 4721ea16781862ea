/** The other threads of a model: workers of a page or of Node, each with an instance of the module. */
import { NetcError } from '../errors.ts'

export interface Job {
  readonly module: WebAssembly.Module
  readonly memory: WebAssembly.Memory
  readonly size: number
  readonly looks: number
}

export interface Crew {
  /** All threads, the one that calls among them. */
  readonly size: number
  readonly end: () => void
}

interface Port {
  onmessage: ((event: { readonly data: unknown }) => void) | null
  postMessage: (data: unknown) => void
}

/** A worker of a page or of Node that runs a file beside this one. */
export interface Thread {
  readonly send: (data: unknown, transfer?: readonly ArrayBuffer[]) => void
  readonly end: () => void
}

export interface Listener {
  readonly message: (data: unknown) => void
  readonly error: (message: string) => void
}

const threads = () => globalThis.process?.getBuiltinModule?.('node:worker_threads')

/** What a worker's file answers to: in Node the parent's port, in a page its own scope. */
export const ownPort = (): Port =>
  (threads()?.parentPort as Port | null | undefined) ?? (globalThis as unknown as Port)

export function start(file: 'worker' | 'host', { message, error }: Listener): Thread {
  const node = threads()
  if (node) {
    // Run from its sources, netc has files of another ending.
    const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    const worker = new node.Worker(new URL(`./${file}.${ending}`, import.meta.url))
    worker.on('message', message)
    worker.on('error', (e) => error((e as Error).message))
    // A program that is done ends although they wait.
    worker.unref()
    return {
      send: (data, transfer = []) => worker.postMessage(data, [...transfer]),
      end: () => void worker.terminate(),
    }
  }
  // Written out twice so that bundlers see which files workers need.
  const worker =
    file === 'worker'
      ? new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })
      : new Worker(new URL('./host.js', import.meta.url), { type: 'module' })
  worker.onmessage = ({ data }) => message(data)
  worker.onerror = (e) => error(e.message || 'its file cannot be loaded')
  return {
    send: (data, transfer = []) => worker.postMessage(data, [...transfer]),
    end: () => worker.terminate(),
  }
}

/** Starts the threads of a job but the first; done when all are at work. `stop` is the module's `.stop`. */
export async function recruit(job: Job, stop: () => void): Promise<Crew> {
  const crew: Thread[] = []
  const ready = Array.from(
    { length: job.size - 1 },
    (_, k) =>
      new Promise<void>((resolve, reject) => {
        const thread = start('worker', {
          message: () => resolve(),
          error: (message) => reject(new NetcError('module', `a thread cannot start: ${message}`)),
        })
        crew.push(thread)
        thread.send({ ...job, number: k + 1 })
      }),
  )
  try {
    // A program that waits for its threads does not end.
    const hold = setInterval(() => {}, 1000)
    await Promise.all(ready).finally(() => clearInterval(hold))
  } catch (error) {
    for (const thread of crew) thread.end()
    throw error
  }
  return { size: job.size, end: stop }
}
