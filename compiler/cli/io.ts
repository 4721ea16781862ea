/** The outside world as commands see it: streams, interrupts and files that are replaced in one go. */
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { InputError } from './errors.ts'

export interface Io {
  /** Results. */
  readonly out: (text: string) => void
  /** Diagnostics and progress. */
  readonly err: (text: string) => void
  /** Whether stderr is a terminal, so that a line can be redrawn. */
  readonly isTerminal: boolean
  readonly color: boolean
  /** Size of the terminal, now: it may change. */
  readonly columns: number
  readonly rows: number
  /** Calls `act` at the first interrupt from now on; the result undoes it. */
  readonly onInterrupt: (act: () => void) => () => void
  readonly stdin: () => Promise<Uint8Array<ArrayBuffer>>
}

/** One JSON object a line. */
export function json(io: Io, event: Readonly<Record<string, unknown>>): void {
  io.out(`${JSON.stringify(event)}\n`)
}

export function processIo(): Io {
  // A reader that went away (`netc predict … | head`) is no defect.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0)
      throw error
    })
  }
  const isTerminal = process.stderr.isTTY === true
  const { NO_COLOR, FORCE_COLOR } = process.env
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    isTerminal,
    color: FORCE_COLOR ? FORCE_COLOR !== '0' : isTerminal && !NO_COLOR,
    get columns() {
      return process.stderr.columns ?? 80
    },
    get rows() {
      return process.stderr.rows ?? 24
    },
    onInterrupt: (act) => {
      let isSecond = false
      const handler = (): void => {
        if (isSecond) process.exit(130)
        isSecond = true
        act()
      }
      process.on('SIGINT', handler).on('SIGTERM', handler)
      return () => void process.off('SIGINT', handler).off('SIGTERM', handler)
    },
    stdin: async () => {
      const chunks: Uint8Array[] = []
      for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array)
      return new Uint8Array(Buffer.concat(chunks))
    },
  }
}

/** Why an operation on a file failed, in words. */
export function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  switch (code) {
    case 'ENOENT':
      return 'there is no such file'
    case 'EISDIR':
      return 'it is a folder'
    case 'ENOTDIR':
    case 'EEXIST':
      return 'a part of the path is no folder'
    case 'EACCES':
    case 'EPERM':
      return 'permission denied'
    case 'ENOSPC':
      return 'the disk is full'
    default:
      return message
  }
}

/** Writes a file so that at any moment it has its old content or the new one, even if the machine fails. */
export function replaceFile(path: string, content: Uint8Array | string): void {
  const fresh = `${path}.${process.pid}.tmp`
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  try {
    makeFolder(dirname(path))
    const file = openSync(fresh, 'w')
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(fresh, path)
  } catch (error) {
    rmSync(fresh, { force: true })
    throw new InputError(`cannot write ${path}: ${reason(error)}`)
  }
  syncFolder(dirname(path))
}

/** Step by step: Node's own recursive call never returns where the system refuses with ENOENT, as below /proc. */
function makeFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return
  if (dirname(path) !== path) makeFolder(dirname(path))
  mkdirSync(path)
}

/** Throws unless `path` can be replaced: better before an hour of training than after it. */
export function checkWritable(path: string): void {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
      throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' })
    }
    makeFolder(dirname(path))
    accessSync(dirname(path), constants.W_OK)
  } catch (error) {
    throw new InputError(`cannot write ${path}: ${reason(error)}`)
  }
}

/** Makes the rename itself last; not every system can. */
function syncFolder(path: string): void {
  try {
    const folder = openSync(path, 'r')
    try {
      fsyncSync(folder)
    } finally {
      closeSync(folder)
    }
  } catch {
    // Windows has no such call, and the content is safe without it.
  }
}
