/**
 * Positions along the lanes of a vector (schedule/access.ts): what `slopeOf` says of an expression holds for every vector, and
 * reads through divisions, remainders and guards give what the evaluator gives, whether vectors straddle a divisor or not.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { binary, foldBinary, index, int } from '../../compiler/ir/build.ts'
import type { BinaryOp, Scalar } from '../../compiler/ir/types.ts'
import { isUniformTest, slopeOf } from '../../compiler/schedule/access.ts'
import { builds, Instance } from './module.ts'
import { forward, valuesOf } from './pattern.ts'

const { position } = fc.letrec<{ position: Scalar }>((tie) => ({
  position: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(index('i'), index('i'), index('h')),
    fc.integer({ min: -20, max: 20 }).map(int),
    fc
      .tuple(fc.constantFrom<BinaryOp>('add', 'sub', 'mul'), tie('position'), tie('position'))
      .map(([op, a, b]) => binary(op, a, b)),
    fc
      .tuple(
        fc.constantFrom<BinaryOp>('div', 'mod'),
        tie('position'),
        fc.constantFrom(1, 2, 3, 4, 6, 8, 12, 16, 20),
      )
      .map(([op, a, b]) => binary(op, a, int(b))),
  ),
}))

function positionAt(e: Scalar, at: Readonly<Record<string, number>>): number {
  if (e.kind === 'const') return e.value
  if (e.kind === 'index') return at[e.name]!
  if (e.kind === 'unary' && e.op === 'neg') return 0 - positionAt(e.value, at)
  if (e.kind !== 'binary') throw new Error(`${e.kind} in a position`)
  return foldBinary(e.op, positionAt(e.left, at), positionAt(e.right, at), 'i32')!
}

test('a slope holds in every vector, and a uniform test in all its lanes', () => {
  let sloped = 0
  fc.assert(
    fc.property(position, fc.integer({ min: 1, max: 40 }), (e, size) => {
      const slope = slopeOf(e, 'i')
      const uniform = isUniformTest(e, size, 'i')
      if (slope && slope.step !== 0) sloped++
      for (let start = 0; start < 64; start += 4) {
        for (const h of [0, 1, 2, 7]) {
          const lanes = [0, 1, 2, 3].map((lane) => positionAt(e, { i: start + lane, h }))
          // Beyond what a position can be, multiplication wraps.
          if (lanes.some((x) => Math.abs(x) > 2 ** 30)) continue
          if (slope) {
            const said = lanes.every((x, lane) => x === lanes[0]! + slope.step * lane)
            const divides = slope.factor === 0 ? lanes[0] === 0 : lanes[0]! % slope.factor === 0
            if (!said || !divides) throw new Error(`${lanes} at ${start}: ${JSON.stringify(slope)}`)
          }
          const inside = lanes.map((x) => x >= 0 && x < size)
          if (uniform && inside.some((x) => x !== inside[0])) throw new Error(`${lanes} in ${size}`)
        }
      }
    }),
    { numRuns: 1000 },
  )
  expect(sloped).toBeGreaterThan(50)
})

test('what is meant to have a slope has it', () => {
  const i = index('i')
  const by = (op: BinaryOp, n: number, e: Scalar = i): Scalar => binary(op, e, int(n))
  expect(slopeOf(by('div', 8), 'i')).toEqual({ step: 0, factor: 1 })
  expect(slopeOf(by('mod', 8), 'i')).toEqual({ step: 1, factor: 4 })
  expect(slopeOf(by('mod', 7), 'i')).toBeUndefined()
  expect(slopeOf(by('div', 2, by('mul', 2)), 'i')?.step).toBe(1)
  expect(slopeOf(by('mod', 4, by('div', 16)), 'i')?.step).toBe(0)
  expect(isUniformTest(by('sub', 256), 1024, 'i')).toBe(true)
  expect(isUniformTest(by('sub', 255), 1024, 'i')).toBe(false)
})

describe.each([
  [4, 4],
  [8, 3],
  [12, 5],
  [7, 6],
  [1, 9],
])('%i channels, %i columns', (c, w) => {
  test('flat, cut, turned and pooled', () => {
    const n = 3 * w * c
    const program = forward({
      inputs: { x: `f32[2, 3, ${w}, ${c}]`, v: `f32[2, ${n}]` },
      equations: [
        `flat[b: 2, i: ${n}] = x[b, i / ${w * c}, i / ${c} % ${w}, i % ${c}]`,
        `image[b: 2, h: 3, w: ${w}, c: ${c}] = v[b, (h * ${w} + w) * ${c} + c]`,
        `part[b: 2, i: ${n}] = v?[b, i - ${c}] + v?[b, i + ${c}]`,
        `both[b: 2, i: ${2 * n}] = where(i < ${n}, v?[b, i], v?[b, i - ${n}])`,
        `heads[b: 2, k: ${c}, i: ${3 * w}] = v[b, i * ${c} + k]`,
        `larger[b: 2, h: 6, w: ${2 * w}, c: ${c}] = x[b, h / 2, w / 2, c]`,
        `twice[b: 2, i: ${2 * n}] = v[b, i / 2]`,
      ],
    })
    for (const build of builds) {
      const instance = new Instance(program, build)
      instance.compare('p', valuesOf(program, 'p', 3).inputs, {}, { ulps: 1, scale: 'tensor' })
    }
  })
})
