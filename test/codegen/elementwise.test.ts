/**
 * One element at a time: every scalar operator at every size, broadcasts, casts, positions as values, integers and
 * booleans; and random numbers, which are equal bit for bit to their definition.
 *
 * Tolerance: 1 unit for what IEEE rounds once, 2 ULP (4 units of 2⁻²⁴) for the scalar functions, 4 ULP for `pow`.
 * Integers and booleans are exact.
 */
import { describe, expect, test } from 'vitest'
import { run } from '../../compiler/ir/evaluate.ts'
import { uniform } from '../../compiler/ir/random.ts'
import { builds, Instance, type Tolerance } from './module.ts'
import { forward, type Small, sizes, valuesOf } from './pattern.ts'

const prime = 1009
const exact: Tolerance = { ulps: 0, scale: 'tensor' }

function check(
  small: Small,
  tolerance: Tolerance,
  name: string,
  span?: readonly [number, number],
): void {
  const program = forward(small)
  for (const build of builds.slice(0, 2)) {
    const instance = new Instance(program, build, name)
    const { inputs } = valuesOf(program, 'p', 21, span)
    instance.compare('p', inputs, {}, tolerance)
  }
}

/** `x`, `y` are f32, `k`, `j` i32, `t`, `u` bool, all of one size. Every operator stands in one of these lists. */
const onceRounded = {
  neg: '-x[i]',
  abs: 'abs(x[i])',
  sign: 'sign(x[i])',
  sqrt: 'sqrt(abs(x[i]))',
  floor: 'floor(x[i] * 4.0)',
  ceil: 'ceil(x[i] * 4.0)',
  add: 'x[i] + y[i]',
  sub: 'x[i] - y[i]',
  mul: 'x[i] * y[i]',
  div: 'x[i] / y[i]',
  min: 'min(x[i], y[i])',
  max: 'max(x[i], y[i])',
  where: 'where(x[i] < y[i], x[i], y[i])',
  'of int': 'f32(k[i])',
  'of bool': 'f32(t[i])',
  'of position': 'f32(i)',
  constant: '0.1f',
  stopgrad: 'stopgrad(x[i])',
}
const functions = {
  exp: 'exp(x[i])',
  log: 'log(abs(x[i]))',
  tanh: 'tanh(x[i])',
  sigmoid: 'sigmoid(x[i])',
  erf: 'erf(x[i])',
  sin: 'sin(x[i])',
  cos: 'cos(x[i])',
}
const integers = {
  neg: '-k[i]',
  abs: 'abs(k[i])',
  sign: 'sign(k[i])',
  add: 'k[i] + j[i]',
  sub: 'k[i] - j[i]',
  mul: 'k[i] * j[i]',
  div: 'k[i] / j[i]',
  mod: 'k[i] % j[i]',
  min: 'min(k[i], j[i])',
  max: 'max(k[i], j[i])',
  pow: 'pow(k[i], j[i])',
  where: 'where(k[i] > j[i], k[i], 7)',
  'of float': 'i32(x[i] * 100.0)',
  'of bool': 'i32(t[i])',
  position: 'i * 3 - 5',
  'of position': 'k[i] % 4 + i / 3',
  wrapping: 'k[i] * 1000000007 + j[i] * 2000000011',
}
const booleans = {
  lt: 'x[i] < y[i]',
  le: 'x[i] <= y[i]',
  gt: 'x[i] > y[i]',
  ge: 'x[i] >= y[i]',
  eq: 'x[i] == y[i]',
  ne: 'x[i] != y[i]',
  'int lt': 'k[i] < j[i]',
  'int le': 'k[i] <= j[i]',
  'int gt': 'k[i] > j[i]',
  'int ge': 'k[i] >= j[i]',
  'int eq': 'k[i] == j[i]',
  'int ne': 'k[i] != j[i]',
  and: 't[i] and u[i]',
  or: 't[i] or u[i]',
  not: 'not(t[i])',
  'of float': 'bool(x[i])',
  'of int': 'bool(k[i])',
  where: 'where(t[i], u[i], x[i] > 0.0)',
}

const inputsOf = (n: number): Record<string, string> => ({
  x: `f32[${n}]`,
  y: `f32[${n}]`,
  k: `i32[${n}]`,
  j: `i32[${n}]`,
  t: `bool[${n}]`,
  u: `bool[${n}]`,
})

function all(bodies: Readonly<Record<string, string>>, type: string, n: number): Small {
  const equations = Object.values(bodies).map((body, e) => `${type} z${e}[i: ${n}] = ${body}`)
  return { inputs: inputsOf(n), equations }
}

describe.each([...sizes, prime])('size %i', (n) => {
  test('operators that round once', () => {
    check(all(onceRounded, 'f32', n), { ulps: 1, scale: 'tensor' }, 'once rounded')
  })
  test('scalar functions', () => {
    check(all(functions, 'f32', n), { ulps: 4, scale: 'tensor' }, 'functions')
    check(all(functions, 'f32', n), { ulps: 4, scale: 'tensor' }, 'functions, wide', [-9, 9])
    const pow: Small = { inputs: inputsOf(n), equations: [`z[i: ${n}] = pow(abs(x[i]), y[i])`] }
    check(pow, { ulps: 8, scale: 'tensor' }, 'pow', [0.1, 3])
    const mod: Small = { inputs: inputsOf(n), equations: [`z[i: ${n}] = x[i] % y[i]`] }
    check(mod, { ulps: 2, scale: 'tensor' }, 'mod', [0.5, 9])
  })
  test('integers', () => check(all(integers, 'i32', n), exact, 'integers'))
  test('booleans', () => check(all(booleans, 'bool', n), exact, 'booleans'))
})

test.each([...sizes, 257])('broadcasts and permutations at size %i', (n) => {
  const small: Small = {
    inputs: {
      x: `f32[3, ${n}]`,
      row: `f32[${n}]`,
      column: 'f32[3]',
      one: 'f32[]',
      t: `f32[${n}, 3]`,
    },
    equations: [
      `a[i: 3, j: ${n}] = x[i, j] + row[j]`,
      `b[i: 3, j: ${n}] = x[i, j] * column[i]`,
      `c[i: 3, j: ${n}] = x[i, j] - one[]`,
      `d[i: 3, j: ${n}] = t[j, i]`,
      `e[j: ${n}, i: 3] = x[i, j] * t[j, i]`,
      `f[j: ${n}, k: 2, i: 3] = x[i, j] + row[j]`,
      `g[i: 3, j: ${n}] = x[2 - i, ${n - 1} - j]`,
      `h[i: 2, j: ${n}] = x[i + 1, j]`,
      `diagonal[i: ${Math.min(3, n)}] = x[i, i]`,
    ],
  }
  check(small, { ulps: 1, scale: 'tensor' }, 'broadcasts')
})

test('special values go through', () => {
  const { POSITIVE_INFINITY: up, NaN: nan } = Number
  const x = [0, -0, 1, -1, up, -up, nan, 1e-45, -1e-45, 3.4e38, 1e-38]
  const y = [0, 1, up, -up, up, up, 1, 1e-45, 0, -3.4e38, nan]
  const n = x.length
  const { constant: _, floor: __, ceil: ___, ...operators } = onceRounded
  const bodies = { ...operators, whole: 'floor(x[i])', up: 'ceil(x[i])' }
  const program = forward({ ...all(bodies, 'f32', n) })
  const truth = forward(all(booleans, 'bool', n))
  const cast = forward({ inputs: inputsOf(n), equations: [`i32 z[i: ${n}] = i32(x[i])`] })
  const zeros = new Array<number>(n).fill(0)
  for (const build of builds.slice(0, 2)) {
    const inputs = {
      x: x.map(Math.fround),
      y: y.map(Math.fround),
      k: zeros,
      j: zeros,
      t: zeros,
      u: zeros,
    }
    const tolerance: Tolerance = { ulps: 0, scale: 'tensor' }
    new Instance(truth, build).compare('p', inputs, {}, tolerance)
    new Instance(cast, build).compare('p', inputs, {}, tolerance)
    // Sums of the largest number with a subnormal one round in f32 and not in f64.
    new Instance(program, build).compare('p', inputs, {}, { ulps: 1, scale: 'tensor' })
  }
})

test('integers at their limits', () => {
  const lowest = -(2 ** 31)
  const k = [lowest, lowest, 2 ** 31 - 1, 5, -5, 5, -5, 0, lowest]
  const j = [-1, 0, -1, 0, 3, -3, -3, -7, lowest]
  const n = k.length
  const { 'of float': _, pow: __, ...bodies } = integers
  const program = forward(all(bodies, 'i32', n))
  const zeros = new Array<number>(n).fill(0)
  for (const build of builds.slice(0, 2)) {
    const inputs = { x: zeros, y: zeros, k, j, t: zeros, u: zeros }
    new Instance(program, build).compare('p', inputs, {}, exact)
  }
})

describe('random numbers', () => {
  test.each([...sizes, prime])('are those of the definition, bit for bit, at size %i', (n) => {
    const program = forward({
      inputs: { k: `i32[${n}]` },
      equations: [
        `a[i: ${n}] = random#0(i)`,
        `b[i: ${n}, j: 3] = random#7(i * 3 + j)`,
        `c[i: ${n}] = random#7(k[i])`,
        `d[j: 3, i: ${n}] = random#123456(i * 3 + j)`,
        `e[] = random#9(0)`,
      ],
    })
    for (const build of builds) {
      const instance = new Instance(program, build)
      for (const seed of [0, 1, -1, 0x7fffffff]) {
        instance.init(seed)
        const { inputs } = valuesOf(program, 'p', seed)
        instance.compare('p', inputs, {}, exact)
        const a = instance.view(instance.manifest.entries[0]!.outputs[0]!)
        expect(a[n - 1]).toBe(uniform(seed, 0, 0, n - 1))
      }
    }
  })
  test('move on with the step, and stand still in an evaluation', () => {
    const program = forward({ inputs: {}, equations: ['a[i: 9] = random#3(i)'] })
    const instance = new Instance(program, builds[0]!)
    instance.init(42)
    const step = program.tensors.find((t) => t.role === 'step')!.name
    for (const at of [1, 2, 1000]) {
      instance.view(instance.manifest.step)[0] = at
      instance.state.tensors.get(step)![0] = at
      instance.compare('p', {}, {}, exact)
      expect(run(program, 'p', instance.state).outputs.a![4]).toBe(uniform(42, at, 3, 4))
    }
  })
})
