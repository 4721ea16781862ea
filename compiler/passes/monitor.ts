/**
 * What `netc train --monitor` looks at, as further outputs of every train entry. Not a pass of the pipeline but of a single
 * compilation: it runs before differentiation, as equations over tensors that only that will define.
 *
 *   monitor.weight.P, monitor.gradient.P, monitor.update.P   for each parameter P: the sum of the squares of its elements
 *       before the step, of its gradient before any `with`, and of what the step adds to it
 *   monitor.dead.A       for a value A = max(…, 0): the share of its units (places along the last dim) that are 0 in all rows
 *   monitor.saturated.A  for tanh and sigmoid: the share of elements within 0.01 of their bounds
 *
 * All are single numbers, which the training loop averages over the rows of an epoch like any metric.
 */
import {
  add,
  binary,
  cast,
  constant,
  div,
  index,
  mul,
  read,
  reduce,
  select,
  sub,
  unary,
} from '../ir/build.ts'
import type { Entry, Equation, Index, Program, Scalar, Stage, Tensor } from '../ir/types.ts'

export function monitor(program: Program): Program {
  const persistent = new Map(program.tensors.map((t) => [t.name, t]))
  const entries = program.entries.map((e) => (e.kind === 'train' ? watched(e, persistent) : e))
  return { ...program, entries }
}

function watched(entry: Entry, persistent: ReadonlyMap<string, Tensor>): Entry {
  const outputs = [...entry.outputs]
  const tensors = [...entry.tensors]
  const local = new Map(entry.tensors.map((t) => [t.name, t]))
  const seen = new Set<string>()
  const stages = entry.stages.map((stage): Stage => {
    const more: Equation[] = []
    const emit: Emit = (name, outs, body, like) => {
      const { span } = like.origin
      const shape = outs.map((i) => i.extent)
      const unset = { initial: undefined, range: undefined }
      const tensor: Tensor = { name, dtype: 'f32', shape, role: 'temp', span, ...unset }
      tensors.push(tensor)
      if (outs.length === 0) outputs.push({ name, tensor: name })
      more.push({ target: name, outs, at: undefined, body, origin: { span, note: 'monitor' } })
      return tensor
    }
    for (const { param: target, gradient } of stage.objective?.gradients ?? []) {
      const param = persistent.get(target)
      const value = stage.updates.find((u) => u.target === target)?.value ?? ''
      const made = stage.equations.find((eq) => eq.target === value)
      if (param === undefined || made === undefined || seen.has(target)) continue
      seen.add(target)
      const next = local.get(value)!
      const parts: readonly (readonly [string, (at: readonly Scalar[]) => Scalar])[] = [
        ['weight', (at) => read(param, at)],
        ['gradient', (at) => read({ name: gradient, dtype: 'f32' }, at)],
        ['update', (at) => sub(read(next, at), read(param, at))],
      ]
      for (const [what, of] of parts) {
        emit(
          `monitor.${what}.${target}`,
          [],
          sumOver(param, (at) => square(of(at))),
          made,
        )
      }
    }
    if (stage.objective === undefined) return stage
    for (const eq of stage.equations) activation(eq, local.get(eq.target)!, emit)
    return { ...stage, equations: [...stage.equations, ...more] }
  })
  return { ...entry, outputs, tensors, stages }
}

const square = (x: Scalar): Scalar => mul(x, x)

const indices = ({ shape }: Tensor): Index[] =>
  shape.map((extent, k) => ({ name: `i${k + 1}`, extent }))

function sumOver(tensor: Tensor, body: (at: readonly Scalar[]) => Scalar): Scalar {
  const over = indices(tensor)
  return reduce('sum', over, body(over.map(index)))
}

/** How many elements the indices run over, the actual count of a bounded dim. */
const countOf = (all: readonly Index[]): Scalar =>
  all
    .map(({ extent }) =>
      extent.bound === undefined
        ? constant(extent.size)
        : cast('f32', { kind: 'count', dim: extent.bound }),
    )
    .reduce(mul, constant(1))

type Emit = (name: string, outs: readonly Index[], body: Scalar, like: Equation) => Tensor

const isZero = (e: Scalar): boolean => e.kind === 'const' && e.value === 0

/** Adds what tells of an activation's health, where the equation is one over a batch. */
function activation(eq: Equation, tensor: Tensor, emit: Emit): void {
  const { body } = eq
  const all = indices(tensor)
  const units = all.at(-1)
  const isBatch = all.length > 1 && all.slice(0, -1).some((i) => i.extent.bound !== undefined)
  if (eq.at !== undefined || !isBatch || units === undefined || tensor.dtype !== 'f32') return
  const value = read(tensor, all.map(index))
  const yes = (test: Scalar): Scalar => select(test, constant(1), constant(0))
  if (body.kind === 'binary' && body.op === 'max' && (isZero(body.left) || isZero(body.right))) {
    const most = emit(
      `monitor.most.${eq.target}`,
      [units],
      reduce('max', all.slice(0, -1), value),
      eq,
    )
    const dead = yes(binary('le', read(most, [index(units)]), constant(0)))
    const share = div(reduce('sum', [units], dead), constant(units.extent.size))
    emit(`monitor.dead.${eq.target}`, [], share, eq)
    return
  }
  if (body.kind !== 'unary' || (body.op !== 'tanh' && body.op !== 'sigmoid')) return
  // In [-1, 1] for both.
  const centred = body.op === 'tanh' ? value : add(mul(value, constant(2)), constant(-1))
  const near = body.op === 'tanh' ? 0.99 : 0.98
  const full = yes(binary('gt', unary('abs', centred), constant(near)))
  emit(`monitor.saturated.${eq.target}`, [], div(reduce('sum', all, full), countOf(all)), eq)
}
