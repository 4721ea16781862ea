/**
 * The workloads of the benchmark: which network, at which sizes, on which data. The networks are models/*.net; the data
 * is synthetic, from a fixed seed, and such that there is something to learn.
 */
import { normalOf, randomFrom } from '../support/random.ts'
import type { Feeds, Job } from './types.ts'

export interface Workload {
  readonly id: string
  readonly title: string
  /** The file in models, without its ending. */
  readonly network: string
  readonly kind: Job['kind']
  readonly entry: string
  readonly dims: Readonly<Record<string, number>>
  /** Sizes for a quick test. */
  readonly small?: Readonly<Record<string, number>>
  /** How often the losses go round the batches before they are compared. */
  readonly turns: number
}

const training = (
  id: string,
  title: string,
  entry: string,
  dims: Workload['dims'],
  turns: number,
  small: Workload['small'] = {},
): Workload => ({
  id,
  title,
  network: id.slice(0, 2).toLowerCase(),
  kind: 'train',
  entry,
  dims,
  turns,
  small,
})

const inference = (of: string, what: string): Workload => ({
  id: `${of}-infer`,
  title: `inference of ${of}, ${what}`,
  network: of.toLowerCase(),
  kind: 'predict',
  entry: 'logits',
  dims: { batch: 1 },
  turns: 1,
})

const product = (n: number): Workload => ({
  id: `M${n}`,
  title: `matrix product ${n}³`,
  network: 'matmul',
  kind: 'matmul',
  entry: 'product',
  dims: { n },
  turns: 0,
})

export const workloads: readonly Workload[] = [
  training('W1', '784-256-128-10 relu, Adam, batch 32', 'digits', { batch: 32 }, 5),
  training('W1-128', 'the same, batch 128', 'digits', { batch: 128 }, 5),
  training('W2', '2-16-16-1 tanh, SGD, batch 32', 'fit', { batch: 32 }, 10),
  training('W3', 'two 5×5 convolutions with pooling, Adam, batch 32', 'digits', { batch: 32 }, 3),
  training('W4', 'LSTM 128, 64 steps, Adam, batch 16', 'fit', { batch: 16 }, 3, { time: 12 }),
  training('W5', 'GPT, 4 layers, width 128, Adam, batch 8', 'fit', { batch: 8 }, 2, {
    batch: 2,
    context: 16,
    depth: 1,
  }),
  training('W6', 'autoencoder 784-128-32-128-784, Adam, batch 64', 'fit', { batch: 64 }, 5),
  training('W7', 'GAN 64-128-784 / 784-128-1, Adam, batch 32', 'adversarial', { batch: 32 }, 10),
  inference('W1', 'one image'),
  inference('W3', 'one image'),
  inference('W5', '64 tokens'),
  ...[64, 128, 256, 512, 1024].map(product),
]

export interface InputShape {
  readonly name: string
  readonly shape: readonly number[]
}

const classes = 10
const characters = 64
/** Batches that a training goes round. */
export const batchCount = 4

/**
 * Batches for inputs of these names and shapes: images are one of ten patterns under noise and `label` says which, `ids`
 * follow a rule that holds for three characters of four and `next` is the character behind, y is a product of waves
 * of x, z are standard normal, everything else is uniform in [-1, 1).
 */
export function batchesFor(inputs: readonly InputShape[], count: number): Feeds[] {
  const random = randomFrom(20_240_601)
  const patterns = Array.from({ length: classes * 784 }, random)
  const fill = (length: number, value: (k: number) => number) =>
    Float32Array.from({ length }, (_, k) => value(k))
  const volume = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)
  const normal = (): number => normalOf(1 - random(), random())

  function batch(): Feeds {
    const feeds: Record<string, Float32Array | Int32Array> = {}
    const rows = inputs[0]!.shape[0]!
    const label = Int32Array.from({ length: rows }, () => Math.floor(random() * classes))
    for (const { name, shape } of inputs) {
      const length = volume(shape)
      if (name === 'image') {
        feeds[name] = fill(length, (k) => {
          const pattern = patterns[label[Math.floor(k / 784)]! * 784 + (k % 784)]!
          return 0.6 * pattern + 0.4 * random()
        })
      } else if (name === 'label') feeds[name] = label
      else if (name === 'ids') {
        const steps = shape[1]!
        const ids = new Int32Array(length)
        const next = new Int32Array(length)
        for (let n = 0; n < rows; n++) {
          let id = Math.floor(random() * characters)
          for (let t = 0; t < steps; t++) {
            ids[n * steps + t] = id
            id = (5 * id + 7 + (random() < 0.75 ? 0 : Math.floor(random() * 8))) % characters
            next[n * steps + t] = id
          }
        }
        feeds.ids = ids
        if (inputs.some((i) => i.name === 'next')) feeds.next = next
      } else if (name === 'next') continue
      else if (name === 'y') {
        const x = feeds.x!
        feeds[name] = fill(length, (k) => Math.sin(3 * x[2 * k]!) * Math.cos(2 * x[2 * k + 1]!))
      } else feeds[name] = fill(length, name.startsWith('z') ? normal : () => 2 * random() - 1)
    }
    return feeds
  }
  return Array.from({ length: count }, batch)
}
