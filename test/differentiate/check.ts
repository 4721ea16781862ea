/**
 * Gradients against central differences. In: a training program as a few lines of IR text (declarations of
 * parameters, inputs and dims, then equations, the last of which defines `loss`). Out: the differentiated program,
 * after its gradients agreed with Richardson-refined central differences of the loss in double precision.
 */
import { expect } from 'vitest'
import { differentiate } from '../../compiler/differentiate/index.ts'
import { createState, run, type State } from '../../compiler/ir/evaluate.ts'
import { parseProgram } from '../../compiler/ir/parse.ts'
import { printProgram } from '../../compiler/ir/print.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { verify } from '../../compiler/ir/verify.ts'
import type { Pass } from '../../compiler/passes/pass.ts'

/** Adds what the text leaves out: tensors of the equations, gradients, the entry around. */
export function trainingProgram(text: string): Program {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  const starting = (pattern: RegExp): string[] => lines.filter((line) => pattern.test(line))
  const persistent = starting(/^(param|state) /)
  const inputs = starting(/^input /)
  const dims = starting(/^dim /)
  const extra = starting(/^(rule|give|cotangent|temp|\})/)
  const equations = lines.filter(
    (line) => ![...persistent, ...inputs, ...dims, ...extra].includes(line),
  )
  const temps: string[] = []
  const body: string[] = []
  for (const whole of equations) {
    // `y[i: 3] = … checkpoint "1"`: the target is of this checkpoint.
    const again = / checkpoint "[\d/]+"$/.exec(whole)?.[0] ?? ''
    const line = whole.slice(0, whole.length - again.length)
    // `y: i32[…] = …` declares another type than f32, `y: [shape] scatter …` the shape of a scatter's target.
    const typed = /^(\w+): (i32|bool)(\[.*)$/.exec(line)
    const scattered = /^(\w+): (\[[^\]]*\]) (scatter .*)$/.exec(line)
    if (scattered) {
      temps.push(`temp ${scattered[1]}: f32${scattered[2]}${again}`)
      body.push(scattered[3]!)
      continue
    }
    const equation = typed ? `${typed[1]}${typed[3]}` : line
    body.push(equation)
    const header = /^(\w+)\[([^\]]*)\]/.exec(equation)
    if (!header || line.startsWith('  ')) continue
    const extents = header[2]!.split(',').map((part) => part.split(':')[1]?.trim() ?? '')
    const shape = extents.filter(Boolean).join(', ')
    temps.push(`temp ${header[1]}: ${typed?.[2] ?? 'f32'}[${shape}]${again}`)
  }
  const params = persistent.flatMap((line) => /^param (\w+): f32(\[.*\])/.exec(line) ?? [])
  const pairs: [string, string][] = []
  for (let k = 0; k < params.length; k += 3) pairs.push([params[k + 1]!, params[k + 2]!])
  const names = inputs.map((line) => /^input (\w+)/.exec(line)![1]!)
  const outputs = pairs.map(([name]) => `g_${name} = d_${name}`)
  return parseProgram(
    [
      'program "case"',
      ...dims,
      ...persistent,
      `entry train t(${names.join(', ')}) -> ${['loss = loss', ...outputs].join(', ')} {`,
      ...inputs,
      ...temps,
      ...pairs.map(([name, shape]) => `gradient d_${name}: f32${shape}`),
      'stage {',
      `minimize loss {${pairs.map(([name]) => `${name}: d_${name}`).join(', ')}}`,
      ...body,
      ...extra,
      '}',
      '}',
      '',
    ].join('\n'),
  )
}

export interface CheckOptions {
  readonly inputs?: Readonly<Record<string, ArrayLike<number>>>
  readonly counts?: Readonly<Record<string, number>>
  /** Values of the parameters lie in this range. */
  readonly range?: readonly [number, number]
  readonly passes?: readonly Pass[]
  readonly seed?: number
}

/** A small generator, so that cases do not depend on a global one. */
export function randoms(seed: number): () => number {
  let state = seed * 2654435761 + 1
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 374761393) | 0
    const mixed = Math.imul(state ^ (state >>> 13), 3266489917)
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32
  }
}

function fill(program: Program, options: CheckOptions): State {
  const state = createState(program)
  const [low, high] = options.range ?? [-1.5, 1.5]
  const next = randoms(options.seed ?? 7)
  for (const t of program.tensors) {
    const values = state.tensors.get(t.name)!
    if (t.dtype === 'f32')
      for (let k = 0; k < values.length; k++) values[k] = low + (high - low) * next()
  }
  return state
}

function copyOf(state: State): State {
  return { tensors: new Map([...state.tensors].map(([name, v]) => [name, v.slice()])) }
}

export function checkGradients(text: string, options: CheckOptions = {}): Program {
  const program = trainingProgram(text)
  verify(program, 'parse')
  let after = program
  for (const pass of [differentiate, ...(options.passes ?? [])]) {
    after = pass.run(after)
    verify(after, pass.name)
  }
  compareWithDifferences(program, after, options)
  return after
}

function compareWithDifferences(program: Program, after: Program, options: CheckOptions): void {
  const state = fill(program, options)
  const inputs: Record<string, ArrayLike<number>> = { ...options.inputs }
  const next = randoms(11)
  const entry = program.entries[0]!
  for (const name of entry.inputs) {
    const t = entry.tensors.find((x) => x.name === name)!
    inputs[name] ??= Array.from({ length: t.shape.reduce((n, x) => n * x.size, 1) }, () =>
      t.dtype === 'f32' ? next() * 2 - 1 : Math.floor(next() * (t.range ?? 2)),
    )
  }
  const runOptions = { inputs, ...(options.counts ? { counts: options.counts } : {}), seed: 3 }
  const lossAt = (s: State): number => run(program, 't', copyOf(s), runOptions).outputs.loss![0]!
  const { outputs } = run(after, 't', copyOf(state), runOptions)
  expect(outputs.loss![0]).toBeCloseTo(lossAt(state), 10)
  for (const [name, values] of state.tensors) {
    const gradient = outputs[`g_${name}`]
    if (!gradient) continue
    for (let k = 0; k < values.length; k++) {
      const slope = (h: number): number => {
        const moved = copyOf(state)
        moved.tensors.get(name)![k] = values[k]! + h
        const up = lossAt(moved)
        moved.tensors.get(name)![k] = values[k]! - h
        return (up - lossAt(moved)) / (2 * h)
      }
      const h = 1e-3 * Math.max(1, Math.abs(values[k]!))
      // Two levels of Richardson extrapolation: the error falls as h^6.
      const [a, b, c] = [slope(h), slope(h / 2), slope(h / 4)]
      const [ab, bc] = [(4 * b - a) / 3, (4 * c - b) / 3]
      const expected = (16 * bc - ab) / 15
      const error = Math.abs(gradient[k]! - expected) / Math.max(1, Math.abs(expected))
      if (!(error < 1e-6)) {
        throw new Error(
          `d_${name}[${k}] is ${gradient[k]}, central differences give ${expected}\n${printProgram(after)}`,
        )
      }
    }
  }
}

/** The equations of the differentiated entry as text, without origins. */
export function equationsOf(program: Program): string[] {
  return printProgram(program)
    .split('\n')
    .filter((line) => /^ {4}\S.* (\+)?= /.test(line))
    .map((line) => line.trim().replace(/ @.*$| -- ".*$/g, ''))
}
