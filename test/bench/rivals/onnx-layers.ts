/** Layers and losses as single ONNX operators, with the operators of their gradients: see onnx-tape.ts. */
import { ms, type Tape, type Value, volume } from './onnx-tape.ts'

export function gather(t: Tape, table: Value, ids: Value): Value {
  const { graph } = t
  const shape = [...ids.shape, ...table.shape.slice(1)]
  const y = t.value(graph.node('Gather', [table.name, ids.name]), shape, table)
  return t.derive(y, (dy) =>
    t.give(table, () =>
      graph.node('GatherGrad', [graph.ints(table.shape), ids.name, dy], { axis: 0 }, ms),
    ),
  )
}

export function layerNorm(t: Tape, x: Value, g: Value, b: Value): Value {
  const attributes = { axis: -1, epsilon: { float: 1e-5 } }
  const inputs = [x.name, g.name, b.name]
  const names = t.many('LayerNormalization', inputs, 3, attributes)
  const [name, mean, deviation] = names as [string, string, string]
  return t.derive(t.value(name, x.shape, x, g, b), (dy) => {
    const from = [dy, x.name, g.name, mean, deviation]
    const [dx, dg, db] = t.many('LayerNormalizationGrad', from, 3, { axis: -1 }, ms)
    t.give(x, () => dx!)
    t.give(g, () => dg!)
    t.give(b, () => db!)
  })
}

/** x: [N, C, H, W], F: [K, C, 5, 5]; padding 2, stride 1. */
export function conv(t: Tape, x: Value, F: Value, b: Value): Value {
  const { graph } = t
  const attributes = { pads: [2, 2, 2, 2], kernel_shape: [5, 5], strides: [1, 1] }
  const y = graph.node('Conv', [x.name, F.name, b.name], attributes)
  const [n, , h, w] = x.shape as [number, number, number, number]
  return t.derive(t.value(y, [n, F.shape[0]!, h, w], x, F, b), (dy) => {
    const [dx, dF, db] = ['dx', 'dF', 'db'].map((what) => graph.name(what))
    const outputs = [x.learned ? dx! : '', dF!, db!]
    graph.run('ConvGrad', [dy, x.name, F.name], outputs, attributes, ms)
    t.give(x, () => dx!)
    t.give(F, () => dF!)
    t.give(b, () => db!)
  })
}

/** The largest of 2×2. */
export function maxPool(t: Tape, x: Value): Value {
  const { graph } = t
  const attributes = { kernel_shape: [2, 2], strides: [2, 2] }
  const [name, places] = t.many('MaxPool', [x.name], 2, attributes) as [string, string]
  const [n, c, h, w] = x.shape as [number, number, number, number]
  return t.derive(t.value(name, [n, c, h / 2, w / 2], x), (dy) =>
    t.give(x, () => {
      const dx = graph.node('MaxPoolGrad', [dy, places], attributes)
      // The kernel takes the size of its result from here.
      graph.known({ name: dx, shape: x.shape, type: 'f32' })
      return dx
    }),
  )
}

/** x: [T, N, I] -> [T, N, H]. W: [1, 4·H, I], R: [1, 4·H, H], b: [4·H]; the second bias that ONNX has is 0. */
export function lstm(t: Tape, x: Value, W: Value, R: Value, b: Value): Value {
  const { graph } = t
  const [steps, n] = x.shape as [number, number]
  const units = R.shape[2]!
  const none = t.constant([4 * units], () => 0)
  const both = graph.node('Concat', [b.name, none.name], { axis: 0 })
  const biases = graph.node('Reshape', [both, graph.ints([1, 8 * units])])
  const start = t.constant([1, n, units], () => 0).name
  const attributes = { hidden_size: units }
  const inputs = [x.name, W.name, R.name, biases, '', start, start]
  const names = t.many('LSTMTraining', inputs, 5, attributes, ms)
  const [all, , , cells, gates] = names as [string, string, string, string, string]
  const shape = [steps, 1, n, units]
  const y = t.derive(t.value(all, shape, x, W, R, b), (dy) => {
    const from = [x.name, W.name, R.name, '', start, start, all, cells, gates, dy, '', '']
    const [dx, dW, dR, db] = t.many('LSTMGrad', from, 4, attributes, ms)
    t.give(x, () => dx!)
    t.give(W, () => dW!)
    t.give(R, () => dR!)
    t.give(b, () => {
      const flat = graph.node('Reshape', [db!, graph.ints([8 * units])])
      return graph.node('Slice', [flat, graph.ints([0]), graph.ints([4 * units])])
    })
  })
  return t.reshape(y, [steps, n, units])
}

/** Mean over rows; logits: [N, C], label: [N]. */
export function crossEntropy(t: Tape, logits: Value, label: Value): Value {
  const { graph } = t
  const attributes = { reduction: 'mean' }
  const names = t.many('SoftmaxCrossEntropyLoss', [logits.name, label.name], 2, attributes)
  const [loss, logs] = names as [string, string]
  return t.derive(t.value(loss, [], logits), (dy) =>
    t.give(logits, () => {
      const from = [dy, logs, label.name]
      return graph.node('SoftmaxCrossEntropyLossGrad', from, attributes, ms)
    }),
  )
}

export function meanSquares(t: Tape, y: Value, target: Value): Value {
  const { graph } = t
  const d = graph.node('Sub', [y.name, target.name])
  const loss = graph.node('ReduceMean', [graph.node('Mul', [d, d])], { keepdims: 0 })
  const slope = graph.scalar(2 / volume(y.shape))
  return t.derive(t.value(loss, [], y), () => t.give(y, () => graph.node('Mul', [d, slope])))
}
