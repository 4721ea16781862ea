/** `netc show`: what a network has learned and what it computes for rows of data, as pictures. */
import { basename } from 'node:path'
import { type Call, type Command, common } from './command.ts'
import { drawInto, gridOf, numbersOf, type Request, type Subjects, subjectsFor } from './drawing.ts'
import { exit, UsageError } from './errors.ts'
import { rowsOf } from './inspect.ts'
import { type Io, json } from './io.ts'
import { hintsOf, subjectsOf } from './pictures/subjects.ts'
import { showShape } from './pictures/text.ts'
import { type Size, wayOf } from './pictures/weights.ts'
import { sessionOptions } from './session.ts'

export const show: Command = {
  name: 'show',
  usage: 'MODEL.net [WHAT …] --weights FILE [-o FILE] [options]',
  summary: 'Draw what a network has learned and what it computes.',
  details: `WHAT is a tensor by its path or the end of one: a parameter (dense_1.W), an input, or whatever a block computes
(conv2d_1, weights); --list lists them. Weights that see or make images are images, blue below 0 and red above;
convolution filters and feature maps are grids, embedding tables points along their two principal components, with
the tokens of the vocabulary; what a softmax leaves, such as attention, a heat map for each head with its tokens;
everything else a heat map. Without WHAT: what tells most about the model.

Values are computed for the first row of the data, or those of --row. --predict BLOCK draws the outputs of a block
as a grid of images, below its inputs where these are images of the same size.

The file's name says how: .html and .svg have titles, labels and scales, .png the pixels alone, without points.`,
  positionals: [1, 64],
  options: {
    weights: common.weights,
    out: { value: 'FILE', short: 'o', text: 'a .png, .svg or .html (default MODEL.html)' },
    list: { text: 'only list what can be shown' },
    predict: { value: 'BLOCK', text: 'draw the outputs of this predict block as images' },
    row: { value: 'N', multiple: true, text: 'for this row of the data; may be given again' },
    data: { value: 'NAME', text: 'the source of the data block (default test, else train)' },
    input: { value: 'FILE', short: 'i', text: 'rows of a file instead, as for netc predict' },
    in: { value: 'NAME=VALUE', multiple: true, text: 'the value of an input, text or numbers' },
    grid: { value: 'RxC', text: 'so many rows and columns of images (default 8x8)' },
    size: {
      value: 'HxW[x3]',
      text: 'what is as large is an image (default: as inputs and outputs)',
    },
    as: { value: 'images|maps|heatmap|points', text: 'draw it so' },
    block: {
      value: 'NAME',
      text: 'which block computes WHAT (default: the first whose inputs the data can feed)',
    },
    dim: common.dim,
    target: common.target,
    json: common.json,
  },
  run: runShow,
}

async function runShow(call: Call, io: Io): Promise<number> {
  const [file, ...names] = call.positionals as [string, ...string[]]
  const request: Request = {
    file,
    names,
    predict: call.text('predict'),
    block: call.text('block'),
    as: call.oneOf('as', ['images', 'maps', 'heatmap', 'points']),
    size: sizeOf(call),
    grid: gridOf(call),
    ...rowsOf(call),
  }
  if (call.has('list')) {
    const options = sessionOptions(call)
    return list(await subjectsFor(request, options, io), request.size, options.json, io)
  }
  if (!call.has('weights')) throw new UsageError('netc show needs --weights FILE, or --list')
  const out = call.text('out') ?? `${basename(file).replace(/\.net$/, '')}.html`
  await drawInto(out, request, call, io)
  return exit.done
}

function sizeOf(call: Call): Size | undefined {
  const what = 'height and width, such as 28x28, or 32x32x3'
  const found = numbersOf(call, 'size', /^(\d+)[x×](\d+)(?:[x×](1|3))?$/, what)
  return found && { height: found[0]!, width: found[1]!, channels: found[2] === 3 ? 3 : 1 }
}

function list({ program }: Subjects, size: Size | undefined, isJson: boolean, io: Io): number {
  const hints = hintsOf(program, size)
  const lines = subjectsOf(program).map((subject) => {
    const { name, kind, tensor, entries } = subject
    const sizes = tensor.shape.map((extent) => extent.size)
    const bounds = tensor.shape.map((extent) => extent.bound)
    const blocks = [...new Set(entries.map((entry) => entry.name.replace(/_eval$/, '')))]
    const way = kind === 'param' ? wayOf({ shape: sizes }, hints(name)) : ''
    if (isJson) json(io, { event: 'tensor', name, kind, shape: sizes, bounds, blocks })
    return [kind, name, showShape(sizes, bounds), way || blocks.join(', ')] as const
  })
  if (isJson) return exit.done
  const widths = [0, 1, 2].map((k) => Math.max(...lines.map((line) => line[k]!.length)))
  for (const line of lines) {
    const cells = line.map((cell, k) => cell.padEnd(widths[k] ?? 0))
    io.out(`${cells.join('  ').trimEnd()}\n`)
  }
  return exit.done
}
