/**
 * PNG pictures, read and written: a thin facade over fast-png, so that the rest knows one kind of picture only, of 8
 * bits a sample. Not read: interlaced pictures of fewer than 8 bits a sample; animation beyond its first frame.
 */
import { convertIndexedToRgb, type DecodedPng, decode, encode } from 'fast-png'
import type { Picture } from '../../runtime/data/index.ts'
import { NetcError } from '../../runtime/index.ts'

export type { Picture }

/** Samples that a picture may have at most: a small file can claim billions. */
const most = 2 ** 28

/** Reads a PNG; `file` is how messages call it. 16-bit samples are rounded to 8, palettes become colours. */
export function decodePng(bytes: Uint8Array, file: string): Picture {
  const bad = (what: string): never => {
    throw new NetcError('data', `${file}: ${what}`, { file })
  }
  const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
  if (signature.some((byte, k) => bytes[k] !== byte)) bad('this is no PNG file')
  const head = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 33) bad('it ends before its header')
  const [width, height] = [head.getUint32(16), head.getUint32(20)]
  if (width * height < 1 || width * height * 4 > most) {
    bad(`a picture of ${width} by ${height} pixels is not read`)
  }
  if (bytes[24]! < 8 && bytes[28] !== 0) {
    bad(`it is interlaced with ${bytes[24]} bits a sample; save it without interlacing`)
  }
  try {
    return eightBits(decode(bytes, { checkCrc: true }))
  } catch (error) {
    return bad(`the PNG is damaged or cut off: ${(error as Error).message}`)
  }
}

function eightBits(png: DecodedPng): Picture {
  const { width, height, channels, depth, data, palette } = png
  if (palette && channels === 1) {
    const colours = convertIndexedToRgb(png)
    return { width, height, channels: palette[0]!.length, data: colours }
  }
  if (depth === 8) return { width, height, channels, data: data as Uint8Array }
  if (depth === 16) {
    return { width, height, channels, data: Uint8Array.from(data, (v) => Math.round(v / 257)) }
  }
  // Fewer bits: grey, several samples in a byte, each line from a byte of its own.
  const line = Math.ceil((width * depth) / 8)
  const high = 2 ** depth - 1
  const out = new Uint8Array(width * height)
  for (let k = 0; k < out.length; k++) {
    const bit = (k % width) * depth
    const byte = data[Math.floor(k / width) * line + (bit >> 3)]!
    out[k] = (((byte >> (8 - depth - (bit & 7))) & high) * 255) / high
  }
  return { width, height, channels, data: out }
}

/** Writes a PNG of 8 bits a sample. Throws a `RangeError` where `data` has not the size that the extents say. */
export function encodePng({ width, height, channels, data }: Picture): Uint8Array {
  if (data.length !== width * height * channels) {
    throw new RangeError(`${width} × ${height} × ${channels} samples, and there are ${data.length}`)
  }
  return encode({ width, height, channels, data, depth: 8 })
}
