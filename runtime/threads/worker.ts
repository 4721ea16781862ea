/** The file that a thread of a model runs: it waits in the module until the model calls, or ends it. */
import { type Job, ownPort } from './crew.ts'

const port = ownPort()

port.onmessage = ({ data }) => {
  const { module, memory, number, size, looks } = data as Job & { readonly number: number }
  const { exports } = new WebAssembly.Instance(module, { env: { memory } })
  port.postMessage('ready')
  ;(exports['.work'] as (...args: number[]) => void)(number, size, looks)
  ;(port as unknown as { close: () => void }).close()
}
