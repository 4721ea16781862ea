/**
 * Writes ONNX models: a graph that is built node by node, and its protobuf. Only the fields of onnx.proto that these
 * models need. https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
import type { Tensor } from '../types.ts'

/** https://protobuf.dev/programming-guides/encoding/: a tag, then a varint (0), a length and bytes (2), or 4 bytes (5). */
class Message {
  readonly #parts: Uint8Array[] = []

  #varint(value: number | bigint): void {
    const bytes: number[] = []
    // Negative numbers are 64-bit two's complement.
    let rest = BigInt.asUintN(64, BigInt(value))
    for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
    this.#parts.push(Uint8Array.of(...bytes, Number(rest)))
  }

  int(field: number, value: number): this {
    this.#varint(field << 3)
    this.#varint(value)
    return this
  }

  float(field: number, value: number): this {
    this.#varint((field << 3) | 5)
    this.#parts.push(new Uint8Array(Float32Array.of(value).buffer))
    return this
  }

  bytes(field: number, value: Uint8Array | Message | string): this {
    const bytes =
      value instanceof Message
        ? value.finish()
        : typeof value === 'string'
          ? new TextEncoder().encode(value)
          : value
    this.#varint((field << 3) | 2)
    this.#varint(bytes.length)
    this.#parts.push(bytes)
    return this
  }

  finish(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.#parts.reduce((n, p) => n + p.length, 0))
    let at = 0
    for (const part of this.#parts) {
      all.set(part, at)
      at += part.length
    }
    return all
  }
}

/** TensorProto.DataType */
export const types = { f32: 1, i32: 6, i64: 7, bool: 9 } as const
export type Type = keyof typeof types

export type Attribute = number | { readonly float: number } | readonly number[] | string

export interface Constant {
  readonly type: Type
  readonly shape: readonly number[]
  readonly data: Float32Array | Int32Array | BigInt64Array | Uint8Array
}

export interface Value {
  readonly name: string
  readonly type: Type
  /** Left out where the runtime finds it. */
  readonly shape?: readonly number[]
  /** A sequence of such tensors. */
  readonly sequence?: boolean
}

const tensorProto = (name: string, { type, shape, data }: Constant): Message => {
  const message = new Message()
  for (const n of shape) message.int(1, n)
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return message.int(2, types[type]).bytes(8, name).bytes(9, raw)
}

function attributeProto(name: string, value: Attribute): Message {
  const message = new Message().bytes(1, name)
  if (typeof value === 'number') return message.int(3, value).int(20, 2)
  if (typeof value === 'string') return message.bytes(4, value).int(20, 3)
  if ('float' in value) return message.float(2, value.float).int(20, 1)
  for (const n of value) message.int(8, n)
  return message.int(20, 7)
}

function valueProto({ name, type, shape, sequence }: Value): Message {
  const tensor = new Message().int(1, types[type])
  if (shape) {
    const dims = new Message()
    for (const n of shape) dims.bytes(1, new Message().int(1, n))
    tensor.bytes(2, dims)
  }
  const whole = new Message().bytes(1, tensor)
  return new Message()
    .bytes(1, name)
    .bytes(2, sequence ? new Message().bytes(4, new Message().bytes(1, whole)) : whole)
}

export class Graph {
  readonly #nodes: Message[] = []
  readonly #constants: Message[] = []
  readonly #inputs: Message[] = []
  readonly #outputs: Message[] = []
  readonly #known: Message[] = []
  #count = 0

  name(what: string): string {
    this.#count++
    return `${what}_${this.#count}`
  }

  input(value: Value): string {
    this.#inputs.push(valueProto(value))
    return value.name
  }

  output(value: Value): void {
    this.#outputs.push(valueProto(value))
  }

  /** States the type and shape of a value inside. */
  known(value: Value): void {
    this.#known.push(valueProto(value))
  }

  constant(value: Constant, name = this.name('constant')): string {
    this.#constants.push(tensorProto(name, value))
    return name
  }

  param(name: string, { shape, data }: Tensor): string {
    return this.constant({ type: 'f32', shape, data }, name)
  }

  scalar(value: number): string {
    return this.constant({ type: 'f32', shape: [], data: Float32Array.of(value) })
  }

  ints(values: readonly number[]): string {
    const data = BigInt64Array.from(values, BigInt)
    return this.constant({ type: 'i64', shape: [values.length], data })
  }

  /** A node with outputs of the given names. */
  run(
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
  ): void {
    const node = new Message()
    for (const name of inputs) node.bytes(1, name)
    for (const name of outputs) node.bytes(2, name)
    node.bytes(3, this.name(op)).bytes(4, op)
    for (const [name, value] of Object.entries(attributes)) {
      node.bytes(5, attributeProto(name, value))
    }
    if (domain) node.bytes(7, domain)
    this.#nodes.push(node)
  }

  /** A node with one output, whose name is returned. */
  node(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
  ): string {
    const name = this.name(op)
    this.run(op, inputs, [name], attributes, domain)
    return name
  }

  encode(): Uint8Array<ArrayBuffer> {
    const graph = new Message()
    for (const node of this.#nodes) graph.bytes(1, node)
    graph.bytes(2, 'graph')
    for (const constant of this.#constants) graph.bytes(5, constant)
    for (const value of this.#inputs) graph.bytes(11, value)
    for (const value of this.#outputs) graph.bytes(12, value)
    for (const value of this.#known) graph.bytes(13, value)
    const opset = (domain: string, version: number): Message =>
      new Message().bytes(1, domain).int(2, version)
    return new Message()
      .int(1, 8)
      .bytes(7, graph)
      .bytes(8, opset('', 17))
      .bytes(8, opset('com.microsoft', 1))
      .finish()
  }
}

/** A tensor with its axes in another order. */
export function transposed({ shape, data }: Tensor, axes: readonly number[]): Tensor {
  const strides = shape.map((_, k) => shape.slice(k + 1).reduce((a, b) => a * b, 1))
  const to = axes.map((a) => shape[a]!)
  const result = new Float32Array(data.length)
  for (let k = 0; k < data.length; k++) {
    let [rest, from] = [k, 0]
    for (let d = to.length - 1; d >= 0; d--) {
      from += (rest % to[d]!) * strides[axes[d]!]!
      rest = Math.floor(rest / to[d]!)
    }
    result[k] = data[from]!
  }
  return { shape: to, data: result }
}
