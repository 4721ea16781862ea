/** Words of pictures: figures, shapes, and tokens that would not be seen. Pure. */

/** Four significant digits without trailing zeros: `0.5`, `-1.204`, `1.2e-7`. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  const short = Number(value.toPrecision(4))
  const size = Math.abs(short)
  return size !== 0 && (size < 1e-4 || size >= 1e7) ? short.toExponential() : `${short}`
}

/** `[batch<=64, 784]`, as in a .net text but for the bound. */
export const showShape = (
  shape: readonly number[],
  bounds: readonly (string | null | undefined)[] = [],
): string => `[${shape.map((n, k) => (bounds[k] ? `${bounds[k]}<=${n}` : n)).join(', ')}]`

/** White space of a token as signs that are seen. */
export const showToken = (token: string): string =>
  token.replaceAll(' ', '␣').replaceAll('\n', '⏎').replaceAll('\t', '⇥').replaceAll('\r', '␍') ||
  '∅'
