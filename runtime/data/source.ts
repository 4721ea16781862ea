/**
 * One source of a `data` block, read: `csv("flowers.csv", x = "length, width", y = "species", split = "train")`. In go
 * the reader call as the manifest holds it and a way to open files; out come columns, one for each input of a train
 * block, cut to the rows asked for. README.md describes every argument.
 */
import { type Args, argsOf, bad, listOf, type SourceCall } from './args.ts'
import { readCsv } from './csv.ts'
import { gunzip } from './gunzip.ts'
import { readIdx } from './idx.ts'
import { type DecodeImage, folderLabels, readImages } from './images.ts'
import { readJson } from './json.ts'
import { readNpy } from './npy.ts'
import { readPairs } from './pairs.ts'
import { type Column, cut, type Dataset, type Encoding } from './rows.ts'
import { columnOf, completeRows, type Table, valuesOf } from './table.ts'
import { malformed } from './tensor.ts'
import { readTensors } from './tensors.ts'
import { readText } from './text.ts'
import type { Vocabularies } from './tokens.ts'

export interface ReadOptions {
  /** Use these classes and scales instead of making new ones. */
  readonly encoding?: Encoding
  /** Read only these outputs of a table: a file to predict from has no labels. */
  readonly only?: readonly string[]
  /** Take all columns of a table that names no outputs as one, or all tensors of a file. */
  readonly whole?: boolean
  /** Of the model, for texts. */
  readonly vocabularies?: Vocabularies
  /** Of pictures, whose formats are not read here. */
  readonly decodeImage?: DecodeImage
  /** The files that a path with stars means, in order. */
  readonly list?: (pattern: string) => Promise<readonly string[]>
}

export type Open = (path: string) => Promise<Uint8Array<ArrayBuffer>>

export const readers = [
  'idx',
  'csv',
  'json',
  'npy',
  'safetensors',
  'text',
  'pairs',
  'images',
] as const

/** Reads a source. `open` resolves a path of the data block and gives the file's bytes. */
export async function readSource(
  call: SourceCall,
  open: Open,
  options: ReadOptions = {},
): Promise<Dataset> {
  const args = argsOf(call)
  const get = async (file: string) => gunzip(await open(file), file)
  const single = !['idx', 'npy', 'text'].includes(call.reader)
  if (single && args.files.length > 1) bad(call, 'it takes one file')
  const file = args.files[0]!
  const classes = new Map(options.encoding?.classes)
  let columns: Column[]
  switch (call.reader) {
    case 'idx':
    case 'npy': {
      const read = call.reader === 'idx' ? readIdx : readNpy
      columns = []
      for (const output of [...args.files.map((value) => ({ name: '', value })), ...args.outputs]) {
        columns.push({ name: output.name, ...read(await get(output.value), output.value) })
      }
      break
    }
    case 'csv':
    case 'json': {
      const separator = args.option('separator', 'string')
      const header = args.option('header', 'boolean')
      const csv = { ...(separator && { separator }), ...(header !== undefined && { header }) }
      const bytes = await get(file)
      const table = call.reader === 'csv' ? readCsv(bytes, file, csv) : readJson(bytes, file)
      columns = tableColumns(call, args, table, classes, options)
      break
    }
    case 'text': {
      const files = []
      for (const name of args.files) files.push({ name, bytes: await get(name) })
      return readText(call, args, files, options.vocabularies ?? {})
    }
    case 'pairs':
      return readPairs(call, args, await get(file), file, options.vocabularies ?? {})
    case 'images':
      columns = await imageColumns(call, args, get, classes, options)
      break
    case 'safetensors': {
      const tensors = readTensors(await get(file), file)
      const all = [...tensors.keys()].map((name) => ({ name, value: name }))
      columns = (options.whole ? all : args.outputs).map(({ name, value }) => {
        const tensor = tensors.get(value)
        const known = [...tensors.keys()].slice(0, 12).join(', ')
        return {
          name,
          ...(tensor ?? malformed(file, `there is no tensor ${value}; there are ${known}`)),
        }
      })
      if (columns.length === 0) bad(call, 'it names no tensor: x = "…"')
      break
    }
    default:
      return bad(call, `there is no such reader; the readers are ${readers.join(', ')}`)
  }
  const rows = columns[0]!.shape[0]!
  for (const { shape, name } of columns) {
    if (shape[0] !== rows)
      bad(call, `${name || 'its second file'} has ${shape[0]} rows and the first has ${rows}`)
  }
  if (rows === 0) bad(call, 'there are no rows')
  return cut(call, args, columns, rows, { scales: new Map(), ...options.encoding, classes })
}

async function imageColumns(
  call: SourceCall,
  args: Args,
  get: Open,
  classes: Map<string, readonly string[]>,
  options: ReadOptions,
): Promise<Column[]> {
  const decode = options.decodeImage ?? bad(call, 'decodeImage, which decodes pictures, is missing')
  const path = args.files[0]!
  if (path.includes('*')) {
    if (args.outputs.length > 0)
      bad(call, 'outputs are named for a table of files, not for a folder')
    const list = options.list ?? bad(call, 'list, which finds the files of a pattern, is missing')
    const files = await list(path)
    if (files.length === 0) malformed(path, 'there is no such file')
    const labels = folderLabels(path, files, classes.get('label'))
    if (labels) classes.set('label', labels.classes)
    const image = await readImages(call, args, 'image', files, get, decode)
    return labels ? [image, labels.column] : [image]
  }
  const [image, ...others] = args.outputs
  if (!image) return bad(call, 'it names no column of files: image = "file"')
  const bytes = await get(path)
  const table = /\.json(\.gz)?$/i.test(path) ? readJson(bytes, path) : readCsv(bytes, path)
  const column = columnOf(table, image.value)
  const folder = path.slice(0, path.lastIndexOf('/') + 1)
  const files = table.rows.map((row) => {
    const file = `${row[column] ?? ''}`
    return file.startsWith('/') ? file : folder + file
  })
  if (files.length === 0) malformed(path, 'there are no rows')
  const rest =
    others.length > 0
      ? tableColumns(call, { ...args, outputs: others }, table, classes, options)
      : []
  return [await readImages(call, args, image.name, files, get, decode), ...rest]
}

function tableColumns(
  call: SourceCall,
  args: Args,
  table: Table,
  classes: Map<string, readonly string[]>,
  options: ReadOptions,
): Column[] {
  const all = table.names.length
  const onehot = new Set(
    listOf(args.option('onehot', 'string') ?? '')
      // A file to predict from may lack columns that only the labels need.
      .filter((n) => options.only === undefined || table.names.includes(n))
      .map((n) => columnOf(table, n)),
  )
  const groups =
    args.outputs.length > 0
      ? args.outputs
          .filter((o) => options.only === undefined || options.only.includes(o.name))
          .map((o) => ({ name: o.name, columns: listOf(o.value).map((n) => columnOf(table, n)) }))
      : all < 2 || options.whole
        ? [{ name: 'x', columns: table.names.map((_, k) => k) }]
        : [
            { name: 'x', columns: table.names.slice(0, -1).map((_, k) => k) },
            { name: 'y', columns: [all - 1] },
          ]
  const policy = args.option('missing', 'string') ?? 'error'
  if (policy !== 'error' && policy !== 'drop') bad(call, 'missing is "error" or "drop"')
  const used = groups.flatMap((g) => g.columns)
  const rows = policy === 'drop' ? completeRows(table, used) : table.rows.map((_, k) => k)
  if (rows.length === 0) malformed(table.file, 'there are no rows')
  return groups.map((group) => {
    if (group.columns.length === 0) bad(call, `${group.name} names no columns`)
    const parts: Float64Array[] = []
    for (const c of group.columns) {
      const key = table.names[c]!
      const { numbers, classes: names } = valuesOf(table, c, rows, classes.get(key), onehot.has(c))
      if (names) classes.set(key, names)
      if (names && onehot.has(c)) {
        names.forEach((_, k) => {
          parts.push(numbers.map((n) => (n === k ? 1 : 0)))
        })
      } else if (names && group.columns.length > 1) {
        bad(call, `${key} holds names (${names.slice(0, 3).join(', ')}…): add onehot = "${key}"`)
      } else parts.push(numbers)
    }
    const width = parts.length
    const data = new Float64Array(rows.length * width)
    parts.forEach((part, c) => {
      for (let r = 0; r < rows.length; r++) data[r * width + c] = part[r]!
    })
    const isSingle = group.columns.length === 1 && !onehot.has(group.columns[0]!)
    return { name: group.name, shape: isSingle ? [rows.length] : [rows.length, width], data }
  })
}
