/**
 * Pictures as data: `images("flowers/*.png")`; with a star for the folder too, whose name is then the label; or by a
 * table that names the files, `images("list.csv", image = "file", label = "kind")`. All have one size; out comes
 * `image: [rows, height, width, channels]`, 0 to 255.
 */
import { type Args, bad, type SourceCall } from './args.ts'
import type { Column } from './rows.ts'
import { type Table, valuesOf } from './table.ts'
import { malformed } from './tensor.ts'

/** A picture of `height × width × channels` samples, 0 to 255, row by row, channels innermost. */
export interface Picture {
  readonly width: number
  readonly height: number
  /** 1 grey, 2 grey and alpha, 3 red green blue, 4 red green blue alpha. */
  readonly channels: number
  readonly data: Uint8Array
}

export type DecodeImage = (bytes: Uint8Array, file: string) => Picture | Promise<Picture>

/** Pixels that the pictures of one source may have in all. */
const most = 2 ** 30

/** The pictures as the column `name`; what reads and decodes them comes from outside. */
export async function readImages(
  call: SourceCall,
  args: Args,
  name: string,
  files: readonly string[],
  open: (file: string) => Promise<Uint8Array>,
  decode: DecodeImage,
): Promise<Column> {
  const asked = args.option('channels', 'number')
  if (asked !== undefined && asked !== 1 && asked !== 3)
    bad(call, 'channels is 1, grey, or 3, colour')
  let first: Picture | undefined
  let channels = 0
  let data = new Uint8Array()
  for (const [row, file] of files.entries()) {
    const picture = await decode(await open(file), file)
    first ??= picture
    if (row === 0) {
      channels = asked ?? (picture.channels < 3 ? 1 : 3)
      const size = files.length * picture.width * picture.height * channels
      if (size > most) bad(call, `${files.length} pictures of this size do not fit into memory`)
      data = new Uint8Array(size)
    }
    if (picture.width !== first.width || picture.height !== first.height) {
      const size = ({ width, height }: Picture) => `${width} by ${height}`
      malformed(
        file,
        `row ${row} is ${size(picture)} pixels and row 0, ${files[0]}, is ${size(first)}: pictures of one source have one size`,
        { row },
      )
    }
    if (asked === undefined && channels === 1 && picture.channels > 2) {
      malformed(file, `row ${row} has colours and row 0 has none: say channels = 1 or 3`, { row })
    }
    copy(picture, data, row * first.width * first.height * channels, channels)
  }
  return { name, shape: [files.length, first!.height, first!.width, channels], data }
}

/** The labels of files that a pattern found: what its first star stands for, in a pattern of several. */
export function folderLabels(
  pattern: string,
  files: readonly string[],
  known: readonly string[] | undefined,
): { readonly column: Column; readonly classes: readonly string[] } | undefined {
  if (pattern.split('*').length < 3) return undefined
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  const match = new RegExp(`${parts[0]}([^/]*)${parts.slice(1).join('[^/]*')}$`)
  const table: Table = {
    file: pattern,
    names: ['label'],
    rows: files.map((file) => [match.exec(file)?.[1] ?? '']),
    place: (row) => files[row]!,
  }
  const rows = files.map((_, k) => k)
  const { numbers, classes } = valuesOf(table, 0, rows, known, true)
  return { column: { name: 'label', shape: [rows.length], data: numbers }, classes: classes! }
}

/** Grey is the luma of Rec. 601; alpha is left out. */
function copy({ channels: has, data }: Picture, to: Uint8Array, at: number, wants: number): void {
  const pixels = data.length / has
  for (let k = 0; k < pixels; k++) {
    const p = k * has
    if (wants === 3) {
      for (let c = 0; c < 3; c++) to[at + 3 * k + c] = data[has < 3 ? p : p + c]!
    } else if (has < 3) to[at + k] = data[p]!
    else to[at + k] = Math.round(0.299 * data[p]! + 0.587 * data[p + 1]! + 0.114 * data[p + 2]!)
  }
}
