/** What linear codes of principal components are good for: the errors that autoencoders are held against. */
import type { Components } from '../../compiler/cli/pictures/pca.ts'

/**
 * The mean squared error of rows projected on the first 1, 2, … principal components, against the rows they stand for. Both
 * [rows, columns], and the same where nothing is to be cleaned. Entry k is that of k + 1 components.
 */
export function projectionErrors(
  { mean, components }: Components,
  given: Float32Array,
  wanted: Float32Array,
): Float64Array {
  const columns = mean.length
  const errors = new Float64Array(components.length / columns)
  const left = new Float64Array(columns)
  for (let from = 0; from < given.length; from += columns) {
    for (let c = 0; c < columns; c++) left[c] = wanted[from + c]! - mean[c]!
    errors.forEach((_, k) => {
      const axis = components.subarray(k * columns, (k + 1) * columns)
      let along = 0
      for (let c = 0; c < columns; c++) along += axis[c]! * (given[from + c]! - mean[c]!)
      let squares = 0
      for (let c = 0; c < columns; c++) {
        left[c]! -= along * axis[c]!
        squares += left[c]! ** 2
      }
      errors[k]! += squares / wanted.length
    })
  }
  return errors
}

/** The mean of the squared differences. */
export function meanSquaredError(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let k = 0; k < a.length; k++) sum += (a[k]! - b[k]!) ** 2
  return sum / a.length
}
