/**
 * Which block computes a tensor that is to be shown, where several do: the one asked for, else the first, predictions before
 * training, whose inputs the values given or the data can feed, else the first that takes none.
 */
import { type Dataset, feedsOf } from '../../runtime/data/index.ts'
import { NetcError } from '../../runtime/index.ts'
import type { EntrySpec } from '../wasm/manifest.ts'
import { UsageError } from './errors.ts'
import { datasetOf, hasData, type Rows } from './inspect.ts'
import type { Subject } from './pictures/subjects.ts'
import type { Session } from './session.ts'

const blockOf = (name: string): string => name.replace(/_eval$/, '')

/** `asked` is `--block` or `--predict`. */
export async function blockFor(
  session: Session,
  { name, entries }: Subject,
  request: Rows,
  asked: string | undefined,
): Promise<EntrySpec> {
  const specOf = (entry: string) => session.model.manifest.entries.find((e) => e.name === entry)!
  const specs = entries.map((entry) => specOf(entry.name))
  if (asked !== undefined) {
    const found = entries.find((entry) => blockOf(entry.name) === asked)
    if (found) return specOf(found.name)
    throw new UsageError(`--block ${asked}: ${name} is computed by ${blocksOf(entries)}`)
  }
  const [first] = specs
  if (specs.length === 1) return first!
  const { given = [] } = request
  if (given.length > 0) {
    const names = new Set(given.map((pair) => pair.split('=')[0]!))
    const takes = (spec: EntrySpec) =>
      spec.inputs.length === names.size && spec.inputs.every((i) => names.has(i.name))
    return specs.find(takes) ?? first!
  }
  const needy = specs.filter((spec) => spec.inputs.length > 0)
  if (needy.length === 0) return first!
  const fed: EntrySpec[] = []
  for (const spec of needy) {
    if (!hasData(session, spec, request)) continue
    const dataset = await datasetOf(session, spec, request)
    if (isNamed(spec, dataset)) return spec
    if (isFed(spec, dataset)) fed.push(spec)
  }
  return fed[0] ?? specs.find((spec) => spec.inputs.length === 0) ?? first!
}

/** `same, copy` */
export const blocksOf = (entries: Subject['entries']): string =>
  [...new Set(entries.map((entry) => blockOf(entry.name)))].join(', ')

const isNamed = ({ inputs }: EntrySpec, { columns }: Dataset): boolean =>
  inputs.every((input) => columns.some((column) => column.name === input.name))

function isFed({ inputs }: EntrySpec, dataset: Dataset): boolean {
  try {
    feedsOf(inputs, dataset, 'data', true)
    return true
  } catch (error) {
    if (error instanceof NetcError) return false
    throw error
  }
}
