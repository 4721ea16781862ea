/** Gathers the definitions of a program: its file, what it imports, and the standard library. */

import { std } from '../generated/std.ts'
import { assertNever, Diagnostics, InternalError } from '../support/diagnostic.ts'
import type { Source, Span } from '../support/span.ts'
import type {
  Const,
  Data,
  Dim,
  File,
  Import,
  Item,
  Predict,
  Rule,
  Train,
  Vocab,
} from '../syntax/ast.ts'
import { parse } from '../syntax/parse.ts'
import { builtinNames } from './builtins.ts'
import type { World } from './context.ts'

export type Resolve = (path: string, from: Source) => Source | undefined

/** The items of a program by kind, imports followed, in source order. */
export interface Items {
  readonly dims: Dim[]
  readonly consts: Const[]
  readonly vocabs: Vocab[]
  readonly data: Data[]
  readonly trains: Train[]
  readonly predicts: Predict[]
  readonly rules: Rule[]
}

const noItems = (): Items => ({
  dims: [],
  consts: [],
  vocabs: [],
  data: [],
  trains: [],
  predicts: [],
  rules: [],
})

let parsedStd: readonly File[] | undefined

/** The standard library, parsed once. */
export function stdFiles(): readonly File[] {
  parsedStd ??= Object.entries(std).map(([name, text]) => {
    const diagnostics = new Diagnostics()
    const file = parse({ file: `std/${name}`, text }, diagnostics)
    const [first] = diagnostics.all
    if (first !== undefined) throw new InternalError(`std/${name}: ${first.code} ${first.message}`)
    return file
  })
  return parsedStd
}

/** Enters the library's functions into the world; gives its consts and rules. */
export function loadStd(world: World): Items {
  const items = noItems()
  for (const file of stdFiles()) {
    world.stdSources.add(file.source)
    for (const item of file.items) {
      if (item.kind === 'const') items.consts.push(item)
      else if (item.kind === 'rule') items.rules.push(item)
      else if (item.kind === 'fn' || item.kind === 'layer' || item.kind === 'optimizer') {
        world.stdDefinitions.set(item.name.text, { item, std: true })
      }
    }
  }
  return items
}

/** Words with a meaning of their own that no definition may take. */
const reserved: ReadonlySet<string> = new Set(['training', 'step', ...builtinNames])

/** Enters the user's definitions, reporting what clashes. */
export function loadProgram(main: File, resolve: Resolve, world: World): Items {
  const items = noItems()
  const places = new Map<string, Span>()
  const done = new Set<string>()
  const entries = new Map<string, Span>()
  const claim = (table: Map<string, Span>, name: string, span: Span): boolean => {
    const before = table.get(name)
    if (before !== undefined) {
      const related = [{ span: before, text: 'defined here first' }]
      world.report('NET2003', span, { name }, undefined, { related })
      return false
    }
    table.set(name, span)
    return true
  }
  const load = (file: File, chain: readonly string[]): void => {
    done.add(file.source.file)
    for (const item of file.items) enter(item, file, chain)
  }
  const enter = (item: Item, file: File, chain: readonly string[]): void => {
    switch (item.kind) {
      case 'import':
        follow(item, file, [...chain, file.source.file])
        return
      case 'data':
        items.data.push(item)
        return
      case 'rule':
        items.rules.push(item)
        return
      case 'train':
      case 'predict':
        if (!claim(entries, item.name.text, item.name.span)) return
        if (item.kind === 'train') items.trains.push(item)
        else items.predicts.push(item)
        return
      case 'dim':
      case 'const':
      case 'vocab':
      case 'fn':
      case 'layer':
      case 'net':
      case 'optimizer': {
        const name = item.name.text
        if (reserved.has(name)) {
          world.report('NET2029', item.name.span, { name })
          return
        }
        if (!claim(places, name, item.name.span)) return
        const hidden = world.stdDefinitions.get(name)
        if (hidden !== undefined) {
          const file = hidden.item.span.source.file.replace(/^std\//, '')
          world.report('NET2021', item.name.span, { name, file })
        }
        if (item.kind === 'dim') items.dims.push(item)
        else if (item.kind === 'const') items.consts.push(item)
        else if (item.kind === 'vocab') items.vocabs.push(item)
        else world.definitions.set(name, { item, std: false })
        return
      }
      default: {
        assertNever(item)
      }
    }
  }
  const follow = (item: Import, from: File, chain: readonly string[]): void => {
    const path = item.path.value
    const source = resolve(path, from.source)
    if (source === undefined) {
      world.report('NET2012', item.path.span, { path })
      return
    }
    if (chain.includes(source.file)) {
      const circle = [...chain.slice(chain.indexOf(source.file)), source.file].join(' → ')
      world.report('NET2013', item.path.span, { path, chain: circle })
      return
    }
    if (done.has(source.file)) return
    load(parse(source, world.diagnostics), chain)
  }
  load(main, [])
  for (const train of items.trains) {
    for (const name of [`${train.name.text}_eval`, `${train.name.text}_combine`]) {
      const clash = entries.get(name)
      if (clash !== undefined) world.report('NET2031', clash, { name })
    }
    if (train.name.text === 'init') world.report('NET2031', train.name.span, { name: 'init' })
  }
  for (const predict of items.predicts) {
    const clash = entries.get(`${predict.name.text}_reset`)
    if (clash !== undefined) world.report('NET2031', clash, { name: `${predict.name.text}_reset` })
    if (predict.name.text === 'init') world.report('NET2031', predict.name.span, { name: 'init' })
  }
  return items
}
