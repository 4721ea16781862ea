/**
 * The invariants of types.ts, checked after every pass. In: a program and the name of what made it. Out: nothing, or
 * an `InternalError` that names the pass, the entry and the equation, which it prints. What expressions must fulfil is
 * in verify-scalar.ts.
 *
 * Before differentiation a stage's objective lists gradients that no equation defines yet; reads and updates may name
 * them in that stage and later ones.
 */
import { InternalError } from '../support/diagnostic.ts'
import { extentsIn } from './affine.ts'
import { sameExtent, typeOf } from './build.ts'
import { printEquation, printExtent } from './print.ts'
import { order, Unordered } from './recurrence.ts'
import { boundIndices, dependencies } from './traverse.ts'
import type {
  Entry,
  Equation,
  Extent,
  Objective,
  Program,
  Role,
  RuleCall,
  Stage,
  Tensor,
} from './types.ts'
import { type ScalarScope, verifyPositions, verifyScalar } from './verify-scalar.ts'

export function verify(program: Program, after: string): void {
  new Verifier(program, after).program()
}

const persistentRoles: ReadonlySet<Role> = new Set(['param', 'state', 'hyper', 'step', 'seed'])
const localRoles: ReadonlySet<Role> = new Set(['input', 'temp', 'gradient'])

class Verifier {
  readonly #program: Program
  readonly #after: string
  readonly #persistent = new Map<string, Tensor>()
  #entry: Entry | undefined
  #equation: Equation | undefined
  /** The entry's tensors and, inside a rule, the rule's. */
  #tensors = new Map<string, Tensor>()
  /** Names that may be read. */
  #defined = new Set<string>()
  /** What the equations of the list being checked define. */
  #stageTargets: ReadonlySet<string> = new Set()

  constructor(program: Program, after: string) {
    this.#program = program
    this.#after = after
  }

  fail(message: string): never {
    const entry = this.#entry ? `entry ${this.#entry.name}, ` : ''
    const equation = this.#equation
    if (!equation) throw new InternalError(`after pass ${this.#after}: ${entry}${message}`)
    throw new InternalError(
      `after pass ${this.#after}: ${entry}equation ${equation.target}: ${message}\n  ` +
        printEquation(equation, { file: this.#program.file, dims: undefined }),
    )
  }

  #expect(test: boolean, message: string): asserts test {
    if (!test) this.fail(message)
  }

  program(): void {
    const { dims, tensors, entries, data, vocabularies } = this.#program
    this.#unique(
      'dim',
      dims.map((d) => d.name),
    )
    for (const d of dims) this.#expect(isSize(d.max), `dim ${d.name} is at most ${d.max}`)
    this.#unique(
      'tensor',
      tensors.map((t) => t.name),
    )
    this.#unique(
      'data source',
      data.map((d) => d.name),
    )
    this.#unique(
      'vocabulary',
      vocabularies.map((v) => v.name),
    )
    for (const t of tensors) {
      this.#expect(persistentRoles.has(t.role), `${t.name} persists with role ${t.role}`)
      this.#tensor(t)
      this.#persistent.set(t.name, t)
    }
    for (const role of ['step', 'seed'] as const) {
      this.#unique(
        `${role} cell`,
        tensors.filter((t) => t.role === role).map(() => role),
      )
    }
    this.#unique(
      'entry',
      entries.map((e) => e.name),
    )
    entries.forEach((e, k) => {
      this.#expect(e.kind !== 'init' || k === 0, `init is entry ${k + 1}`)
      this.#entry = e
      this.#checkEntry(e)
      this.#entry = undefined
    })
  }

  #unique(what: string, names: readonly string[]): void {
    const twice = names.find((name, k) => names.indexOf(name) !== k)
    this.#expect(twice === undefined, `two of ${what} ${twice}`)
  }

  #tensor(t: Tensor): void {
    t.shape.forEach((extent, k) => {
      this.#extent(extent, `dimension ${k + 1} of ${t.name}`)
      const outer = extent.bound === undefined || k === 0
      this.#expect(outer, `dimension ${k + 1} of ${t.name} is bounded and not the outermost`)
    })
    const cell = t.role === 'hyper' || t.role === 'step' || t.role === 'seed'
    this.#expect(!cell || t.shape.length === 0, `${t.role} ${t.name} has a shape`)
    const int = t.role === 'step' || t.role === 'seed'
    this.#expect(!int || t.dtype === 'i32', `${t.role} ${t.name} is ${t.dtype}`)
    const initial = (t.role === 'hyper') === (t.initial !== undefined)
    this.#expect(initial, `${t.role} ${t.name} starts as ${t.initial}`)
    const range = t.range === undefined || (t.role === 'input' && t.dtype === 'i32')
    this.#expect(range, `${t.role} ${t.name} has a range`)
    const again = t.checkpoint === undefined || t.role === 'temp'
    this.#expect(again, `${t.role} ${t.name} has a checkpoint`)
    if (t.vocabulary === undefined) return
    const tokens = this.#vocabulary(t.vocabulary)
    const fits = t.range === tokens && t.role === 'input'
    this.#expect(fits, `${t.role} ${t.name} has range ${t.range} and a vocabulary of ${tokens}`)
  }

  /** The size of a vocabulary. */
  #vocabulary(name: string): number {
    const found = this.#program.vocabularies.find((v) => v.name === name)
    this.#expect(found !== undefined, `no vocabulary ${name}`)
    return found.tokens.length
  }

  #extent(extent: Extent, where: string): void {
    this.#expect(isSize(extent.size), `${where} is ${extent.size}`)
    if (extent.bound === undefined) return
    const dim = this.#program.dims.find((d) => d.name === extent.bound)
    this.#expect(dim !== undefined, `${where}: no dim ${extent.bound}`)
    const same = dim.max === extent.size
    this.#expect(same, `${where} is ${extent.bound} <= ${extent.size}, the dim is <= ${dim.max}`)
  }

  #checkEntry(entry: Entry): void {
    this.#unique(
      'tensor',
      entry.tensors.map((t) => t.name),
    )
    this.#unique('input', entry.inputs)
    this.#unique(
      'output',
      entry.outputs.map((o) => o.name),
    )
    this.#tensors = new Map(this.#persistent)
    this.#defined = new Set(this.#persistent.keys())
    for (const name of entry.stream ? [entry.stream.seed, entry.stream.step] : []) {
      const t = this.#persistent.get(name)
      const isCell = t?.role === 'state' && t.dtype === 'i32' && t.shape.length === 0
      this.#expect(isCell, `its stream reads ${name}, which is no i32 state of rank 0`)
    }
    for (const t of entry.tensors) {
      this.#expect(!this.#persistent.has(t.name), `${t.name} is the name of a persistent tensor`)
      this.#expect(localRoles.has(t.role), `${t.name} has role ${t.role}`)
      this.#tensor(t)
      this.#tensors.set(t.name, t)
      if (t.role !== 'input') continue
      this.#expect(entry.inputs.includes(t.name), `input ${t.name} is not listed`)
      this.#defined.add(t.name)
    }
    for (const name of entry.inputs) {
      this.#expect(this.#tensors.get(name)?.role === 'input', `${name} is not an input`)
    }
    const targets = entry.stages.flatMap((s) => s.equations.map((e) => e.target))
    for (const stage of entry.stages) this.#stage(entry, stage, new Set(targets))
    for (const t of entry.tensors) {
      this.#expect(this.#defined.has(t.name), `${t.role} ${t.name} is not defined by an equation`)
    }
    for (const o of entry.outputs) {
      this.#expect(this.#defined.has(o.tensor), `output ${o.name}: ${o.tensor} is not defined`)
      if (o.vocabulary !== undefined) this.#vocabulary(o.vocabulary)
    }
  }

  #stage(entry: Entry, stage: Stage, targets: ReadonlySet<string>): void {
    const updating = entry.kind !== 'eval' && entry.kind !== 'combine'
    this.#expect(
      updating || stage.updates.length === 0,
      `an update in an entry of kind ${entry.kind}`,
    )
    const all = entry.kind === 'train' || entry.kind === 'init'
    const training = entry.kind === 'train' || stage.objective === undefined
    this.#expect(training, `an objective in a ${entry.kind} entry`)
    for (const { param, gradient } of stage.objective?.gradients ?? []) {
      const p = this.#tensors.get(param)
      const g = this.#tensors.get(gradient)
      this.#expect(p?.role === 'param', `the objective's ${param} is not a parameter`)
      this.#expect(g?.role === 'gradient', `${gradient} is not a gradient`)
      this.#sameShape(g, p)
      if (!targets.has(gradient)) this.#defined.add(gradient)
    }
    this.#checkEquations(stage.equations)
    if (stage.objective) {
      const loss = this.#readable(stage.objective.loss)
      const scalar = loss.shape.length === 0 && loss.dtype === 'f32'
      this.#expect(scalar, `the loss ${loss.name} is not an f32 of rank 0`)
      this.#independent(stage, stage.objective)
    }
    for (const rule of stage.rules) this.#rule(rule)
    this.#unique(
      'update',
      stage.updates.map((u) => u.target),
    )
    for (const { target, value } of stage.updates) {
      const t = this.#persistent.get(target)
      const may = t?.role === 'state' || (all && t?.role === 'param')
      this.#expect(t !== undefined && may, `update of ${target} in a ${entry.kind} entry`)
      this.#sameShape(this.#readable(value), t)
    }
  }

  /** What a loss is made of may not depend on the gradients of that loss. */
  #independent({ equations }: Stage, { loss, gradients }: Objective): void {
    const needed = dependencies(equations, [loss])
    for (const { gradient } of gradients) {
      this.#expect(!needed.has(gradient), `the loss ${loss} depends on its gradient ${gradient}`)
    }
  }

  #sameShape(a: Tensor, b: Tensor): void {
    const same =
      a.dtype === b.dtype &&
      a.shape.length === b.shape.length &&
      a.shape.every((extent, k) => sameExtent(extent, b.shape[k]!))
    this.#expect(same, `${a.name} is ${typeText(a)}, ${b.name} is ${typeText(b)}`)
  }

  #readable(name: string): Tensor {
    const tensor = this.#tensors.get(name)
    this.#expect(tensor !== undefined, `no tensor ${name}`)
    const known = this.#defined.has(name) || this.#stageTargets.has(name)
    this.#expect(known, `${name} is used before it is defined`)
    return tensor
  }

  /** A rule sees what its stage defines; its own tensors are known in it alone. */
  #rule(rule: RuleCall): void {
    const result = this.#readable(rule.result)
    const args = rule.args.map((arg) => this.#readable(arg))
    const outer = { tensors: this.#tensors, defined: this.#defined }
    this.#tensors = new Map(outer.tensors)
    this.#defined = new Set(outer.defined)
    for (const t of [rule.cotangent, ...rule.tensors]) {
      this.#expect(!this.#tensors.has(t.name), `rule ${rule.fn}: ${t.name} is taken`)
      this.#tensor(t)
      this.#tensors.set(t.name, t)
    }
    this.#defined.add(rule.cotangent.name)
    this.#sameShape(rule.cotangent, result)
    this.#checkEquations(rule.equations)
    for (const t of rule.tensors) {
      this.#expect(this.#defined.has(t.name), `rule ${rule.fn}: ${t.name} is not defined`)
    }
    const counts = rule.cotangents.length === args.length
    this.#expect(counts, `rule ${rule.fn} gives ${rule.cotangents.length} of ${args.length}`)
    rule.cotangents.forEach((name, k) => {
      if (name !== undefined) this.#sameShape(this.#readable(name), args[k]!)
    })
    this.#tensors = outer.tensors
    this.#defined = outer.defined
  }

  /** In the list they may stand in any order, if there is one in which they can be computed. */
  #checkEquations(equations: readonly Equation[]): void {
    this.#arrange(equations)
    this.#stageTargets = new Set(equations.map((eq) => eq.target))
    for (const equation of equations) this.#checkEquation(equation)
    this.#stageTargets = new Set()
  }

  #arrange(equations: readonly Equation[]): void {
    try {
      order(equations)
    } catch (error) {
      if (error instanceof Unordered) this.fail(error.message)
      throw error
    }
  }

  #checkEquation(equation: Equation): void {
    this.#equation = equation
    const { outs, at, body } = equation
    const target = this.#tensors.get(equation.target)
    this.#expect(target !== undefined, 'its target is not declared')
    const local = target.role === 'temp' || target.role === 'gradient'
    this.#expect(local, `it defines ${target.role} ${target.name}`)
    this.#expect(!this.#defined.has(target.name), `${target.name} is defined already`)
    const positions = at ?? []
    const indices = [...outs, ...[body, ...positions].flatMap(boundIndices)]
    this.#unique(
      'index',
      indices.map((i) => i.name),
    )
    for (const i of indices) this.#extent(i.extent, `index ${i.name}`)
    if (at === undefined) {
      const fits =
        outs.length === target.shape.length &&
        outs.every((i, k) => sameExtent(i.extent, target.shape[k]!))
      const domain = outs.map((i) => printExtent(i.extent)).join(', ')
      this.#expect(fits, `its domain [${domain}] is not that of ${typeText(target)}`)
    }
    const scope: ScalarScope = {
      dims: this.#program.dims,
      extents: extentsIn(equation),
      tensor: (name) => this.#readable(name),
      fail: (message) => this.fail(message),
    }
    const inScope = new Set(outs.map((i) => i.name))
    verifyScalar(body, scope, inScope)
    this.#expect(typeOf(body) === target.dtype, `${typeOf(body)} for ${typeText(target)}`)
    if (at) {
      for (const p of at) verifyScalar(p, scope, inScope)
      verifyPositions(at, target, false, scope)
      this.#expect(target.dtype !== 'bool', 'a scatter of bool')
    }
    if (equation.after) {
      const awaited = this.#readable(equation.after.tensor)
      const named = equation.after.at.every((i) => i === undefined || inScope.has(i))
      const fits = equation.after.at.length === awaited.shape.length
      this.#expect(named && fits, `it cannot wait for ${awaited.name} so`)
    }
    this.#defined.add(target.name)
    this.#equation = undefined
  }
}

const isSize = (n: number): boolean => Number.isInteger(n) && n >= 1

/** `f32[batch, 10]` */
function typeText(t: Tensor): string {
  return `${t.dtype}[${t.shape.map((extent) => printExtent(extent)).join(', ')}]`
}
