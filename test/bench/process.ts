/** What the parents of measuring processes share: a folder for what goes between them, and what a process says at its end. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** A new folder that is gone when this process ends, interrupted or not. */
export function scratch(prefix: string): string {
  const folder = mkdtempSync(join(tmpdir(), prefix))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  return folder
}

const execute = promisify(execFile)

/** Runs a program and gives the last line of what it prints. `timeout` is in milliseconds. */
export async function lastLine(
  command: string,
  args: readonly string[],
  timeout: number,
): Promise<string> {
  const { stdout } = await execute(command, args, { timeout, maxBuffer: 2 ** 28 })
  return stdout.trimEnd().split('\n').at(-1)!
}
