/**
 * Optimizers as compiled code beside the evaluator, several steps of each, over parameters of rank 0 to 4 at sizes with
 * tails: matrix products of Muon, groups and accumulation among them.
 *
 * Tolerance: 2 · 10⁻⁵ of the largest element; before every step the evaluator takes over the module's state, for an
 * optimizer that divides a gradient by its size, or takes its sign, has no bound on how errors grow over steps.
 */
import { test } from 'vitest'
import { programOf } from '../support/program.ts'
import { Instance } from './module.ts'

const model = (using: string): string => `
dim batch <= 6
net f(x: [batch, 7]) -> [batch, 3] {
  param scale: [] = 1.5
  param mix: [2, 3, 1, 5] = normal(0, 0.3)
  h = x |> dense(13) |> tanh |> dense(5) |> tanh
  wide[n, o] = scale * sum[i, j, k](h[n, k] * mix[i, j, 0, k]) + h[n, o]
  wide |> dense(3)
}
train t(x: [batch, 7], y: [batch, 3]) {
  minimize mse(f(x), y)
  ${using}
}`

const clauses = [
  'using muon(0.05, decay = 0.1) with clip_norm(0.5) every 2',
  'using adamw(0.01, decay = 0.1)\n  using muon(0.05) for "*dense*.W"\n  using lion(1e-3) for "*.b"',
  'using nadam(one_cycle(0.01, 10)) every 3',
  'using adadelta',
  'using amsgrad(linear(0.01, 8, warm = 2))\n  using adamax(exponential(0.01, 5)) for "f.*"',
]

for (const using of clauses) {
  for (const target of ['simd', 'relaxed'] as const) {
    test(`${target}: ${using.replaceAll('\n ', ';')}`, () => {
      const instance = new Instance(programOf(model(using)), { target, fuse: true })
      instance.init(5)
      for (let step = 1; step <= 4; step++) {
        const rows = [6, 5, 1, 3][step - 1]!
        const x = Float64Array.from({ length: rows * 7 }, (_, k) => Math.sin(3 * k + step))
        const y = Float64Array.from({ length: rows * 3 }, (_, k) => Math.cos(5 * k + step))
        instance.follow()
        instance.state.tensors.get('step')![0] = step - 1
        instance.compare(
          't',
          { x, y },
          { batch: rows },
          { ulps: 2e-5 * 2 ** 24, scale: 'tensor', least: 0.05 },
        )
      }
    })
  }
}
