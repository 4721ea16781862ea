/**
 * Intermediate values as outputs: each name becomes a further output of every entry that computes it, so that whoever
 * runs the module can look inside (`netc show`). Not a pass of the pipeline but of a single compilation: it runs after
 * differentiation, where `d_` names exist too, and before anything that could fuse the value away.
 *
 *   predict digit(image) -> probs          predict digit(image) -> probs, classify.relu_1
 *
 * A name is a path (`classify.dense_1`) or the end of one (`dense_1`, which may fit several tensors: all are meant).
 */
import type { Entry, Program, Tensor } from '../ir/types.ts'
import { diagnostic } from '../support/catalogue.ts'
import { Refusal } from '../support/diagnostic.ts'
import type { Span } from '../support/span.ts'
import { suggest } from '../support/suggest.ts'

/** Whether `name` means the tensor of this path. `d_relu_1` is the cotangent of what `relu_1` means, never the same. */
export function fitsPath(name: string, path: string): boolean {
  if (path === name) return true
  if (!path.startsWith('d_')) return path.endsWith(`.${name}`)
  return name.startsWith('d_') && path.slice(2).endsWith(`.${name.slice(2)}`)
}

/** The intermediate tensors of an entry, in the order in which they were made; inputs are not among them. */
export const intermediates = (entry: Entry): readonly Tensor[] =>
  entry.tensors.filter((t) => t.role === 'temp' || t.role === 'gradient')

/** Throws a `Refusal` for a name that no train, eval or predict entry has. */
export function expose(program: Program, names: readonly string[]): Program {
  if (names.length === 0) return program
  const shown = program.entries.filter((entry) => entry.kind !== 'init')
  const known = new Set(shown.flatMap((entry) => intermediates(entry).map((t) => t.name)))
  for (const name of names) {
    if ([...known].some((path) => fitsPath(name, path))) continue
    throw new Refusal(
      diagnostic('NET6080', placeOf(program), { name, suggestion: nearPath(name, known) }),
    )
  }
  const entries = program.entries.map((entry) =>
    entry.kind === 'init' ? entry : withOutputs(entry, names),
  )
  return { ...program, entries }
}

function withOutputs(entry: Entry, names: readonly string[]): Entry {
  const outputs = [...entry.outputs]
  for (const { name: path } of intermediates(entry)) {
    if (!names.some((name) => fitsPath(name, path))) continue
    // What is an output already, under this name, stays one; another output of the name keeps it.
    if (!outputs.some((o) => o.name === path)) outputs.push({ name: path, tensor: path })
  }
  return { ...entry, outputs }
}

/** The path, or the end of one, that may be meant by a name that is none. */
export function nearPath(name: string, paths: Iterable<string>): string | undefined {
  const ends = [...paths].flatMap((path) => {
    const parts = path.split('.')
    return parts.map((_, k) => parts.slice(k).join('.'))
  })
  return suggest(name, new Set(ends))
}

/** A name on the command line stands nowhere in the text: the message points at the beginning of the file. */
function placeOf(program: Program): Span {
  const tensors = [...program.tensors, ...program.entries.flatMap((entry) => entry.tensors)]
  const own = tensors.find((t) => t.span?.source.file === program.file)?.span?.source
  return { source: own ?? { file: program.file, text: '' }, start: 0, end: 0 }
}
