/** Commands that run a model, over the hand-made module of test/runtime/fixture.ts in place of the compiler. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import type { Compiler } from '../../compiler/cli/compiler.ts'
import type { DataSource } from '../../compiler/ir/types.ts'
import { lineModule, manifest } from '../runtime/fixture.ts'
import { folder, netc } from './support.ts'

const wasm = await lineModule()

const dataOf = (text: string): DataSource[] =>
  [...text.matchAll(/(\w+): csv\((.*)\)/g)].map((match) => ({
    name: match[1]!,
    reader: 'csv',
    args: match[2]!.split(';').map((arg) => {
      const [, name, value = ''] = /^\s*(?:(\w+) = )?"(.*)"$/.exec(arg)!
      return { name, value }
    }),
    span: {
      source: { file: 'line.net', text },
      start: match.index,
      end: match.index + match[0].length,
    },
  }))

const compiler: Compiler = {
  passNames: ['simplify'],
  lower: (program) => program,
  compile: (text, options) => ({
    diagnostics: [],
    program: {
      file: options?.file ?? '',
      dims: [],
      tensors: [],
      entries: [],
      data: dataOf(text),
      vocabularies: [],
    },
    modules: { simd: { wasm, manifest }, relaxed: { wasm, manifest } },
  }),
}

vi.mock('../../compiler/cli/compiler.ts', () => ({ loadCompiler: async () => compiler }))

const text = `data {
  train: csv("line.csv"; x = "x"; y = "y")
  test: csv("test.csv"; x = "x"; y = "y")
}
`
const rows = (n: number) =>
  `x,y\n${Array.from({ length: n }, (_, k) => `${k / n},${(3 * k) / n}\n`).join('')}`

function line(): string {
  const at = folder({ 'line.net': text, 'line.csv': rows(10), 'test.csv': rows(4) })
  return at
}

test('train, eval and predict', async () => {
  const at = line()
  const out = join(at, 'w.safetensors')
  const trained = await netc([
    'train',
    join(at, 'line.net'),
    '--seed',
    '3',
    '--lr',
    '0.1',
    '--out',
    out,
    '--json',
  ])
  expect(trained).toMatchObject({ code: 0, err: '' })
  const events = trained.events()
  expect(events[0]).toMatchObject({ event: 'compiled', parameters: 2 })
  const done = events.at(-1)!
  // 10 rows in batches of 4 are 3 steps, and 2000 steps take 667 epochs.
  expect(done).toMatchObject({ event: 'done', epochs: 667, step: 2001, weights: out })
  const { metrics } = done as { metrics: Record<string, Record<string, number>> }
  expect(Object.keys(metrics)).toEqual(['train', 'test'])
  expect(metrics.test!.loss).toBeLessThan(1e-9)
  expect(readdirSync(at).sort()).toEqual(['line.csv', 'line.net', 'test.csv', 'w.safetensors'])

  const evaluated = await netc(['eval', join(at, 'line.net'), '-w', out, '--json'])
  expect(evaluated.events()).toEqual([
    { event: 'done', model: join(at, 'line.net'), data: 'test', metrics: { test: metrics.test } },
  ])
  writeFileSync(join(at, 'more.csv'), 'x\n1\n2\n')
  const predicted = await netc([
    'predict',
    join(at, 'line.net'),
    '-w',
    out,
    '--block',
    'line',
    '--input',
    join(at, 'more.csv'),
  ])
  expect(predicted.code).toBe(0)
  const lines = predicted.events() as { out: number[] }[]
  expect(lines.map((l) => Math.round(1000 * l.out[0]!))).toEqual([3000, 6000])
  const csv = await netc([
    'predict',
    join(at, 'line.net'),
    '-w',
    out,
    '--block',
    'line',
    '--format',
    'csv',
    '--limit',
    '1',
  ])
  expect(csv.out).toBe('out_0,out_1\n0,0\n')
})

test('an interrupted training goes on to the same bits', async () => {
  const at = line()
  const args = [
    'train',
    join(at, 'line.net'),
    '--seed',
    '3',
    '--batch',
    '3',
    '--epochs',
    '4000',
    '--json',
    '--validation',
    '0.2',
  ]
  const straight = join(at, 'straight.safetensors')
  const whole = await netc([...args, '--out', straight])
  expect(whole.code).toBe(0)
  const out = join(at, 'w.safetensors')
  let epochs = 0
  const first = await netc([...args, '--out', out], {
    interruptAt: (text) => text.includes('"event":"epoch"') && ++epochs === 7,
  })
  expect(first.code).toBe(130)
  const last = first.events().at(-1)!
  expect(last.event).toBe('interrupted')
  const refused = await netc([...args.slice(0, 2), '--out', out, '--resume', '--batch', '2'])
  expect(refused).toMatchObject({
    code: 2,
    err: 'netc: --batch differs from the training to resume: leave it out\n',
  })
  const second = await netc([...args.slice(0, 2), '--out', out, '--resume', '--json'])
  expect(second.code).toBe(0)
  expect(readFileSync(out)).toEqual(readFileSync(straight))
  expect(second.events().at(-1)!.metrics).toEqual(whole.events().at(-1)!.metrics)
  expect(readdirSync(at)).not.toContain('w.checkpoint.safetensors')
})

/** The validation lies on y = 2 x, which the training passes on its way to 3 x. */
const passing = (): string =>
  folder({
    'line.net': `${text}data {\n  held: csv("held.csv"; x = "x"; y = "y")\n}\n`,
    'line.csv': rows(10),
    'test.csv': rows(4),
    'held.csv': rows(10).replaceAll(/,(.*)\n/g, (_, y) =>
      y === 'y' ? ',y\n' : `,${(Number(y) * 2) / 3}\n`,
    ),
  })

test('early stopping on a source of its own, interrupted and resumed', async () => {
  const at = passing()
  const out = join(at, 'w.safetensors')
  const watched = ['--validation', 'held', '--early-stop', 'loss', '--patience', '6']
  const args = ['train', join(at, 'line.net'), '--epochs', '90', '--batch', '3', '--out', out]
  const whole = await netc([...args, ...watched, '--json'])
  expect(whole.err).toBe('')
  const done = whole.events().at(-1)!
  const { best, metrics, epochs } = done as {
    best: { epoch: number; value: number; wait: number; metric: string }
    metrics: Record<string, Record<string, number>>
    epochs: number
  }
  expect(best).toMatchObject({ metric: 'loss', wait: 6, epoch: epochs - 6 })
  expect(epochs).toBeLessThan(60)
  expect(metrics.validation!.loss).toBe(best.value)
  const straight = readFileSync(out)
  const evaluated = await netc(['eval', args[1]!, '-w', out, '--data', 'held', '--json'])
  expect(evaluated.events()[0]!.metrics).toEqual({ held: metrics.validation })

  const interruptAt = (text: string) => text.includes(`"epoch":${epochs - 2},`)
  const first = await netc([...args, ...watched, '--json'], { interruptAt })
  expect(first.code).toBe(130)
  expect(readdirSync(at)).toContain('w.checkpoint.best.safetensors')
  const again = [...args.slice(0, 2), '--out', out, '--resume']
  expect(await netc([...again, '--patience', '7'])).toMatchObject({ code: 2 })
  const second = await netc(again)
  expect(second.err).toContain('early stop: loss has not been better for 6 epochs')
  expect(second.out).toContain(`, of epoch ${best.epoch}: the best of ${epochs}`)
  expect(readFileSync(out)).toEqual(straight)
  expect(readdirSync(at).filter((name) => name.includes('checkpoint'))).toEqual([])
})

test('a plateau, and watches that are called wrongly', async () => {
  const at = passing()
  const args = ['train', join(at, 'line.net'), '--epochs', '20', '--out', join(at, 'w.safetensors')]
  const slow = await netc([
    ...args,
    '--validation',
    'held',
    ...['--plateau', 'mae:min', '--plateau-patience', '2', '--factor', '0.1'],
  ])
  expect(slow.err).toContain('plateau: reg.lr lowered to 0.005000')
  const wrong: readonly (readonly [string[], string])[] = [
    [['--early-stop', 'loss'], '--early-stop watches the validation: add --validation 0.1'],
    [['--patience', '3'], '--patience belongs to --early-stop METRIC'],
    [['--plateau', 'loss:up', '--validation', '0.2'], '--plateau loss:up: it takes a metric'],
    [['--early-stop', 'f1', '--validation', '0.2'], 'reg has no metric f1; it has loss, mae'],
    [['--validation', 'hold'], 'has no data source hold'],
    [['--validation', '2'], 'a share between 0 and 1, or the name of a data source'],
  ]
  for (const [more, message] of wrong)
    expect((await netc([...args, ...more])).err).toContain(message)
})

test('a progress line an epoch, and the metrics on stdout', async () => {
  const at = line()
  const ran = await netc([
    'train',
    join(at, 'line.net'),
    '--epochs',
    '2',
    '--out',
    join(at, 'w.safetensors'),
  ])
  expect(ran.code).toBe(0)
  expect(ran.err).toMatch(
    /epoch 2\/2 100% {2}loss \S+ {2}mae \S+ {2}[\d,]+ examples\/s {2}0 s left/,
  )
  expect(ran.out).toMatch(
    /^train {6}loss \S+ {2}mae \S+\ntest {7}loss \S+ {2}mae \S+\nweights {4}\S+\n$/,
  )
})

test('data that is wrong is shown at its source', async () => {
  const at = folder({ 'line.net': text, 'line.csv': 'x,y\n1,2\n3,\n' })
  const bad = await netc(['train', join(at, 'line.net')])
  expect(bad.code).toBe(1)
  expect(
    bad.err,
  ).toBe(`line.net:2:3: error NET6002: line.csv: column y, line 3, field 2: there is no value (missing = "drop" leaves such rows out)
  |
2 |   train: csv("line.csv"; x = "x"; y = "y")
  |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ read here
  help: Correct the file, or the arguments of the reader: \`netc help data\` describes them.

1 error
`)
  const gone = await netc(['train', join(folder({ 'line.net': text }), 'line.net')])
  expect(gone.code).toBe(1)
  expect(gone.err).toContain('line.net:2:3: error NET6001: there is no file `line.csv`')
  expect(gone.err).toContain(
    'A path is relative to the .net file, or begins with the name of an installed package.',
  )
  const json = await netc(['train', join(at, 'line.net'), '--json'])
  expect(json.events()[0]).toMatchObject({
    event: 'diagnostic',
    code: 'NET6002',
    file: 'line.net',
    line: 2,
  })
})

test('weights that are wrong', async () => {
  const at = line()
  const file = join(at, 'line.net')
  const none = await netc(['eval', file, '-w', join(at, 'gone.safetensors')])
  expect(none).toMatchObject({
    code: 1,
    err: `netc: cannot read ${join(at, 'gone.safetensors')}: there is no such file\n`,
  })
  const csv = await netc(['eval', file, '-w', join(at, 'line.csv')])
  expect(csv.code).toBe(1)
  expect(csv.err).toContain('this safetensors file is malformed')
  const resume = await netc(['train', file, '--resume', '--out', join(at, 'w')])
  expect(resume.err).toBe(
    `netc: there is no checkpoint ${join(at, 'w')}.checkpoint.safetensors to resume from\n`,
  )
})

test('compile writes modules, a wrapper and its types', async () => {
  const at = line()
  const ran = await netc(['compile', join(at, 'line.net'), '-o', join(at, 'dist')])
  expect(ran.code).toBe(0)
  expect(readdirSync(join(at, 'dist')).sort()).toEqual([
    'line.d.ts',
    'line.js',
    'line.relaxed.wasm',
    'line.wasm',
  ])
  expect(ran.out).toContain(
    'entry     kind     operations  bytes moved  unfused  peak memory\nreg       train    10 FLOP',
  )
  expect(readFileSync(join(at, 'dist', 'line.d.ts'), 'utf8')).toContain(`  readonly predict: {
    line(feeds: {
      /** f32[batch<=4] */ readonly x: ArrayLike<number>
    }, counts?: { batch?: number }): {
      /** f32[batch<=4, 2] */ out: Float32Array
    }`)
})

test('a place that cannot be written is refused before the training', async () => {
  const at = line()
  const ran = await netc(['train', join(at, 'line.net'), '--out', at])
  expect(ran).toMatchObject({ code: 1, out: '', err: `netc: cannot write ${at}: it is a folder\n` })
  const under = await netc(['train', join(at, 'line.net'), '--out', join(at, 'line.csv', 'w')])
  expect(under.err).toContain('a part of the path is no folder')
})

test.runIf(process.platform === 'linux')(
  'a folder that cannot be made is refused too',
  async () => {
    const ran = await netc(['train', join(line(), 'line.net'), '--out', '/proc/netc/w.safetensors'])
    expect(ran).toMatchObject({ code: 1, out: '' })
    expect(ran.err).toContain('cannot write /proc/netc/w.safetensors')
  },
)
