/**
 * Random recurrences for random programs: one or two carries over a static time, up or down, from 0 or from a value, of
 * any small shape, with or without the bounded dim, integers among them, sometimes with a loop inside. In: what an
 * equation may read. Out: the equations in an order in which they may be listed, and the tensors they define, to be
 * read after the loop at any time.
 *
 * Carries are kept near 1 and forget half of themselves at each step, so that a rounding does not grow through time.
 */
import {
  add,
  binary,
  constant,
  index,
  int,
  mul,
  read,
  select,
  sub,
  unary,
} from '../../compiler/ir/build.ts'
import type { DType, Equation, Extent, Index, Scalar, Tensor } from '../../compiler/ir/types.ts'
import { type Choose, oneIn, pick } from './choose.ts'
import { Expressions, type Readable, type Rules, volume, within } from './expressions.ts'

export interface Surroundings {
  readonly choose: Choose
  /** What may be read at any position. */
  readonly known: readonly Readable[]
  /** A bounded dim, if any, comes first. */
  readonly extents: readonly Extent[]
  readonly rules: Rules
  readonly site: () => number
}

export interface Made {
  readonly equations: readonly Equation[]
  readonly tensors: readonly Readable[]
}

interface Carry {
  readonly tensor: Tensor
  readonly previous: Tensor
  readonly mag: number
}

export function recurrence(around: Surroundings, name: string): Made {
  return new Recurrence(around, name).run()
}

class Recurrence {
  readonly #around: Surroundings
  readonly #name: string
  readonly #equations: Equation[] = []
  readonly #tensors: Readable[] = []
  /** The bounded dim if the loop is over rows, then the times from outside in. */
  readonly #rows: readonly Extent[]
  readonly #down: boolean

  constructor(around: Surroundings, name: string) {
    const { choose, extents } = around
    this.#around = around
    this.#name = name
    const outer = extents[0]!
    this.#rows = outer.bound !== undefined && oneIn(choose, 2) ? [outer] : []
    this.#down = oneIn(choose, 3)
  }

  run(): Made {
    const { choose } = this.#around
    const times = [this.#static()]
    const carries = [this.#carry('', times, undefined)]
    if (oneIn(choose, 2)) carries.push(this.#carry('b', times, undefined))
    const inside: Readable[] = []
    if (oneIn(choose, 3)) inside.push(this.#nested(times, carries))
    if (oneIn(choose, 2)) inside.push(this.#middle(times, carries, inside))
    for (const carry of carries) this.#step(carry, times, carries, inside)
    return { equations: this.#equations, tensors: this.#tensors }
  }

  #static(): Extent {
    const { choose, extents } = this.#around
    return pick(
      choose,
      extents.filter((x) => x.bound === undefined),
    )
  }

  #tensor(suffix: string, dtype: DType, shape: readonly Extent[]): Tensor {
    const name = `${this.#name}${suffix}`
    return {
      name,
      dtype,
      shape,
      role: 'temp',
      span: undefined,
      initial: undefined,
      range: undefined,
    }
  }

  #add(tensor: Tensor, outs: readonly Index[], body: Scalar, at?: readonly Scalar[]): void {
    const origin = { span: undefined, note: '' }
    this.#equations.push({ target: tensor.name, outs, at, body, origin })
  }

  /** For one equation over rows, times and `rest`; what the loop computes is read at its times alone. */
  #maker(
    shape: readonly Extent[],
    times: readonly Extent[],
    inLoop: readonly Readable[],
  ): { readonly make: Expressions; readonly outs: readonly Index[] } {
    const { choose, known, extents, rules, site } = this.#around
    const start = this.#rows.length
    const position = (k: number): Scalar => index('ijklmn'[start + k]!)
    const fixed = inLoop.map((r) => ({
      ...r,
      fixed: new Map(times.map((_, k) => [start + k, position(k)])),
    }))
    const make = new Expressions(choose, [...known, ...fixed, ...fixed], extents, rules, site)
    return { make, outs: shape.map((extent) => make.fresh(extent)) }
  }

  /** Declares a carry and defines its previous value, which starts at 0 or at a value of `from`, if given. */
  #carry(suffix: string, times: readonly Extent[], from: Carry | undefined): Carry {
    const { choose } = this.#around
    const rank = choose.int(0, 1)
    const rest = from
      ? from.tensor.shape.slice(this.#rows.length + 1)
      : Array.from({ length: rank }, () => this.#static())
    const whole = !from && oneIn(choose, 5)
    const dtype = whole ? 'i32' : 'f32'
    const shape = [...this.#rows, ...times, ...rest]
    const tensor = this.#tensor(suffix, dtype, shape)
    const previous = this.#tensor(`${suffix}_prev`, dtype, shape)
    const outer = from ? [{ tensor: from.previous, mag: from.mag, exact: false }] : []
    const { make, outs } = this.#maker(shape, from ? times.slice(0, 1) : [], outer)
    const k = this.#rows.length + times.length - 1
    const t = outs[k]!
    const step = this.#down ? add : sub
    const at = outs.map((i) => (i === t ? step(index(i), int(1)) : index(i)))
    const before = read(tensor, at, true)
    let mag = whole ? 6 : 1
    let body = before
    if (from || oneIn(choose, 2)) {
      const others = outs.filter((i) => i !== t)
      const first = whole ? int(choose.int(0, 6)) : this.#start(make, others, from)
      const isFirst = binary('eq', index(t), int(this.#down ? t.extent.size - 1 : 0))
      body = select(isFirst, first, before)
      mag = Math.max(mag, from?.mag ?? 1)
    }
    this.#add(previous, outs, body)
    this.#tensors.push({ tensor: previous, mag, exact: whole })
    return { tensor, previous, mag }
  }

  #start(make: Expressions, others: readonly Index[], from: Carry | undefined): Scalar {
    if (!from) return within(make.float(others, 1), 1).e
    return read(
      from.previous,
      others.map((i) => index(i)),
    )
  }

  /** A loop in each step, from the value of the first f32 carry; gives its last value. */
  #nested(times: readonly Extent[], carries: readonly Carry[]): Readable {
    const outer = carries.find((c) => c.tensor.dtype === 'f32')
    if (!outer) return this.#middle(times, carries, [])
    const both = [...times, this.#static()]
    const inner = this.#carry('u', both, outer)
    this.#step(inner, both, [inner], [])
    const shape = outer.tensor.shape
    const last = this.#tensor('u_last', 'f32', shape)
    const { outs } = this.#maker(shape, times, [])
    const k = this.#rows.length + 1
    const end = int(this.#down ? 0 : both[1]!.size - 1)
    const at = outs.map((i) => index(i))
    this.#add(last, outs, read(inner.tensor, [...at.slice(0, k), end, ...at.slice(k)]))
    return this.#keep(last, inner.mag)
  }

  #keep(tensor: Tensor, mag: number): Readable {
    const readable = { tensor, mag, exact: false }
    this.#tensors.push(readable)
    return readable
  }

  #previous(carries: readonly Carry[]): Readable[] {
    return carries.map(({ previous, mag }) => ({
      tensor: previous,
      mag,
      exact: previous.dtype === 'i32',
    }))
  }

  /** A value of the step that the carries may read; sometimes a scatter at the step's time. */
  #middle(
    times: readonly Extent[],
    carries: readonly Carry[],
    inside: readonly Readable[],
  ): Readable {
    const { choose } = this.#around
    const rest = Array.from({ length: choose.int(0, 2) }, () => this.#static())
    const shape = [...this.#rows, ...times, ...rest]
    const middle = this.#tensor(inside.length > 0 ? 'w' : 'z', 'f32', shape)
    const scatters = rest.length > 0 && oneIn(choose, 4)
    const domain = scatters ? [...this.#rows, ...times, this.#static()] : shape
    const { make, outs } = this.#maker(domain, times, [...this.#previous(carries), ...inside])
    if (!scatters) {
      const body = oneIn(choose, 2) ? make.contraction(outs) : make.float(outs, choose.int(1, 2))
      this.#add(middle, outs, body.e)
      return this.#keep(middle, body.mag)
    }
    const own = outs.slice(0, this.#rows.length + times.length)
    const at = rest.map((extent) => {
      const p = make.position(extent, outs)
      return p.guarded ? binary('min', binary('max', p.e, int(0)), int(extent.size - 1)) : p.e
    })
    const body = within(make.float(outs, 1), 1 / volume(outs.slice(own.length)))
    this.#add(middle, outs, body.e, [...own.map((i) => index(i)), ...at])
    return this.#keep(middle, 1)
  }

  #step(
    carry: Carry,
    times: readonly Extent[],
    carries: readonly Carry[],
    inside: readonly Readable[],
  ): void {
    const { choose } = this.#around
    const { tensor, previous, mag } = carry
    const { make, outs } = this.#maker(tensor.shape, times, [...this.#previous(carries), ...inside])
    const old = read(
      previous,
      outs.map((i) => index(i)),
    )
    if (tensor.dtype === 'i32') {
      this.#add(tensor, outs, binary('mod', add(old, make.integer(outs, 1)), int(7)))
      this.#tensors.push({ tensor, mag: 6, exact: true })
      return
    }
    const x = within(
      oneIn(choose, 3) ? make.contraction(outs) : make.float(outs, choose.int(1, 2)),
      1,
    )
    const half = constant(0.5)
    const body = oneIn(choose, 2)
      ? add(mul(half, old), mul(half, unary('tanh', x.e)))
      : mul(half, unary('tanh', sub(x.e, mul(half, old))))
    this.#add(tensor, outs, body)
    this.#keep(tensor, mag)
  }
}
