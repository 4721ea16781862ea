/** What the standard library offers, for `netc help library` and `netc help NAME`: its own text, signatures and comments. */
import { stdFiles } from '../elaborate/modules.ts'
import type { File, Item } from '../syntax/ast.ts'

interface Entry {
  readonly name: string
  /** `layer dense(x: [.., I], O: dim) -> [.., O]`. */
  readonly signature: string
  /** What stands above it in `///`, line by line. */
  readonly doc: readonly string[]
  readonly file: string
}

type Named = Extract<Item, { readonly kind: 'fn' | 'layer' | 'optimizer' | 'const' }>

const isNamed = (item: Item): item is Named =>
  item.kind === 'fn' || item.kind === 'layer' || item.kind === 'optimizer' || item.kind === 'const'

/** The comment lines that end right above a place, without their slashes. */
function linesAbove(file: File, start: number): string[] {
  const { text } = file.source
  const lines: string[] = []
  let below = start
  for (const comment of [...file.comments].reverse()) {
    if (comment.span.end > below) continue
    if (!/^\s*$/.test(text.slice(comment.span.end, below)) || !comment.text.startsWith('///')) break
    lines.unshift(comment.text.replace(/^\/\/\/ ?/, ''))
    below = comment.span.start
  }
  return lines
}

/** What the file is about: the comment at its top. */
function headOf(file: File): string {
  const lines: string[] = []
  for (const { text } of file.comments) {
    if (text.startsWith('///')) break
    lines.push(text.replace(/^\/\/ ?/, ''))
  }
  return sentence(lines)
}

/** The first sentence of some lines: up to a full stop before a capital or before shapes, or to a colon before shapes. */
function sentence(lines: readonly string[]): string {
  const all = lines.join(' ')
  const [first = all] =
    /^.*?[^.](?:\.(?= [A-Z`]|(?: \w+,?(?: and)?)+: (?:\[|int)|$)|:(?= \[| `))/.exec(all) ?? []
  return first.replace(/:$/, '.')
}

function signatureOf(file: File, item: Named): string {
  const { text } = file.source
  const end = item.kind === 'const' ? item.span.end : item.body.span.start
  return text
    .slice(item.span.start, end)
    .replace(/\s*[={]\s*$/, '')
    .trim()
}

export function libraryEntries(): Entry[] {
  return stdFiles().flatMap((file) =>
    file.items.filter(isNamed).map((item) => ({
      name: item.name.text,
      signature: signatureOf(file, item),
      doc: linesAbove(file, item.span.start),
      file: file.source.file,
    })),
  )
}

/** Every name with the first sentence about it, file by file. */
export function libraryOverview(): string {
  const entries = libraryEntries()
  const width = Math.max(...entries.map((e) => e.name.length))
  const parts = stdFiles().map((file) => {
    const own = entries.filter((e) => e.file === file.source.file)
    const lines = own.map((e) => `  ${e.name.padEnd(width)}  ${sentence(e.doc)}`)
    return `${file.source.file}: ${headOf(file)}\n${lines.join('\n')}\n`
  })
  return `The standard library. \`netc help NAME\` tells more of one.\n\n${parts.join('\n')}`
}

/** One name in full; undefined where the library has no such name. */
export function libraryHelp(name: string): string | undefined {
  const entry = libraryEntries().find((e) => e.name === name)
  return entry && `${entry.signature}\n\n${entry.doc.join('\n')}\n\n${entry.file}\n`
}
