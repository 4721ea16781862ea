// Metrics made of totals, compiled: over batches of any size they are those of all rows at once, worked out by loops.
import { describe, expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import { renderAll } from '../../compiler/support/render.ts'
import { load, type Report } from '../../runtime/index.ts'

const classes = 4
const text = `
dim batch <= 5
net f(x: [batch, 3]) -> [batch, ${classes}] { x |> dense(${classes}) }
train t(x: [batch, 3], label: int[batch], w: [batch], y: [batch, ${classes}]) {
  logits = f(x)
  minimize cross_entropy(logits, label)
  using sgd(0.1)
  report accuracy(logits, label), confusion(logits, label), precision(logits, label),
    recall(logits, label), f1_score(logits, label), perplexity(logits, label),
    bits_per_label(logits, label), r2(logits, y),
    part = perplexity(logits, label, weights = w, ignore = 2), masked_accuracy(logits, label, w), half = 0.5 * total(sum(label))
}`

async function newModel(source = text) {
  const { modules, diagnostics } = compile(source, { targets: ['simd'], verify: true })
  if (!modules) throw new Error(renderAll(diagnostics))
  const model = await load(modules.simd!.wasm as Uint8Array<ArrayBuffer>)
  model.init(6)
  return model
}

const rows = 13
const data = {
  x: Float32Array.from({ length: rows * 3 }, (_, k) => 3 * Math.sin(7 * k)),
  // Class 3 never occurs.
  label: Int32Array.from({ length: rows }, (_, k) => (k * k + (k % 4 === 1 ? 1 : 0)) % 3),
  w: Float32Array.from({ length: rows }, (_, k) => k % 3),
  y: Float32Array.from({ length: rows * classes }, (_, k) => 5 + Math.cos(k)),
}

/** By loops, from the weights. */
function expected(W: ArrayLike<number>, b: ArrayLike<number>) {
  const n = Array.from({ length: classes }, () => new Array<number>(classes).fill(0))
  let nats = 0
  let part = 0
  let hits = 0
  let missed = 0
  let spread = 0
  const mean = data.y.reduce((s, v) => s + v, 0) / data.y.length
  for (let row = 0; row < rows; row++) {
    const logits = Array.from({ length: classes }, (_, c) =>
      [0, 1, 2].reduce((s, i) => s + data.x[row * 3 + i]! * W[i * classes + c]!, b[c]!),
    )
    const label = data.label[row]!
    n[label]![logits.indexOf(Math.max(...logits))]!++
    const loss = Math.log(logits.reduce((s, v) => s + Math.exp(v), 0)) - logits[label]!
    nats += loss
    if (label !== 2) part += data.w[row]! * loss
    if (logits.indexOf(Math.max(...logits)) === label) hits += data.w[row]!
    logits.forEach((v, c) => {
      missed += (data.y[row * classes + c]! - v) ** 2
      spread += (data.y[row * classes + c]! - mean) ** 2
    })
  }
  const sumRow = (k: number) => n[k]!.reduce((s, v) => s + v, 0)
  const sumColumn = (k: number) => n.reduce((s, r) => s + r[k]!, 0)
  const there = n.map((_, k) => k).filter((k) => sumRow(k) + sumColumn(k) > 0)
  const macro = (of: (k: number) => number) => there.reduce((s, k) => s + of(k), 0) / there.length
  return {
    confusion: n.flat(),
    accuracy: n.reduce((s, r, k) => s + r[k]!, 0) / rows,
    precision: macro((k) => n[k]![k]! / Math.max(sumColumn(k), 1)),
    recall: macro((k) => n[k]![k]! / Math.max(sumRow(k), 1)),
    f1_score: macro((k) => (2 * n[k]![k]!) / Math.max(sumRow(k) + sumColumn(k), 1)),
    perplexity: Math.exp(nats / rows),
    part: Math.exp(part / data.w.reduce((s, v, k) => s + (data.label[k] === 2 ? 0 : v), 0)),
    masked_accuracy: hits / data.w.reduce((s, v) => s + v, 0),
    bits_per_label: nats / rows / Math.LN2,
    r2: 1 - missed / spread,
    half: data.label.reduce((s, v) => s + v, 0) / 2,
  }
}

describe('totals', () => {
  test('metrics over batches are those of all rows', async () => {
    const model = await newModel()
    const { confusion, ...numbers } = expected(
      model.params['f.dense_1.W']!,
      model.params['f.dense_1.b']!,
    )
    expect(Math.max(...confusion)).toBeGreaterThan(1)
    expect(numbers.f1_score).toBeGreaterThan(0.1)
    expect(numbers.f1_score).toBeLessThan(0.9)
    const { metrics, tensors } = await model.measure('t', data)
    expect([...tensors.confusion!]).toEqual(confusion)
    expect(Object.keys(tensors)).toEqual(['confusion'])
    for (const [name, value] of Object.entries(numbers)) {
      expect(Math.abs(metrics[name]! / value - 1), name).toBeLessThan(2e-5)
    }
    expect(await model.evaluate('t', data)).toEqual(metrics)
    expect(Object.keys(metrics).filter((name) => name.includes('total'))).toEqual([])
  })

  test('one call gives those of its rows, without the totals', async () => {
    const model = await newModel()
    const part = {
      x: data.x.slice(0, 6),
      label: data.label.slice(0, 2),
      w: data.w.slice(0, 2),
      y: data.y.slice(0, 8),
    }
    const results = model.eval.t!(part)
    expect(results.half).toBe(1)
    const { metrics, tensors } = await model.measure('t', part)
    expect([...(results.confusion as unknown as Float32Array)]).toEqual([...tensors.confusion!])
    for (const [name, value] of Object.entries(metrics)) {
      expect(results[name], name).toBeCloseTo(value, 5)
    }
    expect(Object.keys(results).length).toBe(12)
  })

  test('training reports them over the epoch, and goes on from a cursor', async () => {
    const whole = await newModel()
    const options = { epochs: 2, batch: 3, seed: 1, validation: data }
    const reports: Report[] = []
    for await (const r of whole.fit('t', data, options)) if (r.kind === 'epoch') reports.push(r)
    expect(reports[0]!.metrics.half).toBe(expected([], []).half)
    expect(reports[1]!.validation).toEqual(await whole.evaluate('t', data))

    const model = await newModel()
    const stop = new AbortController()
    let last: Report | undefined
    for await (const r of model.fit('t', data, { ...options, every: 0, signal: stop.signal })) {
      last = r
      if (r.epoch === 2 && r.row > 3) stop.abort()
    }
    expect(last).toMatchObject({ kind: 'stopped', epoch: 2 })
    const again = await newModel()
    again.restore(model.save({ training: true }))
    let end: Report | undefined
    const from = JSON.parse(JSON.stringify(last!.cursor))
    for await (const r of again.fit('t', data, { ...options, from })) end = r
    expect(end!.metrics).toEqual(reports[1]!.metrics)
    expect(end!.validation).toEqual(reports[1]!.validation)
  })

  test('a total outside a train block is the value', async () => {
    const model = await newModel(`
dim batch <= 5
predict p(x: [batch, 3]) { total(sum(x)) }
`)
    expect(model.predict.p!({ x: [1, 2, 3, 4, 5, 6] }).out).toBe(21)
  })
})
