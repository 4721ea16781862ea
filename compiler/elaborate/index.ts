/**
 * Elaboration: from the syntax tree to a program of tensor equations. Names are resolved, shapes checked, and every
 * layer, net and function instantiated with concrete sizes. Never throws on user input: what is wrong goes into the
 * diagnostics, several errors a run, and then there is no program.
 *
 * The work is done twice: the first round finds the parameters that each net has, so that in the second `l2(net)` and
 * the default of `over` know them wherever they stand in the text.
 */

import type { Program } from '../ir/types.ts'
import { type Diagnostic, Diagnostics } from '../support/diagnostic.ts'
import type { Source, Span } from '../support/span.ts'
import { suggest } from '../support/suggest.ts'
import type { File, Rule } from '../syntax/ast.ts'
import { evaluateBlock } from './blocks.ts'
import { applyDefinition } from './calls.ts'
import { addCell } from './cells.ts'
import { checkDefinitions } from './check.ts'
import { type Context, type Frame, type Known, type ReadFile, World } from './context.ts'
import { dataSources } from './data.ts'
import { elaboratePredict, elaborateTrainEntries } from './entries.ts'
import { EntryBuilder } from './entry.ts'
import { evaluate } from './expressions.ts'
import { defineGlobals } from './globals.ts'
import { loadProgram, loadStd, type Resolve } from './modules.ts'
import { checkRule } from './rules.ts'
import { finishPredict } from './state.ts'
import { checkTotals, finishCombine } from './totals.ts'

export interface ElaborateOptions {
  /** `--dim width=128` */
  readonly dims: Readonly<Record<string, number>>
  /** The text of an imported file; undefined when there is none. */
  readonly resolve: Resolve
  /** The bytes of the file of a vocabulary; undefined when there is none. */
  readonly readFile: ReadFile
}

export function elaborate(
  main: File,
  options: ElaborateOptions,
  diagnostics: Diagnostics,
): Program | undefined {
  const first = new Diagnostics()
  const found = round(main, options, first, nothing)
  if (found === undefined || first.hasErrors) {
    for (const d of inOrder(first.all, main.source)) diagnostics.add(d)
    return undefined
  }
  const second = new Diagnostics()
  const made = round(main, options, second, found)
  for (const d of inOrder(second.all, main.source)) diagnostics.add(d)
  return second.hasErrors ? undefined : made?.program
}

/** As they stand in the text: the main file first. */
const inOrder = (all: readonly Diagnostic[], main: Source): Diagnostic[] =>
  [...all].sort((a, b) => {
    const [x, y] = [a.span.source, b.span.source]
    if (x === y) return a.span.start - b.span.start
    return x === main ? -1 : y === main ? 1 : x.file < y.file ? -1 : 1
  })

const nothing: Known = {
  params: new Map(),
  vocabularies: new Map(),
  names: new Set(),
  averages: new Set(),
}

interface Round extends Known {
  readonly program: Program
}

const evaluator = { expr: evaluate, block: evaluateBlock, apply: applyDefinition }

function round(
  main: File,
  options: ElaborateOptions,
  diagnostics: Diagnostics,
  known: Known,
): Round | undefined {
  const world = new World(diagnostics, evaluator, known, options.readFile)
  const start: Span = { source: main.source, start: 0, end: 0 }
  addCell(world, 'seed', 'seed', [], undefined)
  addCell(world, 'step', 'step', [], undefined)
  const init = new EntryBuilder('init', 'init', 'init', world)
  world.init = init
  const context = (entry: EntryBuilder, name: string): Context => topContext(world, entry, name)
  try {
    const std = loadStd(world)
    const items = loadProgram(main, options.resolve, world)
    const base = context(init, '')
    const dims = defineGlobals(items, std.consts, options.dims, start, base)
    // A library rule belongs to the library's function, not to one of the user's that has taken its name.
    loadRules(
      std.rules.filter((rule) => !world.definitions.has(rule.name.text)),
      world,
      base,
    )
    loadRules(items.rules, world, base)
    const entries: EntryBuilder[] = [init]
    const blocks = [...items.trains, ...items.predicts].sort(bySource(main.source))
    for (const block of blocks) {
      if (block.kind === 'train') {
        const made = (['train', 'eval', 'combine'] as const).map((kind) => {
          const name = kind === 'train' ? block.name.text : `${block.name.text}_${kind}`
          return new EntryBuilder(name, kind, block.name.text, world)
        })
        for (const entry of made) {
          if (entry.kind === 'combine' && made.every((e) => e.totals.length === 0)) continue
          elaborateTrainEntries(block, context(entry, block.name.text))
          entry.endStage()
          entries.push(entry)
        }
        checkTotals(made[0]!, made[1]!, world)
      } else {
        const entry = new EntryBuilder(block.name.text, 'predict', block.name.text, world)
        elaboratePredict(block, context(entry, block.name.text))
        entry.endStage()
        entries.push(entry, ...finishPredict(entry, block.name.span, world))
      }
    }
    const data = dataSources(items.data, base)
    checkDefinitions(items, world)
    const program: Program = {
      file: main.source.file,
      dims,
      tensors: [...world.cells.values()].map((c) => c.tensor),
      entries: entries.flatMap((e) =>
        e.kind === 'combine' ? (finishCombine(e, world) ?? []) : [e.finish()],
      ),
      data,
      vocabularies: [...world.vocabularies.values()],
    }
    const { netParams: params, vocabularies, averages } = world
    return { program, params, vocabularies, averages, names: new Set(world.cells.keys()) }
  } catch (error) {
    // The nesting of user input is bounded, but the depth of what it expands to is not known beforehand.
    if (!(error instanceof RangeError)) throw error
    world.stop('NET5005', start, { limit: 1000 })
    return undefined
  }
}

const bySource =
  (main: Source) =>
  (a: { readonly span: Span }, b: { readonly span: Span }): number =>
    Number(a.span.source === main) - Number(b.span.source === main) ||
    (a.span.source === b.span.source ? a.span.start - b.span.start : 0)

function topContext(world: World, entry: EntryBuilder, callee: string): Context {
  const frame: Frame = {
    callee,
    item: undefined,
    std: false,
    span: undefined,
    parent: undefined,
    depth: 0,
    path: '',
    owner: undefined,
    key: '',
    scalar: false,
    rest: undefined,
    counters: new Map(),
  }
  return {
    world,
    entry,
    scope: world.globals,
    frame,
    origin: { span: undefined, note: '' },
    restIndices: undefined,
    want: undefined,
    part: undefined,
    whole: false,
    filling: undefined,
    times: [],
    carries: undefined,
    bases: undefined,
    clock: undefined,
  }
}

function loadRules(rules: readonly Rule[], world: World, base: Context): void {
  const seen = new Set<string>()
  for (const rule of rules) {
    const name = rule.name.text
    const def = world.definition(name, false)
    if (def?.item.kind !== 'fn') {
      const all = [...world.definitions, ...world.stdDefinitions]
      const known = all.filter(([, d]) => d.item.kind === 'fn').map(([n]) => n)
      world.report('NET2023', rule.name.span, { name, suggestion: suggest(name, known) })
      continue
    }
    if (seen.has(`${rule.mode} ${name}`)) {
      world.report('NET4013', rule.name.span, { name })
      continue
    }
    seen.add(`${rule.mode} ${name}`)
    if (checkRule(rule, def.item, base) && rule.mode === 'vjp') world.rules.set(name, rule)
  }
}
