/**
 * Recurrent networks: a text character by character with three kinds of cell, digits row by row; how gradients vanish over
 * time in a plain recurrent network and not in an LSTM, and how clipping tames those that explode.
 */
import { readFileSync } from 'node:fs'
import { readDataFile } from '../../../compiler/cli/model-file.ts'
import { analyze, compile, lower } from '../../../compiler/compile.ts'
import { createState, prepare } from '../../../compiler/ir/evaluate.ts'
import { load } from '../../../runtime/index.ts'
import { seeded } from '../../support/choose.ts'
import { atLeast, atMost, resultOf, type Task, type Tools } from './task.ts'

const cells = [
  { cell: 1, name: 'lstm' },
  { cell: 2, name: 'gru' },
  { cell: 3, name: 'rnn' },
] as const

export const lstm: Task = {
  name: 'lstm',
  summary:
    'Moby Dick by character: an LSTM at most 2.2 bits, and below a plain RNN; a GRU beside it',
  *run(tools) {
    const bits: Record<string, number> = {}
    for (const { cell, name } of cells) {
      const args = ['--dim', `cell=${cell}`, '--epochs', '1', '--target', 'relaxed']
      const trained = tools.train('lstm', args, name)
      bits[name] = trained.metrics.test!.bits_per_label!
      const model = name === 'lstm' ? 'lstm' : `lstm, cell ${cell} (${name})`
      const bound = name === 'lstm' ? atMost(2.2) : undefined
      yield resultOf(model, 'Moby Dick', trained, 'bits_per_label', bound)
      if (name !== 'rnn') continue
      const lead = bits.rnn! - bits.lstm!
      yield resultOf('lstm, lead over rnn', 'Moby Dick', trained, 'bits', atLeast(0), lead)
    }
  },
}

export const rows: Task = {
  name: 'rows',
  summary:
    'digits row by row with an LSTM: 98.5 % of the test digits; gradients over time, clipping',
  async *run(tools) {
    const trained = tools.train('rows', ['--epochs', '6', '--target', 'relaxed'])
    yield resultOf('rows', 'MNIST', trained, 'accuracy', atLeast(0.985))
    const file = 'models/rows.net'
    tools.say('\nnorm of the gradient of the loss with respect to what is remembered, by row read')
    const norms = memories.map((m) => gradientNorms(file, m))
    tools.say(`row ${memories.map(({ name }) => name.padStart(16)).join('')}`)
    for (const t of [27, 24, 20, 16, 12, 8, 4, 0]) {
      const columns = norms.map((values) => values[t]!.toExponential(2).padStart(16))
      tools.say(`${String(t).padStart(3)} ${columns.join('')}`)
    }
    await explosion(tools)
  },
}

/** Initial weights to look at: those of the recurrence times `factor`, or the forget gates' bias. */
interface Memory {
  readonly name: string
  readonly cell: number
  readonly factor?: number
  readonly forget?: number
}

const memories: readonly Memory[] = [
  { name: 'rnn, U / 2', cell: 3, factor: 0.5 },
  { name: 'rnn', cell: 3 },
  { name: 'rnn, U · 3', cell: 3, factor: 3 },
  { name: 'lstm', cell: 1 },
  { name: 'lstm, forget 4', cell: 1, forget: 4 },
]

/**
 * ‖∂loss/∂m_t‖ for each row t of 16 digits of noise, at the initial weights, in double precision; m is what the network
 * remembers: h of a plain one, the cells c of an LSTM.
 */
function gradientNorms(file: string, { cell, factor, forget }: Memory): number[] {
  const dims = { batch: 16, cell }
  const { program } = analyze(readFileSync(file, 'utf8'), { file, dims })
  const after = lower(program!, { after: 'differentiate' })
  const state = createState(after)
  const options = { seed: 1, counts: { batch: 16 } }
  const init = prepare(after, 'init', state, options)
  init.begin()
  for (const k of init.entry.stages.keys()) init.runStage(k)
  init.result()
  const weights = (name: string): Float64Array => state.tensors.get(`classify.h.${name}`)!
  if (factor !== undefined) weights('U').set(weights('U').map((w) => factor * w))
  if (forget !== undefined) weights('b').set(weights('b').map((b) => forget * b))
  const choose = seeded(7)
  const inputs = {
    image: Float64Array.from({ length: 16 * 784 }, () => choose.int(0, 255)),
    label: Float64Array.from({ length: 16 }, () => choose.int(0, 9)),
  }
  const run = prepare(after, 'digits', state, { ...options, inputs })
  run.begin()
  run.runStage(0)
  const entry = after.entries.find((e) => e.name === 'digits')!
  const tensor = entry.tensors.find((t) => /^d_.*(rnn_steps_1\.h|lstm_steps_1\.c)$/.test(t.name))!
  const values = run.memory.buffers.get(tensor.name)!
  const [, time, width] = tensor.shape.map((x) => x.size)
  return Array.from({ length: time! }, (_, t) => {
    let sum = 0
    for (let n = 0; n < 16; n++) {
      for (let k = 0; k < width!; k++) sum += values[(n * time! + t) * width! + k]! ** 2
    }
    return Math.sqrt(sum)
  })
}

/** A plain recurrent network whose recurrent weights are three times too large, with and without clipping. */
async function explosion(tools: Tools): Promise<void> {
  const text = readFileSync('models/rows.net', 'utf8')
  tools.say(
    '\nloss of a plain recurrent network with recurrent weights three times too large, SGD 0.1',
  )
  for (const clipped of [true, false]) {
    const using = `using sgd(1)${clipped ? ' with clip_norm(1)' : ''}`
    const changed = text.replace(/using adam\([\s\S]*?clip_norm\(1\)/, using)
    const { modules } = compile(changed, {
      file: 'models/rows.net',
      dims: { cell: 3, batch: 32 },
      targets: ['simd'],
      readFile: readDataFile,
    })
    const model = await load(modules!.simd!.wasm as Uint8Array<ArrayBuffer>)
    model.init(1)
    const recurrent = Object.keys(model.params).find((name) => name.endsWith('.U'))!
    model.params[recurrent]!.forEach((w, k, all) => {
      all[k] = 3 * w
    })
    const choose = seeded(11)
    const losses: number[] = []
    for (let step = 0; step < 60; step++) {
      const image = Float32Array.from({ length: 32 * 784 }, () => choose.int(0, 255))
      const label = Int32Array.from({ length: 32 }, (_, n) => (image[n * 784]! > 127 ? 1 : 0))
      try {
        losses.push(model.train.digits!({ image, label }).loss as number)
      } catch {
        losses.push(Number.NaN)
      }
    }
    const worst = Math.max(...losses.map((x) => (Number.isNaN(x) ? Number.POSITIVE_INFINITY : x)))
    const name = clipped ? 'clipped to norm 1' : 'not clipped'
    tools.say(
      `${name.padEnd(18)} largest loss ${worst.toPrecision(3)}, last ${losses.at(-1)!.toPrecision(3)}`,
    )
  }
}
