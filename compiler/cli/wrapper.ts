/**
 * The JavaScript module and the type declarations that `netc compile` writes beside a module: `load()` finds both
 * builds by URL, and every entry, input and output of the model has its type.
 */

import type { EntrySpec, Manifest, TensorSpec, VocabularySpec } from '../wasm/manifest.ts'
import { short } from './progress.ts'

export function wrapperJs(name: string, { netc, model, vocabularies }: Manifest): string {
  const hasText = vocabularies !== undefined
  return `// Made by netc ${netc} from ${model}.
import { load as loadModel } from 'netc/runtime'${hasText ? "\nimport { text } from 'netc/runtime/text'" : ''}

/** Fetches the build that this engine takes; \`options\` are those of \`load\` in netc/runtime. */
export const load = (options) =>
  loadModel(
    {
      simd: new URL('./${name}.wasm', import.meta.url),
      relaxed: new URL('./${name}.relaxed.wasm', import.meta.url),
    },
    ${hasText ? '{ text, ...options }' : 'options'},
  )
`
}

const key = (name: string): string =>
  /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name)

/** `[batch<=64, 784]` */
const shape = (spec: TensorSpec): string =>
  `[${spec.shape.map((n, k) => (spec.bounds[k] ? `${spec.bounds[k]}<=${n}` : n)).join(', ')}]`

/** `f32[batch<=64, 784]`, `char[batch<=64]` */
const typeOf = (spec: TensorSpec): string => `${spec.vocabulary ?? spec.dtype}${shape(spec)}`

const list = (lines: readonly string[], indent: string): string =>
  lines.length === 0 ? '{}' : `{\n${lines.map((line) => `${indent}  ${line}\n`).join('')}${indent}}`

function inputType(spec: TensorSpec): string {
  // One text, or one a row.
  const text = spec.vocabulary ? ' | string | readonly string[]' : ''
  if (text) return `ArrayLike<number>${spec.shape.length > 0 ? '' : ' | number'}${text}`
  if (spec.shape.length > 0)
    return spec.dtype === 'bool' ? 'ArrayLike<boolean | number>' : 'ArrayLike<number>'
  return spec.dtype === 'bool' ? 'boolean' : 'number'
}

function outputType(spec: TensorSpec): string {
  if (spec.shape.length === 0) return 'number'
  return spec.dtype === 'f32' ? 'Float32Array' : 'Int32Array'
}

function entryType(entry: EntrySpec): string {
  const inputs = entry.inputs.map(
    (i) => `/** ${typeOf(i)} */ readonly ${key(i.name)}: ${inputType(i)}`,
  )
  const outputs = entry.outputs.map((o) => `/** ${typeOf(o)} */ ${key(o.name)}: ${outputType(o)}`)
  const free = entry.counts.map((dim) => `${key(dim)}?: number`).join('; ')
  const counts = entry.counts.length > 0 ? `, counts?: { ${free} }` : ''
  const carried = entry.carries
    ? `/** Carries ${entry.carries.join(', ')} from call to call; \`reset(${JSON.stringify(entry.of)})\` starts afresh. */ `
    : ''
  return `${carried}${key(entry.of)}(feeds: ${list(inputs, '    ')}${counts}): ${list(outputs, '    ')}`
}

const vocabularyTypes = (vocabularies: readonly VocabularySpec[]): string => `
  readonly vocabularies: ${list(
    vocabularies.map((v) => `/** ${v.tokens.length} tokens */ readonly ${key(v.name)}: Vocabulary`),
    '  ',
  )}`

export function wrapperTypes(manifest: Manifest): string {
  const { netc, model, entries, hyper, params, vocabularies } = manifest
  const calls = (kind: EntrySpec['kind']): string =>
    list(entries.filter((entry) => entry.kind === kind).map(entryType), '  ')
  return `// Made by netc ${netc} from ${model}.
import type { Blocks, LoadOptions, Model as AnyModel } from 'netc/runtime'${vocabularies ? "\nimport type { Vocabulary } from 'netc/runtime/text'" : ''}

export interface ModelBlocks extends Blocks {
  readonly train: ${calls('train')}
  readonly eval: ${calls('eval')}
  readonly predict: ${calls('predict')}
  readonly hyper: ${list(
    hyper.map((cell) => `/** Initially ${short(cell.initial)}. */ ${key(cell.name)}: number`),
    '  ',
  )}
  readonly params: ${list(
    params.map(
      (p) =>
        `/** ${shape(p)} */ readonly ${key(p.name)}: ${p.dtype === 'f32' ? 'Float32Array' : 'Int32Array'}`,
    ),
    '  ',
  )}${vocabularies ? vocabularyTypes(vocabularies) : ''}
}

export type Model = AnyModel<ModelBlocks>

export declare function load(options?: LoadOptions): Promise<Model>
`
}
