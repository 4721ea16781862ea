/**
 * The JavaScript module and the type declarations that `netc compile` writes beside a module: `load()` finds both
 * builds by URL, and every entry, input and output of the model has its type.
 */

import type { EntrySpec, Manifest, TensorSpec } from '../wasm/manifest.ts'
import { short } from './progress.ts'

export function wrapperJs(name: string, { netc, model }: Manifest): string {
  return `// Made by netc ${netc} from ${model}.
import { load as loadModel } from 'netc/runtime'

/** Fetches the build that this engine takes; \`options\` are those of \`load\` in netc/runtime. */
export const load = (options) =>
  loadModel(
    {
      simd: new URL('./${name}.wasm', import.meta.url),
      relaxed: new URL('./${name}.relaxed.wasm', import.meta.url),
    },
    options,
  )
`
}

const key = (name: string): string =>
  /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name)

/** `[batch<=64, 784]` */
const shape = (spec: TensorSpec): string =>
  `[${spec.shape.map((n, k) => (spec.bounds[k] ? `${spec.bounds[k]}<=${n}` : n)).join(', ')}]`

const list = (lines: readonly string[], indent: string): string =>
  lines.length === 0 ? '{}' : `{\n${lines.map((line) => `${indent}  ${line}\n`).join('')}${indent}}`

function inputType(spec: TensorSpec): string {
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
    (i) => `/** ${i.dtype}${shape(i)} */ readonly ${key(i.name)}: ${inputType(i)}`,
  )
  const outputs = entry.outputs.map(
    (o) => `/** ${o.dtype}${shape(o)} */ ${key(o.name)}: ${outputType(o)}`,
  )
  const free = entry.counts.map((dim) => `${key(dim)}?: number`).join('; ')
  const counts = entry.counts.length > 0 ? `, counts?: { ${free} }` : ''
  return `${key(entry.of)}(feeds: ${list(inputs, '    ')}${counts}): ${list(outputs, '    ')}`
}

export function wrapperTypes({ netc, model, entries, hyper, params }: Manifest): string {
  const calls = (kind: EntrySpec['kind']): string =>
    list(entries.filter((entry) => entry.kind === kind).map(entryType), '  ')
  return `// Made by netc ${netc} from ${model}.
import type { Blocks, LoadOptions, Model as AnyModel } from 'netc/runtime'

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
  )}
}

export type Model = AnyModel<ModelBlocks>

export declare function load(options?: LoadOptions): Promise<Model>
`
}
