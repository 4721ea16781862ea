// The scalar functions of compiler/wasm/math: their accuracy on a sample of all f32
// (test/long/math-ulp.ts takes every one), the special cases of C99 and IEEE 754, and the random
// generator against its published vectors.

import binaryen from 'binaryen'
import { describe, expect, test } from 'vitest'
import { mathLibrary } from '../compiler/generate.ts'
import { threefry2x32, uniform } from '../compiler/ir/random.ts'
import {
  BLOCK,
  createDriver,
  type Driver,
  describeBits,
  erf,
  type MathName,
  mathNames,
  measure,
  measurePow,
  POW_BOUND,
  pow,
  promised,
  ulpError,
  unaryNames,
} from './support/ulp.ts'

const driver = createDriver('simd')
const drivers = { simd: driver, relaxed: createDriver('relaxed') } as const
const targets = ['simd', 'relaxed'] as const

const GREATEST = 3.4028234663852886e38
const SMALLEST = 2 ** -149

/** The function at the given arguments; the lanes that remain hold what the last arguments are. */
const evaluator =
  (driver: Driver) =>
  (name: MathName, ...args: (readonly number[])[]): number[] => {
    const count = args[0]!.length
    args.forEach((values, place) => {
      for (let i = 0; i < count + 4; i++) driver.inputs[place]![i] = values[Math.min(i, count - 1)]!
    })
    driver.run(name, (count + 3) & ~3)
    return [...driver.result.subarray(0, count)]
  }

/** Words of the generator, each argument being one number or as many as there are results. */
function words(count: number, ...args: ((index: number) => number)[]): Uint32Array {
  args.forEach((argument, place) => {
    for (let i = 0; i < count; i++) driver.inputBits[place]![i] = argument(i)
  })
  driver.run('random', (count + 3) & ~3)
  return driver.resultBits.slice(0, count)
}

describe.each(targets)('the module for %s', (target) => {
  const bytes = mathLibrary(target).functions
  const module = new WebAssembly.Module(bytes as BufferSource)

  test('exports the functions and nothing else, and needs nothing', () => {
    expect(WebAssembly.Module.imports(module)).toEqual([])
    const names = WebAssembly.Module.exports(module).map(({ name }) => name)
    expect(names.toSorted()).toEqual(mathNames.toSorted())
  })

  test('has no data, globals or tables, and a memory for its loads alone', () => {
    const read = binaryen.readBinary(bytes)
    const text = read.emitText()
    read.dispose()
    expect(text.match(/\((memory|data|global|table|elem|start)\b/g)).toEqual(['(memory'])
  })
})

describe('the measure', () => {
  test('counts units in the last place of the exact value', () => {
    expect(ulpError(1, 1)).toBe(0)
    expect(ulpError(1 + 2 ** -23, 1)).toBe(1)
    expect(ulpError(1, 1 + 2 ** -24)).toBe(0.5)
    expect(ulpError(SMALLEST, 0.75 * SMALLEST)).toBe(0.25)
    expect(ulpError(Infinity, 2 ** 128 - 2 ** 103)).toBe(0.5)
    expect(ulpError(-0, 0)).toBe(Infinity)
    expect(ulpError(NaN, 1)).toBe(Infinity)
    expect(ulpError(1, NaN)).toBe(Infinity)
    expect(ulpError(1, Infinity)).toBeGreaterThan(2 ** 23)
  })

  test.each([
    [0.125, 0.1403162048013338],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [3.5, 0.9999992569016276],
  ])('its erf(%d) is %d', (x, value) => {
    // A unit in the last place of f32 is 1e-7 of a number: this is a ten-millionth of one.
    expect(Math.abs(erf(x) / value - 1)).toBeLessThan(1e-14)
    expect(erf(-x)).toBe(-erf(x))
  })
})

describe.each(targets)('accuracy of %s', (target) => {
  const driver = drivers[target]
  const evaluate = evaluator(driver)

  test.each(unaryNames)('%s keeps its bound on a sample of every f32', (name) => {
    const { error, at } = measure(driver, name, { stride: 1021 })
    expect(error, at.map(describeBits).join()).toBeLessThanOrEqual(promised[name].bound)
  })

  // The edges of the ways that are chosen by |x|, of overflow, of subnormal results and of
  // subnormal arguments.
  const edges: readonly (readonly [(typeof unaryNames)[number], number])[] = [
    ['exp', 88.72283],
    ['exp', -87.33654],
    ['exp', -103.97208],
    ['log', 1],
    ['log', Math.SQRT1_2],
    ['log', 2 ** -126],
    ['tanh', 0.55],
    ['tanh', -0.55],
    ['tanh', 9.0109],
    ['sigmoid', -1e-3],
    ['sigmoid', -103.97208],
    ['erf', 0.9375],
    ['erf', 3.9192059],
    ['sin', Math.PI],
    ['sin', 10_000],
    ['cos', Math.PI / 2],
    ['cos', 10_000],
  ]
  test.each(edges)('%s keeps its bound around %d', (name, x) => {
    const center = new Uint32Array(Float32Array.of(x).buffer)[0]!
    const { error, at } = measure(driver, name, { start: center - 20_000, end: center + 20_000 })
    expect(error, at.map(describeBits).join()).toBeLessThanOrEqual(promised[name].bound)
  })

  test('exp overflows and vanishes exactly where rounding to f32 does', () => {
    const xs = Array.from({ length: 20_000 }, (_, i) => Math.fround(88.7 + i * 8e-6))
    const finite = evaluate('exp', xs).map(Number.isFinite)
    expect(finite).toEqual(xs.map((x) => Number.isFinite(Math.fround(Math.exp(x)))))
    const low = Array.from({ length: 20_000 }, (_, i) => Math.fround(-103.9 - i * 8e-6))
    const zero = evaluate('exp', low).map((value) => value === 0)
    expect(zero).toEqual(low.map((x) => Math.fround(Math.exp(x)) === 0))
  })

  test('sin and cos agree with each other at great multiples of pi / 2', () => {
    const xs = Array.from({ length: 6366 }, (_, n) => Math.fround((n * Math.PI) / 2))
    const [sines, cosines] = [evaluate('sin', xs), evaluate('cos', xs)]
    xs.forEach((x, i) => {
      expect(ulpError(sines[i]!, Math.sin(x)), `sin ${x}`).toBeLessThanOrEqual(2)
      expect(ulpError(cosines[i]!, Math.cos(x)), `cos ${x}`).toBeLessThanOrEqual(2)
    })
  })

  test('pow keeps its bound on pairs of every kind', () => {
    const { error, at } = measurePow(driver, 64 * BLOCK, 20_26)
    expect(error, at.map(describeBits).join()).toBeLessThanOrEqual(POW_BOUND)
  })
})

describe.each(targets)('special cases of %s', (target) => {
  const evaluate = evaluator(drivers[target])

  const cases: Readonly<
    Record<(typeof unaryNames)[number], readonly (readonly [number, number])[]>
  > = {
    exp: [
      [0, 1],
      [-0, 1],
      [SMALLEST, 1],
      [Infinity, Infinity],
      [-Infinity, 0],
      [GREATEST, Infinity],
      [-GREATEST, 0],
    ],
    log: [
      [1, 0],
      [0, -Infinity],
      [-0, -Infinity],
      [Infinity, Infinity],
      [-1, NaN],
      [-SMALLEST, NaN],
      [-Infinity, NaN],
    ],
    tanh: [
      [0, 0],
      [-0, -0],
      [SMALLEST, SMALLEST],
      [-SMALLEST, -SMALLEST],
      [Infinity, 1],
      [-Infinity, -1],
      [GREATEST, 1],
    ],
    sigmoid: [
      [0, 0.5],
      [-0, 0.5],
      [Infinity, 1],
      [-Infinity, 0],
      [GREATEST, 1],
      [-GREATEST, 0],
    ],
    erf: [
      [0, 0],
      [-0, -0],
      [SMALLEST, SMALLEST],
      [Infinity, 1],
      [-Infinity, -1],
      [GREATEST, 1],
    ],
    sin: [
      [0, 0],
      [-0, -0],
      [SMALLEST, SMALLEST],
      [-SMALLEST, -SMALLEST],
      [Infinity, NaN],
      [-Infinity, NaN],
    ],
    cos: [
      [0, 1],
      [-0, 1],
      [SMALLEST, 1],
      [Infinity, NaN],
      [-Infinity, NaN],
    ],
  }

  test.each(unaryNames)('%s', (name) => {
    const pairs = [...cases[name], [NaN, NaN] as const]
    const xs = pairs.map(([x]) => x)
    // Each in every lane, so that no lane's way depends on its neighbours.
    for (let turn = 0; turn < 4; turn++) {
      const turned = [...xs.slice(turn), ...xs.slice(0, turn)]
      const values = pairs.map(([, value]) => value)
      expect(evaluate(name, turned)).toEqual([...values.slice(turn), ...values.slice(0, turn)])
    }
  })

  test('pow at every pair of special values', () => {
    const magnitudes = [0, SMALLEST, 2 ** -126, 0.5, 0.75, 1, 1 + 2 ** -23, 1.5, 2, 3, 4, 7.5]
    magnitudes.push(2 ** 23 + 1, 2 ** 24, 2 ** 24 - 1, GREATEST, Infinity)
    const values = [...magnitudes, ...magnitudes.map((value) => -value), NaN]
    const xs = values.flatMap((x) => values.map(() => x))
    const ys = values.flatMap(() => values)
    const computed = evaluate('pow', xs, ys)
    xs.forEach((x, i) => {
      const y = ys[i]!
      expect(ulpError(computed[i]!, pow(x, y)), `pow(${x}, ${y}) = ${computed[i]}`).toBeLessThan(1)
    })
  })

  test('sin and cos of huge arguments stay within [-1, 1]', () => {
    const xs = Array.from({ length: 1000 }, (_, i) => 10_000 * 1.09 ** i).filter(
      (x) => x < GREATEST,
    )
    for (const value of [...evaluate('sin', xs), ...evaluate('cos', xs)]) {
      expect(Math.abs(value)).toBeLessThanOrEqual(1)
    }
  })
})

describe('random numbers', () => {
  // The known answers of Random123 for threefry2x32 with 20 rounds: key, counter, first word of the
  // result.
  test.each([
    [0, 0, 0, 0, 0x6b200159],
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x1cb996fc],
    [0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3, 0xc4923a9c],
  ])('threefry of key %i %i and counter %i %i', (seed, step, site, element, expected) => {
    const [word] = words(
      1,
      () => seed,
      () => step,
      () => site,
      () => element,
    )
    expect(word).toBe(expected)
    expect(threefry2x32(seed, step, site, element)).toBe(expected)
  })

  test('wasm and TypeScript agree', () => {
    const argument = (place: number) => (i: number) =>
      Math.imul(i + 1, 0x9e3779b1 + 2 * place) >>> 0
    const computed = words(4096, argument(0), argument(1), argument(2), argument(3))
    const expected = Array.from(computed, (_, i) =>
      threefry2x32(argument(0)(i), argument(1)(i), argument(2)(i), argument(3)(i)),
    )
    expect([...computed]).toEqual(expected)
    driver.run('uniform', 4096)
    const uniforms = Array.from(computed, (_, i) =>
      uniform(argument(0)(i), argument(1)(i), argument(2)(i), argument(3)(i)),
    )
    expect([...driver.result.subarray(0, 4096)]).toEqual(uniforms)
  })

  test('uniform numbers are in [0, 1)', () => {
    words(
      BLOCK,
      () => 7,
      () => 1,
      () => 2,
      (i) => i,
    )
    driver.run('uniform')
    for (const value of driver.result) if (!(value >= 0 && value < 1)) expect.fail(`${value}`)
  })

  // One of the four arguments counts, from some place on; the others stand still.
  const sequences = ['seed', 'step', 'site', 'element'].flatMap((name, place) =>
    [0, 1, 0xfffff000].map((start) => ({ name, place, start })),
  )
  test.each(sequences)('look random as $name counts from $start', ({ place, start }) => {
    const series = words(
      BLOCK,
      ...[0, 1, 2, 3].map((p) => (i: number) => (p === place ? start + i : 5)),
    )
    const centered = Array.from(series, (word) => word / 2 ** 32 - 0.5)
    // Five standard deviations of each statistic.
    const deviation = 5 / Math.sqrt(BLOCK)
    expect(Math.abs(mean(centered))).toBeLessThan(deviation * Math.sqrt(1 / 12))
    expect(Math.abs(mean(centered.map((u) => u * u)) - 1 / 12)).toBeLessThan(
      deviation * Math.sqrt(1 / 180),
    )
    for (const lag of [1, 2, 3, 4, 8, 64, 1024]) {
      const products = centered.slice(lag).map((u, i) => u * centered[i]!)
      expect(Math.abs(mean(products)), `lag ${lag}`).toBeLessThan((deviation / 12) * 1.02)
    }
    for (let bit = 0; bit < 32; bit++) {
      const ones = mean(Array.from(series, (word) => (word >>> bit) & 1))
      expect(Math.abs(ones - 0.5), `bit ${bit}`).toBeLessThan(deviation / 2)
    }
  })

  test('neighbouring seeds, steps and sites are not correlated', () => {
    const series = (seed: number, step: number, site: number) =>
      Array.from(
        words(
          BLOCK,
          () => seed,
          () => step,
          () => site,
          (i) => i,
        ),
        (word) => word / 2 ** 32 - 0.5,
      )
    const base = series(1, 1, 1)
    for (const [seed, step, site] of [
      [2, 1, 1],
      [1, 2, 1],
      [1, 1, 2],
      [2, 2, 1],
      [1, 2, 2],
    ] as const) {
      const other = series(seed, step, site)
      const correlation = 12 * mean(base.map((u, i) => u * other[i]!))
      expect(Math.abs(correlation), `${seed} ${step} ${site}`).toBeLessThan(5 / Math.sqrt(BLOCK))
    }
  })
})

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
