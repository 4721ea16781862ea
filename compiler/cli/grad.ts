/** `netc grad`: the backward pass of a train block as equations in the language itself. */
import { type Call, type Command, common, meant } from './command.ts'
import { loadNotation } from './compiler.ts'
import { exit, InputError, UsageError } from './errors.ts'
import type { Io } from './io.ts'
import { compileFile } from './model-file.ts'

export const grad: Command = {
  name: 'grad',
  usage: 'MODEL.net [options]',
  summary: 'Print the gradient of a model as a .net program.',
  details: 'Each equation names the source line it came from; the text compiles again.',
  positionals: [1, 1],
  options: {
    of: { value: 'NAME', text: 'of several losses only this: loss, loss_2, …' },
    wrt: { value: 'NAME', multiple: true, text: 'only the gradients of these parameters' },
    block: common.block,
    dim: common.dim,
  },
  run: async (call: Call, io: Io): Promise<number> => {
    const file = call.positionals[0]!
    const { program } = await compileFile(
      file,
      { dims: call.pairs('dim'), targets: [], json: false },
      io,
    )
    const names = program.entries.filter((e) => e.kind === 'train').map((e) => e.name)
    const block = call.text('block') ?? names[0]
    if (block === undefined) throw new InputError(`${file} has no train block`)
    if (!names.includes(block)) {
      throw new UsageError(
        `--block ${block}: ${file} has ${names.join(', ')}${meant(block, names)}`,
      )
    }
    if (names.length > 1 && !call.has('block')) {
      throw new UsageError(
        `${file} has several train blocks: choose one of ${names.join(', ')} with --block`,
      )
    }
    const entry = program.entries.find((e) => e.name === block)!
    const objectives = entry.stages.flatMap((stage) => stage.objective ?? [])
    const params = objectives.flatMap((o) => o.gradients.map((g) => g.param))
    const wrt = call.texts('wrt').flatMap((text) => text.split(','))
    const isKnown = (name: string) => params.some((p) => p === name || p.endsWith(`.${name}`))
    const odd = wrt.find((name) => !isKnown(name))
    if (odd !== undefined) {
      throw new UsageError(
        `--wrt ${odd}: ${block} trains ${params.join(', ')}${meant(odd, params)}`,
      )
    }
    const losses = objectives.map(
      ({ loss }) => entry.outputs.find((o) => o.tensor === loss)?.name ?? loss,
    )
    const of = call.text('of')
    if (of !== undefined && !losses.includes(of)) {
      throw new UsageError(
        `--of ${of}: ${block} minimizes ${losses.join(', ')}${meant(of, losses)}`,
      )
    }
    const { gradientText } = await loadNotation()
    const text = gradientText(program, block, { ...(of && { of }), ...(wrt.length > 0 && { wrt }) })
    io.out(text.endsWith('\n') ? text : `${text}\n`)
    return exit.done
  },
}
