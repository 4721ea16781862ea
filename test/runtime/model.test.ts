import { describe, expect, test } from 'vitest'
import { load, NetcError } from '../../runtime/index.ts'
import { lineModule, manifest, moduleWith } from './fixture.ts'

const bytes = await lineModule()
const lineModel = () => load(bytes as Uint8Array<ArrayBuffer>)

async function errorOf(f: () => unknown): Promise<NetcError> {
  try {
    await f()
  } catch (error) {
    if (error instanceof NetcError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

const xs = Float32Array.from({ length: 10 }, (_, k) => k / 10)
const ys = xs.map((x) => 3 * x)

describe('a model', () => {
  test('trains a step at a time', async () => {
    const model = await lineModel()
    model.init(8)
    expect(model.params['line.w']).toEqual(Float32Array.of(1))
    const first = model.train.reg!({ x: xs.slice(0, 4), y: ys.slice(0, 4) })
    expect(first.loss).toBeCloseTo(0.14, 5)
    expect(model.step).toBe(1)
    expect(model.eval.reg!({ x: [1], y: [3] }).loss).toBeLessThan(4)
    expect(model.step).toBe(1)
  })

  test('predicts any number of rows, in chunks', async () => {
    const model = await lineModel()
    model.init(16)
    const { out } = model.predict.line!({ x: [1, 2, 3, 4, 5, 6, 7, 8, 9] })
    expect(out).toEqual(Float32Array.of(2, 0, 4, 0, 6, 0, 8, 0, 10, 0, 12, 0, 14, 0, 16, 0, 18, 0))
  })

  test('has hyper-parameters to set', async () => {
    const model = await lineModel()
    expect(model.hyper['reg.lr']).toBe(Math.fround(0.05))
    model.hyper['reg.lr'] = 0.5
    expect(model.hyper['reg.lr']).toBe(0.5)
    expect(() => {
      model.hyper['reg.lr'] = Number.NaN
    }).toThrow('cannot be NaN')
    expect(() => {
      model.hyper['reg.rate'] = 1
    }).toThrow(TypeError)
  })

  test('wants parameters before it runs', async () => {
    const model = await lineModel()
    expect((await errorOf(() => model.predict.line!({ x: [1] }))).message).toBe(
      'line needs parameters first: call init(seed), or load weights',
    )
  })

  test('saves and restores its parameters', async () => {
    const model = await lineModel()
    model.init(8)
    model.train.reg!({ x: [1], y: [3] })
    const again = await load(bytes as Uint8Array<ArrayBuffer>, { weights: model.save() })
    expect(again.params).toEqual(model.params)
    expect(again.step).toBe(0)
  })
})

describe('feeds that do not fit', () => {
  const cases: readonly [
    string,
    string,
    (m: Awaited<ReturnType<typeof lineModel>>) => unknown,
    string,
  ][] = [
    [
      'an unknown name',
      'feed-name',
      (m) => m.train.reg!({ x: [1], z: [1] }),
      'reg has no input z; its inputs: x, y',
    ],
    ['a missing one', 'feed-missing', (m) => m.train.reg!({ x: [1] }), 'reg needs the input y'],
    [
      'unlike rows',
      'feed-rows',
      (m) => m.train.reg!({ x: [1, 2], y: [1] }),
      'input y has 1 rows, other inputs over batch have 2',
    ],
    ['no rows', 'feed-rows', (m) => m.train.reg!({ x: [], y: [] }), 'input x has no rows'],
    [
      'too many rows',
      'feed-rows',
      (m) => m.train.reg!({ x: xs, y: ys }),
      'reg takes at most 4 rows and was fed 10',
    ],
    [
      'text',
      'feed-dtype',
      (m) => m.train.reg!({ x: ['a'] as never, y: [1] }),
      'input x is f32 and was fed Array',
    ],
    [
      'big integers',
      'feed-dtype',
      (m) => m.train.reg!({ x: BigInt64Array.of(1n) as never, y: [1] }),
      'input x is f32 and was fed BigInt64Array',
    ],
    [
      'floats for integers',
      'feed-dtype',
      (m) => m.predict.look!({ ids: Float32Array.of(1), flag: [true] }),
      'input ids is i32 and was fed Float32Array',
    ],
    [
      'fractions for integers',
      'feed-dtype',
      (m) => m.predict.look!({ ids: [1.5], flag: [true] }),
      'input ids takes whole numbers from 0 to 9, and row 0 holds 1.5',
    ],
    [
      'an index out of range',
      'feed-range',
      (m) => m.predict.look!({ ids: [1, 10], flag: [true, false] }),
      'input ids takes whole numbers from 0 to 9, and row 1 holds 10',
    ],
    [
      'a negative index',
      'feed-range',
      (m) => m.predict.look!({ ids: [-1], flag: [true] }),
      'input ids takes whole numbers from 0 to 9, and row 0 holds -1',
    ],
    [
      'an impossible count',
      'feed-rows',
      (m) => m.predict.line!({ x: [1] }, { batch: 3 }),
      'line cannot run with batch = 3',
    ],
  ]
  test.each(cases)('%s: %s', async (_, code, call, message) => {
    const model = await lineModel()
    model.init(1)
    const error = await errorOf(() => call(model))
    expect([error.code, error.message]).toEqual([code, message])
  })

  test('a wrong number of values names the shape', async () => {
    const four = {
      ...manifest,
      entries: [
        {
          ...manifest.entries[2]!,
          inputs: [{ ...manifest.entries[2]!.inputs[0]!, shape: [4, 2], bounds: ['batch', null] }],
        },
      ],
    }
    const model = await load((await moduleWith(JSON.stringify(four))) as Uint8Array<ArrayBuffer>)
    model.init(1)
    const error = await errorOf(() => model.predict.line!({ x: [1, 2, 3] }))
    expect(error.code).toBe('feed-shape')
    expect(error.message).toBe(
      'input x has shape [batch<=4, 2], 2 values for each row, and was fed 3 values',
    )
  })
})

describe('modules that are none', () => {
  test('damaged bytes', async () => {
    const error = await errorOf(() => load(Uint8Array.of(0, 97, 115, 109, 1)))
    expect(error.code).toBe('module')
  })

  test('no manifest', async () => {
    const error = await errorOf(async () => load((await moduleWith(undefined)) as never))
    expect(error.code).toBe('manifest')
    expect(error.message).toBe('this module has no manifest: it was not made by netc')
  })

  test('imports', async () => {
    const wat = '(module (import "a" "b" (func)) (memory (export "memory") 1))'
    expect((await errorOf(async () => load((await moduleWith('{}', wat)) as never))).code).toBe(
      'module',
    )
  })

  test('another ABI', async () => {
    const text = JSON.stringify({ ...manifest, abi: 7 })
    const error = await errorOf(async () => load((await moduleWith(text)) as never))
    expect(error.code).toBe('abi')
    expect(error.message).toBe('this module has ABI version 7 and this runtime speaks version 1')
  })

  const damaged: readonly [string, object | string, string][] = [
    ['no JSON', '{', 'it is not JSON'],
    ['a string', '"x"', 'it is not an object'],
    [
      'offset outside',
      { params: [{ ...manifest.params[0], offset: 65536 }] },
      'params[0] lies outside the memory',
    ],
    [
      'unaligned offset',
      { params: [{ ...manifest.params[0], offset: 3 }] },
      'params[0] lies outside the memory',
    ],
    ['dtype', { params: [{ ...manifest.params[0], dtype: 'f16' }] }, 'params[0] has dtype f16'],
    [
      'twice',
      { params: [manifest.params[0], manifest.params[0]] },
      'params has two of the name line.w',
    ],
    [
      'shape',
      { state: [{ ...manifest.state[0], shape: [-1] }] },
      'state[0].shape is no list of extents',
    ],
    [
      'bound',
      { state: [{ ...manifest.state[0], bounds: ['batch'] }] },
      'state[0] is bounded by batch',
    ],
    [
      'counts',
      { entries: [{ ...manifest.entries[0], counts: ['rows'] }] },
      'entries[0].counts is no list of dims',
    ],
    [
      'kind',
      { entries: [{ ...manifest.entries[0], kind: { toString: 1 } }] },
      'entries[0] has kind {"toString":1}',
    ],
    ['no loss', { entries: [{ ...manifest.entries[0], outputs: [] }] }, 'entries[0] has no loss'],
    ['hyper', { hyper: [{ ...manifest.hyper[0], initial: 'x' }] }, 'hyper[0] has no initial value'],
  ]
  test.each(damaged)('a damaged manifest: %s', async (_, change, what) => {
    const text = typeof change === 'string' ? change : JSON.stringify({ ...manifest, ...change })
    const error = await errorOf(async () => load((await moduleWith(text)) as never))
    expect([error.code, error.message]).toEqual([
      'manifest',
      `the manifest of this module is damaged: ${what}`,
    ])
  })

  test('a function that is missing', async () => {
    const text = JSON.stringify({
      ...manifest,
      entries: [{ ...manifest.entries[0], name: 'gone' }],
    })
    const error = await errorOf(async () => load((await moduleWith(text)) as never))
    expect(error.message).toBe('this module has no function gone')
  })
})

describe('fit', () => {
  test('uses every row once, the last batch with fewer', async () => {
    const model = await lineModel()
    model.init(8)
    const reports = []
    for await (const report of model.fit('reg', { x: xs, y: ys }, { epochs: 60, batch: 3 })) {
      reports.push(report)
    }
    expect(model.step).toBe(60 * 4)
    const last = reports.at(-1)!
    expect(last).toMatchObject({ kind: 'epoch', epoch: 60, row: 10, of: 10, step: 240 })
    expect(last.metrics.loss).toBeLessThan(1e-3)
    expect((await model.evaluate('reg', { x: xs, y: ys })).loss).toBeLessThan(1e-3)
  })

  test('the mean of an epoch weighs batches by their rows', async () => {
    const model = await lineModel()
    model.init(8)
    model.hyper['reg.lr'] = 0
    for await (const report of model.fit('reg', { x: xs, y: ys }, { batch: 4 })) {
      const exact = ys.reduce((sum, y, k) => sum + Math.abs(y - xs[k]!), 0) / 10
      expect(report.metrics.mae).toBeCloseTo(exact, 6)
    }
  })

  test('holds out a share of the rows', async () => {
    const model = await lineModel()
    model.init(8)
    const fit = model.fit('reg', { x: xs, y: ys }, { batch: 4, validation: 0.3 })
    for await (const report of fit) {
      expect(report.of).toBe(7)
      expect(report.validation?.loss).toBeGreaterThan(0)
    }
    expect(model.step).toBe(2)
  })

  test('goes on from a checkpoint bit for bit', async () => {
    const data = { x: xs, y: ys }
    const options = { epochs: 5, batch: 3, seed: 7, every: 0 }
    const straight = await lineModel()
    straight.init(3)
    let end = 0
    for await (const report of straight.fit('reg', data, options)) end = report.metrics.loss!
    for (let stopAt = 1; stopAt < 20; stopAt++) {
      const model = await lineModel()
      model.init(3)
      const stop = new AbortController()
      let cursor: NonNullable<Parameters<typeof model.fit>[2]>['from']
      let metrics = 0
      for await (const report of model.fit('reg', data, { ...options, signal: stop.signal })) {
        if (report.step === stopAt) stop.abort()
        cursor = report.cursor
        metrics = report.metrics.loss!
      }
      const again = await lineModel()
      again.restore(model.save({ training: true }))
      const from = JSON.parse(JSON.stringify(cursor))
      for await (const report of again.fit('reg', data, { ...options, from })) {
        metrics = report.metrics.loss!
      }
      expect(again.save({ training: true })).toEqual(straight.save({ training: true }))
      expect(metrics).toBe(end)
    }
  })

  test('stops at a loss that is not finite and goes back to before it', async () => {
    const data = { x: Float32Array.from(xs), y: ys }
    data.x[6] = Number.NaN
    const model = await lineModel()
    model.init(8)
    const error = await errorOf(async () => {
      for await (const _ of model.fit('reg', data, { batch: 1, shuffle: false }));
    })
    expect(error.code).toBe('non-finite')
    expect(error.message).toBe(
      'reg: the loss of step 7 is NaN: input x holds NaN in row 0 of the batch (the model is as it was after step 6)',
    )
    expect(model.step).toBe(6)
    const straight = await lineModel()
    straight.init(8)
    for (let k = 0; k < 6; k++) straight.train.reg!({ x: [data.x[k]!], y: [ys[k]!] })
    expect(model.save({ training: true })).toEqual(straight.save({ training: true }))
  })

  test('names the parameter that an update made infinite', async () => {
    const model = await lineModel()
    model.init(8)
    model.hyper['reg.lr'] = 3e38
    const error = await errorOf(async () => {
      for await (const _ of model.fit('reg', { x: [9, 9], y: [1, 1] }, { batch: 1, epochs: 9 }));
    })
    expect(error.message).toContain(
      'parameter line.w was no longer finite after the update of the step before',
    )
  })

  test('names the equation', async () => {
    const model = await lineModel()
    model.init(8)
    const error = await errorOf(() => model.train.reg!({ x: [3e38], y: [-3e38] }))
    expect(error.message).toBe(
      'reg: the loss of step 1 is Infinity: the first value that is not finite is err, made at line.net:5:3',
    )
    expect(error.details).toMatchObject({ step: 1, tensor: 'err', place: 'line.net:5:3' })
  })

  test.each([
    [{ batch: 5 }, 'batch = 5: this model takes 1 to 4 rows a step'],
    [{ batch: 0 }, 'batch = 0: this model takes 1 to 4 rows a step'],
    [{ validation: 1 }, 'validation = 1 leaves no rows to train or to validate'],
  ])('refuses %j', async (options, message) => {
    const model = await lineModel()
    model.init(8)
    const error = await errorOf(async () => {
      for await (const _ of model.fit('reg', { x: xs, y: ys }, options));
    })
    expect(error.message).toBe(message)
  })

  test('an unknown block', async () => {
    const model = await lineModel()
    model.init(8)
    expect((await errorOf(() => model.fit('rag', {}))).message).toBe(
      'this model has no train block rag; it has reg',
    )
  })
})

describe('weights files that do not fit', () => {
  test.each([
    ['truncated', (b: Uint8Array) => b.slice(0, 5), 'it has 5 bytes and its header length takes 8'],
    ['cut in the header', (b: Uint8Array) => b.slice(0, 20), 'and the file ends before'],
    ['cut in the data', (b: Uint8Array) => b.slice(0, -1), 'lies at bytes'],
    ['no JSON', (b: Uint8Array) => b.fill(0, 8, 12), 'its header, from byte 8, is not JSON'],
  ])('%s', async (_, damage, message) => {
    const model = await lineModel()
    model.init(8)
    const error = await errorOf(() => model.restore(damage(model.save()) as never))
    expect(error.code).toBe('weights')
    expect(error.message).toContain(message)
  })

  test('other tensors', async () => {
    const model = await lineModel()
    model.init(8)
    const renamed = {
      ...manifest,
      params: [manifest.params[0]!, { ...manifest.params[1]!, name: 'line.c' }],
    }
    const other = await load((await moduleWith(JSON.stringify(renamed))) as never)
    const error = await errorOf(() => other.restore(model.save()))
    expect(error.message).toBe('the weights have no line.c; they have line.w, line.b')
    const fewer = { ...manifest, params: [manifest.params[0]!] }
    const small = await load((await moduleWith(JSON.stringify(fewer))) as never)
    expect((await errorOf(() => small.restore(model.save()))).message).toBe(
      'the model has no line.b, which these weights hold',
    )
    const wide = {
      ...manifest,
      params: [{ ...manifest.params[0]!, shape: [2], bounds: [null] }, manifest.params[1]!],
    }
    const big = await load((await moduleWith(JSON.stringify(wide))) as never)
    expect((await errorOf(() => big.restore(model.save()))).message).toBe(
      'weights line.w have shape [1] and the model has [2]',
    )
  })

  test('NaN, unless asked for', async () => {
    const model = await lineModel()
    model.init(8)
    model.params['line.w']![0] = Number.NaN
    const file = model.save()
    const error = await errorOf(() => model.restore(file))
    expect(error.message).toBe('weights line.w hold a value that is not finite at element 0')
    model.restore(file, { allowNonFinite: true })
  })
})
