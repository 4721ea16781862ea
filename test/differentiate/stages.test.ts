/** Rules by hand, several steps, and where the backward pass stands in a stage. */
import { describe, expect, test } from 'vitest'
import { analyze, lower } from '../../compiler/compile.ts'
import { differentiate } from '../../compiler/differentiate/index.ts'
import { createState, run } from '../../compiler/ir/evaluate.ts'
import { parseProgram } from '../../compiler/ir/parse.ts'
import { printProgram } from '../../compiler/ir/print.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { verify } from '../../compiler/ir/verify.ts'
import { renderAll } from '../../compiler/support/render.ts'

function programOf(text: string): Program {
  const { program, diagnostics } = analyze(text)
  if (!program) throw new Error(renderAll(diagnostics))
  return program
}

/** One step of plain gradient descent at rate 1 from w = (1, 2) and x = (1, 1): what w moves by is its gradient. */
function gradientOfW(text: string): number[] {
  const program = lower(programOf(text), { verify: true })
  const state = createState(program)
  const w = program.tensors.find((t) => t.role === 'param')!.name
  state.tensors.get(w)!.set([1, 2])
  run(program, 't', state, { inputs: { x: [1, 1] }, seed: 1 })
  return [1, 2].map((before, k) => before - state.tensors.get(w)![k]!)
}

const net = (definitions: string, value: string): string => `
${definitions}
layer weights(x: [N]) -> [N] {
  param w: [N] = 1
  y[i] = ${value} * x[i]
}
net f(x: [2]) -> [2] { weights(x) }
train t(x: [2]) {
  minimize sum(f(x))
  using sgd(lr = 1)
}`

describe('rules', () => {
  test('a derivative by hand is taken at its word', () => {
    const text = net('fn g(x) = x * x\nrule g(x) vjp(dy) = 3 * dy', 'g(w[i])')
    expect(gradientOfW(text)).toEqual([3, 3])
    expect(gradientOfW(text.replace(/rule.*\n/, '\n'))).toEqual([2, 4])
  })
  test('it may use the argument, and the chain goes on behind it', () => {
    const text = net('fn g(x) = x * x\nrule g(x) vjp(dy) = 10 * x * dy', 'g(3 * w[i])')
    expect(gradientOfW(text)).toEqual([90, 180])
  })
  test('a function of two arguments called twice', () => {
    const text = net(
      'fn g(x, y) = x * y\nrule g(x, y) vjp(dz) = (dz * 5, dz * 7)',
      'g(w[i], g(w[i], 2 * w[i]))',
    )
    expect(gradientOfW(text)).toEqual([5 + 7 * (5 + 14), 5 + 7 * (5 + 14)])
  })
})

const stages = (first: string, update: string): string => `program "stages"
param w: f32[2]
entry train t(x) -> loss = loss {
  input x: f32[2]
  temp h: f32[2]
  temp loss: f32[]
  temp next: f32[2]
  temp after: f32[2]
  gradient d_w: f32[2]
  stage {
    ${first}
    after[i: 2] = x[i]
    ${update}
  }
  stage {
    minimize loss {w: d_w}
    next[i: 2] = w[i] - d_w[i]
    loss[] = sum[i: 2](h[i] * x[i])
    update w := next
  }
}
`

describe('stages', () => {
  test('what an earlier stage computed is differentiated through', () => {
    const program = differentiate.run(parseProgram(stages('h[i: 2] = w[i] * w[i]', '')))
    verify(program, 'differentiate')
    const state = createState(program)
    state.tensors.get('w')!.set([1, 2])
    run(program, 't', state, { inputs: { x: [1, 10] } })
    expect([...state.tensors.get('w')!]).toEqual([1 - 2, 2 - 40])
  })
  test('the backward pass stands before what reads gradients and after the loss', () => {
    const program = differentiate.run(parseProgram(stages('h[i: 2] = w[i] * w[i]', '')))
    const targets = program.entries[0]!.stages[1]!.equations.map((eq) => eq.target)
    expect(targets[0]).toBe('loss')
    expect(targets.indexOf('next')).toBeGreaterThan(targets.indexOf('d_w'))
  })
  test('a parameter that changed in between is refused, not mistaken', () => {
    const program = parseProgram(stages('h[i: 2] = w[i] * w[i]', 'update w := after'))
    expect(() => differentiate.run(program)).toThrow('changes before the backward pass')
  })
  test('objectives, rules and stopgrad are consumed', () => {
    const text = net('fn g(x) = x\nrule g(x) vjp(dy) = dy', 'stopgrad(2 * g(w[i])) * w[i]')
    const printed = printProgram(differentiate.run(programOf(text)))
    expect(printed).not.toMatch(/minimize|rule g|stopgrad/)
  })
})
