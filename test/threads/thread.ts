/**
 * A thread of a test. It runs one module after another, each as soon as it is told; between two of them it waits for the next
 * message. `order` makes the threads of a module take turns in the places where they meet (see team.ts).
 */
import { parentPort, workerData } from 'node:worker_threads'
import { type Job, meeting } from './meeting.ts'

const { number } = workerData as { readonly number: number }

parentPort!.on('message', ({ module, memory, size, order, turns }: Job) => {
  const meet = meeting(turns, number, size, order)
  const { exports } = new WebAssembly.Instance(module, { env: { memory, meet } })
  const run = exports as Record<string, (...args: number[]) => void>
  parentPort!.postMessage('ready')
  run['.work']!(number, size, 100)
  parentPort!.postMessage('done')
})
