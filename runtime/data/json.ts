/** JSON: an array of records (`[{"mpg": 18, …}, …]`) or an array of rows (`[[5.1, 3.5, "setosa"], …]`). */
import type { Cell, Table } from './table.ts'
import { malformed } from './tensor.ts'

export function readJson(bytes: Uint8Array, file: string): Table {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    return malformed(file, `it is not JSON: ${error instanceof Error ? error.message : error}`)
  }
  if (!Array.isArray(value)) return malformed(file, 'it is not an array of rows')
  const first: unknown = value[0]
  if (first === undefined) return malformed(file, 'it is empty')
  const isRows = Array.isArray(first)
  if (first === null || typeof first !== 'object') {
    malformed(file, 'element 0 is neither a record nor a row')
  }
  const names = isRows ? first.map((_, k) => String(k)) : Object.keys(first as object)
  const rows = value.map((item: unknown, k): readonly Cell[] => {
    if (item === null || typeof item !== 'object' || Array.isArray(item) !== isRows) {
      return malformed(
        file,
        `element ${k} is not ${isRows ? 'a row' : 'a record'}, and the first is`,
        {
          row: k,
        },
      )
    }
    if (isRows && (item as unknown[]).length !== names.length) {
      malformed(
        file,
        `row ${k} has ${(item as unknown[]).length} values and the first has ${names.length}`,
        {
          row: k,
        },
      )
    }
    return names.map((name, c): Cell => {
      const cell: unknown = isRows ? (item as unknown[])[c] : ownValue(item, name)
      if (cell === undefined || cell === null) return null
      if (typeof cell === 'object') {
        return malformed(file, `element ${k}: ${name} is not a single value`, {
          row: k,
          column: name,
        })
      }
      return cell as Cell
    })
  })
  return { file, names, rows, place: (row) => `element ${row}` }
}

const ownValue = (item: object, name: string): unknown =>
  Object.hasOwn(item, name) ? (item as Record<string, unknown>)[name] : undefined
