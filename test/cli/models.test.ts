/** Commands over the compiler itself and the models of this repository. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { readSafetensors } from '../../runtime/safetensors.ts'
import { folder, netc } from './support.ts'

const model = (name: string): string =>
  fileURLToPath(new URL(`../../models/${name}.net`, import.meta.url))

type Metrics = Record<string, Record<string, number>>

const metricsOf = (events: readonly Record<string, unknown>[]): Metrics =>
  events.at(-1)!.metrics as Metrics

test('iris from the first row to a prediction', async () => {
  const at = folder({ 'new.json': '[[5.1, 3.5, 1.4, 0.2], [6, 3, 5, 2]]' })
  const out = join(at, 'iris.safetensors')
  const trained = await netc(['train', model('iris'), '--out', out, '--json'])
  expect(trained.code).toBe(0)
  const metrics = metricsOf(trained.events())
  expect(metrics.test!.accuracy).toBeGreaterThanOrEqual(0.95)
  const weights = readSafetensors(readFileSync(out))
  expect(weights.metadata).toMatchObject({ format: 'netc', model: 'iris.net' })
  expect(weights.tensors.map((t) => t.name)).toContain('classify.dense_1.W')

  const evaluated = await netc(['eval', model('iris'), '-w', out, '--json'])
  expect(metricsOf(evaluated.events()).test).toEqual(metrics.test)
  // New rows are scaled as the training rows were: the first is a setosa, the second a virginica.
  const args = ['predict', model('iris'), '-w', out, '--input', join(at, 'new.json')]
  const lines = (await netc(args)).events() as { probs: number[] }[]
  expect(lines.map(({ probs }) => probs.indexOf(Math.max(...probs)))).toEqual([0, 2])
  for (const { probs } of lines) expect(probs.reduce((a, b) => a + b)).toBeCloseTo(1, 5)
})

test('batch, mini-batch and stochastic gradient descent are choices of the batch', async () => {
  const at = folder({})
  const steps: number[] = []
  for (const batch of ['all', '50', '1']) {
    const args = ['train', model('iris'), '--batch', batch, '--epochs', '2', '--json']
    const ran = await netc([...args, '--out', join(at, `${batch}.safetensors`)])
    expect(ran.code).toBe(0)
    steps.push(ran.events().at(-1)!.step as number)
  }
  // 120 training rows: one step an epoch, three (the last of 20 rows), and one for each row.
  expect(steps).toEqual([2, 6, 240])
})

test('the same seed gives the same weights, another seed others', async () => {
  const at = folder({})
  const weights: Buffer[] = []
  for (const seed of ['1', '1', '2']) {
    const out = join(at, `${weights.length}.safetensors`)
    await netc(['train', model('xor'), '--epochs', '3', '--seed', seed, '--out', out])
    weights.push(readFileSync(out))
  }
  expect(weights[0]).toEqual(weights[1])
  expect(weights[0]).not.toEqual(weights[2])
})

test('a loss that is not finite ends the training with the step and the equation', async () => {
  const at = folder({})
  const args = ['train', model('iris'), '--lr', '1e38', '--out', join(at, 'w.safetensors')]
  const ran = await netc(args)
  expect([ran.code, ran.out]).toEqual([1, ''])
  expect(ran.err).toMatch(
    /netc: flowers: the loss of step 2 is \S+: the first value that is not finite is \S+, made at \S+iris\.net:\d+:\d+ \(the model is as it was after step 1\)\n$/,
  )
})

test('calls that only the model shows to be wrong', async () => {
  const xor = model('xor')
  const cases: readonly [string[], number, string][] = [
    [['train', xor, '--block', 'xr'], 2, `netc: --block xr: ${xor} has xor\n`],
    [['train', xor, '--set', 'lr=1'], 2, 'netc: --set lr: the hyper-parameters are xor.lr,'],
    [['train', xor, '--dim', 'batch=0'], 1, 'error NET5008: `--dim batch=0` is not a whole number'],
    [['train', xor, '--dim', 'rows=3'], 1, 'error NET5007: '],
    [['grad', xor, '--wrt', 'V'], 2, 'netc: --wrt V: xor trains decide.dense_1.W,'],
    [['grad', xor, '--of', 'los'], 2, 'netc: --of los: xor minimizes loss; did you mean loss?\n'],
    [['ir', xor, '--after', 'dec'], 2, 'netc: --after dec: the passes are elaborate,'],
    [['predict', xor, '-w', 'gone'], 1, 'netc: cannot read gone: there is no such file\n'],
  ]
  for (const [args, code, message] of cases) {
    const ran = await netc(args)
    expect([ran.code, ran.out]).toEqual([code, ''])
    expect(ran.err).toContain(message)
  }
})

test('weights of another model', async () => {
  const at = folder({})
  const out = join(at, 'xor.safetensors')
  await netc(['train', model('xor'), '--epochs', '1', '--out', out])
  const ran = await netc(['eval', model('iris'), '-w', out])
  expect(ran.code).toBe(1)
  expect(ran.err).toContain('netc: the weights have no classify.dense_1.W; they have decide.')
})

test('the program as text, data, graph and module', async () => {
  const net = await netc(['ir', model('xor'), '--after', 'elaborate'])
  expect(net.out).toMatch(/^program "/)
  const graph = await netc(['ir', model('xor'), '--format', 'dot'])
  expect(graph.out).toMatch(/^digraph model \{\n[\s\S]*"decide\.dense_1\.W" -> [\s\S]*\}\n$/)
  const data = JSON.parse((await netc(['ir', model('xor'), '--format', 'json'])).out)
  expect(data.dims).toEqual([{ name: 'batch', max: 32 }])
  const wat = await netc(['ir', model('xor'), '--format', 'wat'])
  expect(wat.out).toMatch(/^\(module[\s\S]*f32x4\.mul/)
  expect((await netc(['ir', model('xor'), '--after', 'help'])).out).toContain('differentiate\n')
})

test('the gradient compiles again', async () => {
  const at = folder({})
  const ran = await netc(['grad', model('xor'), '--wrt', 'h.b'])
  expect(ran.code).toBe(0)
  expect(ran.out).toContain('d_h_b')
  writeFileSync(join(at, 'grad.net'), ran.out)
  expect((await netc(['check', join(at, 'grad.net')])).code).toBe(0)
})

test('a training that begins with the weights of another', async () => {
  const at = folder({})
  const [first, second] = [join(at, 'first.safetensors'), join(at, 'second.safetensors')]
  const begin = await netc(['train', model('iris'), '--out', first, '--json'])
  const args = ['train', model('iris'), '--weights', first, '--lr', '0', '--epochs', '1', '--json']
  const again = await netc([...args, '--out', second])
  expect(metricsOf(again.events())).toEqual(metricsOf(begin.events()))
  expect(readSafetensors(readFileSync(second))).toEqual(readSafetensors(readFileSync(first)))
})
