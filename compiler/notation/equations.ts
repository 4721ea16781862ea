/**
 * Steps of a program as lines of `.net` text, each equation with the place it came from. A loop over time is a `scan` with
 * the time on every left side:
 *
 *   scan t in 5 down {
 *     d_h[n: batch, t, j: 4] = d_y[n, t, j] + d_h_prev?[n, t + 1, j]
 *   }
 */
import { flatten, type Loop, type Step } from '../ir/recurrence.ts'
import type { Equation, Extent, Tensor } from '../ir/types.ts'
import { positionAt } from '../support/span.ts'
import type { Line } from './lines.ts'
import { extentText, indexText, scalarText, type TextContext, withIndices } from './scalar.ts'
import { takenForInts } from './types.ts'

export interface Names {
  readonly tensors: ReadonlyMap<string, Tensor>
  readonly name: (tensor: string) => string
}

/** Indices of a step have been tidied (indices.ts): those that are a loop's time have one name. */
export function stepLines(step: Step, names: Names, file: string): Line[] {
  if (step.kind === 'equation') {
    const { equation } = step
    const text = equationText(equation, names, undefined, false)
    return [{ text: `  ${text}`, comment: placeOf(equation, file) }]
  }
  const equations = flatten([step])
  const ints = takenForInts(equations, names.tensors)
  const time = timeName(step, equations)
  const head = `scan ${time} in ${extentText(step.extent)}${step.down ? ' down' : ''} {`
  return [
    { text: `  ${head}`, comment: '' },
    ...equations.map((eq) => {
      const text = equationText(eq, names, time, ints.has(eq.target))
      return { text: `    ${text}`, comment: placeOf(eq, file) }
    }),
    { text: '  }', comment: '' },
  ]
}

const timeName = (loop: Loop, [first]: readonly Equation[]): string =>
  loop.time.get(first?.target ?? '') ?? 't'

function equationText(
  eq: Equation,
  { tensors, name }: Names,
  time: string | undefined,
  explicit: boolean,
): string {
  const shape = (t: string): readonly Extent[] => tensors.get(t)?.shape ?? []
  const outside: TextContext = { name, shape, extents: new Map(), inferred: new Set(), explicit }
  const context = withIndices(outside, eq.outs, [eq.body, ...(eq.at ?? [])])
  const left = time === undefined ? context : { ...context, inferred: new Set([time]) }
  const isFloat = tensors.get(eq.target)?.dtype === 'f32'
  const body = scalarText(eq.body, context, 0, isFloat)
  return `${leftText(eq, name(eq.target), shape(eq.target), left)} ${body}`
}
function leftText(
  eq: Equation,
  target: string,
  shape: readonly Extent[],
  context: TextContext,
): string {
  if (eq.at) {
    const at = eq.at.map((p, k) => {
      const text = scalarText(p, context)
      const own = p.kind === 'index' ? context.extents.get(p.name) : undefined
      // `i: 9` would say how far i runs, not how long the dimension is.
      if (own && own.size !== shape[k]!.size) return `${text} + 0: ${extentText(shape[k]!)}`
      return p.kind === 'index' && context.inferred.has(p.name)
        ? text
        : `${text}: ${extentText(shape[k]!)}`
    })
    return `${target}[${at.join(', ')}] +=`
  }
  if (eq.outs.length === 0) return `${target} =`
  return `${target}[${eq.outs.map((i) => indexText(i, context)).join(', ')}] =`
}

/** `mnist.net:10  dense` */
function placeOf(eq: Equation, file: string): string {
  const { span, note } = eq.origin
  if (!span) return ''
  const path = span.source.file === '' ? file : span.source.file
  const base = path.slice(path.lastIndexOf('/') + 1)
  const { line } = positionAt(span.source, span.start)
  const callee = /\bin (\w+)/.exec(note)?.[1]
  return `${base}:${line}${callee === undefined ? '' : `  ${callee}`}`
}
