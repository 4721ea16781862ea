/** Loads a model: `await load(url, { weights })`. */
import type { Manifest } from '../compiler/wasm/manifest.ts'
import { type AnyBlocks, type Blocks, Model, type Texts } from './model.ts'
import { fetched, instantiate, type Source } from './module.ts'

export interface LoadOptions {
  /** A safetensors file, or where to fetch it. Without it call `init` or `restore`. */
  readonly weights?: BufferSource | string | URL
  /** `simd` is bit-identical on every engine. Default: `relaxed` where the engine has it, else `simd`. */
  readonly target?: 'simd' | 'relaxed'
  /** `text` of `netc/runtime/text`, for a model with vocabularies. */
  readonly text?: (manifest: Manifest) => Texts
}

export async function load<B extends Blocks = AnyBlocks>(
  source: Source,
  options: LoadOptions = {},
): Promise<Model<B>> {
  const { weights, target, text } = options
  const model = new Model<B>(await instantiate(source, target), text)
  if (weights !== undefined) model.restore(await fetched(weights))
  return model
}
