/** What a command is, and how its arguments are read: options by name, checked, with help made from the same table. */
import { parseArgs } from 'node:util'
import { suggest } from '../support/suggest.ts'
import { UsageError } from './errors.ts'
import type { Io } from './io.ts'

export interface Option {
  /** What the value is called in the help; without it the option is a flag. */
  readonly value?: string
  readonly short?: string
  readonly multiple?: boolean
  readonly text: string
}

export interface Command {
  readonly name: string
  /** After `netc NAME`: `MODEL.net [options]`. */
  readonly usage: string
  readonly summary: string
  /** Further help, in lines. */
  readonly details: string
  /** How many arguments that are no options, at least and at most. */
  readonly positionals: readonly [least: number, most: number]
  readonly options: Readonly<Record<string, Option>>
  readonly run: (call: Call, io: Io) => Promise<number>
}

/** Options that several commands have. */
export const common = {
  dim: { value: 'NAME=N', multiple: true, text: 'set a dim or a const; may be given again' },
  target: {
    value: 'simd|relaxed',
    text: 'which build runs (default simd: the same bits on every engine)',
  },
  json: { text: 'one JSON object a line on stdout; see `netc help json`' },
  weights: { value: 'FILE', short: 'w', text: 'the weights, a safetensors file' },
  threads: {
    value: 'N',
    text: 'share the work among N threads, to the same bits (default 1); small models stay on one',
  },
  block: { value: 'NAME', text: 'which block of the model, where there are several' },
} as const satisfies Record<string, Option>

export class Call {
  readonly positionals: readonly string[]
  readonly #values: ReadonlyMap<string, readonly string[]>

  constructor(positionals: readonly string[], values: ReadonlyMap<string, readonly string[]>) {
    this.positionals = positionals
    this.#values = values
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }

  text(name: string): string | undefined {
    return this.#values.get(name)?.at(-1)
  }

  texts(name: string): readonly string[] {
    return this.#values.get(name) ?? []
  }

  /** A number that `accepts`, which `what` describes. */
  number(name: string, what: string, accepts: (n: number) => boolean): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const value = text.trim() === '' ? Number.NaN : Number(text)
    if (Number.isNaN(value) || !accepts(value)) throw new UsageError(`--${name} ${text}: ${what}`)
    return value
  }

  integer(name: string, least: number): number | undefined {
    const accepts = (n: number) => Number.isSafeInteger(n) && n >= least
    return this.number(name, `it takes a whole number from ${least} up`, accepts)
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const found = values.find((value) => value === text)
    if (found !== undefined) return found
    throw new UsageError(`--${name} ${text}: it takes ${values.join(', ')}${meant(text, values)}`)
  }

  /** `NAME=N` pairs. */
  pairs(name: string): Record<string, number> {
    const pairs: Record<string, number> = {}
    for (const text of this.texts(name)) {
      const match = /^([A-Za-z_][\w.]*)=(.+)$/.exec(text)
      const value = Number(match?.[2])
      if (!match || !Number.isFinite(value)) {
        throw new UsageError(`--${name} ${text}: it takes NAME=NUMBER`)
      }
      pairs[match[1]!] = value
    }
    return pairs
  }
}

export function meant(name: string, known: Iterable<string>): string {
  const found = suggest(name, known)
  return found === undefined ? '' : `; did you mean ${found}?`
}

/** Reads the arguments after the command's name. */
export function parseCall(command: Command, args: readonly string[]): Call {
  const options = { help: { short: 'h', text: '' }, ...command.options } as Record<string, Option>
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(options).map(([name, { value, short }]) => [
        name,
        { type: value ? 'string' : 'boolean', ...(short && { short }) },
      ]),
    ),
  })
  const values = new Map<string, string[]>()
  const positionals: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined
    if (!option) {
      const flags = Object.keys(options).map((name) => `--${name}`)
      throw new UsageError(
        `netc ${command.name} has no option ${token.rawName}${meant(token.rawName, flags)}`,
      )
    }
    // `--out --json`: the next option is not a value.
    const isLost = token.value === undefined || (!token.inlineValue && /^--\w/.test(token.value))
    if (option.value && isLost)
      throw new UsageError(`--${token.name} needs a value: ${option.value}`)
    if (!option.value && token.value !== undefined) {
      throw new UsageError(`--${token.name} takes no value`)
    }
    if (values.has(token.name) && !option.multiple && option.value) {
      throw new UsageError(`--${token.name} is given twice`)
    }
    values.set(token.name, [...(values.get(token.name) ?? []), token.value ?? ''])
  }
  const call = new Call(positionals, values)
  const [least, most] = command.positionals
  if (call.has('help')) return call
  if (positionals.length < least) {
    throw new UsageError(`usage: netc ${command.name} ${command.usage}`)
  }
  if (positionals.length > most) {
    throw new UsageError(`netc ${command.name} has no use for ${positionals[most]}`)
  }
  return call
}

/** The text of `netc NAME --help`. */
export function helpOf(command: Command): string {
  const flags = Object.entries(command.options).map(([name, { value, short, text }]) => {
    const flag = `${short ? `-${short}, ` : ''}--${name}${value ? ` ${value}` : ''}`
    return [flag, text] as const
  })
  const width = Math.max(0, ...flags.map(([flag]) => flag.length))
  const lines = flags.map(([flag, text]) => `  ${flag.padEnd(width)}  ${text}`)
  const parts = [`usage: netc ${command.name} ${command.usage}`, command.summary]
  if (command.details) parts.push(command.details)
  if (lines.length > 0) parts.push(`options:\n${lines.join('\n')}`)
  return `${parts.join('\n\n')}\n`
}
