/** Files that a model names: found beside it or in an installed package, and read. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
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

/** The files that a path with stars means, in order; each star stands for anything within one name. */
export function locateAll(pattern: string, modelFile: string): readonly string[] {
  const own = isAbsolute(pattern) ? ['/'] : [dirname(modelFile), ...packageFolders(modelFile)]
  for (const folder of own) {
    let found = [folder]
    for (const part of pattern.split('/').filter((p) => p !== '')) {
      found = found.flatMap((at) => entriesOf(at, part).map((name) => join(at, name)))
    }
    const files = found.filter(isFile)
    if (files.length > 0) return files.sort()
  }
  return []
}

function entriesOf(folder: string, part: string): readonly string[] {
  if (!part.includes('*')) return existsSync(join(folder, part)) ? [part] : []
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return []
  const escaped = part.replace(/[\\^$.+?()[\]{}|]/g, '\\$&').replaceAll('*', '.*')
  const matches = new RegExp(`^${escaped}$`)
  return readdirSync(folder).filter((name) => !name.startsWith('.') && matches.test(name))
}

export function readBytes(path: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(readFileSync(path))
  } catch (error) {
    throw new InputError(`cannot read ${path}: ${reason(error)}`)
  }
}
