/** What tests of the syntax share: parsing a text, trees without places, the `.net` files of the repository. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Diagnostic, Diagnostics } from '../../compiler/support/diagnostic.ts'
import type { Source } from '../../compiler/support/span.ts'
import type { File } from '../../compiler/syntax/ast.ts'
import { parse } from '../../compiler/syntax/parse.ts'

export interface Parsed {
  readonly file: File
  readonly diagnostics: readonly Diagnostic[]
}

export function parseText(text: string, file = 'input.net'): Parsed {
  const diagnostics = new Diagnostics()
  return { file: parse({ file, text }, diagnostics), diagnostics: diagnostics.all }
}

/** A tree as JSON without places: two texts mean the same when these are equal. */
export function shape(file: File): string {
  return JSON.stringify(file.items, (key, value) => (key === 'span' ? undefined : value))
}

/** The standard library and the models. */
export function repositoryFiles(): readonly Source[] {
  return ['compiler/std', 'models'].flatMap((folder) => {
    const path = fileURLToPath(new URL(`../../${folder}`, import.meta.url))
    if (!existsSync(path)) return []
    return readdirSync(path)
      .filter((name) => name.endsWith('.net'))
      .sort()
      .map((name) => ({ file: `${folder}/${name}`, text: readFileSync(`${path}/${name}`, 'utf8') }))
  })
}
