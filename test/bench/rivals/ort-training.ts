/**
 * The training API of ONNX Runtime Web, which its releases have up to 1.19. It wants a training model, an optimizer
 * model and a checkpoint, all made beforehand by a Python package; here they are written by onnx-networks.ts and below, with the
 * operators that the package writes. A session has one loss and one optimizer, so W7 is not for it.
 */
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { Builder } from 'flatbuffers'
import type { Engine, Feeds, Tensor } from '../types.ts'
import { Graph } from './onnx.ts'
import { type Params, paramsFor, trainingModel } from './onnx-networks.ts'

/** What is used of the library, whose package declares no types for this entry. */
interface Results {
  readonly loss: { readonly data: ArrayLike<number> }
}
interface TrainingSession {
  runTrainStep(feeds: Readonly<Record<string, object>>): Promise<Results>
  runOptimizerStep(): Promise<void>
  lazyResetGrad(): Promise<void>
}
interface Library {
  readonly env: { readonly wasm: Record<string, unknown>; logLevel: string }
  readonly Tensor: new (type: string, data: ArrayLike<number>, dims: readonly number[]) => object
  readonly TrainingSession: {
    create(models: Readonly<Record<string, Uint8Array>>, options: object): Promise<TrainingSession>
  }
}

/** What the API starts with; learning rates are taken in proportion, for the wasm build cannot set another. */
const initialRate = 1e-3

/**
 * A checkpoint with these parameters, all of which learn: onnxruntime/core/flatbuffers/schema/ort_training_checkpoint.fbs
 * and `Tensor` of ort.fbs.
 */
function checkpoint(params: Params): Uint8Array {
  const b = new Builder(1 << 20)
  const tensor = ([name, { shape, data }]: [string, Tensor]): number => {
    const label = b.createString(name)
    b.startVector(8, shape.length, 8)
    for (const n of shape.toReversed()) b.addInt64(BigInt(n))
    const dims = b.endVector()
    const bytes = b.createByteVector(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    // name, doc_string, dims, data_type, raw_data, string_data, external_data_offset
    b.startObject(7)
    b.addFieldOffset(0, label, 0)
    b.addFieldOffset(2, dims, 0)
    b.addFieldInt32(3, 1, 0)
    b.addFieldOffset(4, bytes, 0)
    return b.endObject()
  }
  const tensors = [...params].map(tensor)
  b.startVector(4, tensors.length, 4)
  for (const t of tensors.toReversed()) b.addOffset(t)
  const learned = b.endVector()
  b.startVector(4, 0, 4)
  const frozen = b.endVector()
  // requires_grad_params, frozen_params, is_nominal_state, has_external_data
  b.startObject(4)
  b.addFieldOffset(0, learned, 0)
  b.addFieldOffset(1, frozen, 0)
  const module = b.endObject()
  // version, module_state, optimizer_groups, property_bag
  b.startObject(4)
  b.addFieldInt32(0, 2, 0)
  b.addFieldOffset(1, module, 0)
  b.finish(b.endObject(), 'ODTC')
  return b.asUint8Array().slice()
}

/** The optimizer's model. Adam is `AdamWOptimizer` without decay, in the form of PyTorch (mode 0). */
function optimizerModel(network: string): Uint8Array {
  const g = new Graph()
  const isAdam = network !== 'w2'
  const rate = { w2: 0.05, w4: 2e-3 }[network] ?? 1e-3
  g.input({ name: 'learning_rate', type: 'f32', shape: [1] })
  g.input({ name: 'step', type: 'i64', shape: [1] })
  // The API feeds plain descent a moment too, and its inputs have to be these.
  const moments = ['first_order_moments', ...(isAdam ? ['second_order_moments'] : [])]
  const updated = ['params', 'gradients']
  for (const name of [...updated, ...moments]) g.input({ name, type: 'f32', sequence: true })
  const scaled = g.node('Mul', ['learning_rate', g.scalar(rate / initialRate)])
  const attributes = {
    alpha: { float: 0.9 },
    beta: { float: 0.999 },
    epsilon: { float: 1e-8 },
    weight_decay: { float: 0 },
    correct_bias: 1,
    adam_mode: 0,
  }
  const inputs = isAdam ? [scaled, 'step', ...updated, ...moments] : [scaled, ...updated]
  const op = isAdam ? 'AdamWOptimizer' : 'SGDOptimizerV2'
  g.run(op, inputs, ['updated'], isAdam ? attributes : {}, 'com.microsoft')
  g.output({ name: 'updated', type: 'bool' })
  return g.encode()
}

const engine: Engine = {
  async create({ network, packages }, params, shapes) {
    if (network === 'w7') throw new Error('a training session has one loss and one optimizer')
    const folder = `${packages}/onnxruntime-web-training/dist`
    const library = pathToFileURL(`${folder}/ort.training.wasm.min.mjs`).href
    const ort = (await import(library)) as Library
    const { wasm } = ort.env
    // It warns at each step of plain descent that a flag has one element where its own schema says none.
    ort.env.logLevel = 'error'
    wasm.numThreads = 1
    const base = `${folder}/ort-training-wasm-simd-threaded`
    wasm.wasmPaths = { mjs: pathToFileURL(`${base}.mjs`).href, wasm: `${base}.wasm` }
    wasm.wasmBinary = readFileSync(`${base}.wasm`).buffer as ArrayBuffer
    const session = await ort.TrainingSession.create(
      {
        checkpointState: checkpoint(paramsFor(network, params)),
        trainModel: trainingModel(network, params, shapes),
        optimizerModel: optimizerModel(network),
      },
      { executionProviders: ['wasm'], graphOptimizationLevel: 'all', logSeverityLevel: 3 },
    )
    let fed: Record<string, object> = {}
    let loss = 0
    return {
      feed(feeds: Feeds) {
        fed = {}
        for (const [name, data] of Object.entries(feeds)) {
          const type = data instanceof Float32Array ? 'float32' : 'int32'
          fed[name] = new ort.Tensor(type, data, [...shapes[name]!])
        }
      },
      async step() {
        const results = await session.runTrainStep(fed)
        loss = results.loss.data[0]!
        await session.runOptimizerStep()
        await session.lazyResetGrad()
      },
      read: () => [loss],
    }
  },
}

export default engine
