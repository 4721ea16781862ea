/** `netc check`: what is wrong with models, and nothing else. */
import { type Call, type Command, common } from './command.ts'
import { exit, Reported } from './errors.ts'
import { type Io, json } from './io.ts'
import { compileFile } from './model-file.ts'

export const check: Command = {
  name: 'check',
  usage: 'MODEL.net… [options]',
  summary: 'Report what is wrong with models, without running them.',
  details: 'Exits with 1 if there is an error.',
  positionals: [1, Number.POSITIVE_INFINITY],
  options: { dim: common.dim, json: common.json },
  run: async (call: Call, io: Io): Promise<number> => {
    const isJson = call.has('json')
    let isBad = false
    for (const file of call.positionals) {
      try {
        await compileFile(file, { dims: call.pairs('dim'), targets: [], json: isJson }, io)
        if (isJson) json(io, { event: 'done', model: file, ok: true })
        else io.err(`${file}: no errors\n`)
      } catch (error) {
        if (!(error instanceof Reported)) throw error
        isBad = true
        if (isJson) json(io, { event: 'done', model: file, ok: false })
      }
    }
    return isBad ? exit.input : exit.done
  },
}
