/**
 * Rows that are gone over several times (softmax, log-softmax, cross-entropy, layer norm), whole training steps with
 * every optimizer, several stages and parameter sets: `.net` text through the whole compiler, each build beside the
 * evaluator. Parameters of the two sides are made equal before every step.
 *
 * Tolerance: 24 units of the largest element of each tensor, for chains of a few roundings each; optimizers that divide
 * by the root of a gradient's square amplify, and have 4096 units (2⁻¹²) at their first steps.
 */
import { describe, expect, test } from 'vitest'
import { programOf } from '../support/program.ts'
import { builds, Instance, type Tolerance } from './module.ts'
import { sizes, valuesOf } from './pattern.ts'

const chain: Tolerance = { ulps: 24, scale: 'tensor' }

/** Runs every entry but the evaluation of a train block, `steps` times each. */
function check(text: string, tolerance: Tolerance, rows: readonly number[], steps = 1): void {
  const program = programOf(text)
  for (const build of builds) {
    const instance = new Instance(program, build, text.split('\n')[0])
    instance.init(5)
    for (const spec of instance.manifest.entries) {
      for (let step = 0; step < steps; step++) {
        for (const batch of rows) {
          const { inputs } = valuesOf(program, spec.name, 17 * step + batch)
          const counts = Object.fromEntries(
            program.dims.map((d) => [d.name, Math.min(batch, d.max)]),
          )
          instance.follow()
          instance.compare(spec.name, inputs, counts, tolerance)
        }
      }
    }
  }
}

const layerNorm = `
fn norm(x: [.., S]) -> [.., S] {
  m[..] = mean[s](x[.., s])
  v[..] = mean[s]((x[.., s] - m[..]) * (x[.., s] - m[..]))
  (x[.., s] - m[..]) / sqrt(v[..] + 1e-5)
}`

describe.each([...sizes, 257])('rows of %i', (size) => {
  test.each([
    'softmax(x)',
    'log_softmax(x)',
    'norm(x)',
    'softmax(x) * log_softmax(x)',
    'gelu(x) + silu(x)',
  ])('%s', (body) => {
    check(
      `// ${body}\ndim batch <= 5\n${layerNorm}\npredict p(x: [batch, ${size}]) { y = ${body} }`,
      chain,
      [5, 1],
    )
  })
  test('cross-entropy and its gradient', () => {
    check(
      `// cross-entropy
dim batch <= 5
net f(x: [batch, 7]) -> [batch, ${size}] { x |> dense(${size}) }
train t(x: [batch, 7], label: int[batch]) {
  y = f(x)
  minimize cross_entropy(y, label) using sgd(lr = 1)
  report accuracy(y, label)
}`,
      chain,
      [5, 2],
      2,
    )
  })
})

const step = (minimize: string, layers: string): string => `// ${minimize}
dim batch <= 7
${layerNorm}
net f(x: [batch, 5]) -> [batch, 3] { x |> ${layers} }
train t(x: [batch, 5], y: [batch, 3]) {
  p = f(x)
  ${minimize}
}
predict p(x: [batch, 5]) { q = f(x) }`

describe('training steps', () => {
  test.each([
    'mse(p, y)',
    'mae(p, y)',
    'huber(p, y)',
    'bce(p, sigmoid(y))',
    'hinge(p, y)',
    'mse(p, y) + 0.01 * l2(f) + 0.001 * l1(f)',
  ])('minimize %s', (loss) => {
    check(
      step(`minimize ${loss} using sgd(lr = 0.5)`, 'dense(9) |> tanh |> dense(3)'),
      chain,
      [7, 3],
      2,
    )
  })
  test('minimize kl(softmax(y), softmax(p))', () => {
    // Its terms are of both signs and ten times its value, so a rounding in a term is ten in the loss.
    check(
      step(
        'minimize kl(softmax(y), softmax(p)) using sgd(lr = 0.5)',
        'dense(9) |> tanh |> dense(3)',
      ),
      { ulps: 240, scale: 'tensor' },
      [7, 3],
      2,
    )
  })
  test.each([
    'relu',
    'leaky_relu',
    'sigmoid',
    'tanh',
    'gelu',
    'silu',
    'elu',
    'softplus',
    'softmax',
    'log_softmax',
    'norm',
    'dropout(0.3)',
  ])('through %s', (layer) => {
    const text = step('minimize mse(p, y) using sgd(lr = 0.5)', `dense(9) |> ${layer} |> dense(3)`)
    check(text, { ulps: layer === 'norm' ? 96 : 24, scale: 'tensor' }, [7, 3], 2)
  })
  test.each(['sgd', 'momentum', 'nesterov', 'rmsprop', 'adagrad', 'adam', 'adamw'])(
    'with %s',
    (optimizer) => {
      const text = step(`minimize mse(p, y) using ${optimizer}()`, 'dense(9) |> tanh |> dense(3)')
      check(text, { ulps: 4096, scale: 'tensor' }, [7, 2], 4)
    },
  )
})

test('two steps over their own parameters, the second seeing the first', () => {
  check(
    `// adversarial
dim batch <= 4
net make(z: [batch, 3]) -> [batch, 5] { z |> dense(8) |> relu |> dense(5) }
net judge(x: [batch, 5]) -> [batch, 1] { x |> dense(8) |> tanh |> dense(1) }
train gan(real: [batch, 5]) {
  step {
    fake = stopgrad(make(normal([batch, 3])))
    minimize bce(judge(real), 1) + bce(judge(fake), 0)
    over judge using sgd(0.1)
  }
  step {
    minimize bce(judge(make(normal([batch, 3]))), 1)
    over make using sgd(0.1)
  }
}`,
    { ulps: 64, scale: 'tensor' },
    [4, 3, 1],
    3,
  )
})

test('updates that read each other take effect together, in place or not', () => {
  const program = programOf(`// swap
dim batch <= 3
net f(x: [batch, 2]) -> [batch, 2] {
  param A: [2, 2] = glorot_uniform(2, 2)
  param B: [2, 2] = glorot_uniform(2, 2)
  h[n, o] = sum[i](x[n, i] * A[i, o])
  y[n, o] = sum[i](h[n, i] * B[o, i])
}
train t(x: [batch, 2], y: [batch, 2]) { minimize mse(f(x), y) using momentum(lr = 0.1) }`)
  for (const build of builds) {
    const instance = new Instance(program, build)
    instance.init(1)
    for (let k = 0; k < 5; k++) {
      const { inputs } = valuesOf(program, 't', k)
      instance.follow()
      instance.compare('t', inputs, { batch: 1 + (k % 3) }, chain)
    }
    expect(instance.view(instance.manifest.step)[0]).toBe(5)
  }
})
