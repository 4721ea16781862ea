/** `netc fmt`: models in the one layout. */

import { Diagnostics } from '../support/diagnostic.ts'
import type { Source } from '../support/span.ts'
import { format } from '../syntax/format.ts'
import { parse } from '../syntax/parse.ts'
import type { Call, Command } from './command.ts'
import { exit, Reported, UsageError } from './errors.ts'
import { type Io, replaceFile } from './io.ts'
import { readSource, report } from './model-file.ts'

export const fmt: Command = {
  name: 'fmt',
  usage: 'MODEL.net… [options]',
  summary: 'Lay models out in the one way there is.',
  details:
    'Rewrites files in place; `-` formats standard input to standard output. A file with errors is left as it is.',
  positionals: [1, Number.POSITIVE_INFINITY],
  options: {
    check: { text: 'change nothing; exit with 1 if a file would change' },
    stdout: { text: 'write the result to stdout instead of the file' },
  },
  run: async (call: Call, io: Io): Promise<number> => {
    if (call.positionals.includes('-') && call.positionals.length > 1) {
      throw new UsageError('`-` stands alone')
    }
    let code: number = exit.done
    for (const file of call.positionals) {
      const isStdin = file === '-'
      const source: Source = isStdin
        ? { file: '<stdin>', text: new TextDecoder().decode(await io.stdin()) }
        : readSource(file)
      const diagnostics = new Diagnostics()
      const tree = parse(source, diagnostics)
      try {
        report(diagnostics.all, false, io)
      } catch (error) {
        if (!(error instanceof Reported)) throw error
        code = exit.input
        continue
      }
      const text = format(tree)
      if (call.has('check')) {
        if (text !== source.text) {
          io.err(`${source.file}: is not formatted\n`)
          code = exit.input
        }
      } else if (isStdin || call.has('stdout')) io.out(text)
      else if (text !== source.text) replaceFile(file, text)
    }
    return code
  },
}
