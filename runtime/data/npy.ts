/** NPY, the format of NumPy's `save`, versions 1 to 3: C order, little-endian, real numbers, integers and booleans. */
import { fromHalf, malformed, type Numbers, narrow, sizeOf, type Tensor } from './tensor.ts'

type Make = (buffer: ArrayBuffer, file: string) => Numbers

const types: Readonly<Record<string, readonly [size: number, make: Make]>> = {
  f2: [2, (b) => fromHalf(new Uint16Array(b))],
  f4: [4, (b) => new Float32Array(b)],
  f8: [8, (b) => new Float64Array(b)],
  i1: [1, (b) => new Int8Array(b)],
  i2: [2, (b) => new Int16Array(b)],
  i4: [4, (b) => new Int32Array(b)],
  i8: [8, (b, file) => narrow(new BigInt64Array(b), file)],
  u1: [1, (b) => new Uint8Array(b)],
  u2: [2, (b) => new Uint16Array(b)],
  u4: [4, (b) => new Uint32Array(b)],
  u8: [8, (b, file) => narrow(new BigUint64Array(b), file)],
  b1: [1, (b) => new Uint8Array(b)],
}

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]

export function readNpy(bytes: Uint8Array, file: string): Tensor {
  const at = magic.findIndex((byte, k) => bytes[k] !== byte)
  if (at >= 0) malformed(file, `this is no NPY file: byte ${at} is wrong`, { offset: at })
  const version = bytes[6] ?? 0
  if (version < 1 || version > 3)
    malformed(file, `NPY version ${version} is unknown`, { offset: 6 })
  const wide = version > 1
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < (wide ? 12 : 10))
    malformed(file, 'it ends before its header', { offset: bytes.length })
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true)
  const start = (wide ? 12 : 10) + length
  if (start > bytes.length) {
    malformed(file, `its header should end at byte ${start}, and the file has ${bytes.length}`, {
      offset: bytes.length,
    })
  }
  const header = new TextDecoder('latin1').decode(bytes.subarray(start - length, start))
  const field = (name: string, pattern: string): string =>
    new RegExp(`['"]${name}['"]\\s*:\\s*${pattern}`).exec(header)?.[1] ??
    malformed(file, `its header has no ${name} that netc can read`, { offset: start - length })
  const descr = field('descr', `['"]([<>|=]?\\w+)['"]`)
  const isFortran = field('fortran_order', '(True|False)') === 'True'
  const shape = field('shape', '\\(([\\d\\s,]*)\\)')
    .split(',')
    .filter((n) => n.trim())
    .map(Number)
  const type = Object.hasOwn(types, descr.slice(1)) ? types[descr.slice(1)] : undefined
  if (!type || (descr[0] === '>' && type[0] > 1)) {
    const known = Object.keys(types).join(', ')
    return malformed(file, `its elements are ${descr}; netc reads little-endian ${known}`)
  }
  if (isFortran && shape.length > 1) {
    malformed(file, 'it is in Fortran order; save it with numpy.ascontiguousarray')
  }
  if (shape.length === 0) malformed(file, 'it is a scalar: there are no rows')
  const size = sizeOf(shape)
  if (size === undefined || start + size * type[0] !== bytes.length) {
    malformed(
      file,
      `shape [${shape.join(', ')}] takes ${(size ?? Number.POSITIVE_INFINITY) * type[0]} bytes after the header, and there are ${bytes.length - start}`,
      { offset: bytes.length },
    )
  }
  // A copy: the elements need not be aligned in the file.
  return { shape, data: type[1](bytes.slice(start).buffer as ArrayBuffer, file) }
}
