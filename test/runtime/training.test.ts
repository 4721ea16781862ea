// Early stopping, plateaus and curves over the hand-made line y = w x, whose w is trained towards 3. The rows held out
// lie on y = 2 x, so that the validation is best where w passes 2.
import { describe, expect, test } from 'vitest'
import { load, type Report } from '../../runtime/index.ts'
import { Curve, goalOf, type TrainReport, train } from '../../runtime/training/index.ts'
import { lineModule } from './fixture.ts'

const bytes = (await lineModule()) as Uint8Array<ArrayBuffer>
const xs = Float32Array.from({ length: 10 }, (_, k) => k / 10)
const data = { x: xs, y: xs.map((x) => 3 * x) }
const held = { x: xs, y: xs.map((x) => 2 * x) }
const newModel = async () => {
  const model = await load(bytes)
  model.init(8)
  return model
}
const weight = (model: Awaited<ReturnType<typeof newModel>>) => model.params['line.w']![0]!

async function all(reports: AsyncIterable<TrainReport>): Promise<TrainReport[]> {
  const kept: TrainReport[] = []
  for await (const report of reports) if (report.kind !== 'progress') kept.push(report)
  return kept
}

describe('early stopping', () => {
  test('ends after the patience and leaves the weights of the best epoch', async () => {
    const model = await newModel()
    const options = { epochs: 100, batch: 3, validation: held, seed: 4 }
    const weights: number[] = []
    const reports: TrainReport[] = []
    for await (const report of train(model, 'reg', data, {
      ...options,
      earlyStop: { patience: 4 },
    })) {
      if (report.kind !== 'epoch') continue
      reports.push(report)
      weights.push(weight(model))
    }
    const losses = reports.map((r) => r.validation!.loss!)
    const best = losses.indexOf(Math.min(...losses))
    expect(best).toBeGreaterThan(0)
    expect(reports.length).toBe(best + 1 + 4)
    expect(reports.at(-1)!.best).toEqual({ epoch: best + 1, value: losses[best], wait: 4 })
    expect(weight(model)).toBe(weights[best])
    expect(Math.abs(weight(model) - 2)).toBeLessThan(0.2)
    // The same epochs as without it.
    const plain = await newModel()
    const straight: Report[] = []
    for await (const r of plain.fit('reg', data, { ...options, epochs: reports.length }))
      if (r.kind === 'epoch') straight.push(r)
    expect(straight.map((r) => r.validation)).toEqual(reports.map((r) => r.validation))
  })

  test('keeps the best weights where all epochs are run', async () => {
    const model = await newModel()
    const reports = await all(
      train(model, 'reg', data, {
        epochs: 12,
        batch: 3,
        validation: held,
        earlyStop: { patience: 50 },
      }),
    )
    expect(reports.length).toBe(12)
    const losses = reports.map((r) => r.validation!.loss!)
    expect(Math.min(...losses)).toBeLessThan(losses.at(-1)!)
    expect((await model.evaluate('reg', held)).loss).toBe(Math.min(...losses))
  })

  test('goes on from a checkpoint to the same end', async () => {
    const options = {
      epochs: 100,
      batch: 3,
      validation: held,
      earlyStop: { patience: 3 },
      plateau: { patience: 2, metric: 'mae' },
    }
    const straight = await newModel()
    const whole = await all(train(straight, 'reg', data, options))
    for (const cut of [2, whole.length - 2]) {
      const model = await newModel()
      const stop = new AbortController()
      let last: TrainReport | undefined
      for await (const report of train(model, 'reg', data, { ...options, signal: stop.signal })) {
        last = report
        if (report.kind === 'epoch' && report.epoch === cut) stop.abort()
      }
      expect(last!.kind).toBe('stopped')
      const again = await load(bytes)
      again.restore(model.save({ training: true }))
      const { weights, ...standing } = last!.standing
      const kept = { ...JSON.parse(JSON.stringify(standing)), weights }
      const rest = await all(
        train(again, 'reg', data, { ...options, from: last!.cursor, standing: kept }),
      )
      expect(rest.map((r) => r.best)).toEqual(whole.slice(cut).map((r) => r.best))
      expect(weight(again)).toBe(weight(straight))
      expect(again.hyper['reg.lr']).toBe(straight.hyper['reg.lr'])
    }
  })

  test('says what is wrong before it trains', async () => {
    const model = await newModel()
    const message = async (options: object): Promise<string> => {
      try {
        await all(train(model, 'reg', data, options))
      } catch (error) {
        return (error as Error).message
      }
      return 'none'
    }
    expect(await message({ earlyStop: {} })).toContain('can only be watched with validation')
    expect(await message({ validation: 0.3, earlyStop: { metric: 'accuracy' } })).toBe(
      'reg has no metric accuracy; it has loss, mae',
    )
    expect(await message({ validation: 0.3, earlyStop: { patience: 0 } })).toContain('patience = 0')
    expect(await message({ validation: 0.3, plateau: { factor: 2 } })).toContain('factor = 2')
    expect(await message({ validation: 0.3, plateau: { rates: ['reg.rate'] } })).toBe(
      'reg.rate is no hyper-parameter; there are: reg.lr',
    )
    expect(model.step).toBe(0)
  })
})

test('a plateau lowers the rates, not below their floor', async () => {
  const model = await newModel()
  const reports = await all(
    train(model, 'reg', data, {
      epochs: 30,
      batch: 3,
      validation: held,
      plateau: { patience: 3, factor: 0.5, floor: 0.01 },
    }),
  )
  const falls = reports.filter((r) => r.lowered)
  const losses = reports.map((r) => r.validation!.loss!)
  const best = losses.indexOf(Math.min(...losses)) + 1
  expect(falls.map((r) => r.epoch)).toEqual([best + 3, best + 6, best + 9])
  expect(falls.map((r) => r.lowered!['reg.lr'])).toEqual([0.025, 0.0125, 0.01].map(Math.fround))
  expect(model.hyper['reg.lr']).toBe(Math.fround(0.01))
  // Without early stopping the last weights stay.
  expect((await model.evaluate('reg', held)).loss).toBe(losses.at(-1))
})

test('which way a metric is better', () => {
  expect(['accuracy', 'top_k', 'macro_f1', 'r2', 'accuracy_2'].map(goalOf)).toEqual(
    Array(5).fill('max'),
  )
  expect(['loss', 'mae', 'perplexity', 'bits_per_character', 'racc'].map(goalOf)).toEqual(
    Array(5).fill('min'),
  )
})

test('over-fitting is told once, when the curves part', () => {
  const curve = new Curve()
  const told = (losses: readonly (readonly [number, number])[]): (string | undefined)[] => {
    return losses.map(([own, validation], k) =>
      curve.see({
        kind: 'epoch',
        epoch: k + 1,
        metrics: { loss: own },
        validation: { loss: validation },
      } as unknown as Report),
    )
  }
  const said = told([
    [1, 1],
    [0.5, 0.6],
    [0.4, 0.61],
    [0.3, 0.65],
    [0.2, 0.67],
    [0.1, 0.7],
  ])
  expect(said.map((text) => text !== undefined)).toEqual([false, false, false, false, true, false])
  expect(said[4]).toContain('since epoch 2 the validation loss rose from 0.6 to 0.67')
})
