/**
 * Handwritten digits with a feed-forward network: of all training digits, and of a thousand, with and without what is done
 * against over-fitting.
 */
import { writeFileSync } from 'node:fs'
import { lineChart, type Series } from '../../../compiler/cli/pictures/line-chart.ts'
import { stack } from '../../../compiler/cli/pictures/svg.ts'
import { atLeast, resultOf, type Task, type Tools, type Trained } from './task.ts'

const ways = [
  { name: 'neither', drop: 0, penalty: 0 },
  { name: 'dropout', drop: 0.5, penalty: 0 },
  { name: 'L2', drop: 0, penalty: 3e-4 },
  { name: 'both', drop: 0.5, penalty: 3e-4 },
] as const

export const mnist: Task = {
  name: 'mnist',
  summary:
    'a feed-forward network on MNIST: 98.4 % of the test digits; dropout and L2 against over-fitting',
  *run(tools) {
    const relaxed = ['--target', 'relaxed']
    const small = tools.train('mnist', ['--epochs', '10', ...relaxed])
    yield resultOf('mnist', 'MNIST', small, 'accuracy', undefined)
    const size = ['--dim', 'hidden=512', '--dim', 'drop=0.3', '--dim', 'steps=5628']
    const large = tools.train('mnist', ['--epochs', '12', ...size, ...relaxed], 'mnist512')
    yield resultOf('mnist, hidden 512', 'MNIST', large, 'accuracy', atLeast(0.984))

    const trained = ways.map((way) => ({ name: way.name, ...few(tools, way) }))
    show(tools, trained)
    const lossOf = (t: Trained): number => t.metrics.test!.cross_entropy!
    const uncured = lossOf(trained[0]!)
    for (const { name, ...t } of trained) {
      const model = `mnist, ${name}`
      const data = '1,000 digits'
      yield resultOf(model, data, t, 'accuracy', undefined)
      yield resultOf(model, data, t, 'cross_entropy', undefined)
      if (name === 'neither') continue
      const better = 1 - lossOf(t) / uncured
      yield resultOf(model, data, t, 'loss saved', atLeast(0.1), better)
    }
  },
}

/** A hundred epochs of the first thousand digits; the test digits are looked at after each. */
function few(tools: Tools, { name, drop, penalty }: (typeof ways)[number]): Trained {
  const rows = ['--dim', 'examples=1000', '--dim', 'steps=800', '--epochs', '100']
  const way = ['--dim', `drop=${drop}`, '--dim', `penalty=${penalty}`]
  const more = ['--validation', 'test', '--target', 'relaxed']
  return tools.train('mnist', [...rows, ...way, ...more], `mnist_${name}`)
}

/** A table of where the four end and of the best they were on the way, and a chart of the loss on the test digits. */
function show(tools: Tools, trained: readonly (Trained & { readonly name: string })[]): void {
  tools.say('\n1,000 training digits, 100 epochs; cross-entropy and accuracy without dropout')
  const line = (name: string, cells: readonly string[]): void =>
    tools.say(name.padEnd(8) + cells.map((cell, k) => cell.padStart(k < 4 ? 10 : 20)).join(''))
  line('', ['training', '', 'test', '', 'test, best epoch'])
  const series: Series[] = []
  for (const { name, metrics, events } of trained) {
    const points = events.flatMap((e) => {
      const { event, epoch, validation } = e as unknown as Epoch
      return event === 'epoch' ? [{ x: epoch, y: validation.cross_entropy }] : []
    })
    series.push({ name, points })
    const best = points.reduce((a, b) => (b.y < a.y ? b : a))
    const { train, test } = metrics
    const cells = [
      train!.cross_entropy!.toFixed(4),
      `${(100 * train!.accuracy!).toFixed(1)} %`,
      test!.cross_entropy!.toFixed(4),
      `${(100 * test!.accuracy!).toFixed(1)} %`,
      `${best.y.toFixed(4)} (${best.x})`,
    ]
    line(name, cells)
  }
  const chart = lineChart({ title: 'cross-entropy of the test digits', x: 'epoch', series })
  const file = tools.path('mnist.svg')
  writeFileSync(file, stack('models/mnist.net on 1,000 digits', [chart]))
  tools.say(`learning curves in ${file}`)
}

interface Epoch {
  readonly event: string
  readonly epoch: number
  readonly validation: { readonly cross_entropy: number }
}
