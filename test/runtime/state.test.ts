// State that predict blocks carry: reset, saving, seeds, rows; and generation token by token.
import { describe, expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import { renderAll } from '../../compiler/support/render.ts'
import { generate } from '../../runtime/generate/index.ts'
import { load, type Model, NetcError } from '../../runtime/index.ts'

async function modelOf(text: string, weights?: Uint8Array<ArrayBuffer>): Promise<Model> {
  const { modules, diagnostics } = compile(text, { targets: ['simd'] })
  if (!modules?.simd) throw new Error(renderAll(diagnostics))
  return load(modules.simd.wasm as Uint8Array<ArrayBuffer>, weights ? { weights } : {})
}

function errorOf(f: () => unknown): NetcError {
  try {
    f()
  } catch (error) {
    if (error instanceof NetcError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

const text = `
dim batch <= 4
net f(x: [batch, 3]) -> [batch, 5] { x |> dense(6) |> batch_norm |> relu |> dense(5) }
train t(x: [batch, 3], y: int[batch]) {
  minimize cross_entropy(f(x), y)
  using adam(0.05)
  average 0.9
}
predict class(x: [batch, 3]) { softmax(f(x)) }
predict draw(x: [batch, 3]) { id = sample(f(x)) }
predict sums(x: [batch, 3]) {
  state total: [] = 100
  total' = total + sum(x)
}
predict next(token: int[], temperature: []) {
  state seen: [8] = 0, last: int[] = 7
  last' = token
  seen'[v] = seen[v] + where(v == token, 1, 0)
  logits[v] = where(v == (token + last') / 2 or v == (token + 3) % 8, 1.0, -4.0) - 0.5 * seen'[v]
  token_next = sample(logits, temperature)
  (token_next, seen')
}
predict bare(token: int[]) { token + 1 }
predict pair(a: int[], b: int[]) {
  state n: [] = 0
  n' = n + 1
  float(a + b) + n
}`

const xs = Float32Array.from({ length: 30 }, (_, k) => Math.sin(k))
const ys = Int32Array.from({ length: 10 }, (_, k) => k % 5)

const model = await modelOf(text)
model.init(3)

describe('reset', () => {
  test('gives what a block carries its start values, of that block alone', () => {
    expect(model.predict.sums!({ x: [1, 2, 3] })).toEqual({ total: 106 })
    expect(model.predict.sums!({ x: [1, 1, 1] })).toEqual({ total: 109 })
    model.predict.next!({ token: 1, temperature: 0 })
    model.reset('sums')
    expect(model.predict.sums!({ x: [1, 1, 1] })).toEqual({ total: 103 })
    expect(model.predict.next!({ token: 1, temperature: 0 }).seen).toEqual(
      Float32Array.of(0, 2, 0, 0, 0, 0, 0, 0),
    )
    model.reset()
    expect(model.predict.next!({ token: 1, temperature: 0 }).seen).toEqual(
      Float32Array.of(0, 1, 0, 0, 0, 0, 0, 0),
    )
    expect(model.predict.sums!({ x: [1, 1, 1] })).toEqual({ total: 103 })
  })

  test('a block without state has nothing to reset, an unknown one is an error', () => {
    model.reset('class')
    expect(errorOf(() => model.reset('clas')).message).toContain(
      'no predict block clas; it has class',
    )
    expect(errorOf(() => model.reset('draw', 0.5)).message).toBe('the seed is an integer, not 0.5')
  })

  test('random numbers: others each call, the same after a reset, those of a seed', () => {
    const x = Float32Array.from({ length: 36 }, () => 0.1)
    const draws = () => [...(model.predict.draw!({ x }).id as Int32Array)]
    model.reset('draw')
    const first = [draws(), draws()]
    expect(first[0]).not.toEqual(first[1])
    model.reset('draw')
    expect([draws(), draws()]).toEqual(first)
    model.reset('draw', 5)
    const seeded = draws()
    expect(seeded).not.toEqual(first[0])
    model.reset('draw', 5)
    expect(draws()).toEqual(seeded)
    model.init(3)
    expect([draws(), draws()]).toEqual(first)
  })
})

test('a block that carries state takes no more rows than fit in a call', () => {
  expect(errorOf(() => model.predict.sums!({ x: xs.slice(0, 15) })).message).toBe(
    'sums takes at most 4 rows and was fed 5',
  )
  expect(model.predict.class!({ x: xs.slice(0, 15) }).out).toHaveLength(25)
})

describe('files', () => {
  test('a saved model predicts the same: running statistics and averages are in it, caches are not', async () => {
    const trained = await modelOf(text)
    trained.init(3)
    for await (const _ of trained.fit('t', { x: xs, y: ys }, { epochs: 5 }));
    trained.predict.sums!({ x: [1, 1, 1] })
    const before = trained.predict.class!({ x: xs }).out
    const weights = trained.save()
    const names = new TextDecoder().decode(weights)
    expect(names).toContain('"f.batch_norm_1.running_mean"')
    expect(names).toContain('"f.dense_1.W.average"')
    expect(names).not.toMatch(/sums\.total|draw\.|next\.|\.m"/)
    const again = await modelOf(text, weights)
    expect(again.predict.class!({ x: xs }).out).toEqual(before)
    expect(again.predict.sums!({ x: [1, 1, 1] })).toEqual({ total: 103 })
    again.restore(weights)
    expect(again.predict.sums!({ x: [1, 1, 1] })).toEqual({ total: 103 })
  })

  test('a checkpoint goes on bit for bit, whatever was predicted in between', async () => {
    const data = { x: xs, y: ys }
    const [whole, first] = [await modelOf(text), await modelOf(text)]
    whole.init(8)
    first.init(8)
    for await (const _ of whole.fit('t', data, { epochs: 4 }));
    for await (const _ of first.fit('t', data, { epochs: 2 }));
    first.predict.draw!({ x: xs })
    first.predict.sums!({ x: [9, 9, 9] })
    const second = await modelOf(text)
    second.restore(first.save({ training: true }))
    const from = { epoch: 2, row: 0, sums: [] }
    for await (const _ of second.fit('t', data, { epochs: 4, from }));
    expect(second.save({ training: true })).toEqual(whole.save({ training: true }))
  })
})

describe('generate', () => {
  const options = { prompt: [1, 2, 3], count: 6, feeds: { temperature: 0 } }

  test('feeds the prompt, then its own tokens', () => {
    const seen: number[] = []
    let token = 0
    model.reset('next')
    const call = (x: number): number =>
      model.predict.next!({ token: x, temperature: 0 }).token_next as number
    for (const x of options.prompt) token = call(x)
    for (let k = 0; k < 6; k++) {
      seen.push(token)
      token = call(token)
    }
    expect([...generate(model, 'next', options)]).toEqual(seen)
    expect([
      ...generate(model, 'next', { ...options, input: 'token', output: 'token_next' }),
    ]).toEqual(seen)
    expect([...generate(model, 'next', { ...options, stop: seen[2]! })]).toEqual(
      seen.slice(0, seen.indexOf(seen[2]!)),
    )
  })

  test('makes no more calls than tokens need, and goes on where it was', () => {
    const all = [...generate(model, 'next', options)]
    const some = [...generate(model, 'next', { ...options, count: 3 })]
    const rest = generate(model, 'next', {
      ...options,
      prompt: some.slice(-1),
      count: 3,
      resume: true,
    })
    expect([...some, ...rest]).toEqual(all)
  })

  test('draws by seed', () => {
    const drawn = (seed: number) => [
      ...generate(model, 'next', { ...options, count: 20, feeds: { temperature: 2 }, seed }),
    ]
    expect(drawn(1)).toEqual(drawn(1))
    expect(drawn(1)).not.toEqual(drawn(2))
  })

  test('says why a block cannot be fed so', () => {
    const message = (block: string, more: object = {}): string =>
      errorOf(() => [...generate(model, block, { prompt: [1], count: 1, ...more })]).message
    expect(message('nex')).toContain('no predict block nex')
    expect(message('bare')).toBe(
      'bare carries no state from call to call: each token would be its first',
    )
    expect(message('pair')).toBe('pair: several inputs could take the token: name it with `input`')
    expect(message('pair', { feeds: { b: 1 } })).toBe(
      'pair: no output is one whole number: name it with `output`',
    )
    expect(message('next', { input: 'tokn' })).toBe(
      'next has no input tokn; its inputs: token, temperature',
    )
    expect(message('next', { input: 'temperature' })).toBe(
      'input temperature of next is not one whole number',
    )
    expect(message('next', { prompt: [] })).toBe(
      'next has nothing to go on from: the prompt is empty',
    )
    expect(message('next', { prompt: 'abc' })).toBe(
      'the prompt is text and input token has no vocabulary',
    )
  })
})
