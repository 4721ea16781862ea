/**
 * Digits out of noise: from three seeds, what a generator draws is judged by our own convolutional network, which has never
 * seen a drawn digit. Left in the folder: a grid of samples a seed.
 */
import { writeFileSync } from 'node:fs'
import { imageGrid } from '../../../compiler/cli/pictures/raster.ts'
import { encodePng } from '../../../compiler/cli/png.ts'
import { normalFrom } from '../../support/random.ts'
import { trainCnn } from './cnn.ts'
import { atLeast, atMost, loadTrained, type Result, resultOf, type Task } from './task.ts'

/** Numbers of noise that a picture is drawn from, as gan.net has them. */
const latent = 32

/** Pictures that are judged. */
const samples = 1000

export const gan: Task = {
  name: 'gan',
  summary:
    'a DCGAN on MNIST, three seeds: 90 % of 1,000 samples are digits to our CNN, of all classes, none above 25 %',
  async *run(tools) {
    const known = tools.weights('cnn', () => trainCnn(tools))
    const judge = await loadTrained('cnn', known)
    for (const seed of [1, 2, 3]) {
      const name = seed === 1 ? 'gan' : `gan-${seed}`
      const args = ['--seed', `${seed}`, '--epochs', '6', '--target', 'relaxed']
      const trained = tools.train('gan', args, name)
      const generator = await loadTrained('gan', trained.weights)
      const pictures = generator.predict.draw!({ z: noise(seed) }).picture as Float32Array
      const file = tools.path(`${name}.png`)
      writeFileSync(file, grid(pictures, 100))
      tools.say(`samples of seed ${seed}: ${file}`)
      const { sure, classes } = judgement(
        judge.predict.digit!({ image: pictures }).probs as Float32Array,
      )
      tools.say(`samples of each class: ${classes.join(' ')}`)
      const result = (figure: string, value: number, bound: Result['bound']): Result =>
        resultOf(`gan, seed ${seed}`, 'MNIST', trained, figure, bound, value)
      yield result('sure digits', sure / samples, atLeast(0.9))
      yield result('classes drawn', classes.filter((n) => n > 0).length, atLeast(10))
      yield result('most of one class', Math.max(...classes) / samples, atMost(0.25))
    }
  },
}

/** Standard normal numbers, `latent` a sample. */
const noise = (seed: number): Float32Array =>
  Float32Array.from({ length: samples * latent }, normalFrom(1000 + seed))

/** How many rows of probabilities have one of at least 0.9, and how often each class is the likeliest. */
function judgement(probs: Float32Array): { sure: number; classes: readonly number[] } {
  const classes = new Array<number>(10).fill(0)
  let sure = 0
  for (let k = 0; k < probs.length; k += 10) {
    const row = probs.subarray(k, k + 10)
    const highest = Math.max(...row)
    classes[row.indexOf(highest)]!++
    if (highest >= 0.9) sure++
  }
  return { sure, classes }
}

function grid(values: Float32Array, count: number): Uint8Array {
  const tiles = { values, count, height: 28, width: 28, channels: 1 } as const
  return encodePng(imageGrid(tiles, { columns: 10, range: { low: 0, high: 255 } }))
}
