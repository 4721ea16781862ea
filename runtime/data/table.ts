/**
 * A table of cells, as CSV and JSON files give it, and what a column of it means: numbers, or names of classes, which
 * become 0, 1, … in the order of their names. Every complaint says where the cell stands.
 */
import { fail } from '../errors.ts'
import { malformed } from './tensor.ts'

export type Cell = string | number | boolean | null

export interface Table {
  readonly file: string
  readonly names: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
  /** `line 12, column 3`. */
  readonly place: (row: number, column: number) => string
}

/** The values of one column: numbers, with the class names if it holds names. */
export interface Values {
  readonly numbers: Float64Array
  readonly classes: readonly string[] | undefined
}

const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i
const missing = /^(|na|n\/a|nan|null)$/i

/** A number, a name, or undefined where there is no value. */
function cellValue(cell: Cell): number | string | undefined {
  if (cell === null) return undefined
  if (typeof cell !== 'string') return Number(cell)
  const text = cell.trim()
  if (missing.test(text)) return undefined
  return number.test(text) ? Number(text) : text
}

export const isMissing = (cell: Cell): boolean => cellValue(cell) === undefined

/** The position of the column called `name`: by its header, or by number from 0 where there is none. */
export function columnOf(table: Table, name: string): number {
  const exact = table.names.indexOf(name)
  if (exact >= 0) return exact
  const loose = table.names.findIndex((n) => n.trim().toLowerCase() === name.toLowerCase())
  if (loose >= 0) return loose
  const names = table.names.slice(0, 20).join(', ')
  return malformed(table.file, `there is no column ${name}; the columns are ${names}`, {
    column: name,
  })
}

/** Reads column `c` over `rows`. Unless `isClass`, the first cell decides whether it holds numbers or names. */
export function valuesOf(
  table: Table,
  c: number,
  rows: readonly number[],
  known?: readonly string[],
  isClass = false,
): Values {
  const name = table.names[c]!
  const at = (row: number) => `column ${name}, ${table.place(row, c)}`
  const cells = rows.map((row) => {
    const value = cellValue(table.rows[row]![c] ?? null)
    if (value !== undefined) return value
    return fail(
      'data',
      `${table.file}: ${at(row)}: there is no value (missing = "drop" leaves such rows out)`,
      {
        file: table.file,
        column: name,
        row,
      },
    )
  })
  if (known === undefined && !isClass && typeof cells[0] !== 'string') {
    const odd = cells.findIndex((cell) => typeof cell === 'string' || !Number.isFinite(cell))
    if (odd >= 0) {
      malformed(
        table.file,
        `${at(rows[odd]!)}: ${JSON.stringify(cells[odd])} is no number, and the column holds numbers`,
      )
    }
    return { numbers: Float64Array.from(cells as number[]), classes: undefined }
  }
  const texts = cells.map(String)
  const classes = known ?? [...new Set(texts)].sort(byValue)
  const index = new Map(classes.map((text, k) => [text, k]))
  const numbers = Float64Array.from(texts, (text, k) => {
    const found = index.get(text)
    if (found !== undefined) return found
    const list = classes.slice(0, 12).join(', ')
    return malformed(
      table.file,
      `${at(rows[k]!)}: ${JSON.stringify(text)} is none of the classes ${list}`,
    )
  })
  return { numbers, classes }
}

/** Numbers by value, names by their letters; the same in every locale. */
function byValue(a: string, b: string): number {
  const difference = Number(a) - Number(b)
  return Number.isNaN(difference) ? (a < b ? -1 : 1) : difference
}

/** Rows that have a value in every one of `columns`. */
export function completeRows(table: Table, columns: readonly number[]): number[] {
  const complete: number[] = []
  table.rows.forEach((row, k) => {
    if (columns.every((c) => !isMissing(row[c] ?? null))) complete.push(k)
  })
  return complete
}
