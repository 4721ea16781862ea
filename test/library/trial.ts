/**
 * One call of a library function tried in every way. In: the call, the shape of what goes into it and, optionally, what
 * it computes, written again as plain loops. It is run in double precision and compared with the loops; its gradients
 * with respect to its parameters and its input are compared with central differences along directions; and the compiled module, forward
 * and one step of training, is compared with the evaluator, on a partial batch too.
 *
 * The input is `x + shift`, `shift` being a parameter: its gradient holds all that flows back into x. The objective is
 * the mean of sin(3 y), so that no two elements of the output have the same cotangent.
 */
import { expect } from 'vitest'
import { lower } from '../../compiler/compile.ts'
import { differentiate } from '../../compiler/differentiate/index.ts'
import { createState, run, type State } from '../../compiler/ir/evaluate.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { builds, Instance } from '../codegen/module.ts'
import { programOf } from '../elaborate/elaborated.ts'

export type Params = (name: string) => Float64Array
export type Reference = (x: Float64Array, params: Params, extra: Inputs) => readonly number[]
type Inputs = Readonly<Record<string, readonly number[]>>

export interface Trial {
  /** `conv2d(5, stride = 2)`: x is piped into it. */
  readonly call: string
  /** Of x, without the batch. */
  readonly input: readonly number[]
  /** Further inputs, `label: int[batch]`, whose values are whole and below `below`. */
  readonly extra?: string
  readonly extraValues?: Inputs
  readonly reference?: Reference
  /** Tolerance of gradients; those through kinks want more. */
  readonly tolerance?: number
  /** What x holds; varied numbers around 0 otherwise. */
  readonly x?: readonly number[]
  /** Rows. */
  readonly batch?: number
  /** Set where nothing flows back. */
  readonly noGradient?: boolean
  /** Declarations before. */
  readonly prelude?: string
}

/** Numbers in (-1, 1), all different, the same at every run. */
export function varied(count: number, salt = 1): number[] {
  return Array.from({ length: count }, (_, k) => {
    const t = Math.sin((k + 1) * 12.9898 + salt * 78.233) * 43758.5453
    return 2 * (t - Math.floor(t)) - 1
  })
}

export const volume = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

function textOf(trial: Trial): string {
  const shape = trial.input.join(', ')
  const indices = trial.input.map((_, k) => `i${k}`).join(', ')
  const more = trial.extra === undefined ? '' : `, ${trial.extra}`
  const names = (trial.extra ?? '').split(/,(?![^[]*\])/).map((p) => p.split(':')[0]!.trim())
  const given = names.filter((n) => n !== '').map((n) => `, ${n}`)
  return `
${trial.prelude ?? ''}
dim batch <= ${trial.batch ?? 3}

net f(x: [batch, ${shape}]${more}) {
  param shift: [${shape}] = 0
  z[n, ${indices}] = x[n, ${indices}] + shift[${indices}]
  z |> ${trial.call}
}

train t(x: [batch, ${shape}]${more}) {
  minimize mean(sin(3 * f(x${given.join('')})))
  using sgd(1.0)
}

predict p(x: [batch, ${shape}]${more}) { out = f(x${given.join('')}) }
`
}

let turn = 0

export function tryOut(trial: Trial): void {
  const batch = trial.batch ?? 3
  const before = programOf(textOf(trial))
  const size = volume(trial.input)
  const x = trial.x ?? varied(batch * size)
  const inputs: Inputs = { x, ...trial.extraValues }
  const state = scattered(createState(before))
  if (trial.reference !== undefined) {
    const { outputs } = run(before, 'p', state, { inputs })
    const params: Params = (name) => {
      const tensor = state.tensors.get(`f.${name}`)
      if (tensor === undefined) throw new Error(`no ${name} in ${[...state.tensors.keys()]}`)
      return tensor
    }
    const shift = state.tensors.get('f.shift')!
    const shifted = Float64Array.from(x, (v, k) => v + shift[k % size]!)
    closeTo(outputs.out!, trial.reference(shifted, params, inputs), trial.call)
  }
  const persistent = Object.fromEntries(state.tensors)
  if (!trial.noGradient) {
    expectDerivatives(differentiate.run(before), persistent, inputs, trial.tolerance ?? 1e-6)
  }
  const build = builds[turn++ % builds.length]!
  const instance = new Instance(lower(before), build, trial.call)
  for (const rows of [batch, 1]) {
    instance.set(persistent)
    for (const name of ['p', 't']) {
      instance.compare(name, inputs, { batch: rows }, { ulps: 400, scale: 'tensor', least: 0.05 })
    }
  }
}

export interface Seen {
  readonly trained: Float64Array
  /** By an entry that does not train. */
  readonly predicted: Float64Array
}

/**
 * What a call makes of x in a train step and otherwise, where it draws random numbers. The compiled module is compared
 * with the evaluator, so that both draw the same.
 */
export function inTraining(call: string, shape: readonly number[], x: readonly number[]): Seen {
  const [rows, ...rest] = shape
  const program = programOf(`
dim batch <= ${rows}
net f(x: [batch, ${rest.join(', ')}]) {
  param w: [] = 1
  x * w
}
train t(x: [batch, ${rest.join(', ')}]) {
  y = f(x) |> ${call}
  minimize mean(y)
  using sgd(0.0)
}
predict p(x: [batch, ${rest.join(', ')}]) { y = f(x) |> ${call} }`)
  const exposed = lower(program, { expose: ['y'] })
  const state = createState(exposed)
  run(exposed, 'init', state, { seed: 11 })
  const inputs = { x }
  const trained = run(exposed, 't', state, { inputs }).outputs.y!
  const predicted = run(exposed, 'p', state, { inputs }).outputs.y!
  const instance = new Instance(exposed, builds[turn++ % builds.length]!, call)
  instance.init(11)
  for (const counts of [{ batch: rows! }, { batch: 1 }]) {
    instance.compare('t', inputs, counts, { ulps: 400, scale: 'tensor', least: 0.05 })
  }
  return { trained, predicted }
}

/**
 * The derivative of the loss along a direction in the space of each parameter, by the gradient (what sgd(1.0) took away)
 * and by central differences, extrapolated. A direction meets every element, so that a wrong one shows.
 */
function expectDerivatives(
  program: Program,
  persistent: Readonly<Record<string, Float64Array>>,
  inputs: Inputs,
  tolerance: number,
): void {
  const step = (changed: Readonly<Record<string, Float64Array>>) => {
    const state = createState(program)
    for (const [name, values] of Object.entries({ ...persistent, ...changed })) {
      state.tensors.get(name)!.set(values)
    }
    const { outputs } = run(program, 't', state, { inputs })
    return { loss: outputs.loss![0]!, after: state.tensors }
  }
  const { after } = step({})
  const params = Object.entries(persistent).filter(([name]) => name.startsWith('f.'))
  for (const [name, before] of params) {
    const direction = varied(before.length, 3)
    const slope = (h: number): number => {
      const along = (by: number): number =>
        step({ [name]: before.map((v, k) => v + by * direction[k]!) }).loss
      return (along(h) - along(-h)) / (2 * h)
    }
    const [wide, narrow] = [slope(2e-4), slope(1e-4)]
    const expected = narrow + (narrow - wide) / 3
    const gradient = before.map((v, k) => v - after.get(name)![k]!)
    const actual = gradient.reduce((sum, g, k) => sum + g * direction[k]!, 0)
    const most = gradient.reduce((a, g) => Math.max(a, Math.abs(g)), 1e-3)
    const off = Math.abs(actual - expected) / Math.max(Math.abs(expected), most)
    if (!(off < tolerance)) {
      throw new Error(`d loss / d ${name}, along a direction, is ${actual}, should be ${expected}`)
    }
  }
}

/** Parameters away from 0 and 1, so that none hides. */
function scattered(state: State): State {
  let salt = 7
  for (const [name, values] of state.tensors) {
    if (!name.startsWith('f.')) continue
    values.set(varied(values.length, salt++).map((v) => Math.fround(0.3 + 0.7 * v)))
  }
  return state
}

export function closeTo(
  actual: ArrayLike<number>,
  expected: readonly number[],
  what: string,
): void {
  expect(actual.length, `elements of ${what}`).toBe(expected.length)
  expected.forEach((value, k) => {
    const off = Math.abs(actual[k]! - value) / Math.max(1, Math.abs(value))
    if (!(off < 1e-6)) throw new Error(`${what}: element ${k} is ${actual[k]}, should be ${value}`)
  })
}

/** An element of a packed tensor, 0 outside it. */
export function at(
  values: ArrayLike<number>,
  shape: readonly number[],
  ...position: readonly number[]
): number {
  let index = 0
  for (const [k, p] of position.entries()) {
    if (p < 0 || p >= shape[k]!) return 0
    index = index * shape[k]! + p
  }
  return values[index]!
}

/** Packs f of every position of a shape. */
export function fill(shape: readonly number[], f: (...position: number[]) => number): number[] {
  return Array.from({ length: volume(shape) }, (_, index) => {
    const position: number[] = []
    let rest = index
    for (let k = shape.length - 1; k >= 0; k--) {
      position.unshift(rest % shape[k]!)
      rest = Math.floor(rest / shape[k]!)
    }
    return f(...position)
  })
}

/** Σ f(i, …) over a box. */
export const sumOver = (shape: readonly number[], f: (...position: number[]) => number): number =>
  fill(shape, f).reduce((a, b) => a + b, 0)
