/** Files that a model names: found beside it or in an installed package, and read. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { InputError } from './errors.ts'
import { reason } from './io.ts'

/** Where packages may be: beside the model, beside the caller, beside netc. */
function packageFolders(modelFile: string): string[] {
  const own = dirname(fileURLToPath(import.meta.url))
  const folders = new Set<string>()
  for (const start of [dirname(resolve(modelFile)), process.cwd(), own]) {
    for (let folder = start; ; folder = dirname(folder)) {
      const packages = join(folder, 'node_modules')
      if (existsSync(packages)) folders.add(packages)
      if (folder === dirname(folder)) break
    }
  }
  return [...folders]
}

const isFile = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isFile() === true

/** The file that a path of a data block means, or the folders where it is not. */
export function locate(path: string, modelFile: string): string | readonly string[] {
  const own = dirname(modelFile)
  if (isAbsolute(path)) return isFile(path) ? path : [dirname(path)]
  const folders = [own, ...packageFolders(modelFile)]
  return folders.map((folder) => join(folder, path)).find(isFile) ?? folders
}

export function readBytes(path: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(readFileSync(path))
  } catch (error) {
    throw new InputError(`cannot read ${path}: ${reason(error)}`)
  }
}
