/**
 * What elaboration carries along. `World` is the whole program (definitions, parameters, diagnostics, limits), `Frame`
 * one call on the way down, `Context` the place in the text with its scope. The mutually recursive parts (expressions,
 * blocks, calls) reach each other through `World.evaluator`, so that no module imports in a circle.
 */

import type { Extent, Index, Origin, Tensor, Vocabulary } from '../ir/types.ts'
import type { Code, catalogue } from '../support/catalogue.ts'
import { diagnostic } from '../support/catalogue.ts'
import type { CallFrame, Diagnostics, Label } from '../support/diagnostic.ts'
import { type Source, type Span, showPlace } from '../support/span.ts'
import type { Block, Expr, Fn, Layer, Net, Optimizer, Rule, Statement } from '../syntax/ast.ts'
import type { EntryBuilder } from './entry.ts'
import { Scope } from './scope.ts'
import type { ParamsValue, TensorValue, Value } from './values.ts'

export const limits = {
  depth: 250,
  callDepth: 64,
  calls: 20_000,
  equations: 20_000,
  rounds: 10_000,
  statements: 100_000,
  /** Nodes of an expression beyond which it gets a temporary of its own when a scalar function takes it. */
  inline: 64,
  /** Nodes beyond which operands of elementwise operators are stored. */
  fusable: 1000,
  bytes: 2 ** 31,
  /** Of one vocabulary. */
  tokens: 65_536,
} as const

export type Callable = Fn | Layer | Net

export interface Definition {
  readonly item: Callable | Optimizer
  readonly std: boolean
}

export interface Rules {
  readonly vjp: Rule | undefined
}

/** One call. */
export interface Frame {
  readonly callee: string
  readonly item: Callable | Optimizer | Rule | undefined
  readonly std: boolean
  readonly span: Span | undefined
  readonly parent: Frame | undefined
  readonly depth: number
  /** Where temporaries of the body are named: `classify.dense_1`; '' at the top of an entry. */
  readonly path: string
  /** Where values are named that many equations share (an optimizer's bias correction). */
  readonly shared?: string | undefined
  /** Where parameters are named; undefined outside nets. */
  readonly owner: string | undefined
  /** The same for every elaboration of the same call (training or not): names random sites. */
  readonly key: string
  /** The body computes single elements inside somebody's equation. */
  readonly scalar: boolean
  /** What `..` stands for in its signature. */
  rest: readonly Extent[] | undefined
  readonly counters: Map<string, number>
}

export interface Context {
  readonly world: World
  readonly entry: EntryBuilder
  readonly scope: Scope
  readonly frame: Frame
  /** The user's text that equations come from, and what made them of it. */
  readonly origin: Origin
  /** The variables that `..` stands for inside an equation. */
  readonly restIndices: readonly Index[] | undefined
  /** The full name that the value is to be stored under. */
  readonly want: string | undefined
  /** The name that a layer call's parameters go by. */
  readonly part: string | undefined
  /** In shapes and positions `/` rounds down. */
  readonly whole: boolean
  /** The shape of the parameter that is being initialised. */
  readonly filling: readonly Extent[] | undefined
  /** The time indices of the scans around, outermost first: values may depend on them. */
  readonly times: readonly Index[]
  /** What the scan carries whose body this is. */
  readonly carries: Carries | undefined
  /** Bases of reads that are more than a name, evaluated once for the equation they stand in. */
  readonly bases: Map<Expr, Value> | undefined
  /** What `step` means, where it is not the number of the call: inside `using … every 4`, that of the update. */
  readonly clock: TensorValue | undefined
}

/** Takes the next values of what a scan carries, `h' = …`. */
export interface Carries {
  /** The declared shape of the carry with this name; undefined when there is none. */
  shapeOf(name: string): readonly Extent[] | undefined
  assign(name: string, value: Value, span: Span, ctx: Context): void
}

/** A statement that only some places allow returns true when it has dealt with it. */
export type Hook = (statement: Statement, ctx: Context) => boolean

export interface Evaluator {
  expr(e: Expr, ctx: Context): Value
  block(block: Block, ctx: Context, options?: BlockOptions): Value
  /** Calls a definition with bound arguments. */
  apply(def: Definition, args: ReadonlyMap<string, Value>, site: Span, ctx: Context): Value
}

export interface BlockOptions {
  readonly hook?: Hook | undefined
  /** Of a function with a declared tensor result: its shape, as far as it is known before the body. */
  readonly result?: readonly (Extent | undefined)[] | undefined
  readonly resultNames?: string | undefined
}

/** A parameter or state cell that has been created. */
export interface Cell {
  readonly tensor: Tensor
  readonly value: TensorValue
  readonly net: string | undefined
}

/** What an earlier round over the same program found. */
export interface Known {
  /** The parameters of each net. */
  readonly params: ReadonlyMap<string, readonly TensorValue[]>
  /** The names of all persistent tensors. */
  readonly names: ReadonlySet<string>
  /** The parameters that are averaged. */
  readonly averages: ReadonlySet<string>
  readonly vocabularies: ReadonlyMap<string, Vocabulary>
}

/** The bytes of a file that a declaration in `from` names. */
export type ReadFile = (path: string, from: Source) => Uint8Array | undefined

type Args<C extends Code> = Parameters<(typeof catalogue)[C]['text']>[0]

export class World {
  readonly diagnostics: Diagnostics
  readonly definitions = new Map<string, Definition>()
  readonly stdDefinitions = new Map<string, Definition>()
  readonly rules = new Map<string, Rule>()
  readonly globals = new Scope(undefined)
  readonly stdGlobals = new Scope(undefined)
  /** Parameters, state, hyper, step and seed by name, in order of creation. */
  readonly cells = new Map<string, Cell>()
  /** The parameters of each net as an earlier round found them. */
  readonly known: ReadonlyMap<string, readonly TensorValue[]>
  /** Names of all persistent tensors that an earlier round found: no temporary may take them. */
  readonly taken: ReadonlySet<string>
  /** Parameters that an earlier round found to have an average, and that this one finds. */
  readonly averaged: ReadonlySet<string>
  readonly averages = new Set<string>()
  readonly netParams = new Map<string, TensorValue[]>()
  /** By state: what adds the equations of its start value to an entry. */
  readonly fills = new Map<string, (into: EntryBuilder) => void>()
  /** The definitions that something called. */
  readonly instantiated = new Set<object>()
  readonly evaluator: Evaluator
  readonly readFile: ReadFile
  /** By name, in source order. */
  readonly vocabularies = new Map<string, Vocabulary>()
  /** Those that an earlier round read. */
  readonly readVocabularies: ReadonlyMap<string, Vocabulary>
  init: EntryBuilder | undefined
  calls = 0
  equations = 0
  statements = 0
  stopped = false
  /** The texts of the standard library. */
  readonly stdSources = new Set<Source>()
  readonly #sites = new Map<string, number>()
  readonly #reported = new Set<string>()
  #variables = 0
  readonly extents = new Map<string, Extent>()

  constructor(diagnostics: Diagnostics, evaluator: Evaluator, known: Known, readFile: ReadFile) {
    this.diagnostics = diagnostics
    this.evaluator = evaluator
    this.known = known.params
    this.readVocabularies = known.vocabularies
    this.taken = known.names
    this.averaged = known.averages
    this.readFile = readFile
  }

  /** Reports once per place and text. */
  report<C extends Code>(
    code: C,
    span: Span,
    args: Args<C>,
    ctx?: { readonly frame: Frame },
    more: { readonly related?: readonly Label[]; readonly label?: string } = {},
  ): void {
    const { place, frame, related } = this.#userPlace(span, ctx?.frame)
    const all = [...(more.related ?? []), ...related]
    const path = callPath(frame)
    const made = diagnostic(code, place, args, { ...more, related: all, callPath: path })
    const key = `${code} ${showPlace(place)} ${place.end} ${made.message}`
    if (this.#reported.has(key)) return
    this.#reported.add(key)
    this.diagnostics.add(made)
  }

  /** What goes wrong inside the library is shown at the user's call of it. */
  #userPlace(
    span: Span,
    frame: Frame | undefined,
  ): { place: Span; frame: Frame | undefined; related: readonly Label[] } {
    if (!this.stdSources.has(span.source)) return { place: span, frame, related: [] }
    for (let at = frame; at !== undefined; at = at.parent) {
      if (at.span !== undefined && !this.stdSources.has(at.span.source)) {
        const related = [{ span, text: `in \`${at.callee}\` of the standard library` }]
        return { place: at.span, frame: at.parent, related }
      }
    }
    return { place: span, frame, related: [] }
  }

  /** A limit was reached: report it once and let everything else finish quickly. */
  stop<C extends Code>(code: C, span: Span, args: Args<C>, ctx?: { readonly frame: Frame }): void {
    if (!this.stopped) this.report(code, span, args, ctx)
    this.stopped = true
  }

  /** Whether a persistent tensor has the name, or will have it. */
  has(name: string): boolean {
    return this.cells.has(name) || this.taken.has(name)
  }

  /** A fresh index variable. */
  index(base: string, extent: Extent): Index {
    const name = `${base}#${this.#variables++}`
    this.extents.set(name, extent)
    return { name, extent }
  }

  /** The number of the random site with this key: equal keys are the same stream. */
  site(key: string): number {
    const known = this.#sites.get(key)
    if (known !== undefined) return known
    const made = this.#sites.size + 1
    this.#sites.set(key, made)
    return made
  }

  /** A callable of the text's own world: the standard library does not see what a user redefines. */
  definition(name: string, std: boolean): Definition | undefined {
    return std
      ? this.stdDefinitions.get(name)
      : (this.definitions.get(name) ?? this.stdDefinitions.get(name))
  }

  parameters(net: string): ParamsValue {
    return {
      kind: 'params',
      name: net,
      members: this.known.get(net) ?? this.netParams.get(net) ?? [],
    }
  }
}

function callPath(frame: Frame | undefined): CallFrame[] {
  const path: CallFrame[] = []
  for (let at = frame; at !== undefined; at = at.parent) {
    if (at.span !== undefined) path.unshift({ callee: at.callee, span: at.span })
  }
  // Of a long way only its two ends are shown.
  return path.length <= 8 ? path : [...path.slice(0, 4), ...path.slice(-4)]
}

/** `dense_1`, `dense_2`, …: the next number of a callee in this frame. */
export function numbered(frame: Frame, callee: string): string {
  const count = (frame.counters.get(callee) ?? 0) + 1
  frame.counters.set(callee, count)
  return `${callee}_${count}`
}

export const join = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`)

/** The context of a part of an expression: no name is wanted for it. */
export function inner(ctx: Context): Context {
  return ctx.want === undefined && ctx.part === undefined && ctx.filling === undefined
    ? ctx
    : { ...ctx, want: undefined, part: undefined, filling: undefined }
}

export const childScope = (ctx: Context, rebinds = false): Context => ({
  ...ctx,
  scope: new Scope(ctx.scope, rebinds),
})
