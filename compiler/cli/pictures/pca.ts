/**
 * Principal components: the directions along which rows of numbers differ most (Pearson 1901). In: rows × columns values.
 * Out: mean, components and the variance along each. By simultaneous iteration on the covariance (Golub and Van Loan,
 * Matrix Computations, 8.2 and 8.5), from a fixed start, so that the same rows give the same picture. O(rows · columns²).
 */

export interface Components {
  /** Of each column. */
  readonly mean: Float64Array
  /** Unit vectors, [count, columns]. */
  readonly components: Float64Array
  /** Of the rows along each component, falling. */
  readonly variances: Float64Array
}

export function principalComponents(
  values: ArrayLike<number>,
  columns: number,
  count: number,
): Components {
  const rows = values.length / columns
  const mean = new Float64Array(columns)
  for (let k = 0; k < values.length; k++) mean[k % columns]! += values[k]! / rows
  const covariance = covarianceOf(values, columns, mean)
  // More directions than asked for: the last of those asked for would be slow to settle.
  const width = Math.min(columns, count + 8)
  let basis = start(width, columns)
  let before = 0
  for (let round = 0; round < 500; round++) {
    const image = multiply(covariance, basis, columns)
    const total = traceOf(basis, image, columns)
    basis = orthonormal(image, columns)
    if (round > 10 && total - before <= 1e-9 * total) break
    before = total
  }
  // The space is found; within it the directions are those of the small matrix basis · covariance · basisᵀ.
  const small = inBasis(covariance, basis, columns)
  const turns = jacobi(small, width)
  basis = turn(turns, basis, width, columns)
  const found = Float64Array.from({ length: width }, (_, k) => small[k * width + k]!)
  const order = [...found.keys()].sort((a, b) => found[b]! - found[a]!).slice(0, count)
  const components = new Float64Array(order.length * columns)
  order.forEach((from, k) => {
    const one = basis.slice(from * columns, (from + 1) * columns)
    // The sign is free: the largest weight is positive.
    const largest = one.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0)
    for (let c = 0; c < columns; c++) components[k * columns + c] = one[c]! * (largest < 0 ? -1 : 1)
  })
  return { mean, components, variances: Float64Array.from(order, (k) => found[k]!) }
}

/** Coordinates of each row along the components: [rows, count]. */
export function project(values: ArrayLike<number>, { mean, components }: Components): Float64Array {
  const columns = mean.length
  const count = components.length / columns
  const rows = values.length / columns
  const out = new Float64Array(rows * count)
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < count; k++) {
      let sum = 0
      for (let c = 0; c < columns; c++) {
        sum += (values[r * columns + c]! - mean[c]!) * components[k * columns + c]!
      }
      out[r * count + k] = sum
    }
  }
  return out
}

function covarianceOf(
  values: ArrayLike<number>,
  columns: number,
  mean: Float64Array,
): Float64Array {
  const rows = values.length / columns
  const out = new Float64Array(columns * columns)
  const centred = new Float64Array(columns)
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) centred[c] = values[r * columns + c]! - mean[c]!
    for (let a = 0; a < columns; a++) {
      const factor = centred[a]! / rows
      if (factor === 0) continue
      for (let b = a; b < columns; b++) out[a * columns + b]! += factor * centred[b]!
    }
  }
  for (let a = 0; a < columns; a++) {
    for (let b = 0; b < a; b++) out[a * columns + b] = out[b * columns + a]!
  }
  return out
}

/** Rows of numbers without a pattern, always the same (the generator of Park and Miller 1988). */
function start(width: number, columns: number): Float64Array {
  let seed = 1
  const values = Float64Array.from({ length: width * columns }, () => {
    seed = (seed * 48271) % 2147483647
    return seed / 2147483647 - 0.5
  })
  return orthonormal(values, columns)
}

/** Each row of `basis` times the symmetric `matrix`. */
function multiply(matrix: Float64Array, basis: Float64Array, columns: number): Float64Array {
  const out = new Float64Array(basis.length)
  for (let from = 0; from < basis.length; from += columns) {
    for (let a = 0; a < columns; a++) {
      let sum = 0
      for (let b = 0; b < columns; b++) sum += matrix[a * columns + b]! * basis[from + b]!
      out[from + a] = sum
    }
  }
  return out
}

/** Gram–Schmidt, each row twice, which is enough to be orthogonal to rounding. */
function orthonormal(rows: Float64Array, columns: number): Float64Array {
  const out = Float64Array.from(rows)
  for (let from = 0; from < out.length; from += columns) {
    const row = out.subarray(from, from + columns)
    for (let pass = 0; pass < 2; pass++) {
      for (let other = 0; other < from; other += columns) {
        const known = out.subarray(other, other + columns)
        const along = dot(row, known)
        for (let c = 0; c < columns; c++) row[c]! -= along * known[c]!
      }
    }
    const length = Math.sqrt(dot(row, row))
    for (let c = 0; c < columns; c++) row[c] = length > 1e-150 ? row[c]! / length : 0
  }
  return out
}

/** The sum of the variances along the rows of a basis whose images under the covariance are given. */
function traceOf(basis: Float64Array, image: Float64Array, columns: number): number {
  let sum = 0
  for (let from = 0; from < basis.length; from += columns) {
    sum += dot(basis.subarray(from, from + columns), image.subarray(from, from + columns))
  }
  return sum
}

function inBasis(matrix: Float64Array, basis: Float64Array, columns: number): Float64Array {
  const width = basis.length / columns
  const image = multiply(matrix, basis, columns)
  return Float64Array.from({ length: width * width }, (_, k) => {
    const [a, b] = [Math.floor(k / width) * columns, (k % width) * columns]
    return dot(basis.subarray(a, a + columns), image.subarray(b, b + columns))
  })
}

/** Makes the symmetric `matrix` diagonal in place by Jacobi's rotations; the result's rows are its eigenvectors. */
function jacobi(matrix: Float64Array, n: number): Float64Array {
  const vectors = Float64Array.from({ length: n * n }, (_, k) => (k % (n + 1) === 0 ? 1 : 0))
  const rotate = (m: Float64Array, i: number, j: number, s: number, tau: number): void => {
    const [g, h] = [m[i]!, m[j]!]
    m[i] = g - s * (h + g * tau)
    m[j] = h + s * (g - h * tau)
  }
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0
    for (let p = 0; p < n; p++) for (let q = 0; q < p; q++) off += Math.abs(matrix[p * n + q]!)
    if (off === 0) break
    for (let p = 0; p < n - 1; p++) {
      for (let q = p + 1; q < n; q++) {
        const apq = matrix[p * n + q]!
        if (Math.abs(apq) < 1e-300) continue
        const theta = (matrix[q * n + q]! - matrix[p * n + p]!) / (2 * apq)
        const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1))
        const c = 1 / Math.sqrt(t * t + 1)
        const s = t * c
        const tau = s / (1 + c)
        for (let k = 0; k < n; k++) rotate(matrix, k * n + p, k * n + q, s, tau)
        for (let k = 0; k < n; k++) rotate(matrix, p * n + k, q * n + k, s, tau)
        matrix[p * n + q] = matrix[q * n + p] = 0
        for (let k = 0; k < n; k++) rotate(vectors, p * n + k, q * n + k, s, tau)
      }
    }
  }
  return vectors
}

/** `turns` times `basis`. */
function turn(turns: Float64Array, basis: Float64Array, width: number, columns: number) {
  const out = new Float64Array(basis.length)
  for (let k = 0; k < width; k++) {
    for (let j = 0; j < width; j++) {
      const factor = turns[k * width + j]!
      for (let c = 0; c < columns; c++) {
        out[k * columns + c]! += factor * basis[j * columns + c]!
      }
    }
  }
  return out
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let k = 0; k < a.length; k++) sum += a[k]! * b[k]!
  return sum
}
