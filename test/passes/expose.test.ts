/** Intermediate values as outputs: what they are called, that they are right, and what is said about unknown names. */
import { expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import { renderAll } from '../../compiler/support/render.ts'
import { load } from '../../runtime/index.ts'

const text = `dim batch <= 4

net model(x: [batch, 3]) -> [batch, 2] {
  x |> dense(5) |> relu |> dense(2)
}

train fit(x: [batch, 3], y: [batch, 2]) {
  out = model(x)
  minimize mean[n, o]((out[n, o] - y[n, o])^2)
  using sgd(0.1)
}

predict run(x: [batch, 3]) {
  raw = model(x)
  out = 2 * raw
}
`

function built(expose: readonly string[], program = text) {
  const options = { file: 'm.net', expose, targets: ['simd'], verify: true } as const
  const { diagnostics, modules } = compile(program, options)
  const rendered = renderAll(diagnostics)
  return { text: rendered, module: modules?.simd }
}

const outputsOf = (expose: readonly string[]) =>
  Object.fromEntries(
    built(expose).module!.manifest.entries.map((e) => [e.name, e.outputs.map((o) => o.name)]),
  )

test('every entry that computes a tensor gives it, gradients where there are any', () => {
  expect(outputsOf([])).toEqual({ fit: ['loss'], fit_eval: ['loss'], run: ['out'] })
  expect(outputsOf(['relu_1', 'd_relu_1', 'out'])).toEqual({
    fit: ['loss', 'model.relu_1', 'out', 'd_model.relu_1'],
    fit_eval: ['loss', 'model.relu_1', 'out'],
    run: ['out', 'model.relu_1'],
  })
  expect(outputsOf(['d_dense_1.W', 'd_dense_1']).fit).toEqual([
    'loss',
    'd_model.dense_1.W',
    'd_model.dense_1',
  ])
})

test('the values are those of the forward and the backward pass', async () => {
  const { module } = built(['model.relu_1', 'raw', 'd_relu_1'])
  const model = await load(module!.wasm as Uint8Array<ArrayBuffer>)
  model.init(3)
  const [W1, b1, W2] = ['dense_1.W', 'dense_1.b', 'dense_2.W'].map((name) =>
    Array.from(model.params[`model.${name}`]!),
  )
  const x = [1, -2, 0.5, 0.25, 3, -1]
  const hidden = [0, 1].flatMap((n) =>
    Array.from({ length: 5 }, (_, o) =>
      Math.max(
        0,
        [0, 1, 2].reduce((s, i) => s + x[3 * n + i]! * W1![5 * i + o]!, b1![o]!),
      ),
    ),
  )
  const near = (actual: unknown, wanted: readonly number[]) => {
    expect(Array.from(actual as Float32Array)).toHaveLength(wanted.length)
    wanted.forEach((value, k) => {
      expect((actual as Float32Array)[k]).toBeCloseTo(value, 5)
    })
  }
  const ran = model.predict.run!({ x })
  near(ran['model.relu_1'], hidden)
  near(
    ran.out,
    Array.from(ran.raw as Float32Array, (v) => 2 * v),
  )
  // Of the mean over 2 rows of 2: dL/dout = out / 2 where y is 0.
  const out = Array.from(ran.raw as Float32Array)
  const trained = model.train.fit!({ x, y: [0, 0, 0, 0] }) as Record<string, unknown>
  near(
    trained['d_model.relu_1'],
    [0, 1].flatMap((n) =>
      Array.from({ length: 5 }, (_, o) =>
        [0, 1].reduce((s, k) => s + (out[2 * n + k]! / 2) * W2![2 * o + k]!, 0),
      ),
    ),
  )
})

test('an unknown name is an error with what may be meant', () => {
  expect(
    built(['dense_3']).text,
  ).toBe(`m.net:1:1: error NET6080: no block of this program computes a tensor \`dense_3\`
  |
1 | dim batch <= 4
  | ^ in this program
  help: Did you mean \`dense_1\`? \`netc show MODEL.net --list\` lists every tensor by its path; the end of a path is enough.

1 error`)
  expect(built(['x']).text).toContain('computes a tensor `x`')
  expect(built(['d_dense_1.W', 'd_zzz']).text).toContain('computes a tensor `d_zzz`')
})

test('a recurrence gives its value and its gradient at every time', async () => {
  const { module } = built(
    ['h', 'd_h'],
    `dim batch <= 4

layer leaky(x: [N, T]) -> [N, T] {
  param a: [] = 0.5
  scan t in T with h: [N] = 0 {
    h'[n] = a * h[n] + x[n, t]
    yield h'
  }
}

net model(x: [batch, 5]) -> [batch] {
  s = leaky(x)
  y[n] = s[n, 4]
}

train fit(x: [batch, 5]) {
  out = model(x)
  minimize sum(out)
  using sgd(0.1)
}
`,
  )
  const model = await load(module!.wasm as Uint8Array<ArrayBuffer>)
  model.init(0)
  const results = model.train.fit!({ x: [1, 0, 0, 2, 0] }) as Record<string, unknown>
  expect(Array.from(results['model.s.h'] as Float32Array)).toEqual([1, 0.5, 0.25, 2.125, 1.0625])
  // What the state of each step does to the last one: 0.5 to the number of steps between.
  const gradient = [0.0625, 0.125, 0.25, 0.5, 1]
  expect(Array.from(results['d_model.s.h'] as Float32Array)).toEqual(gradient)
})
