/**
 * Collects one entry of the program: its tensors, and the stages of equations as they are made. An equation comes in
 * with ids as index names and goes out with readable ones; work that does not depend on every index around it
 * (a row's sum inside the row, a bias correction inside an elementwise update) is taken out into an equation of its own,
 * so that no body does it more often than needed.
 */

import { typeOf } from '../ir/build.ts'
import { transcendental } from '../ir/operators.ts'
import { flatten, order, type Step } from '../ir/recurrence.ts'
import { children, freeIndices, freshName, mapChildren, some } from '../ir/traverse.ts'
import type {
  DType,
  Entry,
  Equation,
  Extent,
  Index,
  Objective,
  Origin,
  Output,
  RuleCall,
  Scalar,
  Stream,
  Tensor,
} from '../ir/types.ts'
import type { Span } from '../support/span.ts'
import { baseName } from './values.ts'

export interface StageBuilder {
  equations: Equation[]
  updates: { readonly target: string; readonly value: string }[]
  objective: Objective | undefined
  rules: RuleCall[]
}

/** A wish, or exactly the name that was kept for it, with the type that readers have taken it for. */
export type Naming = string | { readonly reserved: string; readonly dtype: DType }

export interface NewEquation {
  readonly name: Naming
  readonly dtype: DType
  readonly shape: readonly Extent[]
  readonly outs: readonly Index[]
  readonly at?: readonly Scalar[] | undefined
  readonly body: Scalar
  readonly origin: Origin
  readonly span: Span | undefined
  /** Where parts taken out of the body are named, and those that do not depend on any index. */
  readonly path: string
  readonly shared: string | undefined
}

const newStage = (): StageBuilder => ({
  equations: [],
  updates: [],
  objective: undefined,
  rules: [],
})

export class EntryBuilder {
  readonly name: string
  readonly kind: Entry['kind']
  /** Names random sites: a train entry and its evaluation share it. */
  readonly group: string
  readonly tensors = new Map<string, Tensor>()
  readonly inputs: string[] = []
  readonly outputs: Output[] = []
  readonly stages: StageBuilder[] = []
  /** Nets used since the last `startStep`, in order. */
  readonly nets = new Set<string>()
  /** Where each `total(…)` of a train block stands, in order. */
  readonly totals: Span[] = []
  /** Where outputs were asked for, by their names. */
  readonly places = new Map<string, Span>()
  /** How often each net has been used in this entry. */
  readonly netUses = new Map<string, number>()
  /** The last value that each state was given since the last stage began. */
  readonly assigned = new Map<string, string>()
  stream: Stream | undefined
  /** It draws random numbers of its own: not those that somebody else's site and step name. */
  draws = false
  readonly #persistent: { has(name: string): boolean }
  #sink: StageBuilder
  readonly #sinkTensors: (Map<string, Tensor> | undefined)[] = []
  readonly #reserved = new Set<string>()
  readonly #counts = new Map<string, number>()
  /** Of the `checkpoint` being elaborated: `1/2` is the second of the entry, inside the first. */
  #checkpoint: string | undefined
  #checkpoints = 0
  #lifted = new Map<string, Scalar>()

  constructor(
    name: string,
    kind: Entry['kind'],
    group: string,
    persistent: { has(name: string): boolean },
  ) {
    this.name = name
    this.kind = kind
    this.group = group
    this.#persistent = persistent
    this.#sink = newStage()
    this.stages.push(this.#sink)
  }

  get training(): boolean {
    return this.kind === 'train'
  }

  get stage(): StageBuilder {
    return this.#sink
  }

  startStep(): void {
    this.nets.clear()
    this.endStage()
    if (this.#sink.objective === undefined && this.#sink.updates.length === 0) return
    this.#sink = newStage()
    this.stages.push(this.#sink)
    this.#lifted = new Map()
  }

  /** Assigned states take their values at the end of the stage; an evaluation only reads them. */
  endStage(): void {
    if (this.kind === 'eval' || this.kind === 'combine') return
    for (const [target, value] of this.assigned) this.#sink.updates.push({ target, value })
    this.assigned.clear()
  }

  has(name: string): boolean {
    return (
      this.tensors.has(name) ||
      this.#reserved.has(name) ||
      this.#persistent.has(name) ||
      this.#sinkTensors.some((tensors) => tensors?.has(name))
    )
  }

  freshName(wish: string): string {
    if (!this.has(wish)) return wish
    const stem = wish.replace(/_\d+$/, '')
    for (let k = this.#counts.get(stem) ?? 2; ; k++) {
      const name = `${stem}_${k}`
      if (this.has(name)) continue
      this.#counts.set(stem, k + 1)
      return name
    }
  }

  /** Keeps a name from being given to a tensor: somebody else defines it, or `emit` does when it is asked to. */
  reserve(name: string): void {
    this.#reserved.add(name)
  }

  /**
   * Puts the equations from number `place` on, some of which read what comes later, in the order in which they are
   * computed. Throws `Unordered`.
   */
  order(place: number): readonly Step[] {
    const { equations } = this.#sink
    const steps = order(equations.slice(place))
    equations.splice(place, equations.length, ...flatten(steps))
    return steps
  }

  addTensor(tensor: Tensor): void {
    const inner = this.#sinkTensors.at(-1)
    ;(inner ?? this.tensors).set(tensor.name, tensor)
  }

  /** Runs `make` with its equations and tensors collected apart (the body of a derivative rule). */
  apart<T>(make: () => T): { result: T; equations: readonly Equation[]; tensors: Tensor[] } {
    const outer = this.#sink
    const lifted = this.#lifted
    const tensors = new Map<string, Tensor>()
    this.#sink = newStage()
    this.#lifted = new Map()
    this.#sinkTensors.push(tensors)
    const result = make()
    const equations = this.#sink.equations
    this.#sinkTensors.pop()
    this.#sink = outer
    this.#lifted = lifted
    return { result, equations, tensors: [...tensors.values()] }
  }

  /**
   * An input that is used as an index gets the range of what it indexes. Gives the input's vocabulary where that has
   * more tokens than the range holds.
   */
  limitRange(input: string, range: number): string | undefined {
    const tensor = this.tensors.get(input)
    if (tensor?.role !== 'input' || tensor.dtype !== 'i32') return undefined
    if (tensor.vocabulary !== undefined) {
      return range < (tensor.range ?? 0) ? tensor.vocabulary : undefined
    }
    this.tensors.set(input, { ...tensor, range: Math.min(tensor.range ?? range, range) })
    return undefined
  }

  /** Runs `make`; what it stores belongs to a checkpoint. */
  checkpoint<T>(make: () => T): T {
    const outer = this.#checkpoint
    const own = `${++this.#checkpoints}`
    this.#checkpoint = outer === undefined ? own : `${outer}/${own}`
    const result = make()
    this.#checkpoint = outer
    return result
  }

  /** Adds the equation and its tensor; gives the tensor's name. */
  emit(e: NewEquation): string {
    // Inside calls one number is computed once, however many calls ask for it (a norm over all gradients).
    const key =
      e.outs.length === 0 && e.at === undefined && e.path !== ''
        ? JSON.stringify(readableNames([], undefined, e.body).body)
        : ''
    const known = key === '' ? undefined : this.#lifted.get(key)
    if (known?.kind === 'read') return known.tensor
    const name = typeof e.name === 'string' ? this.freshName(e.name) : e.name.reserved
    const domain = e.outs.filter((i) => i.extent.size > 1).map((i) => i.name)
    const lift = (part: Scalar, label: string): Scalar => this.#lift(part, e, label)
    const body = outline(e.body, domain, lift)
    const { outs, at, body: readable } = readableNames(e.outs, e.at, body)
    this.addTensor({
      name,
      dtype: e.dtype,
      shape: e.shape,
      role: 'temp',
      span: e.span,
      initial: undefined,
      range: undefined,
      ...(this.#checkpoint !== undefined && { checkpoint: this.#checkpoint }),
    })
    if (key !== '' && !some(e.body, (n) => n.kind === 'random')) {
      const { dtype: type } = e
      this.#lifted.set(key, { kind: 'read', tensor: name, type, at: [], guarded: false })
    }
    this.#sink.equations.push({ target: name, outs, at, body: readable, origin: e.origin })
    return name
  }

  /** Stores `part` over its free indices and reads it back; equal parts without indices share one tensor. */
  #lift(part: Scalar, from: NewEquation, label: string): Scalar {
    const free = freeIndices(part)
    const domain = [...from.outs, ...reductionIndices(from.body)]
    const outs = domain.filter((i, k) => {
      return free.has(i.name) && domain.findIndex((j) => j.name === i.name) === k
    })
    outs.sort((a, b) => Number(b.extent.bound !== undefined) - Number(a.extent.bound !== undefined))
    const key = outs.length === 0 ? JSON.stringify(readableNames([], undefined, part).body) : ''
    const known = key === '' ? undefined : this.#lifted.get(key)
    if (known !== undefined) return known
    const type = typeOf(part)
    const path = outs.length === 0 ? (from.shared ?? from.path) : from.path
    const whole = typeof from.name === 'string' ? from.name : from.name.reserved
    const name = this.emit({
      ...from,
      name: path === '' ? `${whole}_${label}` : `${path}.${label}`,
      dtype: type,
      shape: outs.map((i) => i.extent),
      outs: outs,
      at: undefined,
      body: part,
    })
    const at = outs.map((i) => ({ kind: 'index', name: i.name }) as const)
    const read: Scalar = { kind: 'read', tensor: name, type, at, guarded: false }
    if (key !== '') this.#lifted.set(key, read)
    return read
  }

  finish(): Entry {
    const entry: Entry = {
      name: this.name,
      kind: this.kind,
      inputs: this.inputs,
      outputs: this.outputs,
      tensors: [...this.tensors.values()],
      stages: this.stages,
    }
    return this.stream === undefined ? entry : { ...entry, stream: this.stream }
  }
}

function reductionIndices(e: Scalar): Index[] {
  return [
    ...(e.kind === 'reduce' ? e.over : []),
    ...children(e).flatMap((child) => reductionIndices(child)),
  ]
}

const costly: ReadonlySet<string> = new Set([...transcendental, 'sqrt', 'pow', 'div', 'mod'])

const isCostly = (e: Scalar): boolean =>
  some(
    e,
    (n) => n.kind === 'reduce' || ((n.kind === 'unary' || n.kind === 'binary') && costly.has(n.op)),
  )

/** Gives every maximal part of `e` that does not depend on the whole domain around it to `lift`. */
function outline(
  e: Scalar,
  domain: readonly string[],
  lift: (part: Scalar, label: string) => Scalar,
): Scalar {
  if (domain.length > 0 && e.kind !== 'const' && e.kind !== 'index' && e.kind !== 'count') {
    const free = e.kind === 'read' ? undefined : freeIndices(e)
    if (free?.size === 0 && isCostly(e) && !some(e, (n) => n.kind === 'random')) {
      return lift(e, labelOf(e))
    }
    if (e.kind === 'reduce' && free !== undefined && domain.some((name) => !free.has(name))) {
      return lift(e, e.op)
    }
  }
  if (e.kind === 'reduce') {
    const over = e.over.filter((i) => i.extent.size > 1).map((i) => i.name)
    return mapChildren(e, (child) => outline(child, [...domain, ...over], lift))
  }
  return mapChildren(e, (child) => outline(child, domain, lift))
}

const labelOf = (e: Scalar): string =>
  e.kind === 'reduce' || e.kind === 'unary' ? e.op : e.kind === 'binary' ? 'scale' : 'value'

/** Replaces ids by names, each unique in its equation. */
function readableNames(
  outs: readonly Index[],
  at: readonly Scalar[] | undefined,
  body: Scalar,
): { outs: readonly Index[]; at: readonly Scalar[] | undefined; body: Scalar } {
  const taken = new Set<string>()
  const rename = (e: Scalar, names: ReadonlyMap<string, string>): Scalar => {
    if (e.kind === 'index') {
      const name = names.get(e.name)
      return name === undefined ? e : { kind: 'index', name }
    }
    if (e.kind !== 'reduce') return mapChildren(e, (child) => rename(child, names))
    const [over, within] = choose(e.over, names)
    return { ...e, over, body: rename(e.body, within) }
  }
  const choose = (
    indices: readonly Index[],
    names: ReadonlyMap<string, string>,
  ): [readonly Index[], ReadonlyMap<string, string>] => {
    const within = new Map(names)
    const chosen = indices.map((i) => {
      const name = freshName(baseName(i.name), taken)
      taken.add(name)
      within.set(i.name, name)
      return { ...i, name }
    })
    return [chosen, within]
  }
  const [named, names] = choose(outs, new Map())
  return { outs: named, at: at?.map((p) => rename(p, names)), body: rename(body, names) }
}
