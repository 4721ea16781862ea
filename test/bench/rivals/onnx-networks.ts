/** The networks of the benchmark as ONNX graphs, in the operators that exporters write. */
import type { Tensor } from '../types.ts'
import { transposed } from './onnx.ts'
import { conv, crossEntropy, gather, layerNorm, lstm, maxPool, meanSquares } from './onnx-layers.ts'
import { ms, Tape, type Value } from './onnx-tape.ts'

export type Params = ReadonlyMap<string, Tensor>
export type Shapes = Readonly<Record<string, readonly number[]>>
type Inputs = Readonly<Record<string, Value>>

/** The columns of the four gates, which ONNX has in the order input, output, forget, candidate. */
function gates({ shape, data }: Tensor): Tensor {
  const units = shape.at(-1)! / 4
  const blocks = { shape: [...shape.slice(0, -1), 4, units], data }
  const last = blocks.shape.length - 2
  // Gates first, so that a gate is one run of numbers.
  const axes = [last, ...blocks.shape.keys()].filter((a, k) => k === 0 || a !== last)
  const first = transposed(blocks, axes)
  const size = data.length / 4
  const ordered = new Float32Array(data.length)
  for (const [to, from] of [0, 3, 1, 2].entries()) {
    ordered.set(first.data.subarray(from * size, (from + 1) * size), to * size)
  }
  return { shape: first.shape, data: ordered }
}

/** The parameters as the operators of ONNX want them laid out: channels before pixels, gates before inputs. */
export function paramsFor(network: string, params: Params): Params {
  const all = new Map(params)
  if (network === 'w3') {
    for (const path of ['classify.conv_1.F', 'classify.conv_2.F']) {
      all.set(path, transposed(params.get(path)!, [3, 2, 0, 1]))
    }
    const dense = params.get('classify.dense_1.W')!
    const by = transposed({ ...dense, shape: [7, 7, 16, 10] }, [2, 0, 1, 3])
    all.set('classify.dense_1.W', { ...by, shape: dense.shape })
  }
  if (network === 'w4') {
    for (const path of ['text.lstm_1.W', 'text.lstm_1.U']) {
      // [4, I, H] -> [1, 4·H, I]
      const { shape, data } = transposed(gates(params.get(path)!), [0, 2, 1])
      all.set(path, { shape: [1, 4 * shape[1]!, shape[2]!], data })
    }
    const bias = gates(params.get('text.lstm_1.b')!)
    all.set('text.lstm_1.b', { ...bias, shape: [bias.data.length] })
  }
  return all
}

const dense = (t: Tape, path: string, x: Value): Value =>
  x.shape.length > 2
    ? t.add(t.matmul(x, t.of(`${path}.W`)), t.of(`${path}.b`))
    : t.gemm(x, t.of(`${path}.W`), t.of(`${path}.b`))

const norm = (t: Tape, path: string, x: Value): Value =>
  layerNorm(t, x, t.of(`${path}.g`), t.of(`${path}.b`))

function attend(t: Tape, path: string, x: Value, mask: Value): Value {
  const [n, steps, width] = x.shape as [number, number, number]
  const project = (name: string, perm: readonly number[]): Value => {
    const all = t.matmul(x, t.of(`${path}.${name}`))
    return t.transpose(t.reshape(all, [n, steps, 4, width / 4]), perm)
  }
  const q = t.scale(project('Wq', [0, 2, 1, 3]), 1 / Math.sqrt(width / 4))
  const scores = t.add(t.matmul(q, project('Wk', [0, 2, 3, 1])), mask)
  const o = t.matmul(t.softmax(scores), project('Wv', [0, 2, 1, 3]))
  const joined = t.reshape(t.transpose(o, [0, 2, 1, 3]), [n, steps, width])
  return t.matmul(joined, t.of(`${path}.Wo`))
}

type Network = (t: Tape, inputs: Inputs) => Value

const networks: Readonly<Record<string, Network>> = {
  w1(t, { image }) {
    const h = t.relu(dense(t, 'classify.dense_1', image!))
    return dense(t, 'classify.dense_3', t.relu(dense(t, 'classify.dense_2', h)))
  },
  w2(t, { x }) {
    const h = t.tanh(dense(t, 'f.dense_1', x!))
    return dense(t, 'f.dense_3', t.tanh(dense(t, 'f.dense_2', h)))
  },
  w3(t, { image }) {
    const layer = (x: Value, path: string): Value =>
      maxPool(t, t.relu(conv(t, x, t.of(`${path}.F`), t.of(`${path}.b`))))
    const n = image!.shape[0]!
    const x = layer(t.reshape(image!, [n, 1, 28, 28]), 'classify.conv_1')
    const flat = t.reshape(layer(x, 'classify.conv_2'), [n, 784])
    return dense(t, 'classify.dense_1', flat)
  },
  w4(t, { ids }) {
    const [n, steps] = ids!.shape as [number, number]
    const [W, R, b] = ['W', 'U', 'b'].map((name) => t.of(`text.lstm_1.${name}`))
    const x = gather(t, t.of('text.embedding_1.table'), ids!)
    const h = lstm(t, t.transpose(x, [1, 0, 2]), W!, R!, b!)
    return dense(t, 'text.dense_1', t.reshape(t.transpose(h, [1, 0, 2]), [n * steps, 128]))
  },
  w5(t, { ids }) {
    const steps = ids!.shape[1]!
    const mask = t.constant([steps, steps], (k) => (k % steps > Math.floor(k / steps) ? -1e30 : 0))
    let x = t.add(gather(t, t.of('gpt.x.table'), ids!), t.of('gpt.x.place'))
    for (let layer = 2; layer < 6; layer++) {
      const at = `gpt.x_${layer}`
      x = t.add(x, attend(t, `${at}.attend_1`, norm(t, `${at}.norm_1`, x), mask))
      const wide = dense(t, `${at}.dense_1`, norm(t, `${at}.norm_2`, x))
      x = t.add(x, dense(t, `${at}.dense_2`, t.gelu(wide)))
    }
    return dense(t, 'gpt.dense_1', norm(t, 'gpt.norm_1', x))
  },
  w6(t, { image }) {
    let x = image!
    for (const k of [1, 2, 3]) x = t.relu(dense(t, `reconstruct.dense_${k}`, x))
    return t.sigmoid(dense(t, 'reconstruct.dense_4', x))
  },
  matmul: (t, { a, b }) => t.matmul(a!, b!),
}

function start(network: string, params: Params, shapes: Shapes, inside: boolean) {
  const tape = new Tape()
  const inputs: Record<string, Value> = {}
  for (const [name, shape] of Object.entries(shapes)) {
    inputs[name] = tape.input(name, shape, /^(ids|next|label)$/.test(name) ? 'i32' : 'f32')
  }
  for (const [name, tensor] of paramsFor(network, params)) tape.param(name, tensor, inside)
  return { tape, inputs, out: networks[network]!(tape, inputs) }
}

/** The model that computes the outputs of a network, its parameters inside. */
export function inferenceModel(network: string, params: Params, shapes: Shapes) {
  const { tape, out } = start(network, params, shapes, true)
  tape.graph.run('Identity', [out.name], ['out'])
  tape.graph.output({ name: 'out', type: 'f32' })
  return tape.graph.encode()
}

/**
 * The training model that the runtime's training API expects: inputs, parameters, buffers of gradients and the flag
 * that resets them; outputs the loss and, of each buffer, that it was updated.
 */
export function trainingModel(network: string, params: Params, shapes: Shapes) {
  const { tape, inputs, out } = start(network, params, shapes, false)
  const { graph } = tape
  const rows = out.shape.slice(0, -1).reduce((a, b) => a * b, 1)
  const flat = (v: Value, shape: readonly number[]): Value =>
    v.shape.length === shape.length ? v : tape.reshape(v, shape)
  const label = inputs.label ?? inputs.next
  const loss = label
    ? crossEntropy(tape, flat(out, [rows, out.shape.at(-1)!]), flat(label, [rows]))
    : meanSquares(tape, out, inputs.y ?? inputs.image!)
  const gradients = tape.backward(loss)
  graph.run('Identity', [loss.name], ['loss'])
  graph.output({ name: 'loss', type: 'f32', shape: [] })
  for (const [name, gradient] of gradients) {
    const { shape } = tape.of(name)
    const buffer = `${name}_grad.accumulation.buffer`
    const updated = `${name}_grad.accumulation.out`
    graph.input({ name: buffer, shape, type: 'f32' })
    graph.run('InPlaceAccumulatorV2', [buffer, gradient, 'lazy_reset_grad'], [updated], {}, ms)
    graph.output({ name: updated, shape: [1], type: 'bool' })
  }
  graph.input({ name: 'lazy_reset_grad', shape: [1], type: 'bool' })
  return graph.encode()
}
