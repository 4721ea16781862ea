import { expect, test } from 'vitest'
import { Cursor } from '../../compiler/ir/lexer.ts'
import { parseScalar } from '../../compiler/ir/parse-scalar.ts'
import { printScalar } from '../../compiler/ir/print.ts'
import { freeIndices, renameBound } from '../../compiler/ir/traverse.ts'
import type { Scalar } from '../../compiler/ir/types.ts'

const scope = { dtype: () => 'f32' as const, dimension: () => undefined }
const parse = (text: string): Scalar => parseScalar(new Cursor({ file: 't', text }), scope)
const renamed = (text: string, taken: string[]): string =>
  printScalar(renameBound(parse(text), new Set(taken)))

test('renaming leaves names alone that are free to use', () => {
  expect(renamed('sum[k: 3](x[k])', ['i'])).toBe('sum[k: 3](x[k])')
})

test('a new name is not captured by a reduction further in', () => {
  expect(renamed('sum[k: 3](prod[k2: 3](where(k == k2, 1.0, x[k2])))', ['k'])).toBe(
    'sum[k3: 3](prod[k2: 3](where(k3 == k2, 1.0, x[k2])))',
  )
})

test('a new name does not capture an index from outside', () => {
  const text = renamed('sum[k: 3](x[k] * y[k2])', ['k'])
  expect(text).toBe('sum[k3: 3](x[k3] * y[k2])')
  expect(freeIndices(parse(text))).toEqual(new Set(['k2']))
})

test('names within one expression end up unique', () => {
  expect(renamed('sum[i: 3](x[i]) * sum[i: 3](y[i])', [])).toBe(
    'sum[i: 3](x[i]) * sum[i2: 3](y[i2])',
  )
})
