/** netc/runtime: loads a compiled model and runs, trains and saves it. No dependencies; for pages and Node alike. */
export type {
  HyperSpec,
  InputSpec,
  Manifest,
  TensorSpec,
  VocabularySpec,
} from '../compiler/wasm/manifest.ts'
export type { Entry, Feed, Feeds, Results, View } from './entry.ts'
export { type Details, type ErrorCode, NetcError } from './errors.ts'
export type { Cursor, Evaluation, FitOptions, Metrics, Report } from './fit.ts'
export { type LoadOptions, load } from './load.ts'
export type { AnyBlocks, Blocks, Counts, Model, SaveOptions, TextFeeds, Texts } from './model.ts'
export { hasRelaxed, type ModuleSource, type Source } from './module.ts'
export type { Restored, RestoreOptions } from './weights.ts'
