/**
 * Vocabularies: `vocab char = chars("book.txt", special = "<pad>")`. A reader call becomes the list of tokens, in an
 * order that depends on the text alone: special tokens as they are named, the one for what is unknown, then characters
 * by code point, words from the most frequent on (equally frequent ones by their characters), or tokens as they are listed.
 */

import type { Vocabulary } from '../ir/types.ts'
import type { Span } from '../support/span.ts'
import { suggest } from '../support/suggest.ts'
import type { Expr, Vocab } from '../syntax/ast.ts'
import { type Context, limits } from './context.ts'

type Option = 'text' | 'lower' | 'special' | 'unknown' | 'size' | 'separator'

const readers: Readonly<Record<string, readonly Option[]>> = {
  chars: ['text', 'lower', 'special', 'unknown'],
  words: ['text', 'lower', 'special', 'unknown', 'size'],
  tokens: ['lower', 'special', 'unknown', 'separator'],
}

const types: Readonly<Record<Option, 'string' | 'bool' | 'number'>> = {
  text: 'string',
  lower: 'bool',
  special: 'string',
  unknown: 'string',
  size: 'number',
  separator: 'string',
}

interface Args {
  /** Without a name, in order: files, or of `tokens` the tokens. */
  readonly strings: readonly { readonly value: string; readonly span: Span }[]
  readonly options: ReadonlyMap<Option, { readonly value: unknown; readonly span: Span }>
}

/** The vocabulary of a declaration; undefined after a report. */
export function readVocabulary(item: Vocab, ctx: Context): Vocabulary | undefined {
  const { world } = ctx
  const { value: call, name } = item
  const known = world.readVocabularies.get(name.text)
  if (known !== undefined) return known
  if (call.kind === 'error') return undefined
  const allowed =
    call.kind === 'call' && Object.hasOwn(readers, call.callee.text)
      ? readers[call.callee.text]
      : undefined
  if (call.kind !== 'call' || allowed === undefined) {
    const given = call.kind === 'call' ? call.callee.text : ''
    const suggestion = suggest(given, Object.keys(readers))
    world.report('NET2061', call.span, { name: name.text, suggestion })
    return undefined
  }
  const reader = call.callee.text
  const args = readArgs(call, allowed, ctx)
  if (args === undefined) return undefined
  const option = <T>(option: Option): T | undefined => args.options.get(option)?.value as T
  const lower = option<boolean>('lower') ?? false
  const unknown = option<string>('unknown')
  const text = reader === 'tokens' ? '' : readTexts(args, call.span, ctx)
  if (text === undefined) return undefined
  const size = option<number>('size')
  const own =
    reader === 'tokens'
      ? args.strings.flatMap((s) => split(s.value))
      : ordered(reader, lower ? text.toLowerCase() : text, size)
  const special = split(option<string>('special') ?? '')
  const first = [...special, ...(unknown === undefined ? [] : [unknown])]
  // A special token may also stand in the text; a list says each once.
  const listed = reader === 'tokens' ? [...first, ...own] : first
  const again = listed.find((token, k) => listed.indexOf(token) < k)
  if (again !== undefined) {
    world.report('NET2066', call.span, { token: again })
    return undefined
  }
  const tokens = [...new Set([...first, ...own])]
  if (tokens.length === first.length) {
    world.report('NET2063', call.span, { what: 'none are there' })
    return undefined
  }
  if (tokens.length > limits.tokens) {
    const args = { name: name.text, size: tokens.length, limit: limits.tokens }
    world.report('NET2064', call.span, args)
    return undefined
  }
  return {
    name: name.text,
    separator: option<'' | ' '>('separator') ?? (reader === 'chars' ? '' : ' '),
    lower,
    unknown: unknown === undefined ? undefined : special.length,
    tokens,
  }
}

/** Constant arguments of the types that the reader takes; undefined after a report. */
function readArgs(
  call: Extract<Expr, { readonly kind: 'call' }>,
  allowed: readonly Option[],
  ctx: Context,
): Args | undefined {
  const { world } = ctx
  const reader = call.callee.text
  const strings: { value: string; span: Span }[] = []
  const options = new Map<Option, { value: unknown; span: Span }>()
  let isBad = false
  const refuse = (what: string, span: Span): void => {
    world.report('NET2065', span, { reader, what, options: allowed.join(', ') })
    isBad = true
  }
  for (const { name, value: expr, span } of call.args) {
    const value = world.evaluator.expr(expr, ctx)
    if (value.kind === 'error') isBad = true
    else if (name === undefined) {
      if (value.kind === 'string') strings.push({ value: value.value, span })
      else refuse('an argument without a name is a string', span)
    } else if (!allowed.includes(name.text as Option)) refuse(`it has no \`${name.text}\``, span)
    else if (options.has(name.text as Option)) refuse(`\`${name.text}\` is given twice`, span)
    else {
      const option = name.text as Option
      const wanted = types[option]
      if (value.kind !== wanted) refuse(`\`${option}\` is a ${wanted}`, span)
      else if (option === 'size' && !(Number.isInteger(value.value) && Number(value.value) > 0)) {
        refuse('`size` is a number of words', span)
      } else if (option === 'separator' && value.value !== '' && value.value !== ' ') {
        refuse('`separator` is "" or " "', span)
      } else if (option === 'unknown' && split(value.value as string)[0] !== value.value) {
        refuse('`unknown` is one token', span)
      } else options.set(option, { value: value.value, span })
    }
  }
  if (isBad) return undefined
  if (strings.length === 0 && !options.has('text')) {
    refuse(`it names no ${reader === 'tokens' ? 'tokens' : 'file'}`, call.span)
    return undefined
  }
  return { strings, options }
}

/** The files and the text given, one after the other; undefined after a report. */
function readTexts({ strings, options }: Args, span: Span, ctx: Context): string | undefined {
  const { world } = ctx
  let all = (options.get('text')?.value as string | undefined) ?? ''
  for (const { value: path, span: place } of strings) {
    const bytes = world.readFile(path, place.source)
    if (bytes === undefined) {
      world.report('NET2062', place, { path })
      return undefined
    }
    try {
      all += new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    } catch {
      world.report('NET2063', place, { what: `${path} is no text in UTF-8` })
      return undefined
    }
  }
  if (all !== '') return all
  world.report('NET2063', strings[0]?.span ?? span, { what: 'the text is empty' })
  return undefined
}

const split = (list: string): string[] => list.split(/[,\s]+/).filter((token) => token !== '')

const byCharacters = (a: string, b: string): number => {
  const [x, y] = [[...a], [...b]]
  for (let k = 0; k < x.length && k < y.length; k++) {
    const difference = x[k]!.codePointAt(0)! - y[k]!.codePointAt(0)!
    if (difference !== 0) return difference
  }
  return x.length - y.length
}

function ordered(reader: string, text: string, size: number | undefined): string[] {
  if (reader === 'chars') return [...new Set(text)].sort(byCharacters)
  const counts = new Map<string, number>()
  for (const word of text.split(/\s+/)) {
    if (word !== '') counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  const words = [...counts].sort(([a, n], [b, m]) => m - n || byCharacters(a, b))
  return words.slice(0, size).map(([word]) => word)
}
