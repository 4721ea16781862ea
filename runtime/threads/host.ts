/** The file that a model's own worker runs: it loads the model and does what the page asks (remote.ts), in the order asked. */

import { NetcError } from '../errors.ts'
import type { Report } from '../fit.ts'
import { text } from '../text/index.ts'
import { ownPort } from './crew.ts'
import { load, type ThreadedModel, type ThreadedSource } from './load.ts'
import type { Answer, Request } from './remote.ts'

const port = ownPort()
let model: ThreadedModel
const trainings = new Map<number, AsyncGenerator<Report, void, void>>()
const aborts = new Map<number, AbortController>()
let last: Promise<void> = Promise.resolve()

type Anything = Readonly<Record<string, (...args: readonly unknown[]) => unknown>>

async function perform({ id, what, name, args }: Request): Promise<unknown> {
  const [first, second] = args as never as [never, never]
  switch (what) {
    case 'load': {
      const notice = (told: string): void => port.postMessage({ notice: told })
      model = await load(first as ThreadedSource, { ...(second as object), text, notice })
      return { manifest: model.manifest, threads: model.threads }
    }
    case 'train':
    case 'eval':
    case 'predict':
      return (model[what] as Anything)[name]!(...args)
    case 'fit': {
      const abort = new AbortController()
      aborts.set(id, abort)
      trainings.set(id, model.fit(name, first, { ...(second as object), signal: abort.signal }))
      return undefined
    }
    case 'next': {
      const next = await trainings.get(first)!.next()
      if (next.done) forget(first)
      return next
    }
    case 'return':
      await trainings.get(first)?.return()
      forget(first)
      return undefined
    case 'set':
      ;(model.hyper as Record<string, number>)[name] = first
      return undefined
    case 'get':
      return (model.hyper as Record<string, number>)[name]
    case 'param':
      return model.params[name]?.slice()
    case 'step':
      return model.step
    default:
      return (model as unknown as Anything)[what]!(...args)
  }
}

function forget(training: number): void {
  trainings.delete(training)
  aborts.delete(training)
}

async function answer(request: Request): Promise<void> {
  const { id } = request
  let sent: Answer
  try {
    sent = { id, value: await perform(request) }
  } catch (error) {
    const { message } = error as Error
    const known = error instanceof NetcError
    sent = { id, error: { message, ...(known && { code: error.code, details: error.details }) } }
  }
  port.postMessage(sent)
}

port.onmessage = ({ data }) => {
  const request = data as Request
  // A training that runs hears of it between two reports.
  if (request.what === 'abort') aborts.get(request.args[0] as number)?.abort()
  else last = last.then(() => answer(request))
}
