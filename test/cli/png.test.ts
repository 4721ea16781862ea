// Pictures: what is written is read back, other kinds of PNG come out as 8-bit samples, and damage is told.

import { crc32, deflateSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodePng, encodePng } from '../../compiler/cli/png.ts'
import { NetcError } from '../../runtime/index.ts'

function chunk(type: string, data: Uint8Array): Buffer {
  const out = Buffer.alloc(12 + data.length)
  out.writeUInt32BE(data.length, 0)
  out.write(type, 4, 'latin1')
  out.set(data, 8)
  out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length)
  return out
}

/** A PNG by the specification, with lines that are not filtered. `lines` are the bytes of each. */
function png(
  width: number,
  depth: number,
  type: number,
  lines: readonly (readonly number[])[],
  more: readonly Buffer[] = [],
  interlace = 0,
): Uint8Array {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(lines.length, 4)
  header.set([depth, type, 0, 0, interlace], 8)
  const raw = Uint8Array.from(lines.flatMap((line) => [0, ...line]))
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    ...more,
    chunk('IDAT', deflateSync(raw)),
    chunk('IEND', new Uint8Array()),
  ])
}

test('a picture comes back as it was written', () => {
  fc.assert(
    fc.property(
      fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })),
      fc.constantFrom(1, 2, 3, 4),
      fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
      ([width, height], channels, stream) => {
        const data = Uint8Array.from(
          { length: width * height * channels },
          () => stream.next().value,
        )
        const picture = { width, height, channels, data }
        expect(decodePng(encodePng(picture), 'x.png')).toEqual(picture)
      },
    ),
    { numRuns: 60 },
  )
})

test('every depth becomes 8 bits', () => {
  const grey = (bytes: Uint8Array) => [...decodePng(bytes, 'x.png').data]
  const one = png(10, 1, 0, [
    [0b10110000, 0b01000000],
    [0b00000001, 0b10000000],
  ])
  expect(grey(one)).toEqual([
    ...[255, 0, 255, 255, 0, 0, 0, 0, 0, 255],
    ...[0, 0, 0, 0, 0, 0, 0, 255, 255, 0],
  ])
  expect(grey(png(3, 2, 0, [[0b00011000]]))).toEqual([0, 85, 170])
  expect(grey(png(3, 4, 0, [[0x0f, 0x80]]))).toEqual([0, 255, 136])
  expect(grey(png(2, 16, 0, [[0xff, 0xff, 0x80, 0x00]]))).toEqual([255, 128])
})

test('a palette becomes colours', () => {
  const palette = chunk('PLTE', Uint8Array.from([1, 2, 3, 40, 50, 60]))
  expect(decodePng(png(3, 1, 3, [[0b01000000]], [palette]), 'x.png')).toEqual({
    width: 3,
    height: 1,
    channels: 3,
    data: Uint8Array.from([1, 2, 3, 40, 50, 60, 1, 2, 3]),
  })
})

test('what is no picture is refused by name', () => {
  const read = (bytes: Uint8Array) => () => decodePng(bytes, 'a.png')
  expect(read(Buffer.from('GIF89a'))).toThrow('a.png: this is no PNG file')
  const good = png(3, 8, 0, [[1, 2, 3]])
  expect(read(good.subarray(0, 20))).toThrow('a.png: it ends before its header')
  expect(read(good.subarray(0, 50))).toThrow('a.png: the PNG is damaged or cut off')
  const flipped = Uint8Array.from(good)
  flipped[43]! ^= 1
  expect(read(flipped)).toThrow('a.png: the PNG is damaged or cut off')
  const huge = Uint8Array.from(good)
  huge.set([0x7f, 0xff, 0xff, 0xff], 16)
  expect(read(huge)).toThrow('a.png: a picture of 2147483647 by 1 pixels is not read')
  expect(read(png(3, 4, 0, [[0, 0]], [], 1))).toThrow('it is interlaced with 4 bits a sample')
})

test('damaged bytes give an error of data and nothing else', () => {
  const good = png(5, 8, 2, [Array.from({ length: 15 }, (_, k) => k * 9)])
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      fc.nat(good.length),
      (changes, length) => {
        const bytes = Uint8Array.from(good).subarray(0, length)
        for (const [at, value] of changes) if (at < length) bytes[at] = value
        try {
          decodePng(bytes, 'x.png')
        } catch (error) {
          expect(error).toBeInstanceOf(NetcError)
        }
      },
    ),
    { numRuns: 300 },
  )
})
