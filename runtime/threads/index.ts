/**
 * netc/runtime/threads: models that several threads run, apart from the core. `load` is for Node and for workers of pages, `open`
 * for a page's main thread, which may not wait.
 */
export {
  hasSharedMemory,
  load,
  type ThreadedModel,
  type ThreadedSource,
  type ThreadOptions,
} from './load.ts'
export { type OpenOptions, open, type RemoteModel } from './remote.ts'
