/** `netc train`: compile, read the data, train with a progress line, evaluate, save the weights. */
import { basename } from 'node:path'
import type { Feeds, Metrics } from '../../runtime/index.ts'
import { type Best, train as training } from '../../runtime/training/index.ts'
import type { EntrySpec } from '../wasm/manifest.ts'
import {
  type Checkpoint,
  type Plan,
  readCheckpoint,
  removeCheckpoint,
  saveCheckpoint,
} from './checkpoint.ts'
import { type Call, type Command, common } from './command.ts'
import { exit, UsageError } from './errors.ts'
import { takeFrom, tellTaken } from './from.ts'
import { checkWritable, type Io, json, replaceFile } from './io.ts'
import { Monitor } from './monitor.ts'
import { Curves } from './pictures/curves.ts'
import { terminalChart } from './pictures/terminal-chart.ts'
import { PlotFile } from './plot.ts'
import { type DrawChart, duration, Progress, rate, showMetrics } from './progress.ts'
import { width } from './rows.ts'
import {
  announce,
  chooseEntry,
  loadWeights,
  open,
  type Session,
  type SessionOptions,
  sessionOptions,
} from './session.ts'
import { watchesOf, watchLines, watchOptions } from './watch.ts'

export const train: Command = {
  name: 'train',
  usage: 'MODEL.net [options]',
  summary: 'Compile a model, train it on its data, and save the weights.',
  details: `The data block's source \`train\` is trained on and \`test\`, if there is one, evaluated at the end;
a block NAME of several may have data of its own, \`NAME_train\` and \`NAME_test\`. With --weights a
block goes on from what another one has learned, and with --from a model from another's weights: of
these it takes what has the same name and shape, and says what it initialised instead.
An interrupt (Ctrl-C) saves a checkpoint; --resume goes on from it to the same bits.

  netc train m.net --epochs 100 --validation 0.1 --early-stop accuracy --patience 5
  netc train m.net --epochs 100 --validation held --plateau loss --factor 0.3

Of a metric that is called accuracy, top_k, precision, recall, f1 or r2 more is better, of others
less; METRIC:max and METRIC:min say otherwise.

--monitor adds to the module what it takes to see the health of a training, and shows it after each
epoch: the norms of each parameter, of its gradient and of its updates, the share of dead units of
each relu and of saturated ones of each tanh and sigmoid; and it warns of vanishing or exploding
gradients, too large steps, dead or saturated units, and of over-fitting (with --validation).`,
  positionals: [1, 1],
  options: {
    epochs: {
      value: 'N',
      text: 'times through the data (default 10, or as many as make 2000 steps)',
    },
    batch: { value: 'N|all', text: 'rows a step: all, some, or 1 (default: the bound of the dim)' },
    seed: { value: 'N', text: 'of the first weights and the order of the rows (default 0)' },
    lr: { value: 'X', text: 'the learning rate' },
    set: { value: 'NAME=X', multiple: true, text: 'set a hyper-parameter, such as digits.lr' },
    validation: {
      value: 'SHARE|NAME',
      text: 'evaluate each epoch on this share of the rows, held out, or on this data source',
    },
    ...watchOptions,
    monitor: {
      text: 'after each epoch the norms of weights, gradients and updates, dead units, and warnings',
    },
    weights: { value: 'FILE', short: 'w', text: 'begin with these weights, not with new ones' },
    from: { value: 'FILE', text: 'begin with those of these weights that the model has' },
    out: { value: 'FILE', short: 'o', text: 'the weights (default MODEL.safetensors)' },
    threads: common.threads,
    resume: { text: 'go on from the checkpoint of an interrupted training' },
    plot: { value: 'FILE', text: 'learning curves, .svg or .html, written anew as they grow' },
    chart: { text: 'draw the loss below the progress line; only where stderr is a terminal' },
    checkpoint: { value: 'FILE', text: 'the checkpoint (default MODEL.checkpoint.safetensors)' },
    block: common.block,
    dim: common.dim,
    target: common.target,
    json: common.json,
  },
  run: runTrain,
}

async function runTrain(call: Call, io: Io): Promise<number> {
  if (call.has('weights') && call.has('from')) throw new UsageError('either --weights or --from')
  const file = call.positionals[0]!
  const name = basename(file).replace(/\.net$/, '')
  const out = call.text('out') ?? `${name}.safetensors`
  const path =
    call.text('checkpoint') ?? `${out.replace(/\.safetensors$/, '')}.checkpoint.safetensors`
  const checkpoint = call.has('resume') ? readCheckpoint(path) : undefined
  const curves = new Curves(checkpoint?.curves)
  const plotted = call.text('plot')
  const plot = plotted === undefined ? undefined : new PlotFile(plotted, basename(file), curves)
  for (const target of [out, path, ...(plotted ? [plotted] : [])]) checkWritable(target)
  const options = sessionOptions(call)
  const { session, entry, feeds, plan } = await prepare(call, file, options, checkpoint, io)
  const { model } = session
  if (checkpoint) {
    model.restore(checkpoint.bytes)
    if (checkpoint.source !== model.manifest.source) {
      io.err(`netc: ${file} has changed since the checkpoint: the training will not be the same\n`)
    }
  } else {
    model.init(plan.seed)
    if (call.has('weights')) loadWeights(model, call)
  }
  const from = call.text('from')
  const taken = from === undefined ? undefined : takeFrom(model, from)
  setHyper(call, session, entry)
  announce(session, { ...options, target: plan.target }, io)
  if (taken) tellTaken(from!, taken, options.json, io)

  const start = performance.now()
  const stop = new AbortController()
  const release = io.onInterrupt(() => stop.abort())
  const progress = new Progress(io, call.has('chart') ? chartOf(curves, io) : undefined)
  const monitor = plan.monitor ? new Monitor(model.manifest) : undefined
  let validation: Metrics | undefined
  let perSecond = 0
  let best: Best | undefined
  let epochs = plan.epochs
  const held =
    typeof plan.validation === 'number'
      ? plan.validation
      : await session.data.feeds(plan.validation, entry.inputs)
  const reports = training(model, entry.of, feeds, {
    ...plan.watches,
    epochs: plan.epochs,
    batch: plan.batch,
    seed: plan.seed,
    signal: stop.signal,
    every: 100,
    ...(held !== 0 && { validation: held }),
    ...(checkpoint && { from: checkpoint.cursor, standing: checkpoint.standing }),
  })
  let last = performance.now()
  let note = ''
  try {
    for await (const made of reports) {
      const report = monitor?.take(made) ?? made
      const { kind, cursor, standing, row, of, ...shown } = report
      curves.add(report)
      note = `epoch ${report.epoch} of ${report.epochs}, step ${report.step}`
      plot?.update(note)
      perSecond = report.examplesPerSecond
      if (kind === 'stopped') {
        progress.end()
        saveCheckpoint(path, model, plan, cursor, standing, curves.toJSON())
        return interrupted(call, path, report.step, options.json, io)
      }
      best = report.best
      if (kind === 'epoch' && (!best || best.epoch === report.epoch)) validation = report.validation
      epochs = report.epoch
      if (!options.json) {
        progress.show(report)
        for (const text of watchLines(report, plan.watches)) progress.note(text)
      } else if (kind === 'epoch' || performance.now() - last > 1000) {
        last = performance.now()
        json(io, { event: kind, ...shown, row, rows: of })
      }
      if (kind === 'epoch') monitor?.show(report, progress, options.json, io)
    }
  } finally {
    progress.end()
    plot?.end(note)
    release()
  }
  // Before the evaluation: an interrupt from here on loses nothing.
  replaceFile(out, model.save())
  if (checkpoint) removeCheckpoint(path)
  const test = session.data.testOf(entry.of)
  const tested = test
    ? {
        rows: (await session.data.dataset(test)).rows,
        feeds: await session.data.feeds(test, entry.inputs),
      }
    : undefined
  const seen = tested ? someRows(feeds, entry, tested.rows) : feeds
  const metrics: Record<string, Metrics> = { train: await model.evaluate(entry.of, seen) }
  if (validation) metrics.validation = validation
  if (tested) metrics.test = await model.evaluate(entry.of, tested.feeds)
  session.close()
  const seconds = (performance.now() - start) / 1000
  if (options.json) {
    json(io, {
      event: 'done',
      model: file,
      weights: out,
      epochs,
      ...(best && { best: { metric: plan.watches.earlyStop?.metric, ...best } }),
      step: model.step,
      seconds: Number(seconds.toFixed(3)),
      examplesPerSecond: Math.round(perSecond),
      metrics,
    })
  } else {
    for (const [part, values] of Object.entries(metrics)) {
      io.out(`${part.padEnd(10)} ${showMetrics(values)}\n`)
    }
    const of =
      best && best.epoch !== epochs ? `, of epoch ${best.epoch}: the best of ${epochs}` : ''
    io.out(`${'weights'.padEnd(10)} ${out}${of}\n`)
    io.err(`${model.step} steps in ${duration(seconds)}, ${rate(perSecond)} examples/s\n`)
  }
  return exit.done
}

/** The chart of the loss, as it stands when it is drawn. */
const chartOf =
  (curves: Curves, { color }: Io): DrawChart =>
  (size) => {
    const loss = curves.charts(true).find((chart) => chart.title.startsWith('loss'))
    return loss ? terminalChart(loss, { ...size, color }) : []
  }

/**
 * The training rows that are evaluated at the end: all, or the first `tested` where there are more than ten times as many
 * (windows over a text overlap, and evaluating all would take as long as training on many).
 */
function someRows(feeds: Feeds, entry: EntrySpec, tested: number): Feeds {
  const bounded = entry.inputs.filter((i) => i.bounds[0])
  const [first] = bounded
  if (!first || (feeds[first.name] as Float32Array).length / width(first) <= 10 * tested)
    return feeds
  const cut = bounded.map((i) => {
    const part = (feeds[i.name] as Float32Array).subarray(0, tested * width(i))
    return [i.name, part] as const
  })
  return { ...feeds, ...Object.fromEntries(cut) }
}

interface Prepared {
  readonly session: Session
  readonly entry: EntrySpec
  readonly feeds: Feeds
  readonly plan: Plan
}

/** Compiles, reads the data, and settles what the defaults are for this model; compiles again for a larger batch. */
async function prepare(
  call: Call,
  file: string,
  asked: SessionOptions,
  checkpoint: Checkpoint | undefined,
  io: Io,
): Promise<Prepared> {
  const batchText = call.text('batch')
  let batch = batchText === 'all' ? 0 : call.integer('batch', 1)
  let epochs = call.integer('epochs', 1)
  let seed = call.number('seed', 'it takes a whole number', Number.isSafeInteger)
  let validation = validationOf(call)
  let watches = watchesOf(call)
  let monitored = call.has('monitor')
  let options = asked
  let block = call.text('block')
  const before = checkpoint?.plan
  if (before) {
    const changed: readonly (readonly [string, boolean])[] = [
      ['batch', batch !== undefined && batch !== before.batch],
      ['seed', seed !== undefined && seed !== before.seed],
      ['validation', validation !== undefined && validation !== before.validation],
      ['monitor', call.has('monitor') && !before.monitor],
      ...Object.keys(watchOptions).map((name) => [name, call.has(name)] as const),
      ['weights', call.has('weights')],
      ['from', call.has('from')],
      ['block', block !== undefined && block !== before.block],
      ['target', call.has('target') && asked.target !== before.target],
      ['dim', Object.entries(asked.dims).some(([dim, n]) => before.dims[dim] !== n)],
    ]
    const odd = changed.find(([, is]) => is)
    if (odd) throw new UsageError(`--${odd[0]} differs from the training to resume: leave it out`)
    const { epoch } = checkpoint.cursor
    if (epochs !== undefined && epochs <= epoch) {
      throw new UsageError(`--epochs ${epochs}: ${epoch} epochs of this training are already done`)
    }
    options = { ...asked, target: before.target, dims: before.dims }
    epochs ??= before.epochs
    block = before.block
    batch = before.batch
    seed = before.seed
    validation = before.validation
    watches = before.watches
    monitored = before.monitor
  }
  options = { ...options, monitor: monitored }
  const watch = watches.earlyStop ? 'early-stop' : 'plateau'
  if (Object.keys(watches).length > 0 && !validation) {
    throw new UsageError(`--${watch} watches the validation: add --validation 0.1`)
  }
  let session = await open(file, options, io)
  let entry = chooseEntry(session, 'train', block)
  const dim = entry.inputs.find((i) => i.bounds[0])?.bounds[0] ?? undefined
  const limit = session.model.manifest.dims.find((d) => d.name === dim)?.max ?? 1
  const source = session.data.trainOf(entry.of)
  const feeds = entry.inputs.length > 0 ? await session.data.feeds(source, entry.inputs) : {}
  const rows = dim === undefined ? 1 : (await session.data.dataset(source)).rows
  const trained = typeof validation === 'number' ? rows - Math.round(rows * validation) : rows
  batch = Math.min(batch === 0 ? trained : (batch ?? limit), trained)
  if (batch > limit && dim !== undefined) {
    options = { ...options, dims: { ...options.dims, [dim]: batch } }
    session.close()
    const larger = await open(file, options, io)
    session = { ...larger, data: session.data }
    entry = chooseEntry(session, 'train', block)
  }
  const plan: Plan = {
    block: entry.of,
    epochs: epochs ?? Math.max(10, Math.ceil(2000 / Math.ceil(trained / batch))),
    batch,
    seed: seed ?? 0,
    validation: validation ?? 0,
    target: options.target,
    dims: options.dims,
    watches,
    monitor: monitored,
  }
  return { session, entry, feeds, plan }
}

/** A share of the rows, or the name of a data source. */
function validationOf(call: Call): number | string | undefined {
  const text = call.text('validation')
  if (text !== undefined && /^[A-Za-z_]/.test(text)) return text
  const what = 'it takes a share between 0 and 1, or the name of a data source'
  return call.number('validation', what, (n) => n > 0 && n < 1)
}

/** `--lr` sets every learning rate of the block, `--set` any cell by its name. */
function setHyper(call: Call, { model }: Session, entry: EntrySpec): void {
  const names = model.manifest.hyper.map((cell) => cell.name)
  const lr = call.number('lr', 'it takes a number from 0 up', (n) => n >= 0 && Number.isFinite(n))
  if (lr !== undefined) {
    const rates = names.filter(
      (name) => name.startsWith(`${entry.of}.`) && /\.lr(_\d+)?$/.test(name),
    )
    if (rates.length === 0) throw new UsageError(`--lr ${lr}: ${entry.of} has no learning rate lr`)
    for (const name of rates) model.hyper[name] = lr
  }
  for (const [name, value] of Object.entries(call.pairs('set'))) {
    if (!names.includes(name)) {
      throw new UsageError(`--set ${name}: the hyper-parameters are ${names.join(', ') || 'none'}`)
    }
    model.hyper[name] = value
  }
}

function interrupted(call: Call, path: string, step: number, isJson: boolean, io: Io): number {
  if (isJson) json(io, { event: 'interrupted', step, checkpoint: path })
  else {
    const places = ['out', 'checkpoint', 'plot'].flatMap((name) =>
      call.has(name) ? [`--${name} ${call.text(name)}`] : [],
    )
    const again = ['netc train', call.positionals[0], '--resume', ...places].join(' ')
    io.err(`interrupted after step ${step}, saved in ${path}; to go on: ${again}\n`)
  }
  return exit.interrupted
}
