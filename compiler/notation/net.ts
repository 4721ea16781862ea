/**
 * The gradient as a `.net` program: `netc grad`. In: a program as the elaborator gives it and a train block. Out: text
 * with one `predict` per objective that computes the loss and the gradient of every parameter from inputs and
 * parameters, equation by equation, each with the source line it came from. The text parses, elaborates and computes
 * the same numbers.
 *
 *   d_dense_1_W[i, o] = sum[n](x[n, i] * d_dense_1[n, o])      // mnist.net:10  dense
 */

import { flatten, order, type Step } from '../ir/recurrence.ts'
import { boundIndices, visit } from '../ir/traverse.ts'
import type { Entry, Equation, Objective, Program, Tensor } from '../ir/types.ts'
import { InternalError } from '../support/diagnostic.ts'
import { stepLines } from './equations.ts'
import { tidyStep } from './indices.ts'
import { type Line, section } from './lines.ts'
import { shortNames } from './names.ts'
import { gradientProgram } from './readable.ts'
import { extentText } from './scalar.ts'

export interface GradientOptions {
  /** Name of a loss where a block has several; all when undefined. */
  readonly of?: string | undefined
  /** Parameters, in full or by the end of their path (`dense_1.W`); all when undefined. */
  readonly wrt?: readonly string[] | undefined
}

/** What can be asked for in a train block. */
export interface GradientTargets {
  readonly losses: readonly string[]
  readonly params: readonly string[]
}

interface Goal {
  readonly loss: string
  readonly stage: number
  readonly objective: Objective
}

export function gradientTargets(program: Program, train: string): GradientTargets | undefined {
  const entry = trainEntry(program, train)
  if (!entry) return undefined
  const goals = goalsOf(entry)
  const params = goals.flatMap((g) => g.objective.gradients.map((x) => x.param))
  return { losses: goals.map((g) => g.loss), params: [...new Set(params)] }
}

export function gradientText(program: Program, train: string, options: GradientOptions): string {
  const entry = trainEntry(program, train)
  if (!entry) throw new InternalError(`no train block ${train}`)
  const goals = goalsOf(entry).filter((g) => options.of === undefined || g.loss === options.of)
  if (goals.length === 0) throw new InternalError(`${train} has no loss ${options.of ?? ''}`)
  const dims = program.dims.map((d) => `dim ${d.name} <= ${d.max}`)
  const blocks = goals.map((goal, k) => {
    const objective = restrict(goal.objective, options.wrt)
    const name = `${train}_gradient${k === 0 ? '' : `_${k + 1}`}`
    return blockText(gradientProgram(program, entry, goal.stage, objective), objective, name)
  })
  const title = `// The gradient of \`${train}\`, ${program.file}`
  return `${[[title, ...dims].join('\n'), ...blocks].join('\n\n')}\n`
}

const trainEntry = (program: Program, name: string): Entry | undefined =>
  program.entries.find((e) => e.kind === 'train' && e.name === name)

/** Losses by the names that callers of the entry see. */
function goalsOf(entry: Entry): Goal[] {
  return entry.stages.flatMap((s, stage) => {
    if (!s.objective) return []
    const { loss } = s.objective
    const shown = entry.outputs.find((o) => o.tensor === loss)?.name ?? loss
    return [{ loss: shown, stage, objective: s.objective }]
  })
}

function restrict(objective: Objective, wrt: readonly string[] | undefined): Objective {
  if (wrt === undefined) return objective
  const gradients = objective.gradients.filter((g) =>
    wrt.some((name) => g.param === name || g.param.endsWith(`.${name}`)),
  )
  return { ...objective, gradients }
}

function blockText(program: Program, objective: Objective, name: string): string {
  const entry = program.entries[0]!
  const steps = order(entry.stages.flatMap((s) => s.equations)).map(tidyStep)
  const equations = flatten(steps)
  const tensors = new Map([...program.tensors, ...entry.tensors].map((t) => [t.name, t]))
  const gradients = objective.gradients.map((g) => g.gradient)
  const read = tensorsRead(equations)
  const inputs = [...entry.tensors, ...program.tensors].filter(
    (t) => read.has(t.name) && isGiven(t),
  )
  const indices = equations.flatMap((eq) => [...eq.outs, ...boundIndices(eq.body)])
  const avoid = new Set([...indices.map((i) => i.name), ...program.dims.map((d) => d.name), name])
  const stored = [...inputs.map((t) => t.name), ...equations.map((eq) => eq.target)]
  const params = new Set(inputs.filter((t) => t.role === 'param').map((t) => t.name))
  const names = shortNames(stored, avoid, params)
  const scope = { tensors, name: (t: string): string => (t === 'step' ? 'step' : names.get(t)!) }
  const linesOf = (some: readonly Step[]): Line[] =>
    some.flatMap((step) => stepLines(step, scope, program.file))
  const start = steps.findIndex((step) => flatten([step]).some(isBackward))
  const split = start < 0 ? steps.length : start
  const results = [objective.loss, ...gradients].map(scope.name)
  return [
    `predict ${name}(${inputsText(inputs, scope.name)}) {`,
    '  // forward',
    ...section(linesOf(steps.slice(0, split))),
    '',
    '  // backward',
    ...section(linesOf(steps.slice(split))),
    '',
    resultText(results),
    '}',
  ].join('\n')
}

/** `step` has a word of its own in the language. */
const isGiven = (t: Tensor): boolean =>
  t.role !== 'temp' && t.role !== 'gradient' && t.role !== 'step'

const isBackward = (eq: Equation): boolean =>
  /^(adjoint of|arg\w+ for the adjoint|rule of|no use)/.test(eq.origin.note)

function tensorsRead(equations: readonly Equation[]): Set<string> {
  const found = new Set<string>()
  for (const eq of equations) {
    for (const e of [eq.body, ...(eq.at ?? [])]) {
      visit(e, (node) => {
        if (node.kind === 'read') found.add(node.tensor)
      })
    }
  }
  return found
}

function inputsText(inputs: readonly Tensor[], name: (t: string) => string): string {
  const parts = inputs.map((t) => {
    const dims = `[${t.shape.map(extentText).join(', ')}]`
    const dtype = t.dtype === 'f32' ? '' : t.dtype === 'i32' ? 'int' : 'bool'
    return `${name(t.name)}: ${dtype}${dims}`
  })
  const line = parts.join(', ')
  return line.length <= 72 ? line : `\n${parts.map((p) => `  ${p},`).join('\n')}\n`
}

function resultText(names: readonly string[]): string {
  if (names.length === 1) return `  ${names[0]}`
  const line = `  (${names.join(', ')})`
  return line.length <= 100 ? line : `  (\n${names.map((n) => `    ${n},`).join('\n')}\n  )`
}
