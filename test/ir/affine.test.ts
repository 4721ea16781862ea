import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { affineOf, extentsOf, rangeOf, sameAffine, scalarOf } from '../../compiler/ir/affine.ts'
import {
  add,
  binary,
  index,
  int,
  mul,
  read,
  staticExtent,
  sub,
  unary,
} from '../../compiler/ir/build.ts'
import { compileScalar, Frame } from '../../compiler/ir/closures.ts'
import { createMemory, createState } from '../../compiler/ir/evaluate.ts'
import type { Entry, Index, Program, Scalar } from '../../compiler/ir/types.ts'
import { arbitraryFrom, type Choose, pick } from '../support/choose.ts'

const n: Index = { name: 'n', extent: { size: 6, bound: 'batch', name: 'batch' } }
const i: Index = { name: 'i', extent: staticExtent(5) }
const j: Index = { name: 'j', extent: staticExtent(3) }
const extents = extentsOf([n, i, j])

describe('affineOf', () => {
  test('collects terms and drops those that cancel', () => {
    const e = add(mul(int(2), add(index(i), index(j))), sub(int(7), mul(index(i), int(2))))
    expect(affineOf(e)).toEqual({ terms: new Map([['j', 2]]), constant: 7 })
  })

  test('takes a negated index', () => {
    expect(affineOf(unary('neg', index(i)))).toEqual({ terms: new Map([['i', -1]]), constant: 0 })
  })

  test('gives up on products of indices, division and data', () => {
    expect(affineOf(mul(index(i), index(j)))).toBeUndefined()
    expect(affineOf(binary('div', index(i), int(2)))).toBeUndefined()
    expect(affineOf(read({ name: 'x', dtype: 'i32' }, [index(i)]))).toBeUndefined()
  })
})

describe('rangeOf', () => {
  const cases: readonly (readonly [string, Scalar, number, number])[] = [
    ['an index', index(i), 0, 4],
    ['a reversed index', sub(int(4), index(i)), 0, 4],
    ['cancelling indices', sub(add(index(i), index(j)), index(i)), 0, 2],
    ['a quotient', binary('div', sub(index(i), int(1)), int(2)), -1, 1],
    ['a remainder', binary('mod', sub(index(i), int(1)), int(3)), 0, 2],
    ['a remainder that changes nothing', binary('mod', index(j), int(8)), 0, 2],
    ['a clamp', binary('min', binary('max', sub(index(i), int(2)), int(0)), int(1)), 0, 1],
    ['a product of indices', mul(sub(index(i), int(2)), sub(index(j), int(1))), -2, 2],
    ['a count', { kind: 'count', dim: 'batch' }, 1, 6],
  ]
  for (const [name, e, min, max] of cases) {
    test(name, () => expect(rangeOf(e, extents)).toEqual({ min, max }))
  }

  test('nothing for data, nor for what leaves i32', () => {
    expect(rangeOf(read({ name: 'x', dtype: 'i32' }, [index(i)]), extents)).toBeUndefined()
    expect(rangeOf(mul(index(i), int(2 ** 30)), extents)).toBeUndefined()
  })
})

/** Integer expressions of indices without data. */
function expression(choose: Choose, depth: number): Scalar {
  const leaf = (): Scalar =>
    choose.int(0, 2) === 0 ? int(choose.int(-4, 4)) : index(pick(choose, [n, i, j]))
  if (depth === 0) return leaf()
  const a = expression(choose, depth - 1)
  const b = expression(choose, depth - 1)
  switch (choose.int(0, 6)) {
    case 0:
      return mul(a, b)
    case 1:
      return sub(a, b)
    case 2:
      return binary('div', a, int(choose.int(1, 4)))
    case 3:
      return binary('mod', a, int(choose.int(1, 4)))
    case 4:
      return binary(pick(choose, ['min', 'max'] as const), a, b)
    case 5:
      return unary('neg', a)
    default:
      return add(a, b)
  }
}

const entry: Entry = {
  name: 'e',
  kind: 'predict',
  inputs: [],
  outputs: [],
  tensors: [],
  stages: [],
}
const dims = [{ name: 'batch', max: 6 }]
const program: Program = {
  file: '',
  dims,
  tensors: [],
  entries: [entry],
  data: [],
  vocabularies: [],
}

test('every value an expression takes lies in its range, and its affine form gives the same', () => {
  const memory = createMemory(program, entry, createState(program))
  fc.assert(
    fc.property(
      arbitraryFrom((choose) => expression(choose, 3)),
      (e) => {
        const range = rangeOf(e, extents)!
        const affine = affineOf(e)
        if (affine) expect(sameAffine(affineOf(scalarOf(affine))!, affine)).toBe(true)
        const frame = new Frame(memory, [n, i, j])
        const value = compileScalar(frame, e)
        const again = compileScalar(frame, affine ? scalarOf(affine) : e)
        frame.loop([n, i, j], () => {
          const v = value()
          if (v < range.min || v > range.max)
            throw new Error(`${v} outside ${range.min}..${range.max}`)
          if (again() !== v) throw new Error(`the affine form gives ${again()} for ${v}`)
        })()
      },
    ),
    { numRuns: 300 },
  )
})
