/** Ordinary least squares with an intercept, by the normal equations and Gaussian elimination: the closed form to compare with. */

/** Weights, the intercept last, that minimize Σ (y - x·w)² over rows of `width` values. */
export function leastSquares(x: ArrayLike<number>, y: ArrayLike<number>, width: number): number[] {
  const n = width + 1
  const value = (row: number, k: number): number => (k === width ? 1 : x[row * width + k]!)
  const system = Array.from({ length: n }, (_, i) =>
    Array.from({ length: n + 1 }, (_, j) => {
      let sum = 0
      for (let row = 0; row < y.length; row++) {
        sum += value(row, i) * (j === n ? y[row]! : value(row, j))
      }
      return sum
    }),
  )
  for (let k = 0; k < n; k++) {
    let pivot = k
    for (let i = k + 1; i < n; i++) {
      if (Math.abs(system[i]![k]!) > Math.abs(system[pivot]![k]!)) pivot = i
    }
    ;[system[k], system[pivot]] = [system[pivot]!, system[k]!]
    for (let i = 0; i < n; i++) {
      if (i === k) continue
      const factor = system[i]![k]! / system[k]![k]!
      for (let j = k; j <= n; j++) system[i]![j]! -= factor * system[k]![j]!
    }
  }
  return system.map((row, k) => row[n]! / row[k]!)
}

/** 1 - Σ (y - prediction)² / Σ (y - mean)² */
export function rSquared(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  width: number,
  weights: readonly number[],
): number {
  let mean = 0
  for (let row = 0; row < y.length; row++) mean += y[row]! / y.length
  let residual = 0
  let total = 0
  for (let row = 0; row < y.length; row++) {
    let prediction = weights[width]!
    for (let k = 0; k < width; k++) prediction += x[row * width + k]! * weights[k]!
    residual += (y[row]! - prediction) ** 2
    total += (y[row]! - mean) ** 2
  }
  return 1 - residual / total
}
