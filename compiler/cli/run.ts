/** From arguments to an exit code: finds the command, runs it, and turns whatever goes wrong into words. */
import { NetcError } from '../../runtime/index.ts'
import { version } from '../version.ts'
import { check } from './check.ts'
import { type Command, helpOf, meant, parseCall } from './command.ts'
import { compileCommand } from './compile.ts'
import { exit, InputError, Reported, UsageError } from './errors.ts'
import { evaluate } from './eval.ts'
import { fmt } from './fmt.ts'
import { grad } from './grad.ts'
import { type Io, json } from './io.ts'
import { ir } from './ir.ts'
import { libraryEntries, libraryHelp, libraryOverview } from './library.ts'
import { predict } from './predict.ts'
import { show } from './show.ts'
import { topics } from './topics.ts'
import { train } from './train.ts'

export const commands: readonly Command[] = [
  train,
  evaluate,
  predict,
  show,
  compileCommand,
  check,
  grad,
  ir,
  fmt,
]

function overview(): string {
  const width = Math.max(...commands.map(({ name }) => name.length))
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`)
  return `netc compiles neural networks, written as tensor equations, to WebAssembly.

usage: netc COMMAND …

${lines.join('\n')}

netc COMMAND --help tells more; so do ${Object.keys(topics)
    .map((topic) => `netc help ${topic}`)
    .join(', ')}, and of layers, losses and the like netc help library.
`
}

export async function run(args: readonly string[], io: Io): Promise<number> {
  const isJson = args.includes('--json')
  try {
    return await dispatch(args, io)
  } catch (error) {
    return explain(error, isJson, io)
  }
}

async function dispatch(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args
  if (name === '--version' || name === '-v') {
    io.out(`${version}\n`)
    return exit.done
  }
  if (name === undefined) {
    io.err(overview())
    return exit.usage
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    const topic = rest[0]
    if (topic === undefined) io.out(overview())
    else if (Object.hasOwn(topics, topic)) io.out(topics[topic]!)
    else if (topic === 'library') io.out(libraryOverview())
    else io.out(libraryHelp(topic) ?? helpOf(find(topic, libraryEntries())))
    return exit.done
  }
  const command = find(name)
  const call = parseCall(command, rest)
  if (call.has('help')) {
    io.out(helpOf(command))
    return exit.done
  }
  return command.run(call, io)
}

/** `others` may be meant too, when help is asked for. */
function find(name: string, others: readonly { readonly name: string }[] = []): Command {
  const found = commands.find((command) => command.name === name)
  if (found) return found
  const names = commands.map((command) => command.name)
  const known = `the commands are ${names.join(', ')}${meant(name, [...names, ...others.map((o) => o.name)])}`
  throw new UsageError(
    name.startsWith('-')
      ? `there is no option ${name} before a command`
      : `there is no command ${name}: ${known}`,
  )
}

function explain(error: unknown, isJson: boolean, io: Io): number {
  const end = (kind: string, code: number, message: string, text: string): number => {
    if (isJson) json(io, { event: 'error', kind, message })
    else io.err(text)
    return code
  }
  if (error instanceof Reported) return exit.input
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof UsageError) {
    return end('usage', exit.usage, message, `netc: ${message}\n`)
  }
  if (error instanceof InputError || error instanceof NetcError) {
    return end('input', exit.input, message, `netc: ${message}\n`)
  }
  const details =
    process.env.NETC_DEBUG && error instanceof Error
      ? `${error.stack}\n`
      : 'NETC_DEBUG=1 shows where.\n'
  const text = `netc: a defect of netc, not of your model: ${message.split('\n')[0]}
Please report it with the .net file and the command line. ${details}`
  return end('defect', exit.defect, message, text)
}
