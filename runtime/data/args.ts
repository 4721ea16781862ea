/** The arguments of a reader call: files, options that every reader has, and the outputs that it names. */
import { fail } from '../errors.ts'

export interface SourceCall {
  readonly name: string
  readonly reader: string
  readonly args: readonly {
    readonly name: string | null | undefined
    readonly value: string | number | boolean
  }[]
}

/** Options of the readers that have options of their own, and then no others. */
const own: Readonly<Record<string, readonly string[]>> = {
  text: ['split', 'fraction', 'limit', 'stride'],
  pairs: ['split', 'fraction', 'seed', 'limit', 'separator', 'ignore', 'comment', 'unfit'],
}

const shared = [
  'split',
  'fraction',
  'seed',
  'standardize',
  'balance',
  'missing',
  'onehot',
  'header',
  'separator',
  'limit',
  'channels',
]

export interface Args {
  readonly files: readonly string[]
  /** Named arguments that are none of the options: the outputs. */
  readonly outputs: readonly { readonly name: string; readonly value: string }[]
  readonly option: <T extends 'string' | 'number' | 'boolean'>(
    name: string,
    ...types: readonly T[]
  ) => { string: string; number: number; boolean: boolean }[T] | undefined
}

export function argsOf(call: SourceCall): Args {
  const files: string[] = []
  const outputs: { name: string; value: string }[] = []
  const options = new Map<string, string | number | boolean>()
  const allowed = Object.hasOwn(own, call.reader) ? own[call.reader]! : shared
  for (const { name, value } of call.args) {
    if (name && !allowed.includes(name) && shared.includes(name)) {
      bad(call, `it has no option ${name}; its options are ${allowed.join(', ')}`)
    }
    if (name && allowed.includes(name)) options.set(name, value)
    else if (typeof value !== 'string') bad(call, `${name ?? 'a file'} is text, not ${value}`)
    else if (name) outputs.push({ name, value })
    else files.push(value)
  }
  if (files.length === 0) bad(call, 'it names no file')
  return {
    files,
    outputs,
    option: (name, ...types) => {
      const value = options.get(name)
      if (value !== undefined && !types.includes(typeof value as never)) {
        bad(call, `${name} = ${JSON.stringify(value)} should be a ${types.join(' or a ')}`)
      }
      return value as never
    },
  }
}

export const bad = (call: SourceCall, what: string): never =>
  fail('data', `${call.name}: ${call.reader}(…): ${what}`, { source: call.name })

/** Splits `a, b, "c, d"` at its commas; quotes hold a name that has a comma. */
export function listOf(text: string): string[] {
  const names = [...text.matchAll(/\s*(?:"([^"]*)"|([^",]*))\s*(?:,|$)/g)]
  return names.map((m) => m[1] ?? m[2]!.trim()).filter((name) => name !== '')
}
