/**
 * TensorFlow.js on its wasm backend, the networks as its users write them: eager operations, gradients by the tape, its
 * own optimizers. The backend has no kernel for the gradient of a convolution by its filter nor for that of a gather; both
 * are written here as products of matrices on the same backend, without which W3, W4 and W5 do not train at all.
 */
import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js'
import '@tensorflow/tfjs-core/dist/register_all_gradients.js'
import type { Engine, Feeds, Tensor } from '../types.ts'

type T2 = tf.Tensor2D
type Var = (path: string) => tf.Tensor
type Fed = Readonly<Record<string, tf.Tensor>>

const dense = (v: Var, path: string, x: T2): T2 =>
  tf.add(tf.matMul(x, v(`${path}.W`) as T2), v(`${path}.b`))

/** A function of tensors with its own derivative; typed as tfjs's `customGrad` means it. */
function withGradient(
  inputs: readonly tf.Tensor[],
  value: (...inputs: tf.Tensor[]) => tf.Tensor,
  gradient: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor | tf.Tensor[],
): tf.Tensor {
  const custom = tf.customGrad((...given) => {
    const save = given.pop() as unknown as tf.GradSaveFunc
    const all = given as tf.Tensor[]
    save(all)
    return { value: value(...all), gradFunc: gradient }
  })
  return custom(...inputs)
}

/** Rows of a table; the gradient is onehotᵀ · dy. */
const gather = (table: tf.Tensor, ids: tf.Tensor): T2 =>
  withGradient(
    [table],
    (rows) => tf.gather(rows, ids as tf.Tensor1D),
    (dy) => tf.matMul(tf.oneHot(ids as tf.Tensor1D, table.shape[0]!) as T2, dy as T2, true),
  ) as T2

/**
 * A convolution with padding `same` and stride 1. Its gradient by the filter, for each of its places: the pixels that it
 * meets there, transposed, times dy. Without `needsInput` x is data and has no gradient.
 */
function conv(x: tf.Tensor4D, filter: tf.Tensor, needsInput: boolean): tf.Tensor4D {
  const [n, h, w, c] = x.shape
  const [r, s, , k] = filter.shape as [number, number, number, number]
  const byFilter = (pixels: tf.Tensor4D, dy: tf.Tensor): tf.Tensor => {
    const [top, left] = [(r - 1) >> 1, (s - 1) >> 1]
    const padding = [0, top, left, 0].map((p, at) => [p, [0, r - 1 - top, s - 1 - left, 0][at]!])
    const around = tf.pad(pixels, padding as [number, number][]) as tf.Tensor4D
    const rows = dy.reshape<T2>([n * h * w, k])
    const places = Array.from({ length: r * s }, (_, at) => {
      const met = tf.slice4d(around, [0, Math.floor(at / s), at % s, 0], [n, h, w, c])
      return tf.matMul(met.reshape<T2>([n * h * w, c]), rows, true)
    })
    return tf.stack(places).reshape([r, s, c, k])
  }
  const value = (pixels: tf.Tensor, f: tf.Tensor): tf.Tensor =>
    tf.conv2d(pixels as tf.Tensor4D, f as tf.Tensor4D, 1, 'same')
  if (!needsInput) {
    const byF = (f: tf.Tensor): tf.Tensor => value(x, f)
    return withGradient([filter], byF, (dy) => byFilter(x, dy)) as tf.Tensor4D
  }
  return withGradient([x, filter], value, (dy, [pixels, f]) => [
    tf.conv2dTranspose(dy as tf.Tensor4D, f as tf.Tensor4D, [n, h, w, c], 1, 'same'),
    byFilter(pixels as tf.Tensor4D, dy),
  ]) as tf.Tensor4D
}

function layerNorm(v: Var, path: string, x: tf.Tensor): tf.Tensor {
  const { mean, variance } = tf.moments(x, -1, true)
  return x
    .sub(mean)
    .div(variance.add(1e-5).sqrt())
    .mul(v(`${path}.g`))
    .add(v(`${path}.b`))
}

const gelu = (x: T2): T2 => x.mul(0.5).mul(x.mul(Math.SQRT1_2).erf().add(1))

function lstm(v: Var, x: T2, rows: number, steps: number): T2 {
  const units = 128
  const u = tf
    .add(tf.matMul(x, v('text.lstm_1.W') as T2), v('text.lstm_1.b'))
    .reshape([rows, steps, 4 * units])
  let h = tf.zeros([rows, units]) as T2
  let c = h
  const all: T2[] = []
  for (const at of tf.unstack(u, 1)) {
    const z = at.add(tf.matMul(h, v('text.lstm_1.U') as T2)) as T2
    const [i, f, g, o] = tf.split(z, 4, 1) as [T2, T2, T2, T2]
    c = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()))
    h = o.sigmoid().mul(c.tanh())
    all.push(h)
  }
  return tf.stack(all, 1).reshape([rows * steps, units])
}

function attend(v: Var, path: string, x: T2, rows: number, steps: number): T2 {
  const [heads, width] = [4, 32]
  const project = (name: string): tf.Tensor =>
    tf
      .matMul(x, v(`${path}.${name}`) as T2)
      .reshape([rows, steps, heads, width])
      .transpose([0, 2, 1, 3])
  const [q, k, val] = [project('Wq'), project('Wk'), project('Wv')]
  const ahead = tf.linalg
    .bandPart(tf.ones([steps, steps]), -1, 0)
    .sub(1)
    .mul(1e30)
  const scores = tf.matMul(q, k, false, true).div(Math.sqrt(width)).add(ahead)
  const o = tf.matMul(tf.softmax(scores), val).transpose([0, 2, 1, 3])
  return tf.matMul(o.reshape<T2>([rows * steps, heads * width]), v(`${path}.Wo`) as T2)
}

/** The outputs of each network. */
const networks: Readonly<Record<string, (v: Var, fed: Fed) => tf.Tensor>> = {
  w1(v, { image }) {
    const h = dense(v, 'classify.dense_1', image as T2).relu() as T2
    return dense(v, 'classify.dense_3', dense(v, 'classify.dense_2', h).relu())
  },
  w2(v, { x }) {
    const h = dense(v, 'f.dense_1', x as T2).tanh() as T2
    return dense(v, 'f.dense_3', dense(v, 'f.dense_2', h).tanh())
  },
  w3(v, { image }) {
    const layer = (x: tf.Tensor4D, path: string, needs: boolean): tf.Tensor4D =>
      tf.maxPool(
        conv(x, v(`${path}.F`), needs)
          .add(v(`${path}.b`))
          .relu() as tf.Tensor4D,
        2,
        2,
        'valid',
      )
    const rows = image!.shape[0]!
    const x = layer(image!.reshape<tf.Tensor4D>([rows, 28, 28, 1]), 'classify.conv_1', false)
    return dense(v, 'classify.dense_1', layer(x, 'classify.conv_2', true).reshape([rows, 784]))
  },
  w4(v, { ids }) {
    const [rows, steps] = ids!.shape as [number, number]
    const x = gather(v('text.embedding_1.table'), ids!.flatten())
    return dense(v, 'text.dense_1', lstm(v, x, rows, steps))
  },
  w5(v, { ids }) {
    const [rows, steps] = ids!.shape as [number, number]
    const tokens = gather(v('gpt.x.table'), ids!.flatten()).reshape([rows, steps, 128])
    let x = tokens.add(v('gpt.x.place')).reshape<T2>([rows * steps, 128])
    for (let layer = 2; layer < 6; layer++) {
      const at = `gpt.x_${layer}`
      const normed = layerNorm(v, `${at}.norm_1`, x) as T2
      x = x.add(attend(v, `${at}.attend_1`, normed, rows, steps))
      const h = gelu(dense(v, `${at}.dense_1`, layerNorm(v, `${at}.norm_2`, x) as T2))
      x = x.add(dense(v, `${at}.dense_2`, h))
    }
    return dense(v, 'gpt.dense_1', layerNorm(v, 'gpt.norm_1', x) as T2)
  },
  w6(v, { image }) {
    let x = image as T2
    for (const k of [1, 2, 3]) x = dense(v, `reconstruct.dense_${k}`, x).relu()
    return dense(v, 'reconstruct.dense_4', x).sigmoid()
  },
  matmul: (_, { a, b }) => tf.matMul(a as T2, b as T2),
}

const crossEntropy = (logits: tf.Tensor, label: tf.Tensor): tf.Scalar =>
  tf.losses.softmaxCrossEntropy(tf.oneHot(label.flatten() as tf.Tensor1D, logits.shape[1]!), logits)
const squares = (y: tf.Tensor, target: tf.Tensor): tf.Scalar =>
  tf.losses.meanSquaredError(target, y)

const losses: Readonly<Record<string, (y: tf.Tensor, fed: Fed) => tf.Scalar>> = {
  w1: (y, { label }) => crossEntropy(y, label!),
  w2: (y, fed) => squares(y, fed.y!),
  w3: (y, { label }) => crossEntropy(y, label!),
  w4: (y, { next }) => crossEntropy(y, next!),
  w5: (y, { next }) => crossEntropy(y, next!),
  w6: (y, { image }) => squares(y, image!),
}

/** A step of the GAN: the discriminator's and then, against what it has become, the generator's. */
function gan(v: Var, all: readonly tf.Variable[]) {
  const make = (z: tf.Tensor): T2 =>
    dense(v, 'generate.dense_2', dense(v, 'generate.dense_1', z as T2).relu()).tanh()
  const judge = (x: tf.Tensor): T2 =>
    dense(v, 'discriminate.dense_2', dense(v, 'discriminate.dense_1', x as T2).leakyRelu(0.2))
  const bce = (logits: T2, target: 0 | 1): tf.Tensor =>
    tf.softplus(target ? logits.neg() : logits).mean()
  const [own, its] = ['discriminate', 'generate'].map((net) =>
    all.filter((p) => p.name.startsWith(net)),
  ) as [tf.Variable[], tf.Variable[]]
  const [first, second] = [
    tf.train.adam(2e-4, 0.5, 0.999, 1e-8),
    tf.train.adam(2e-4, 0.5, 0.999, 1e-8),
  ]
  return ({ image, z1, z2 }: Fed): tf.Scalar[] => {
    const fake = make(z1!)
    const a = first.minimize(() => bce(judge(image!), 1).add(bce(judge(fake), 0)), true, own)
    const b = second.minimize(() => bce(judge(make(z2!)), 1).asScalar(), true, its)
    return [a!, b!]
  }
}

function tensorOf({ shape, data }: Tensor): tf.Tensor {
  return tf.tensor(data, [...shape], data instanceof Float32Array ? 'float32' : 'int32')
}

const engine: Engine = {
  async create({ network, kind, packages }, params, inputs) {
    setWasmPaths(`${packages}/@tensorflow/tfjs-backend-wasm/wasm-out/`)
    setThreadsCount(1)
    if (!(await tf.setBackend('wasm'))) throw new Error('its wasm backend does not start')
    const variables = new Map(
      [...params].map(([name, t]) => [name, tf.variable(tensorOf(t), true, name)]),
    )
    const all = [...variables.values()]
    const v: Var = (path) => variables.get(path)!
    let step: (fed: Fed) => tf.Tensor[]
    if (kind !== 'train') step = (fed) => [networks[network]!(v, fed)]
    else if (network === 'w7') step = gan(v, all)
    else {
      const rate = network === 'w4' ? 2e-3 : 1e-3
      const optimizer =
        network === 'w2' ? tf.train.sgd(0.05) : tf.train.adam(rate, 0.9, 0.999, 1e-8)
      const loss = (fed: Fed): tf.Scalar => losses[network]!(networks[network]!(v, fed), fed)
      step = (fed) => [optimizer.minimize(() => loss(fed), true, all)!]
    }
    let fed: Record<string, tf.Tensor> = {}
    let results: tf.Tensor[] = []
    return {
      feed(feeds: Feeds) {
        tf.dispose(fed)
        fed = Object.fromEntries(
          Object.entries(feeds).map(([k, data]) => [k, tensorOf({ shape: inputs[k]!, data })]),
        )
      },
      step() {
        tf.dispose(results)
        results = tf.tidy(() => step(fed))
      },
      read: () =>
        kind === 'train' ? results.map((r) => r.dataSync()[0]!) : results[0]!.dataSync(),
    }
  },
}

export default engine
