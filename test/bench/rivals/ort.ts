/** ONNX Runtime Web on its wasm backend, one thread: inference of models written by onnx-networks.ts. */
import { readFileSync } from 'node:fs'
import * as ort from 'onnxruntime-web/wasm'
import type { Engine, Feeds } from '../types.ts'
import { inferenceModel } from './onnx-networks.ts'

const engine: Engine = {
  async create({ network, packages }, params, inputs) {
    const { wasm } = ort.env
    wasm.numThreads = 1
    const path = `${packages}/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm`
    wasm.wasmBinary = readFileSync(path).buffer as ArrayBuffer
    const session = await ort.InferenceSession.create(inferenceModel(network, params, inputs), {
      executionProviders: ['wasm'],
      graphOptimizationLevel: 'all',
      intraOpNumThreads: 1,
    })
    let fed: Record<string, ort.Tensor> = {}
    let out = new Float32Array()
    return {
      feed(feeds: Feeds) {
        fed = {}
        for (const [name, data] of Object.entries(feeds)) {
          const dims = [...inputs[name]!]
          fed[name] =
            data instanceof Float32Array
              ? new ort.Tensor('float32', data, dims)
              : new ort.Tensor('int32', data, dims)
        }
      },
      async step() {
        const results = await session.run(fed)
        out = results.out!.data as Float32Array<ArrayBuffer>
      },
      read: () => out,
    }
  },
}

export default engine
