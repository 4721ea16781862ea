/** The networks of the benchmark as ONNX graphs, in the operators that exporters write. */
import type { Tensor } from '../types.ts'
import { Graph, transposed, type Value } from './onnx.ts'

type Params = ReadonlyMap<string, Tensor>

/** The parameters as the operators of ONNX want them laid out: channels before pixels. */
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
  return all
}

const dense = (g: Graph, path: string, x: string): string =>
  g.node('Gemm', [x, `${path}.W`, `${path}.b`])

/** A dense layer over tensors of more than two dims. */
const denseOver = (g: Graph, path: string, x: string): string =>
  g.node('Add', [g.node('MatMul', [x, `${path}.W`]), `${path}.b`])

const layerNorm = (g: Graph, path: string, x: string): string =>
  g.node('LayerNormalization', [x, `${path}.g`, `${path}.b`], {
    axis: -1,
    epsilon: { float: 1e-5 },
  })

function attend(
  g: Graph,
  path: string,
  x: string,
  [n, t]: readonly number[],
  mask: string,
): string {
  const heads = g.ints([n!, t!, 4, 32])
  const project = (name: string, perm: readonly number[]): string =>
    g.node('Transpose', [g.node('Reshape', [g.node('MatMul', [x, `${path}.${name}`]), heads])], {
      perm,
    })
  const q = g.node('Mul', [project('Wq', [0, 2, 1, 3]), g.scalar(1 / Math.sqrt(32))])
  const scores = g.node('MatMul', [q, project('Wk', [0, 2, 3, 1])])
  const weights = g.node('Softmax', [g.node('Add', [scores, mask])], { axis: -1 })
  const o = g.node('MatMul', [weights, project('Wv', [0, 2, 1, 3])])
  const joined = g.node('Reshape', [
    g.node('Transpose', [o], { perm: [0, 2, 1, 3] }),
    g.ints([n!, t!, 128]),
  ])
  return g.node('MatMul', [joined, `${path}.Wo`])
}

function gpt(g: Graph, ids: string, shape: readonly number[]): string {
  const t = shape[1]!
  const data = Float32Array.from({ length: t * t }, (_, k) =>
    k % t > Math.floor(k / t) ? -1e30 : 0,
  )
  const mask = g.constant({ type: 'f32', shape: [t, t], data })
  let x = g.node('Add', [g.node('Gather', ['gpt.x.table', ids]), 'gpt.x.place'])
  for (let layer = 2; layer < 6; layer++) {
    const at = `gpt.x_${layer}`
    const normed = layerNorm(g, `${at}.norm_1`, x)
    x = g.node('Add', [x, attend(g, `${at}.attend_1`, normed, shape, mask)])
    const wide = denseOver(g, `${at}.dense_1`, layerNorm(g, `${at}.norm_2`, x))
    const h = g.node('Gelu', [wide], {}, 'com.microsoft')
    x = g.node('Add', [x, denseOver(g, `${at}.dense_2`, h)])
  }
  return denseOver(g, 'gpt.dense_1', layerNorm(g, 'gpt.norm_1', x))
}

const relu = (g: Graph, x: string): string => g.node('Relu', [x])

type Network = (g: Graph, shapes: Readonly<Record<string, readonly number[]>>) => string

const networks: Readonly<Record<string, Network>> = {
  w1(g) {
    const h = relu(g, dense(g, 'classify.dense_1', 'image'))
    return dense(g, 'classify.dense_3', relu(g, dense(g, 'classify.dense_2', h)))
  },
  w3(g, { image }) {
    const layer = (x: string, path: string): string => {
      const y = g.node('Conv', [x, `${path}.F`, `${path}.b`], {
        pads: [2, 2, 2, 2],
        kernel_shape: [5, 5],
      })
      return g.node('MaxPool', [relu(g, y)], { kernel_shape: [2, 2], strides: [2, 2] })
    }
    const [n] = image as [number]
    const x = layer(g.node('Reshape', ['image', g.ints([n, 1, 28, 28])]), 'classify.conv_1')
    const flat = g.node('Reshape', [layer(x, 'classify.conv_2'), g.ints([n, 784])])
    return dense(g, 'classify.dense_1', flat)
  },
  w5: (g, { ids }) => gpt(g, 'ids', ids!),
  matmul: (g) => g.node('MatMul', ['a', 'b']),
}

/** The model that computes the outputs of a network, its parameters inside. */
export function inferenceModel(
  network: string,
  params: Params,
  inputs: Readonly<Record<string, readonly number[]>>,
): Uint8Array<ArrayBuffer> {
  const g = new Graph()
  for (const [name, shape] of Object.entries(inputs)) {
    g.input({ name, shape, type: name === 'ids' ? 'i32' : 'f32' } satisfies Value)
  }
  for (const [name, tensor] of paramsFor(network, params)) g.param(name, tensor)
  const out = networks[network]!(g, inputs)
  g.run('Identity', [out], ['out'])
  g.output({ name: 'out', type: 'f32' })
  return g.encode()
}
