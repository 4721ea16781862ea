/**
 * The safetensors format: eight bytes of header length, a JSON header, and the tensors' bytes. Reading checks that
 * every tensor lies inside the file and has the size its shape says; no bytes are copied.
 */
import { isCounts, isRecord, volume } from './checks.ts'
import { type ErrorCode, fail } from './errors.ts'

export interface RawTensor {
  readonly name: string
  /** `F32`, `I64`, …, as the file says. */
  readonly dtype: string
  readonly shape: readonly number[]
  readonly bytes: Uint8Array<ArrayBuffer>
}

export interface Safetensors {
  readonly tensors: readonly RawTensor[]
  readonly metadata: Readonly<Record<string, string>>
}

/** Bytes of an element: `BOOL`, or a letter or two and the bits (`F32`, `BF16`, `U8`, `F8_E4M3`). */
function sizeOf(dtype: unknown): number | undefined {
  const [known, bits = 8] = /^(?:BOOL|(?:BF|[FIU])(8|16|32|64)(?:_E\dM\d)?)$/.exec(`${dtype}`) ?? []
  return known === undefined ? known : Number(bits) / 8
}

export function asBytes(source: BufferSource): Uint8Array<ArrayBuffer> {
  return source instanceof ArrayBuffer
    ? new Uint8Array(source)
    : new Uint8Array(source.buffer as ArrayBuffer, source.byteOffset, source.byteLength)
}

/** Throws a `NetcError` with the given code when the file is malformed. */
export function readSafetensors(source: BufferSource, code: ErrorCode = 'weights'): Safetensors {
  const bytes = asBytes(source)
  const bad = (what: string): never => fail(code, `this safetensors file is malformed: ${what}`)
  if (bytes.length < 8) bad(`it has ${bytes.length} bytes and its header length takes 8`)
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
  const start = 8 + length
  if (start > bytes.length) bad(`its header should have ${length} bytes and the file ends before`)
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, start)))
  } catch {
    bad('its header, from byte 8, is not JSON')
  }
  if (!isRecord(header)) return bad('its header is no object')
  const tensors: RawTensor[] = []
  let metadata: Record<string, string> = {}
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') {
      metadata = Object.fromEntries(
        Object.entries(value ?? {}).map(([k, v]) => [
          k,
          typeof v === 'string' ? v : JSON.stringify(v),
        ]),
      )
      continue
    }
    const {
      dtype,
      shape,
      data_offsets: range,
    } = (value ?? {}) as {
      dtype: string
      shape: unknown
      data_offsets: unknown
    }
    const size = sizeOf(dtype) ?? bad(`tensor ${name} has dtype ${JSON.stringify(dtype)}`)
    if (!isCounts(shape)) return bad(`tensor ${name} has no shape`)
    if (!isCounts(range) || range.length !== 2) return bad(`tensor ${name} has no data_offsets`)
    const [from, to] = range as [number, number]
    if (from > to || start + to > bytes.length) {
      bad(`tensor ${name} lies at bytes ${from} to ${to} of ${bytes.length - start}`)
    }
    const expected = size * volume(shape)
    if (to - from !== expected) {
      bad(
        `tensor ${name} of shape [${shape.join(', ')}] takes ${expected} bytes and has ${to - from}`,
      )
    }
    tensors.push({ name, dtype, shape, bytes: bytes.subarray(start + from, start + to) })
  }
  return { tensors, metadata }
}

export function writeSafetensors(
  tensors: readonly RawTensor[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  let end = 0
  const header: Record<string, unknown> = { __metadata__: metadata }
  for (const { name, dtype, shape, bytes } of tensors) {
    header[name] = { dtype, shape, data_offsets: [end, end + bytes.length] }
    end += bytes.length
  }
  const json = new TextEncoder().encode(JSON.stringify(header))
  // Spaces after the header keep the tensors aligned, as the format recommends.
  const start = 8 + Math.ceil(json.length / 8) * 8
  const file = new Uint8Array(start + end).fill(32, 8, start)
  new DataView(file.buffer).setBigUint64(0, BigInt(start - 8), true)
  file.set(json, 8)
  let at = start
  for (const { bytes } of tensors) {
    file.set(bytes, at)
    at += bytes.length
  }
  return file
}
