// Entries of kind combine and the totals of train blocks, as text.
import { expect, test } from 'vitest'
import { analyze, lower } from '../../compiler/compile.ts'
import { parseProgram } from '../../compiler/ir/parse.ts'
import { printProgram } from '../../compiler/ir/print.ts'

const text = `
dim batch <= 4
net f(x: [batch, 3]) -> [batch, 2] { x |> dense(2) }
train t(x: [batch, 3], label: int[batch]) {
  logits = f(x)
  minimize cross_entropy(logits, label)
  using sgd
  report accuracy(logits, label), confusion(logits, label), f1_score(logits, label)
}`

test('a program with totals prints and parses', () => {
  const { program } = analyze(text)
  for (const after of ['elaborate', 'differentiate', 'dce']) {
    const lowered = lower(program!, { after, verify: true })
    const printed = printProgram(lowered)
    expect(printed).toContain('combine t_combine(total.1, total.2) -> confusion')
    const combine = printed.slice(printed.indexOf('combine t_combine'))
    expect(combine).not.toMatch(/dense_1|logits|label/)
    expect(printProgram(parseProgram(printed))).toBe(printed)
  }
})
