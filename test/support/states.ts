/**
 * Random programs with running state. In: a random program. Out: the same, where one parameter has become a state that
 * each stage of its predict and train entries gives a next value: at any place among the equations that read the old
 * value at any positions, read again afterwards. So that what is written in place is written neither too early nor over
 * something that is still wanted.
 */
import { add, constant, index, mul, read } from '../../compiler/ir/build.ts'
import type { Entry, Equation, Index, Program, Stage, Tensor } from '../../compiler/ir/types.ts'
import { type Choose, oneIn, pick, seeded } from './choose.ts'

/** Undefined where no parameter can be spared. */
export function withState(program: Program, seed: number): Program | undefined {
  const choose = seeded(seed ^ 0x2545f491)
  const params = program.tensors.filter((t) => t.role === 'param')
  if (params.length < 2) return undefined
  const state: Tensor = { ...pick(choose, params), role: 'state' }
  return {
    ...program,
    tensors: program.tensors.map((t) => (t.name === state.name ? state : t)),
    entries: program.entries.map((e) => (e.kind === 'init' ? e : withUpdates(e, state, choose))),
  }
}

function withUpdates(before: Entry, state: Tensor, choose: Choose): Entry {
  const entry = before.kind === 'train' ? withoutTraining(before, state.name) : before
  const added: Tensor[] = []
  const outputs = [...entry.outputs]
  const stages = entry.stages.map((stage, k): Stage => {
    const next: Tensor = { ...state, role: 'temp', name: `${state.name}_state${k}` }
    const copy: Tensor = { ...state, role: 'temp', name: `${state.name}_copy${k}` }
    added.push(next, copy)
    const at = choose.int(0, stage.equations.length)
    const equations = [...stage.equations]
    equations.push(over(copy, (i) => mul(read(next, i), constant(2))))
    equations.splice(
      at,
      0,
      over(next, (i) => add(mul(read(state, i), constant(0.5)), constant(0.125))),
    )
    outputs.push({ name: copy.name, tensor: copy.name })
    if (oneIn(choose, 2)) outputs.push({ name: next.name, tensor: next.name })
    return {
      ...stage,
      equations,
      updates: [...stage.updates, { target: state.name, value: next.name }],
    }
  })
  return { ...entry, outputs, tensors: [...entry.tensors, ...added], stages }
}

function over(
  target: Tensor,
  body: (at: ReturnType<typeof index>[]) => Equation['body'],
): Equation {
  const outs = target.shape.map((extent, d): Index => ({ name: `j${d}`, extent }))
  const at = outs.map((i) => index(i))
  const origin = { span: undefined, note: '' }
  return { target: target.name, outs, at: undefined, body: body(at), origin }
}

/** The train entry, the tensor no longer being trained. */
function withoutTraining(entry: Entry, name: string): Entry {
  const gone = new Set<string>()
  for (const { updates, objective } of entry.stages) {
    for (const u of updates) if (u.target === name) gone.add(u.value)
    for (const g of objective?.gradients ?? []) if (g.param === name) gone.add(g.gradient)
  }
  return {
    ...entry,
    tensors: entry.tensors.filter((t) => !gone.has(t.name)),
    stages: entry.stages.map((stage) => ({
      ...stage,
      equations: stage.equations.filter((eq) => !gone.has(eq.target)),
      updates: stage.updates.filter((u) => u.target !== name),
      objective: stage.objective && {
        ...stage.objective,
        gradients: stage.objective.gradients.filter((g) => g.param !== name),
      },
    })),
  }
}
