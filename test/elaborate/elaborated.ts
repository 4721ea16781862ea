/** What elaboration makes of a text: several files, overrides of dims, and the program or what is wrong. */
import { lower } from '../../compiler/compile.ts'
import { elaborate } from '../../compiler/elaborate/index.ts'
import { schedule } from '../../compiler/generate.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { verify } from '../../compiler/ir/verify.ts'
import { type Diagnostic, Diagnostics, Refusal } from '../../compiler/support/diagnostic.ts'
import { renderAll } from '../../compiler/support/render.ts'
import { parse } from '../../compiler/syntax/parse.ts'

export interface Elaborated {
  readonly program: Program | undefined
  readonly diagnostics: Diagnostics
}

/** Files that the vocabularies of a text may name. */
const texts: Readonly<Record<string, string | Uint8Array>> = {
  'a.txt': 'Call me Ishmael.',
  'empty.txt': '',
  'latin1.txt': Uint8Array.of(0x66, 0xfc, 0x72),
  'many.txt': Array.from({ length: 70_000 }, (_, k) => k).join(' '),
}

const readFile = (path: string): Uint8Array | undefined => {
  const found = texts[path]
  return typeof found === 'string' ? new TextEncoder().encode(found) : found
}

/**
 * Elaborates `input.net`. A line `//// name.net` begins another file that can be imported, and a first line
 * `// --dim width=3` overrides a dim.
 */
export function elaborated(input: string): Elaborated {
  const [text = '', ...others] = input.split(/^\/\/\/\/ /m)
  const files = new Map(
    others.map((part) => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n') + 1)]),
  )
  const dims: Record<string, number> = {}
  for (const [, name, value] of text.matchAll(/^\/\/ --dim (\w+)=(\S+)$/gm)) {
    dims[name!] = Number(value)
  }
  const diagnostics = new Diagnostics()
  const file = parse({ file: 'input.net', text }, diagnostics)
  if (diagnostics.hasErrors) return { program: undefined, diagnostics }
  const resolve = (path: string) => {
    const found = files.get(path)
    return found === undefined ? undefined : { file: path, text: found }
  }
  const program = elaborate(file, { dims, resolve, readFile }, diagnostics)
  if (program !== undefined) verify(program, 'elaborate')
  return { program, diagnostics }
}

/** What is wrong with a text, what the passes find and the plan of memory included. */
export function diagnosticsOf(input: string): readonly Diagnostic[] {
  const { program, diagnostics } = elaborated(input)
  try {
    if (program !== undefined && !diagnostics.hasErrors) schedule(lower(program), { fuse: true })
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    diagnostics.add(error.diagnostic)
  }
  return diagnostics.all
}

/** The program of a text that must have no errors. */
export function programOf(input: string): Program {
  const { program, diagnostics } = elaborated(input)
  if (program === undefined) throw new Error(renderAll(diagnostics.all))
  return program
}
