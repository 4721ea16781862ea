/** Tensors of a safetensors file as data, by name. */
import { readSafetensors } from '../safetensors.ts'
import { fromBfloat, fromHalf, malformed, type Numbers, narrow, type Tensor } from './tensor.ts'

const makers: Readonly<Record<string, (buffer: ArrayBuffer, file: string) => Numbers>> = {
  F32: (b) => new Float32Array(b),
  F64: (b) => new Float64Array(b),
  F16: (b) => fromHalf(new Uint16Array(b)),
  BF16: (b) => fromBfloat(new Uint16Array(b)),
  I8: (b) => new Int8Array(b),
  I16: (b) => new Int16Array(b),
  I32: (b) => new Int32Array(b),
  I64: (b, file) => narrow(new BigInt64Array(b), file),
  U8: (b) => new Uint8Array(b),
  U16: (b) => new Uint16Array(b),
  U32: (b) => new Uint32Array(b),
  U64: (b, file) => narrow(new BigUint64Array(b), file),
  BOOL: (b) => new Uint8Array(b),
}

export function readTensors(bytes: Uint8Array, file: string): ReadonlyMap<string, Tensor> {
  const found = new Map<string, Tensor>()
  let raw: ReturnType<typeof readSafetensors>
  try {
    raw = readSafetensors(bytes as Uint8Array<ArrayBuffer>, 'data')
  } catch (error) {
    return malformed(file, (error as Error).message)
  }
  for (const { name, dtype, shape, bytes: own } of raw.tensors) {
    const make = makers[dtype]
    if (!make) return malformed(file, `tensor ${name} is ${dtype}, which netc does not read`)
    if (shape.length === 0) continue
    found.set(name, { shape, data: make(own.slice().buffer, `${file}, tensor ${name}`) })
  }
  return found
}
