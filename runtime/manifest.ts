/**
 * Checks a manifest read from a module: every field that the runtime relies on has its type, and every tensor lies
 * inside the module's memory, so that nothing after this can read or write out of place.
 */
import type { Manifest, TensorSpec } from '../compiler/wasm/manifest.ts'
import { isCount, isCounts, isRecord, volume } from './checks.ts'
import { fail } from './errors.ts'

/** The one version of the module's calling convention that this runtime speaks. */
export const abi = 1

type Json = Readonly<Record<string, unknown>>

const bad = (what: string): never =>
  fail('manifest', `the manifest of this module is damaged: ${what}`)

/** Text of anything: what stands in a damaged file may not even convert to a string. */
const show = (value: unknown): string =>
  typeof value === 'string' ? value : `${JSON.stringify(value)}`

const object = (value: unknown, where: string): Json =>
  isRecord(value) ? value : bad(`${where} is not an object`)

function named(value: unknown, where: string): Json {
  const one = object(value, where)
  return typeof one.name === 'string' ? one : bad(`${where} has no name`)
}

/** The array `owner[key]`, each element checked by `check`, names unique where there are names. */
function list(owner: Json, key: string, check: (item: Json, where: string) => void): void {
  const items: unknown = owner[key]
  if (!Array.isArray(items)) throw bad(`${key} is no list`)
  const names = new Set<unknown>()
  items.forEach((item: unknown, k) => {
    const where = `${key}[${k}]`
    const one = named(item, where)
    if (names.has(one.name)) bad(`${key} has two of the name ${one.name}`)
    names.add(one.name)
    check(one, where)
  })
}

/** Checks the text of the custom section `netc` against a module with `memoryBytes` of memory. */
export function checkManifest(text: string, memoryBytes: number): Manifest {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    bad('it is not JSON')
  }
  const root = object(value, 'it')
  if (root.abi !== abi) {
    fail(
      'abi',
      `this module has ABI version ${show(root.abi)} and this runtime speaks version ${abi}`,
      {
        abi: typeof root.abi === 'number' ? root.abi : null,
      },
    )
  }
  for (const key of ['netc', 'target', 'model', 'source']) {
    if (typeof root[key] !== 'string') bad(`${key} is no string`)
  }
  const bounds = new Map<unknown, unknown>()
  list(root, 'dims', (dim, where) => {
    if (!isCount(dim.max) || dim.max < 1) bad(`${where}.max is no count`)
    bounds.set(dim.name, dim.max)
  })
  const tensor = (spec: Json, where: string): void => {
    const { dtype, shape, bounds: bound, offset } = spec as unknown as TensorSpec
    if (dtype !== 'f32' && dtype !== 'i32' && dtype !== 'bool')
      bad(`${where} has dtype ${show(dtype)}`)
    if (!isCounts(shape)) bad(`${where}.shape is no list of extents`)
    if (!Array.isArray(bound) || bound.length !== shape.length)
      bad(`${where}.bounds is no list of dims`)
    bound.forEach((name, k) => {
      if (name !== null && (k > 0 || bounds.get(name) !== shape[0])) {
        bad(`${where} is bounded by ${show(name)}`)
      }
    })
    if (!isCount(offset) || offset % 4 !== 0 || offset + 4 * volume(shape) > memoryBytes) {
      bad(`${where} lies outside the memory`)
    }
  }
  const scalar = (spec: Json, where: string): void => {
    tensor(spec, where)
    if ((spec.shape as number[]).length > 0) bad(`${where} is no scalar`)
  }
  list(root, 'params', tensor)
  list(root, 'state', tensor)
  list(root, 'hyper', (spec, where) => {
    scalar(spec, where)
    if (typeof spec.initial !== 'number') bad(`${where} has no initial value`)
  })
  for (const key of ['step', 'seed']) scalar(named(root[key], key), key)
  list(root, 'entries', (entry, where) => {
    if (!/^(train|eval|combine|predict|reset)$/.test(show(entry.kind))) {
      bad(`${where} has kind ${show(entry.kind)}`)
    }
    if (typeof entry.of !== 'string') bad(`${where}.of is no string`)
    const { counts } = entry
    if (!Array.isArray(counts) || !counts.every((name) => bounds.has(name))) {
      bad(`${where}.counts is no list of dims`)
    }
    list(entry, 'inputs', (spec, at) => {
      tensor(spec, `${where}.${at}`)
      if (spec.range !== null && !isCount(spec.range)) bad(`${where}.${at}.range is no count`)
    })
    for (const key of ['outputs', 'trace', ...('totals' in entry ? ['totals'] : [])]) {
      list(entry, key, (spec, at) => tensor(spec, `${where}.${at}`))
    }
    if (
      /^(train|eval)$/.test(entry.kind as string) &&
      (entry.outputs as TensorSpec[])[0]?.shape.length !== 0
    ) {
      bad(`${where} has no loss`)
    }
  })
  if (!Array.isArray(root.data)) bad('data is no list')
  return root as unknown as Manifest
}
