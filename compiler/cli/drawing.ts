/**
 * From what a person asks to see to figures: which tensors are meant, which block computes them for which rows, how each is
 * drawn. `netc show` and `netc predict --out` share it.
 */
import { basename, extname } from 'node:path'
import type { Program } from '../ir/types.ts'
import { nearPath } from '../passes/expose.ts'
import type { EntrySpec } from '../wasm/manifest.ts'
import { blockFor, blocksOf } from './block.ts'
import { type Call, meant } from './command.ts'
import { loadCompiler } from './compiler.ts'
import { InputError, UsageError } from './errors.ts'
import { inspect, type Rows, rowDim } from './inspect.ts'
import { checkWritable, type Io, json, replaceFile } from './io.ts'
import { compileFile } from './model-file.ts'
import { type Figure, type Format, render } from './pictures/figure.ts'
import { interleave } from './pictures/raster.ts'
import {
  hintsOf,
  imagesOf,
  meantBy,
  outputsOf,
  type Subject,
  subjectsOf,
  tokensOf,
  worthShowing,
} from './pictures/subjects.ts'
import { showToken } from './pictures/text.ts'
import { type Value, type ValueOptions, valueFigures } from './pictures/values.ts'
import { type Size, type Way, weightFigure } from './pictures/weights.ts'
import { loadWeights, open, type Session, type SessionOptions, sessionOptions } from './session.ts'

/** What is asked for; left out, what suits the model. */
export interface Request extends Rows {
  readonly file: string
  /** Tensors by path, or the end of one. */
  readonly names: readonly string[]
  /** The outputs of this predict block. */
  readonly predict?: string | undefined
  /** The block that computes a tensor, where several do. */
  readonly block?: string | undefined
  readonly as?: Way | undefined
  readonly size?: Size | undefined
  readonly grid?: Grid | undefined
}

export interface Grid {
  readonly rows: number
  readonly columns: number
}

/** The program, with names for its gradients, and the images it deals with. */
export interface Subjects {
  readonly program: Program
  readonly images: readonly Size[]
}

export async function subjectsFor(
  { file, size }: Pick<Request, 'file' | 'size'>,
  options: SessionOptions,
  io: Io,
): Promise<Subjects> {
  const compiled = await compileFile(file, { ...options, targets: [] }, io)
  const program = (await loadCompiler()).lower(compiled.program, { after: 'differentiate' })
  return { program, images: [...(size ? [size] : []), ...imagesOf(program)] }
}

/** Draws what is asked for into the file `out`, and says what it drew. */
export async function drawInto(out: string, request: Request, call: Call, io: Io): Promise<void> {
  const { file } = request
  const options = sessionOptions(call)
  const format = formatOf(out)
  checkWritable(out)
  const subjects = await subjectsFor(request, options, io)
  const chosen = choose(request, subjects)
  const expose = chosen.filter((s) => s.kind === 'value').map((s) => s.name)
  const dims = { ...options.dims, ...boundsOf(request, subjects, chosen) }
  const session = await open(file, { ...options, dims, expose }, io)
  loadWeights(session.model, call)
  const restore = (): void => loadWeights(session.model, call)
  const figures = await draw(session, request, subjects, chosen, restore, io)
  const drawn = figures.filter((figure) => format !== 'png' || figure.kind !== 'points')
  if (drawn.length === 0) {
    throw new InputError(`${out}: points are nothing without their names; take .svg or .html`)
  }
  replaceFile(out, render(drawn, format, basename(file), call.text('weights')))
  for (const { kind, title } of drawn) {
    if (options.json) json(io, { event: 'figure', kind, title })
    else io.out(`${title}\n`)
  }
  if (options.json) json(io, { event: 'done', model: file, file: out, figures: drawn.length })
  else io.err(`${drawn.length === 1 ? 'a picture' : `${drawn.length} pictures`} in ${out}\n`)
}

function formatOf(path: string): Format {
  const ending = extname(path).toLowerCase()
  if (ending === '.png' || ending === '.svg' || ending === '.html') {
    return ending.slice(1) as Format
  }
  throw new UsageError(`--out ${path}: the name ends in .png, .svg or .html`)
}

/** Rows and columns of `--grid 8x8`. */
export function gridOf(call: Call): Grid | undefined {
  const found = numbersOf(call, 'grid', /^(\d+)[x×](\d+)$/, 'rows and columns, such as 8x8')
  return found && { rows: found[0]!, columns: found[1]! }
}

/** Numbers of 1 to 4096 in an option such as `28x28`. */
export function numbersOf(
  call: Call,
  name: string,
  pattern: RegExp,
  what: string,
): readonly number[] | undefined {
  const text = call.text(name)
  if (text === undefined) return undefined
  const found = pattern.exec(text)?.slice(1)
  const numbers = found?.map((n) => Number(n ?? 1))
  if (!numbers?.every((n) => n >= 1 && n <= 4096)) {
    throw new UsageError(`--${name} ${text}: it takes ${what}`)
  }
  return numbers
}

/** The subjects that names mean, else those worth showing. */
function choose(request: Request, { program }: Subjects): readonly Subject[] {
  const { names, file, predict: block } = request
  const subjects = subjectsOf(program)
  if (block !== undefined) {
    const blocks = program.entries.filter((entry) => entry.kind === 'predict')
    const entry = blocks.find((each) => each.name === block)
    if (!entry) {
      const known = blocks.map((each) => each.name)
      const have = known.join(', ') || 'no predict block'
      throw new UsageError(`--predict ${block}: ${file} has ${have}${meant(block, known)}`)
    }
    if (names.length === 0) return outputsOf(entry)
  }
  if (names.length === 0) {
    const hasData =
      program.data.length > 0 || request.input !== undefined || (request.given ?? []).length > 0
    return worthShowing(program, hasData)
  }
  return names.flatMap((name) => {
    const found = meantBy(name, subjects)
    if (found.length > 0) return found
    const near = nearPath(
      name,
      subjects.map((subject) => subject.name),
    )
    const remedy = near ? `did you mean ${near}? ` : ''
    throw new InputError(
      `${file} has no tensor ${name}; ${remedy}netc show ${file} --list lists what can be shown`,
    )
  })
}

/** How many rows a subject is computed for: as many images as the grid has places, one row of what is larger. */
function countOf({ as, grid }: Request, { images }: Subjects, { kind, tensor }: Subject): number {
  const values = tensor.shape.slice(1).reduce((n, e) => n * e.size, 1)
  const isImage = images.some((i) => i.height * i.width * i.channels === values)
  const isGrid = as === 'images' || (as === undefined && kind !== 'value' && isImage)
  if (!isGrid && !(grid && tensor.shape.length <= 2)) return 1
  return (grid?.rows ?? 8) * (grid?.columns ?? 8)
}

/** Bounds of the dims that count rows, raised where a picture needs more of them in one run. */
function boundsOf(
  request: Request,
  subjects: Subjects,
  chosen: readonly Subject[],
): Record<string, number> {
  const raised: Record<string, number> = {}
  for (const subject of chosen) {
    if (subject.kind === 'param') continue
    const bound = subject.tensor.shape[0]?.bound
    const dim = subjects.program.dims.find((d) => d.name === bound)
    const rows = request.rows.length || countOf(request, subjects, subject)
    if (dim && rows > Math.max(dim.max, raised[dim.name] ?? 0)) raised[dim.name] = rows
  }
  return raised
}

/** `restore` puts back the weights that a step of training has changed. */
async function draw(
  session: Session,
  request: Request,
  subjects: Subjects,
  chosen: readonly Subject[],
  restore: () => void,
  io: Io,
): Promise<readonly Figure[]> {
  const { program, images } = subjects
  const { as, grid, size } = request
  const hints = hintsOf(program, size)
  const figures: Figure[] = []
  for (const subject of chosen) {
    const { name, tensor } = subject
    if (subject.kind === 'param') {
      const shape = tensor.shape.map((extent) => extent.size)
      const tokens = tokensOf(program, shape[0] ?? 0)?.map(showToken)
      const most = grid && grid.rows * grid.columns
      const columns = grid?.columns
      const values = session.model.params[name]!
      figures.push(
        weightFigure({ name, shape, values }, { as, ...hints(name), tokens, columns, most }),
      )
      continue
    }
    const asked = request.block ?? request.predict
    const entry = await blockFor(session, subject, request, asked)
    if (subject.kind === 'value' && subject.entries.length > 1 && asked === undefined) {
      const others = blocksOf(subject.entries.filter((e) => e.name !== entry.name))
      io.err(`${name}: as ${entry.of} computes it; others with --block: ${others}\n`)
    }
    const { value, sequences } = await inspect(
      session,
      entry,
      request,
      countOf(request, subjects, subject),
    )
    if (entry.kind === 'train') restore()
    const options = { as, images, sequences, columns: grid?.columns }
    const found = value(name)
    // Outputs of several blocks may have one name.
    const titled = subject.kind === 'output' ? { ...found, name: `${entry.of}: ${name}` } : found
    figures.push(...(pairs(entry, value, titled, name, options) ?? valueFigures(titled, options)))
  }
  return figures
}

/** Outputs below the inputs that they are made from, where both are images of one size. */
function pairs(
  entry: EntrySpec,
  value: (name: string) => Value,
  made: Value,
  name: string,
  options: ValueOptions,
): Figure[] | undefined {
  const isOutput = entry.kind === 'predict' && entry.outputs.some((o) => o.name === name)
  const input = isOutput ? entry.inputs.find((i) => i.dtype === 'f32' && i.bounds[0]) : undefined
  if (!input || rowDim(entry) === undefined) return undefined
  const [below] = valueFigures(made, options)
  const [above] = valueFigures(value(input.name), options)
  if (below?.kind !== 'images' || above?.kind !== 'images') return undefined
  const same = below.tiles.values.length === above.tiles.values.length
  if (!same || below.tiles.height !== above.tiles.height) return undefined
  const columns = options.columns ?? 8
  // Each on its own scale: pixels may be 0 to 255 before the network and 0 to 1 behind it.
  const unit = ({ tiles, options: { range } }: typeof below) => {
    const { low, high } = range!
    return { ...tiles, values: Float32Array.from(tiles.values, (v) => (v - low) / (high - low)) }
  }
  const tiles = interleave([unit(above), unit(below)], columns)
  const title = `${made.name}, below ${input.name}`
  return [{ kind: 'images', title, tiles, options: { columns, range: { low: 0, high: 1 } } }]
}
