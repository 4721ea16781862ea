/** `--in NAME=VALUE`: the inputs of a block, as the call gives them; texts where an input has a vocabulary. */
import type { TextFeeds } from '../../runtime/index.ts'
import type { EntrySpec, InputSpec } from '../wasm/manifest.ts'
import { meant } from './command.ts'
import { UsageError } from './errors.ts'

/** The feeds that `--in NAME=VALUE` say. */
export function feedsGiven(entry: EntrySpec, pairs: readonly string[]): TextFeeds {
  const names = entry.inputs.map((i) => i.name)
  const feeds: Record<string, (string | number)[]> = {}
  for (const pair of pairs) {
    const [, name = '', value = ''] = /^([A-Za-z_]\w*)=(.*)$/s.exec(pair) ?? []
    const input = entry.inputs.find((i) => i.name === name)
    if (!input) {
      const known = names.join(', ') || 'none'
      throw new UsageError(
        `--in ${pair}: it takes NAME=VALUE, and the inputs of ${entry.of} are ${known}${meant(name, names)}`,
      )
    }
    feeds[name] ??= []
    if (input.vocabulary === undefined) feeds[name].push(...numbersIn(value, input, pair))
    else feeds[name].push(value)
  }
  return feeds as TextFeeds
}

function numbersIn(text: string, { name, dtype }: InputSpec, pair: string): number[] {
  return text.split(',').map((part) => {
    const word = dtype === 'bool' ? { true: 1, false: 0 }[part.trim()] : undefined
    const value = word ?? (part.trim() === '' ? Number.NaN : Number(part))
    if (!Number.isNaN(value)) return value
    throw new UsageError(`--in ${pair}: ${name} is ${dtype} and takes numbers, with commas between`)
  })
}
