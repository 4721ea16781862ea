// What autoencoders are held against: errors of projections on principal components.

import { expect, test } from 'vitest'
import { principalComponents } from '../../compiler/cli/pictures/pca.ts'
import { seeded } from '../support/choose.ts'
import { meanSquaredError, projectionErrors } from '../support/linear-codes.ts'

const [rows, columns] = [30, 6]
const choose = seeded(4)
const numbers = (): Float32Array =>
  Float32Array.from(
    { length: rows * columns },
    (_, k) => (choose.int(-99, 99) * (1 + (k % 6))) / 99,
  )

test('what is lost is the variance along the components left out', () => {
  const values = numbers()
  const all = principalComponents(values, columns, columns)
  const errors = projectionErrors(all, values, values)
  for (let k = 1; k <= columns; k++) {
    const lost = all.variances.subarray(k).reduce((a, b) => a + b, 0)
    expect(errors[k - 1]).toBeCloseTo(lost / columns, 6)
  }
})

test('with all components, noisy rows stay as they are', () => {
  const values = numbers()
  const noisy = values.map((v) => v + choose.int(-50, 50) / 100)
  const all = principalComponents(values, columns, columns)
  const errors = projectionErrors(all, noisy, values)
  expect(errors.at(-1)).toBeCloseTo(meanSquaredError(noisy, values), 6)
  // By hand for one component: mean + c (c · (noisy - mean)).
  const { mean, components } = all
  const axis = components.subarray(0, columns)
  const back = values.map((_, k) => {
    const row = noisy.subarray(k - (k % columns), k - (k % columns) + columns)
    const along = axis.reduce((s, a, c) => s + a * (row[c]! - mean[c]!), 0)
    return mean[k % columns]! + along * axis[k % columns]!
  })
  expect(errors[0]).toBeCloseTo(meanSquaredError(back, values), 6)
})
