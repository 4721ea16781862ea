/**
 * IDX, the format of MNIST: two zero bytes, a type, a rank, big-endian extents, then the elements, big-endian too.
 * Bytes are not copied.
 */
import { malformed, type Numbers, sizeOf, type Tensor } from './tensor.ts'

const types: Readonly<Record<number, { size: number; read(v: DataView, n: number): Numbers }>> = {
  8: { size: 1, read: (v, n) => new Uint8Array(v.buffer as ArrayBuffer, v.byteOffset, n) },
  9: { size: 1, read: (v, n) => new Int8Array(v.buffer as ArrayBuffer, v.byteOffset, n) },
  11: { size: 2, read: (v, n) => new Int16Array(n).map((_, k) => v.getInt16(2 * k)) },
  12: { size: 4, read: (v, n) => new Int32Array(n).map((_, k) => v.getInt32(4 * k)) },
  13: { size: 4, read: (v, n) => new Float32Array(n).map((_, k) => v.getFloat32(4 * k)) },
  14: { size: 8, read: (v, n) => new Float64Array(n).map((_, k) => v.getFloat64(8 * k)) },
}

export function readIdx(bytes: Uint8Array, file: string): Tensor {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 4)
    malformed(file, `an IDX file begins with 4 bytes, and this has ${bytes.length}`)
  if (bytes[0] !== 0 || bytes[1] !== 0) {
    malformed(file, 'this is no IDX file: its first two bytes are not zero', { offset: 0 })
  }
  const type = types[bytes[2]!]
  if (!type)
    return malformed(file, `byte 2 gives element type ${bytes[2]}, which IDX has not`, {
      offset: 2,
    })
  const rank = bytes[3]!
  const start = 4 + 4 * rank
  if (rank === 0) malformed(file, 'byte 3 gives rank 0: there are no rows', { offset: 3 })
  if (bytes.length < start) {
    malformed(file, `${rank} extents end at byte ${start}, and the file at byte ${bytes.length}`, {
      offset: bytes.length,
    })
  }
  const shape = Array.from({ length: rank }, (_, k) => view.getUint32(4 + 4 * k))
  const size = sizeOf(shape)
  const end = size === undefined ? Number.POSITIVE_INFINITY : start + size * type.size
  if (size === undefined || end !== bytes.length) {
    malformed(
      file,
      `shape [${shape.join(', ')}] takes ${end} bytes, and the file has ${bytes.length}`,
      {
        offset: bytes.length,
      },
    )
  }
  const data = new DataView(bytes.buffer, bytes.byteOffset + start, size! * type.size)
  return { shape, data: type.read(data, size!) }
}
