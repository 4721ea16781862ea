/**
 * Random small programs, well-typed and verified by construction: an `init`, a predict entry `p` and, on request, a
 * train entry `t` with parameters, an objective and updates, as the elaborator would hand it to differentiation. In:
 * options and either fast-check (`arbitraryProgram`) or a number (`programFromSeed`). Values to run them with come
 * from `randomValues`. How expressions are made, and why compiled f32 code can be compared with the f64 evaluator, is
 * said in expressions.ts.
 */
import type fc from 'fast-check'
import {
  add,
  binary,
  cast,
  constant,
  div,
  index,
  int,
  mul,
  read,
  reduce,
  staticExtent,
  sub,
} from '../../compiler/ir/build.ts'
import type {
  BoundedDim,
  DType,
  Entry,
  Equation,
  Extent,
  Index,
  Program,
  Role,
  Scalar,
  Stage,
  Tensor,
} from '../../compiler/ir/types.ts'
import { arbitraryFrom, type Choose, dyadic, oneIn, pick, seeded, weighted } from './choose.ts'
import { Expressions, type Readable, type Rules, volume } from './expressions.ts'
import { recurrence } from './recurrences.ts'

export interface ArbitraryOptions {
  /** Adds the train entry `t`. */
  readonly train?: boolean
  /** No kinks where parameters flow, so that central differences of the loss are its gradient. */
  readonly smooth?: boolean
  /** Allows a bounded dim `batch` (default true). */
  readonly bounded?: boolean
  /** Allows random numbers (default true). */
  readonly random?: boolean
  /** Sizes that dimensions are drawn from; small ones by default. */
  readonly sizes?: readonly number[]
  /** Some of the forward equations are recurrences. */
  readonly recurrences?: boolean
  /** Most forward equations a stage (default 5). */
  readonly equations?: number
}

export function arbitraryProgram(options: ArbitraryOptions = {}): fc.Arbitrary<Program> {
  return arbitraryFrom((choose) => new Programs(choose, options).program())
}

export function programFromSeed(seed: number, options: ArbitraryOptions = {}): Program {
  return new Programs(seeded(seed), options).program()
}

export interface Values {
  readonly inputs: Readonly<Record<string, Float64Array>>
  readonly counts: Readonly<Record<string, number>>
  /** For parameters and other persistent f32 tensors. */
  readonly persistent: Readonly<Record<string, Float64Array>>
}

/** Values that f32 holds exactly: inputs in multiples of 1/64, parameters arbitrary, both in [-1.5, 1.5]. */
export function randomValues(program: Program, entryName: string, seed: number): Values {
  const choose = seeded(seed ^ 0x5bd1e995)
  const entry = program.entries.find((e) => e.name === entryName)
  if (!entry) throw new Error(`no entry ${entryName}`)
  const fill = (t: Tensor, value: () => number): Float64Array =>
    Float64Array.from({ length: t.shape.reduce((n, x) => n * x.size, 1) }, value)
  const inputs: Record<string, Float64Array> = {}
  for (const t of entry.tensors) {
    if (t.role !== 'input') continue
    inputs[t.name] = fill(t, () => {
      if (t.dtype === 'i32') return choose.int(0, (t.range ?? 4) - 1)
      return t.dtype === 'bool' ? -choose.int(0, 1) : dyadic(choose, 1.5)
    })
  }
  const persistent: Record<string, Float64Array> = {}
  for (const t of program.tensors) {
    if (t.dtype !== 'f32' || t.role === 'hyper') continue
    persistent[t.name] = fill(t, () => Math.fround(choose.int(-1.5e6, 1.5e6) / 1e6))
  }
  const counts = Object.fromEntries(program.dims.map((d) => [d.name, choose.int(1, d.max)]))
  return { inputs, counts, persistent }
}

const smallSizes = [1, 2, 3, 4, 5, 7, 8]

class Programs {
  readonly #choose: Choose
  readonly #options: ArbitraryOptions
  readonly #rules: Rules
  readonly #dims: BoundedDim[] = []
  /** What the program's dimensions are made of; the bounded one, if any, comes first. */
  readonly #extents: Extent[] = []
  #sites = 0

  constructor(choose: Choose, options: ArbitraryOptions) {
    this.#choose = choose
    this.#options = options
    const sizes = options.sizes ?? smallSizes
    if ((options.bounded ?? true) && oneIn(choose, 2)) {
      const max = pick(choose, sizes)
      this.#dims.push({ name: 'batch', max })
      this.#extents.push({ size: max, bound: 'batch', name: 'batch' })
    }
    const count = choose.int(2, 4)
    for (let k = 0; k < count; k++) this.#extents.push(staticExtent(pick(choose, sizes)))
    this.#rules = {
      smooth: options.smooth ?? false,
      random: options.random ?? true,
      stopgrad: true,
      dims: this.#dims.map((d) => d.name),
    }
  }

  program(): Program {
    const choose = this.#choose
    const params: Tensor[] = []
    const count = choose.int(1, 3)
    for (let k = 0; k < count; k++) params.push(tensor('param', `w${k + 1}`, 'f32', this.#shape(2)))
    const lr: Tensor = { ...tensor('hyper', 'lr', 'f32', []), initial: 0.125 }
    const cells = [tensor('step', 'step', 'i32', []), tensor('seed', 'seed', 'i32', [])]
    const tensors = [...params, lr, ...cells]
    const known: Readable[] = [...params, lr].map((t) => ({ tensor: t, mag: 1.5, exact: false }))
    const entries = [this.#init(params), this.#predict(known)]
    if (this.#options.train) entries.push(this.#train(known, params, lr))
    return { file: 'random.net', dims: this.#dims, tensors, entries, data: [], vocabularies: [] }
  }

  #shape(maxRank: number, bounded = false): Extent[] {
    const choose = this.#choose
    const free = this.#extents.filter((x) => x.bound === undefined)
    const shape = Array.from({ length: choose.int(0, maxRank) }, () => pick(choose, free))
    const outer = this.#extents[0]!
    return bounded && outer.bound !== undefined && oneIn(choose, 2) ? [outer, ...shape] : shape
  }

  #init(params: readonly Tensor[]): Entry {
    const starts = params.map((p) => tensor('temp', `${p.name}_0`, 'f32', p.shape))
    const equations = starts.map((t) => {
      const outs = t.shape.map((extent, k): Index => ({ name: `i${k}`, extent }))
      const element = outs.reduce((e, i) => add(mul(e, int(i.extent.size)), index(i)), int(0))
      const random: Scalar = { kind: 'random', site: this.#sites++, element }
      return equation(t.name, outs, sub(mul(random, constant(2)), constant(1)))
    })
    const updates = params.map((p) => ({ target: p.name, value: `${p.name}_0` }))
    const stages: Stage[] = [{ equations, updates, objective: undefined, rules: [] }]
    return { name: 'init', kind: 'init', inputs: [], outputs: [], tensors: starts, stages }
  }

  #inputs(): Readable[] {
    const choose = this.#choose
    const inputs: Readable[] = []
    const count = choose.int(1, 2)
    for (let k = 0; k < count; k++) {
      const t = tensor('input', `x${k + 1}`, 'f32', this.#shape(2, true))
      inputs.push({ tensor: t, mag: 1.5, exact: true })
    }
    if (oneIn(choose, 2)) {
      const t = tensor('input', 'label', 'i32', this.#shape(1, true))
      inputs.push({ tensor: { ...t, range: choose.int(2, 6) }, mag: 6, exact: true })
    }
    return inputs
  }

  #predict(known: readonly Readable[]): Entry {
    const inputs = this.#inputs()
    const equations: Equation[] = []
    const temps = this.#forward([...known, ...inputs], equations, 'y')
    const last = temps.at(-1)!
    const shown = temps.filter((t) => t === last || oneIn(this.#choose, 3))
    return {
      name: 'p',
      kind: 'predict',
      inputs: inputs.map((i) => i.tensor.name),
      outputs: shown.map((t) => ({ name: t.tensor.name, tensor: t.tensor.name })),
      tensors: [...inputs, ...temps].map((t) => t.tensor),
      stages: [{ equations, updates: [], objective: undefined, rules: [] }],
    }
  }

  #train(known: readonly Readable[], params: readonly Tensor[], lr: Tensor): Entry {
    const inputs = this.#inputs()
    const tensors = inputs.map((i) => i.tensor)
    const outputs: { name: string; tensor: string }[] = []
    const stages: Stage[] = []
    const count = oneIn(this.#choose, 3) ? 2 : 1
    for (let k = 1; k <= count; k++) {
      const suffix = k === 1 ? '' : `_${k}`
      const equations: Equation[] = []
      const temps = this.#forward([...known, ...inputs], equations, `h${suffix}_`)
      const loss = tensor('temp', `loss${suffix}`, 'f32', [])
      equations.push(this.#loss(loss, temps, params))
      tensors.push(...temps.map((t) => t.tensor), loss)
      outputs.push({ name: loss.name, tensor: loss.name })
      const gradients: { param: string; gradient: string }[] = []
      const updates: { target: string; value: string }[] = []
      for (const p of params) {
        const g = tensor('gradient', `d_${p.name}${suffix}`, 'f32', p.shape)
        const next = tensor('temp', `${p.name}_next${suffix}`, 'f32', p.shape)
        const outs = p.shape.map((extent, d): Index => ({ name: `i${d}`, extent }))
        const at = outs.map((i) => index(i))
        equations.push(equation(next.name, outs, sub(read(p, at), mul(read(lr, []), read(g, at)))))
        tensors.push(g, next)
        gradients.push({ param: p.name, gradient: g.name })
        updates.push({ target: p.name, value: next.name })
      }
      stages.push({ equations, updates, objective: { loss: loss.name, gradients }, rules: [] })
    }
    const names = inputs.map((i) => i.tensor.name)
    return { name: 't', kind: 'train', inputs: names, outputs, tensors, stages }
  }

  /** A mean of products, over every f32 temp and over the parameters (so that most have a gradient). */
  #loss(loss: Tensor, temps: readonly Readable[], params: readonly Tensor[]): Equation {
    const used = temps.filter((t) => t.tensor.dtype === 'f32').map((t) => t.tensor)
    const squared = params.filter(() => oneIn(this.#choose, 3))
    let names = 0
    let total: Scalar = constant(0)
    for (const t of [...used, ...squared]) {
      const over = t.shape.map((extent): Index => ({ name: `i${names++}`, extent }))
      const value = read(
        t,
        over.map((i) => index(i)),
      )
      const term = oneIn(this.#choose, 2) ? mul(value, value) : mul(value, constant(0.75))
      const bounded = over.find((i) => i.extent.bound !== undefined)
      const sum = reduce('sum', over, term)
      const fixed = volume(over.filter((i) => i !== bounded))
      // By a power of two, so that folding the constant in f32 does not round.
      const mean = mul(sum, constant(1 / 2 ** Math.ceil(Math.log2(fixed))))
      total = add(
        total,
        bounded ? div(mean, cast('f32', { kind: 'count', dim: bounded.extent.bound! })) : mean,
      )
    }
    return equation(loss.name, [], total)
  }

  /** Equations that each may read what came before; at least one gives f32. */
  #forward(known: readonly Readable[], equations: Equation[], prefix: string): Readable[] {
    const choose = this.#choose
    const temps: Readable[] = []
    const count = choose.int(1, this.#options.equations ?? 5)
    for (let k = 1; k <= count; k++) {
      if (this.#options.recurrences && oneIn(choose, 2)) {
        temps.push(...this.#recurrence(`${prefix}r${k}`, [...known, ...temps], equations))
        if (temps.at(-1)!.tensor.dtype === 'f32') continue
      }
      const name = `${prefix}${k}`
      const dtype: DType =
        k === count
          ? 'f32'
          : weighted(choose, [
              [8, () => 'f32'],
              [1, () => 'i32'],
              [1, () => 'bool'],
            ])
      // The newest twice, so that chains are longer than they are wide.
      const readable = [...known, ...temps, ...temps.slice(-2)]
      temps.push(this.#equation(name, dtype, readable, equations))
    }
    return temps
  }

  #recurrence(
    name: string,
    known: readonly Readable[],
    equations: Equation[],
  ): readonly Readable[] {
    const made = recurrence(
      {
        choose: this.#choose,
        known,
        extents: this.#extents,
        rules: this.#rules,
        site: () => this.#sites++,
      },
      name,
    )
    equations.push(...made.equations)
    return made.tensors
  }

  #equation(
    name: string,
    dtype: DType,
    readable: readonly Readable[],
    equations: Equation[],
  ): Readable {
    const choose = this.#choose
    const site = (): number => this.#sites++
    const make = new Expressions(choose, readable, this.#extents, this.#rules, site)
    const result = tensor('temp', name, dtype, this.#shape(3, true))
    if (dtype === 'f32' && result.shape.length > 0 && oneIn(choose, 7)) {
      return this.#scatter(make, result, equations)
    }
    const outs = result.shape.map((extent) => make.fresh(extent))
    if (dtype === 'i32') {
      const clamped = binary('max', binary('min', make.integer(outs, 1), int(9)), int(-9))
      equations.push(equation(name, outs, clamped))
      return { tensor: result, mag: 9, exact: true }
    }
    if (dtype === 'bool') {
      equations.push(equation(name, outs, make.truth(outs, 1)))
      return { tensor: result, mag: 1, exact: true }
    }
    const body = oneIn(choose, 3) ? make.contraction(outs) : make.float(outs, choose.int(1, 3))
    equations.push(equation(name, outs, body.e))
    return { tensor: result, mag: body.mag, exact: false }
  }

  /** Over a domain of its own, to positions that are affine or data. A bounded target follows its own index. */
  #scatter(make: Expressions, result: Tensor, equations: Equation[]): Readable {
    const choose = this.#choose
    const shape = result.shape
    const extents = [
      ...shape.filter((x) => x.bound !== undefined),
      ...Array.from({ length: choose.int(1, 2) }, () => pick(choose, this.#extents)),
    ]
    const outs = extents.map((extent) => make.fresh(extent))
    const at = shape.map((extent) => {
      const p = make.position(extent, outs)
      if (!p.guarded) return p.e
      return binary('min', binary('max', p.e, int(0)), int(extent.size - 1))
    })
    const body = make.float(outs, 1)
    const most = volume(outs)
    const scaled = mul(body.e, constant(1 / 2 ** Math.ceil(Math.log2(most))))
    equations.push({ ...equation(result.name, outs, scaled), at })
    return { tensor: result, mag: body.mag, exact: false }
  }
}

function tensor(role: Role, name: string, dtype: DType, shape: readonly Extent[]): Tensor {
  return { name, dtype, shape, role, span: undefined, initial: undefined, range: undefined }
}

function equation(target: string, outs: readonly Index[], body: Scalar): Equation {
  return { target, outs, at: undefined, body, origin: { span: undefined, note: '' } }
}
