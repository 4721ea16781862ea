/** `netc ir`: the program between passes, or the module, as text. */
import { printProgram } from '../ir/print.ts'
import { type Call, type Command, common, meant } from './command.ts'
import { loadCompiler } from './compiler.ts'
import { dot } from './dot.ts'
import { exit, UsageError } from './errors.ts'
import type { Io } from './io.ts'
import { compileFile } from './model-file.ts'

export const ir: Command = {
  name: 'ir',
  usage: 'MODEL.net [--after PASS] [--format net|json|dot|wat]',
  summary: 'Print the equations of a model as they are after a pass.',
  details:
    'Formats: net, the equations; json, the same as data; dot, a graph for Graphviz; wat, the module itself.',
  positionals: [1, 1],
  options: {
    after: { value: 'PASS', text: 'the last pass to run (default all); `--after help` lists them' },
    format: { value: 'FORMAT', text: 'net, json, dot or wat (default net)' },
    target: { value: 'simd|relaxed', text: 'which build --format wat shows (default simd)' },
    dim: common.dim,
  },
  run: async (call: Call, io: Io): Promise<number> => {
    const format = call.oneOf('format', ['net', 'json', 'dot', 'wat']) ?? 'net'
    const target = call.oneOf('target', ['simd', 'relaxed']) ?? 'simd'
    const after = call.text('after')
    const { passNames, lower } = await loadCompiler()
    if (after === 'help') {
      io.out(`${passNames.join('\n')}\n`)
      return exit.done
    }
    if (after !== undefined && !passNames.includes(after)) {
      throw new UsageError(
        `--after ${after}: the passes are ${passNames.join(', ')}${meant(after, passNames)}`,
      )
    }
    const isWat = format === 'wat'
    if (isWat && after !== undefined)
      throw new UsageError('--format wat shows the module, after all passes')
    const { program, modules } = await compileFile(
      call.positionals[0]!,
      { dims: call.pairs('dim'), targets: isWat ? [target] : [], json: false },
      io,
    )
    if (isWat) {
      const { default: binaryen } = await import('binaryen')
      const module = binaryen.readBinary(modules[target]!.wasm)
      io.out(module.emitText())
      return exit.done
    }
    const lowered = lower(program, after === undefined ? {} : { after })
    if (format === 'net') io.out(printProgram(lowered))
    else if (format === 'dot') io.out(dot(lowered))
    else {
      // Places as `file:start`: sources would repeat their whole text at every node.
      const compact = (key: string, value: unknown): unknown =>
        key === 'span' && value !== null && typeof value === 'object'
          ? `${(value as { source: { file: string } }).source.file}:${(value as { start: number }).start}`
          : value
      io.out(`${JSON.stringify(lowered, compact)}\n`)
    }
    return exit.done
  },
}
