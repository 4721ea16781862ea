/** The bytes that the compile report shows, as kernels move them and as they would be without fusion. */
import { expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'

function bytesOf(text: string) {
  const { modules, diagnostics } = compile(text, { targets: ['simd'] })
  expect(diagnostics).toEqual([])
  const [entry] = modules!.simd!.manifest.entries
  return { bytes: entry!.bytes, unfused: entry!.unfused }
}

test('a fused softmax keeps one row of what it makes itself; apart, each of four equations reads what it needs', () => {
  const [matrix, column] = [4 * 8 * 16, 4 * 8]
  const maximum = matrix + column
  const exponentials = matrix + column + matrix
  const sum = matrix + column
  const quotient = matrix + column + matrix
  expect(bytesOf('dim batch <= 8\npredict p(x: [batch, 16]) { p = softmax(x) }')).toEqual({
    bytes: 2 * matrix + 4 * 16 + 2 * 4,
    unfused: maximum + exponentials + sum + quotient,
  })
})

test('a lone product moves the same', () => {
  const text = 'dim n = 6\npredict p(a: [n, n], b: [n, n]) { c[i, j] = sum[k](a[i, k] * b[k, j]) }'
  expect(bytesOf(text)).toEqual({ bytes: 3 * 4 * 36, unfused: 3 * 4 * 36 })
})
