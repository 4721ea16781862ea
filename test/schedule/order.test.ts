/** The order of a step's kernels: an update follows what it waits for, so that gradients do not pile up in memory. */
import { expect, test } from 'vitest'
import { compile, lower } from '../../compiler/compile.ts'
import { schedule } from '../../compiler/generate.ts'
import { kernelsOf } from '../../compiler/schedule/kernels.ts'

/** Layers of equal width, trained with Adam, whose step size depends on the step. */
const deep = (layers: number): string => `dim batch <= 16
net f(x: [batch, 32]) -> [batch, 32] {
  h = x
  for l in 0..${layers} { h = h |> dense(32) |> tanh }
  h
}
train t(x: [batch, 32], y: [batch, 32]) { minimize mse(f(x), y) using adam(0.01) }`

test('weights are updated while the backward pass goes on', () => {
  const { program } = compile(deep(6), { targets: [] })
  const { entries } = schedule(lower(program!), { fuse: true })
  const entry = entries.find((e) => e.entry.kind === 'train')!
  const made = entry.stages
    .flatMap((s) => s.steps.flatMap(kernelsOf))
    .map((k) => k.equations.map((e) => e.target))
  const at = (pattern: RegExp): number[] =>
    made.flatMap((targets, k) => (targets.some((t) => pattern.test(t)) ? [k] : []))
  const updates = at(/dense_\d+\.W\.p_next$/)
  const backward = at(/^d_.*\.dense_\d+$/)
  expect(updates).toHaveLength(6)
  expect(backward).toHaveLength(6)
  // The weights of a layer are wanted for the gradient of the one below, and changed before that of the next is made.
  updates.forEach((update, layer) => {
    if (layer < 4) expect(update).toBeLessThan(backward[layer + 2]!)
  })
})
