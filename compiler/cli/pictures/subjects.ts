/**
 * What of a program can be shown, by name: parameters, inputs, and what each block computes; and what it would be good to
 * show where nobody says. In: a program after differentiation, where gradients have names. Pure.
 */

import type { Entry, Program, Tensor } from '../../ir/types.ts'
import { fitsPath, intermediates } from '../../passes/expose.ts'
import { endsOf } from './flow.ts'
import { guessSize } from './raster.ts'
import { type Size, type WeightOptions, wayOf } from './weights.ts'

export interface Subject {
  readonly name: string
  readonly kind: 'param' | 'input' | 'value' | 'output'
  readonly tensor: Tensor
  /** Blocks that take it or compute it; none for a parameter. */
  readonly entries: readonly Entry[]
}

/** In the order of the program; a tensor that several entries compute is one subject. */
export function subjectsOf(program: Program): readonly Subject[] {
  const found = new Map<string, Subject & { entries: Entry[] }>()
  const add = (name: string, kind: Subject['kind'], tensor: Tensor, entry?: Entry): void => {
    const known = found.get(name)
    if (known && entry) known.entries.push(entry)
    if (!known) found.set(name, { name, kind, tensor, entries: entry ? [entry] : [] })
  }
  for (const tensor of program.tensors)
    if (tensor.role === 'param') add(tensor.name, 'param', tensor)
  // Predictions first: they need the least data.
  const order = ['predict', 'eval', 'train']
  const entries = program.entries
    .filter((entry) => order.includes(entry.kind))
    .sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))
  for (const entry of entries) {
    const tensors = new Map(entry.tensors.map((t) => [t.name, t]))
    for (const name of entry.inputs) add(name, 'input', tensors.get(name)!, entry)
    for (const tensor of intermediates(entry)) {
      // Of training only the gradients: the rest is the work of optimizers, or in other blocks too.
      const isShown = entry.kind !== 'train' || found.has(tensor.name) || /^d_/.test(tensor.name)
      if (isShown) add(tensor.name, 'value', tensor, entry)
    }
    for (const { name, tensor } of entry.outputs) add(name, 'output', tensors.get(tensor)!, entry)
  }
  return [...found.values()]
}

/** Those that a name means: by its path, else by the end of one. */
export function meantBy(name: string, subjects: readonly Subject[]): readonly Subject[] {
  const exact = subjects.filter((subject) => subject.name === name)
  return exact.length > 0 ? exact : subjects.filter((subject) => fitsPath(name, subject.name))
}

const sizes = (tensor: Tensor): number[] => tensor.shape.map((extent) => extent.size)

/** A hidden vector is not an image because it has 64 values; one that is read or made may be. */
const least = { read: 8, made: 20 }

/** Images that the blocks read, or make: [batch, H, W, C], [batch, H, H] or [batch, H·H]. */
export function imagesOf(program: Program): readonly Size[] {
  const found: Size[] = []
  const add = (tensor: Tensor | undefined, side: number): void => {
    if (tensor?.dtype !== 'f32') return
    const [, height = 0, width = 0, channels = 1, ...more] = sizes(tensor)
    const { length } = tensor.shape
    let size: Size | undefined
    if (length === 2) size = guessSize(height)
    else if (length === 3 && height === width) size = { height, width, channels: 1 }
    else if (length === 4 && more.length === 0 && (channels === 1 || channels === 3)) {
      size = { height, width, channels }
    }
    if (size && size.height >= side) found.push(size)
  }
  for (const entry of program.entries) {
    const tensors = new Map(entry.tensors.map((t) => [t.name, t]))
    for (const name of entry.inputs) add(tensors.get(name), least.read)
    if (entry.kind !== 'predict') continue
    for (const { tensor } of entry.outputs) add(tensors.get(tensor), least.made)
  }
  const key = ({ height, width, channels }: Size) => `${height} ${width} ${channels}`
  return [...new Map(found.map((size) => [key(size), size])).values()]
}

/** The vocabulary whose tokens number the rows of a table: the only one of that size. */
export function tokensOf(program: Program, rows: number): readonly string[] | undefined {
  const fits = program.vocabularies.filter((v) => v.tokens.length === rows)
  return fits.length === 1 ? fits[0]!.tokens : undefined
}

const last = (name: string): string => name.split('.').at(-1)!

/** How a parameter is drawn where nobody says: `size` is an image wherever it fits. */
export function hintsOf(program: Program, size?: Size) {
  const images = imagesOf(program)
  const ends = endsOf(program)
  const own = size ? [size] : []
  return (name: string): Pick<WeightOptions, 'seen' | 'made' | 'isTable'> => ({
    seen: ends.first.has(name) ? [...own, ...images] : own,
    made: ends.last.has(name) ? [...own, ...images] : own,
    isTable: ends.tables.has(name),
  })
}

/**
 * What tells most about a model: the weights that see or make images, the first filters, tables; with data also what
 * the first convolutions answer, attention, and images that a block makes.
 */
export function worthShowing(program: Program, hasData: boolean): readonly Subject[] {
  const subjects = subjectsOf(program)
  const hints = hintsOf(program)
  const params = subjects.filter(({ kind, name, tensor }) => {
    if (kind !== 'param' || tensor.shape.length < 2) return false
    return wayOf({ shape: sizes(tensor) }, hints(name)) !== 'heatmap'
  })
  const filters = params.filter(({ tensor }) => tensor.shape.length > 2)
  const chosen: Subject[] = params.filter((p) => p.tensor.shape.length === 2 || p === filters[0])
  if (hasData) {
    const seen = subjects.filter(
      ({ kind, entries }) => kind === 'value' && entries.some((e) => e.kind !== 'train'),
    )
    const named = (pattern: RegExp, rank: number) =>
      seen.filter(({ name, tensor }) => tensor.shape.length === rank && pattern.test(last(name)))
    chosen.push(...named(/conv/, 4).slice(0, 2), ...named(/^weights/, 4).slice(0, 4))
  }
  const images = imagesOf(program)
  for (const entry of program.entries) {
    if (entry.kind !== 'predict' || !(hasData || entry.inputs.length === 0)) continue
    const isImage = ({ tensor }: Subject): boolean => {
      const values = sizes(tensor)
        .slice(1)
        .reduce((a, b) => a * b, 1)
      return images.some((i) => i.height * i.width * i.channels === values)
    }
    chosen.push(...outputsOf(entry).filter(isImage))
  }
  if (chosen.length > 0) return chosen
  return subjects.filter((s) => s.kind === 'param' && s.tensor.shape.length >= 2).slice(0, 8)
}

/** What a block gives, each as a subject of this block alone. */
export const outputsOf = (entry: Entry): readonly Subject[] =>
  entry.outputs.map(({ name, tensor }) => ({
    name,
    kind: 'output',
    tensor: entry.tensors.find((t) => t.name === tensor)!,
    entries: [entry],
  }))
