/** Runs commands in this process, against streams that are kept and a folder of their own. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Io } from '../../compiler/cli/io.ts'
import { run } from '../../compiler/cli/run.ts'

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
  /** Lines of stdout as JSON. */
  readonly events: () => Record<string, unknown>[]
}

export interface RunOptions {
  readonly stdin?: string
  /** Interrupts the command when this returns true for a piece of its output. */
  readonly interruptAt?: (text: string) => boolean
}

export async function netc(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  let out = ''
  let err = ''
  let interrupt: (() => void) | undefined
  const watch = (text: string): void => {
    if (options.interruptAt?.(text)) interrupt?.()
  }
  const io: Io = {
    out: (text) => {
      out += text
      watch(text)
    },
    err: (text) => {
      err += text
      watch(text)
    },
    isTerminal: false,
    color: false,
    columns: 80,
    rows: 24,
    onInterrupt: (act) => {
      interrupt = act
      return () => {
        interrupt = undefined
      }
    },
    stdin: async () => new TextEncoder().encode(options.stdin ?? ''),
  }
  const code = await run(args, io)
  const events = () =>
    out
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  return { code, out, err, events }
}

/** A folder with these files. */
export function folder(files: Readonly<Record<string, string | Uint8Array>>): string {
  const path = mkdtempSync(join(tmpdir(), 'netc-test-'))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content)
  return path
}
