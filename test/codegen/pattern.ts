/**
 * Small programs from a few equations in the IR's text. In: equations, inputs, and what to differentiate by. Out: a
 * program with the predict entry `p`, or for a gradient the train entry `t`, whose loss Σ y·dy makes the gradient exactly
 * the backward products of y for the cotangent `dy`. Values for its inputs come from `valuesFor`.
 */
import { lower } from '../../compiler/compile.ts'
import { parseProgram } from '../../compiler/ir/parse.ts'
import type { Program, Tensor } from '../../compiler/ir/types.ts'
import { verify } from '../../compiler/ir/verify.ts'
import { seeded } from '../support/choose.ts'
import type { Inputs } from './module.ts'

export interface Small {
  /** Maxima of bounded dims. */
  readonly dims?: Readonly<Record<string, number>>
  /** `{ x: 'f32[3, 4]', ids: 'i32[5] range 7' }` */
  readonly inputs: Readonly<Record<string, string>>
  readonly params?: Readonly<Record<string, string>>
  /** `y[m: 3] = …` or, of another dtype, `i32 y[m: 3] = …`; a scatter needs its target in `targets`. */
  readonly equations: readonly string[]
  readonly targets?: Readonly<Record<string, string>>
  /** All equations' targets when left out. */
  readonly outputs?: readonly string[]
}

const cells = 'step step: i32[]\nseed seed: i32[]\n\nentry init init() {\n  stage {\n  }\n}\n'

const declare = (role: string, tensors: Readonly<Record<string, string>>): string[] =>
  Object.entries(tensors).map(([name, type]) => `${role} ${name}: ${type}`)

/** What the equations define, with types read off their indices. */
function targetsOf(small: Small): Record<string, string> {
  const targets: Record<string, string> = { ...small.targets }
  for (const equation of small.equations) {
    const match = /^(?:(f32|i32|bool) )?([\w.]+)\[([^\]]*)\] = /.exec(equation)
    if (!match) continue
    const extents = match[3]!
      .split(',')
      .map((part) => part.split(':')[1]?.trim())
      .filter((extent) => extent !== undefined)
    targets[match[2]!] ??= `${match[1] ?? 'f32'}[${extents.join(', ')}]`
  }
  return targets
}

function head(small: Small): string {
  const dims = Object.entries(small.dims ?? {}).map(([name, max]) => `dim ${name} <= ${max}`)
  return [`program "pattern.net"`, ...dims, ...declare('param', small.params ?? {}), cells].join(
    '\n',
  )
}

const bodies = (small: Small): string[] =>
  small.equations.map((equation) => `    ${equation.replace(/^(f32|i32|bool) (?=[\w.]+\[)/, '')}`)

export function forward(small: Small): Program {
  const targets = targetsOf(small)
  const outputs = (small.outputs ?? Object.keys(targets)).map((name) => `${name} = ${name}`)
  const text = [
    head(small),
    `entry predict p(${Object.keys(small.inputs).join(', ')}) -> ${outputs.join(', ')} {`,
    ...declare('  input', small.inputs),
    ...declare('  temp', targets),
    '  stage {',
    ...bodies(small),
    '  }\n}',
  ].join('\n')
  const program = parseProgram(text)
  verify(program, 'pattern')
  return program
}

/** The gradients of Σ y·dy by the parameters as outputs; `y` is the last equation's target. */
export function backward(small: Small): Program {
  const targets = targetsOf(small)
  const last = Object.keys(targets).at(-1)!
  const extents = /\[(.*)\]/
    .exec(targets[last]!)![1]!
    .split(', ')
    .filter((x) => x !== '')
  const over = extents.map((x, k) => `z${k}: ${x}`).join(', ')
  const at = extents.map((_, k) => `z${k}`).join(', ')
  const term = `${last}[${at}] * dy[${at}]`
  const params = Object.entries(small.params ?? {})
  const gradients = params.map(([name]) => `${name}: d_${name}`).join(', ')
  const outputs = params.map(([name]) => `d_${name} = d_${name}`).join(', ')
  const text = [
    head(small),
    `entry train t(${[...Object.keys(small.inputs), 'dy'].join(', ')}) -> ${outputs} {`,
    ...declare('  input', small.inputs),
    `  input dy: ${targets[last]}`,
    ...declare('  temp', targets),
    '  temp loss: f32[]',
    ...params.map(([name, type]) => `  gradient d_${name}: ${type}`),
    '  stage {',
    `    minimize loss {${gradients}}`,
    ...bodies(small),
    `    loss[] = ${over === '' ? term : `sum[${over}](${term})`}`,
    '  }\n}',
  ].join('\n')
  const program = parseProgram(text)
  verify(program, 'pattern')
  return lower(program, { verify: true })
}

/** Arbitrary f32 in [-1.5, 1.5], or in `span`; integers within their range, or -9 to 9; booleans. */
export function valuesFor(
  tensors: readonly Tensor[],
  seed: number,
  span: readonly [number, number] = [-1.5, 1.5],
): Inputs {
  const choose = seeded(seed)
  const value = (t: Tensor): number => {
    if (t.dtype === 'bool') return -choose.int(0, 1)
    if (t.dtype === 'i32')
      return t.range === undefined ? choose.int(-9, 9) : choose.int(0, t.range - 1)
    return Math.fround(span[0] + (span[1] - span[0]) * (choose.int(0, 2 ** 24) / 2 ** 24))
  }
  return Object.fromEntries(
    tensors.map((t) => {
      const length = t.shape.reduce((n, x) => n * x.size, 1)
      return [t.name, Float64Array.from({ length }, () => value(t))]
    }),
  )
}

/** Values for the inputs of an entry and for the parameters. */
export function valuesOf(
  program: Program,
  entry: string,
  seed: number,
  span?: readonly [number, number],
) {
  const own = program.entries.find((e) => e.name === entry)!.tensors
  const inputs = valuesFor(
    own.filter((t) => t.role === 'input'),
    seed,
    span,
  )
  const params = valuesFor(
    program.tensors.filter((t) => t.role === 'param'),
    seed + 1,
    span,
  )
  return { inputs, params }
}

/** The sizes that every pattern meets: around multiples of the vector width and of the tiles, and a large prime. */
export const sizes = [1, 3, 4, 5, 7, 8, 31, 33] as const
