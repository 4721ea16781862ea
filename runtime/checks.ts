/** What is asked of JSON that came from outside, and sizes of shapes. */

export const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0

export const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every(isCount)

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

/** The number of elements. */
export const volume = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)
