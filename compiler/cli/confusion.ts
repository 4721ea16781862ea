/**
 * Metrics that are tables, for people and for --json. In: what `report confusion(logits, label)` gave, counts [C, C] with
 * the true classes as rows, and the names of the classes where the data has them. Out: the matrix, and for each class
 * precision, recall and F1 with their plain and weighted means.
 */
import type { Evaluation } from '../../runtime/index.ts'
import type { EntrySpec } from '../wasm/manifest.ts'

export interface ClassScore {
  readonly class: string
  readonly precision: number
  readonly recall: number
  readonly f1: number
  /** Rows of the class. */
  readonly rows: number
}

const ratio = (part: number, whole: number): number => (whole > 0 ? part / whole : 0)

/** Of a square matrix of counts; the means are over classes that occur among rows or columns. */
export function classScores(counts: ArrayLike<number>, names: readonly string[]): ClassScore[] {
  const c = names.length
  const scores = names.map((name, k): ClassScore => {
    const at = (t: number, g: number): number => counts[t * c + g]!
    let rows = 0
    let taken = 0
    for (let j = 0; j < c; j++) {
      rows += at(k, j)
      taken += at(j, k)
    }
    const hits = at(k, k)
    const [precision, recall] = [ratio(hits, taken), ratio(hits, rows)]
    return { class: name, precision, recall, f1: ratio(2 * hits, rows + taken), rows }
  })
  const there = scores.filter(({ rows }, k) => rows > 0 || guessed(k))
  const all = scores.reduce((n, s) => n + s.rows, 0)
  const mean = (name: string, weight: (s: ClassScore) => number): ClassScore => {
    const total = there.reduce((n, s) => n + weight(s), 0)
    const of = (key: 'precision' | 'recall' | 'f1') =>
      ratio(
        there.reduce((n, s) => n + weight(s) * s[key], 0),
        total,
      )
    return {
      class: name,
      precision: of('precision'),
      recall: of('recall'),
      f1: of('f1'),
      rows: all,
    }
  }
  return [...scores, mean('mean', () => 1), mean('weighted mean', (s) => s.rows)]

  function guessed(k: number): boolean {
    return names.some((_, j) => counts[j * c + k]! > 0)
  }
}

const right = (texts: readonly (readonly string[])[]): string => {
  const widths = (texts[0] ?? []).map((_, k) => Math.max(...texts.map((row) => row[k]!.length)))
  return texts
    .map((row) => row.map((text, k) => text.padStart(widths[k]!)).join('  '))
    .map((row) => `${row.trimEnd()}\n`)
    .join('')
}

/** The reported tensors that are square matrices of counts, by name. */
const isSquare = (shape: readonly number[]): boolean => shape.length === 2 && shape[0] === shape[1]

/** At most so many classes are shown as a matrix for people. */
const mostColumns = 20

/** Every tensor as a table: a confusion matrix with its scores, others as rows of numbers. */
export function showTensors(
  { tensors }: Evaluation,
  entry: EntrySpec,
  classes: readonly (readonly string[])[],
): string {
  return entry.outputs
    .filter((o) => o.name in tensors)
    .map(({ name, shape }) => {
      const values = tensors[name]!
      const columns = shape.at(-1) ?? 1
      if (!isSquare(shape)) {
        const rows = Array.from({ length: values.length / columns }, (_, r) =>
          [...values.slice(r * columns, (r + 1) * columns)].map((v) => String(v)),
        )
        return `\n${name}\n${right(rows)}`
      }
      const names = namesOf(columns, classes)
      const head = [name, ...names]
      const rows = names.map((label, r) => [
        label,
        ...[...values.slice(r * columns, (r + 1) * columns)].map((v) => String(v)),
      ])
      const matrix =
        columns > mostColumns
          ? `${name} of ${columns} classes: see --json\n`
          : `rows: the class, columns: what it was taken for\n${right([head, ...rows])}`
      const scores = classScores(values, names).map((s) => [
        s.class,
        s.precision.toFixed(4),
        s.recall.toFixed(4),
        s.f1.toFixed(4),
        String(s.rows),
      ])
      return `\n${matrix}\n${right([['class', 'precision', 'recall', 'f1', 'rows'], ...scores])}`
    })
    .join('')
}

/** Names from the data where a column has as many, else numbers. */
const namesOf = (count: number, classes: readonly (readonly string[])[]): readonly string[] =>
  classes.find((names) => names.length === count) ??
  Array.from({ length: count }, (_, k) => String(k))

/** The same for --json: nested lists, and `classes` for a square matrix. */
export function tensorsAsJson(
  { tensors }: Evaluation,
  entry: EntrySpec,
  classes: readonly (readonly string[])[],
): Record<string, unknown> {
  const found = entry.outputs.filter((o) => o.name in tensors)
  return Object.fromEntries(
    found.map(({ name, shape }) => {
      const values = tensors[name]!
      const scores = isSquare(shape)
        ? { classes: classScores(values, namesOf(shape[0]!, classes)) }
        : {}
      return [name, { values: nested([...values], shape), ...scores }]
    }),
  )
}

function nested(values: readonly number[], shape: readonly number[]): unknown {
  if (shape.length <= 1) return values
  const size = values.length / shape[0]!
  return Array.from({ length: shape[0]! }, (_, k) =>
    nested(values.slice(k * size, (k + 1) * size), shape.slice(1)),
  )
}
