/**
 * Operators on ONNX values whose shapes are known, and their gradients in the operators that ONNX Runtime's own
 * gradient builder emits (onnxruntime/orttraining/core/graph/gradient_builder.cc): `backward` appends them to the
 * graph. Layers and losses that are one operator each are in onnx-layers.ts.
 */
import type { Tensor } from '../types.ts'
import { type Attribute, Graph, type Type } from './onnx.ts'

export interface Value {
  readonly name: string
  readonly shape: readonly number[]
  /** Whether a parameter is in it. */
  readonly learned: boolean
}

/** The domain of the operators that are ONNX Runtime's own. */
export const ms = 'com.microsoft'
export const volume = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

export class Tape {
  readonly graph = new Graph()
  readonly params = new Map<string, Value>()
  readonly #back: (() => void)[] = []
  readonly #gradients = new Map<string, string>()

  input(name: string, shape: readonly number[], type: Type): Value {
    this.graph.input({ name, shape, type })
    return { name, shape, learned: false }
  }

  /** A parameter; inside the model as a constant, or an input that the runtime fills. */
  param(name: string, tensor: Tensor, inside: boolean): void {
    if (inside) this.graph.param(name, tensor)
    else this.graph.input({ name, shape: tensor.shape, type: 'f32' })
    this.params.set(name, { name, shape: tensor.shape, learned: true })
  }

  of(path: string): Value {
    return this.params.get(path)!
  }

  constant(shape: readonly number[], value: (k: number) => number): Value {
    const data = Float32Array.from({ length: volume(shape) }, (_, k) => value(k))
    return { name: this.graph.constant({ type: 'f32', shape, data }), shape, learned: false }
  }

  /** The result of a node. */
  value(name: string, shape: readonly number[], ...inputs: readonly Value[]): Value {
    return { name, shape, learned: inputs.some((i) => i.learned) }
  }

  /** Runs with the gradient of `y` in the backward pass, if it has one. */
  derive(y: Value, gradient: (dy: string) => void): Value {
    this.#back.push(() => {
      const dy = this.#gradients.get(y.name)
      if (dy !== undefined) gradient(dy)
    })
    return y
  }

  /** Adds to the gradient of a value, where a parameter is in it. */
  give({ name, learned }: Value, gradient: () => string): void {
    if (!learned) return
    const before = this.#gradients.get(name)
    const more = gradient()
    const sum = before === undefined ? more : this.graph.node('Add', [before, more])
    this.#gradients.set(name, sum)
  }

  #unary(op: string, x: Value, of: 'x' | 'y', domain = '', gradOp = `${op}Grad`, attributes = {}) {
    const y = this.value(this.graph.node(op, [x.name], attributes, domain), x.shape, x)
    const kept = of === 'x' ? x.name : y.name
    return this.derive(y, (dy) =>
      this.give(x, () => this.graph.node(gradOp, [dy, kept], attributes, ms)),
    )
  }

  relu = (x: Value): Value => this.#unary('Relu', x, 'y')
  tanh = (x: Value): Value => this.#unary('Tanh', x, 'y')
  sigmoid = (x: Value): Value => this.#unary('Sigmoid', x, 'y')
  gelu = (x: Value): Value => this.#unary('Gelu', x, 'x', ms)
  softmax = (x: Value): Value => this.#unary('Softmax', x, 'y', '', 'SoftmaxGrad_13', { axis: -1 })

  /** x·W + b, of matrices. */
  gemm(x: Value, W: Value, b: Value): Value {
    const { graph } = this
    const y = graph.node('Gemm', [x.name, W.name, b.name])
    return this.derive(this.value(y, [x.shape[0]!, W.shape[1]!], x, W, b), (dy) => {
      this.give(x, () => graph.node('Gemm', [dy, W.name], { transB: 1 }))
      this.give(W, () => graph.node('Gemm', [x.name, dy], { transA: 1 }))
      this.give(b, () => this.#total(dy, [0]))
    })
  }

  /** Matrices of the last two dims; b is one matrix, or one for each of a's. */
  matmul(a: Value, b: Value): Value {
    const { graph } = this
    const [rows, inner, out] = [a.shape.at(-2)!, a.shape.at(-1)!, b.shape.at(-1)!]
    const shape = [...a.shape.slice(0, -2), rows, out]
    const y = this.value(graph.node('MatMul', [a.name, b.name]), shape, a, b)
    return this.derive(y, (dy) => {
      this.give(a, () => graph.node('FusedMatMul', [dy, b.name], { transB: 1 }, ms))
      this.give(b, () => {
        if (b.shape.length > 2) {
          return graph.node('FusedMatMul', [a.name, dy], { transA: 1 }, ms)
        }
        const flat = (name: string, columns: number): string =>
          graph.node('Reshape', [name, graph.ints([-1, columns])])
        return graph.node('Gemm', [flat(a.name, inner), flat(dy, out)], { transA: 1 })
      })
    })
  }

  #total(dy: string, axes: readonly number[]): string {
    return this.graph.node('ReduceSum', [dy, this.graph.ints(axes)], { keepdims: 0 })
  }

  /** b has the shape of a, or of its last dims. */
  add(a: Value, b: Value): Value {
    const y = this.value(this.graph.node('Add', [a.name, b.name]), a.shape, a, b)
    const over = Array.from({ length: a.shape.length - b.shape.length }, (_, k) => k)
    return this.derive(y, (dy) => {
      this.give(a, () => dy)
      this.give(b, () => (over.length === 0 ? dy : this.#total(dy, over)))
    })
  }

  scale(x: Value, factor: number): Value {
    const by = this.graph.scalar(factor)
    const y = this.value(this.graph.node('Mul', [x.name, by]), x.shape, x)
    return this.derive(y, (dy) => this.give(x, () => this.graph.node('Mul', [dy, by])))
  }

  reshape(x: Value, shape: readonly number[]): Value {
    const to = (name: string, dims: readonly number[]): string =>
      this.graph.node('Reshape', [name, this.graph.ints(dims)])
    const y = this.value(to(x.name, shape), shape, x)
    return this.derive(y, (dy) => this.give(x, () => to(dy, x.shape)))
  }

  transpose(x: Value, perm: readonly number[]): Value {
    const shape = perm.map((p) => x.shape[p]!)
    const y = this.value(this.graph.node('Transpose', [x.name], { perm }), shape, x)
    const back = perm.map((_, k) => perm.indexOf(k))
    return this.derive(y, (dy) =>
      this.give(x, () => this.graph.node('Transpose', [dy], { perm: back })),
    )
  }

  /** A node of several outputs, and one for the gradients of its inputs. */
  many(op: string, inputs: readonly string[], count: number, attributes: object, domain = '') {
    const names = Array.from({ length: count }, () => this.graph.name(op))
    this.graph.run(op, inputs, names, attributes as Record<string, Attribute>, domain)
    return names
  }

  /** The names of the gradients of `loss` by each parameter. */
  backward(loss: Value): ReadonlyMap<string, string> {
    this.#gradients.set(loss.name, this.graph.scalar(1))
    for (const back of this.#back.toReversed()) back()
    return new Map([...this.params.keys()].map((name) => [name, this.#gradients.get(name)!]))
  }
}
