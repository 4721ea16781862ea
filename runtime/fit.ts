/**
 * The training loop: epochs of shuffled mini-batches with reports on the way. In goes data of any number of rows,
 * one array per input; every row is used once per epoch, in a last batch of fewer rows where they do not divide.
 * Runs are reproducible from (model state, data, options), and a `cursor` continues one exactly where it stopped.
 */
import type { Bound, Entry, Feeds, View } from './entry.ts'
import { fail } from './errors.ts'
import { range, shuffle } from './shuffle.ts'
import { badLoss, badParam, badValue, stop } from './trace.ts'
import { type Cells, snapshotOf } from './weights.ts'

export type Metrics = Readonly<Record<string, number>>

/** All metrics of a block over rows. */
export interface Evaluation {
  readonly metrics: Metrics
  /** Those that are no number, such as a confusion matrix. */
  readonly tensors: Readonly<Record<string, View>>
}

/** Where a training stands, as JSON. */
export interface Cursor {
  /** Epochs done. */
  readonly epoch: number
  /** Rows of the current epoch done. */
  readonly row: number
  /** Each metric of these rows, summed over them, and each total. */
  readonly sums: readonly number[]
}

export interface FitOptions {
  readonly epochs?: number
  /** Rows of a step: all of them, some, or one. Default: as many as the model takes. */
  readonly batch?: number
  /** Of the order of the rows. */
  readonly seed?: number
  readonly shuffle?: boolean
  /** The share of rows held out, or other rows, to evaluate after each epoch. */
  readonly validation?: number | Feeds
  /** Ends the training after the current step, with a report of kind `stopped`. */
  readonly signal?: AbortSignal
  /** Milliseconds between reports within an epoch. */
  readonly every?: number
  /** Continue from here. The options must be those of the training that it comes from. */
  readonly from?: Cursor
}

export interface Report {
  readonly kind: 'progress' | 'epoch' | 'stopped'
  /** From 1. */
  readonly epoch: number
  readonly epochs: number
  /** Steps that the model has made in its life. */
  readonly step: number
  /** Rows done in this epoch, of `of`. */
  readonly row: number
  readonly of: number
  /** Means over the rows of this epoch so far, `loss` among them. */
  readonly metrics: Metrics
  /** After an epoch, with validation. */
  readonly validation: Metrics | undefined
  readonly examplesPerSecond: number
  readonly secondsLeft: number
  readonly cursor: Cursor
}

/** Steps between copies of the state: a step that fails is found by going back and replaying fewer than these. */
const snapshotEvery = 128

/** Metrics over batches: means over rows, and those that `combine` makes of totals. */
class Tally {
  /** Of each mean its values times rows, then each total. */
  readonly sums: Float64Array
  /** The outputs whose mean over rows makes sense. */
  readonly #scalars: readonly Bound[]
  readonly #totals: readonly Bound[]
  readonly #combine: Entry | undefined

  constructor(entry: Entry, combine: Entry | undefined, start: readonly number[] = []) {
    this.#scalars = entry.outs.filter((o) => o.spec.shape.length === 0)
    this.#totals = entry.totals
    this.#combine = combine
    const size = this.#totals.reduce((n, t) => n + t.stride, this.#scalars.length)
    this.sums = Float64Array.from({ length: size }, (_, k) => start[k] ?? 0)
  }

  /** Takes the outputs of a batch of `rows` rows. */
  add(rows: number): void {
    let k = 0
    for (const { view } of this.#scalars) this.sums[k++]! += view[0]! * rows
    for (const { view } of this.#totals) for (const v of view) this.sums[k++]! += v
  }

  results(rows: number): Evaluation {
    const metrics = Object.fromEntries(
      this.#scalars.map((o, k) => [o.spec.name, this.sums[k]! / Math.max(rows, 1)]),
    )
    const tensors: Record<string, View> = {}
    const combine = this.#combine
    if (combine) {
      let k = this.#scalars.length
      for (const { view, stride } of combine.ins) {
        view.set(this.sums.subarray(k, k + stride))
        k += stride
      }
      combine.runCounts()
      for (const [name, value] of Object.entries(combine.results())) {
        if (typeof value === 'number') metrics[name] = value
        else tensors[name] = value
      }
    }
    return { metrics, tensors }
  }
}

/** Lets the page draw and signals arrive. */
const breathe = (): Promise<void> => new Promise((resolve) => setTimeout(resolve))

const hasRows = (entry: Entry): boolean => entry.ins.some((i) => i.count >= 0)

/** Checks `feeds` whole; gives the number of their rows, 1 where nothing is bounded. */
export function rowsOf(entry: Entry, feeds: Feeds): number {
  entry.measure(feeds)
  entry.checkValues(feeds)
  if (entry.counts.length > 1) {
    fail('call', `${entry.spec.of} has several bounded dims; call its steps yourself`)
  }
  return hasRows(entry) ? entry.counts[0]! : 1
}

/** One step over `rows` rows of `order`. */
function runRows(entry: Entry, feeds: Feeds, order: Uint32Array, from: number, rows: number): void {
  entry.write(feeds, from, rows, order)
  if (hasRows(entry)) entry.counts[0] = rows
  entry.runCounts()
}

/** Every metric over rows of `feeds`, which `rowsOf` has checked. */
export async function evaluateRows(
  entry: Entry,
  combine: Entry | undefined,
  feeds: Feeds,
  order: Uint32Array,
): Promise<Evaluation> {
  const tally = new Tally(entry, combine)
  const batch = Math.min(entry.limits[0] ?? 1, order.length)
  let last = performance.now()
  for (let from = 0; from < order.length; from += batch) {
    const rows = Math.min(batch, order.length - from)
    runRows(entry, feeds, order, from, rows)
    tally.add(rows)
    if (performance.now() - last > 50) {
      await breathe()
      last = performance.now()
    }
  }
  return tally.results(order.length)
}

export async function* fit(
  entry: Entry,
  evaluation: Entry | undefined,
  combine: Entry | undefined,
  cells: Cells,
  feeds: Feeds,
  options: FitOptions,
): AsyncGenerator<Report, void, void> {
  const { epochs = 1, seed = 0, validation, signal, every = 250, from: start } = options
  const total = rowsOf(entry, feeds)
  let rows = range(total)
  let held: Uint32Array | undefined
  let heldFeeds = feeds
  if (typeof validation === 'number') {
    const share = Math.round(total * validation)
    if (!(validation > 0) || share < 1 || share >= total) {
      fail('call', `validation = ${validation} leaves no rows to train or to validate`)
    }
    // Epoch -1: an order of its own, so that no training order tells which rows are held out.
    shuffle(rows, seed, -1)
    held = rows.slice(total - share).sort()
    rows = rows.slice(0, total - share).sort()
  } else if (validation && evaluation) {
    heldFeeds = validation
    held = range(rowsOf(evaluation, validation))
  }
  const limit = entry.limits[0] ?? 1
  const batch = Math.min(options.batch ?? limit, rows.length)
  if (!Number.isInteger(batch) || batch < 1 || batch > limit) {
    fail('call', `batch = ${options.batch}: this model takes 1 to ${limit} rows a step`)
  }
  const tally = new Tally(entry, combine, start?.sums)
  const snapshot = snapshotOf(cells)
  const order = new Uint32Array(rows)

  let done = 0
  let trained = 0
  let row = start?.row ?? 0
  let since = row
  const keep = (): void => {
    snapshot.take()
    since = row
  }
  let last = performance.now()
  for (let epoch = start?.epoch ?? 0; epoch < epochs; epoch++) {
    order.set(rows)
    if (options.shuffle !== false) shuffle(order, seed, epoch)
    keep()
    const report = (kind: Report['kind'], results?: Metrics): Report => {
      const perSecond = trained && done / trained
      const isDone = kind === 'epoch'
      return {
        kind,
        epoch: epoch + 1,
        epochs,
        step: cells.step.view[0]!,
        row,
        of: rows.length,
        metrics: tally.results(row).metrics,
        validation: results,
        examplesPerSecond: perSecond,
        secondsLeft: perSecond && ((epochs - epoch) * rows.length - row) / perSecond,
        cursor: isDone
          ? { epoch: epoch + 1, row: 0, sums: [] }
          : { epoch, row, sums: [...tally.sums] },
      }
    }
    let began = performance.now()
    while (row < rows.length) {
      if (signal?.aborted) {
        yield report('stopped')
        return
      }
      const count = Math.min(batch, rows.length - row)
      const step = cells.step.view[0]! + 1
      runRows(entry, feeds, order, row, count)
      const loss = badLoss(entry)
      if (loss) {
        const value = badValue(entry)
        snapshot.restore()
        for (let at = since; at < row; at += batch) {
          runRows(entry, feeds, order, at, Math.min(batch, rows.length - at))
        }
        stop(entry, loss, step, badParam(cells) ?? value, true)
      }
      tally.add(count)
      row += count
      done += count
      if (row - since >= snapshotEvery * batch) keep()
      const now = performance.now()
      if (now - began >= every) {
        trained += (now - began) / 1000
        await breathe()
        if (row < rows.length) yield report('progress')
        // Whoever got the report may have set a hyper-parameter: a replay must not begin before that.
        keep()
        began = performance.now()
      }
    }
    trained += (performance.now() - began) / 1000
    const results =
      held && evaluation && (await evaluateRows(evaluation, combine, heldFeeds, held)).metrics
    // Not after each epoch: short ones would take longer to wait than to train.
    if (performance.now() - last > 50) {
      await breathe()
      last = performance.now()
    }
    yield report('epoch', results)
    tally.sums.fill(0)
    row = 0
  }
}
