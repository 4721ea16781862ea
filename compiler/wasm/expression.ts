/**
 * Scalar expressions as vector code. In: an expression and a context that says what its indices are. Out: a value of
 * four lanes; what does not vary along the lanes has the same value in all of them. Memory is in memory-access.ts,
 * integers for addresses in integer.ts.
 */
import { typeOf } from '../ir/build.ts'
import { transcendental } from '../ir/operators.ts'
import type { BinaryOp, DType, Scalar, UnaryOp } from '../ir/types.ts'
import { assertNever, InternalError } from '../support/diagnostic.ts'
import { type Module, type Ref, relaxedMadd, v128 } from './assembler.ts'
import { type Binding, type Context, inLane, varyingIndex } from './context.ts'
import type { Value } from './function.ts'
import { integer } from './integer.ts'
import { load } from './memory-access.ts'

/** Bits of four equal lanes. */
function splatBytes(value: number, type: DType): Uint8Array {
  const lanes = new ArrayBuffer(16)
  if (type === 'f32') new Float32Array(lanes).fill(value)
  else new Int32Array(lanes).fill(type === 'bool' ? (value !== 0 ? -1 : 0) : value)
  return new Uint8Array(lanes)
}

export function constantVector(context: Context, value: number, type: DType): Value {
  return constantLanes(context, splatBytes(value, type))
}

/** Held in a local from the start of the function. */
function constantLanes({ kernel }: Context, bytes: Uint8Array): Value {
  return kernel.build.value(`c${bytes.join()}`, v128, [], () => kernel.constant(bytes))
}

export function vector(e: Scalar, context: Context): Value {
  const { kernel, reduced } = context
  const { build } = kernel
  const { module } = build
  if (reduced && e === reduced.node) return held(reduced.value, context)
  switch (e.kind) {
    case 'const':
      return constantVector(context, e.value, e.type)
    case 'index':
      return indexVector(context.indices.get(e.name), context, e.name)
    case 'count': {
      const count = kernel.counts.get(e.dim)!
      return build.value(`n${e.dim}`, v128, [count], () => module.i32x4.splat(build.get(count)))
    }
    case 'read': {
      const made = context.made.get(e.tensor)
      return made ? held(made, context) : load(e, context)
    }
    case 'stopgrad':
      return vector(e.value, context)
    case 'unary':
      return unaryVector(e.op, e.type, e.value, context)
    case 'binary':
      return binaryVector(e, context)
    case 'select': {
      const test = vector(e.test, context)
      const then = vector(e.then, context)
      const otherwise = vector(e.otherwise, context)
      return build.value(
        `select ${test.local} ${then.local} ${otherwise.local}`,
        v128,
        [test, then, otherwise],
        () => module.v128.bitselect(build.get(then), build.get(otherwise), build.get(test)),
      )
    }
    case 'cast':
      return castVector(e.type, e.value, context)
    case 'random':
      return randomVector(e.site, e.element, context)
    case 'reduce':
      throw new InternalError('a reduction that is not its nest’s')
    default:
      return assertNever(e)
  }
}

/** What the element made before, or that of the one lane at hand. */
function held(value: Value, { lane, kernel }: Context): Value {
  if (lane === undefined) return value
  const { build } = kernel
  return build.value(`held ${value.local} ${lane}`, v128, [value], () =>
    build.module.i32x4.splat(build.module.i32x4.extract_lane(build.get(value), lane)),
  )
}

function indexVector(binding: Binding | undefined, context: Context, name: string): Value {
  if (!binding) throw new InternalError(`index ${name} is not bound`)
  const { build } = context.kernel
  const { module } = build
  const { variable, offset, varying } = binding
  const start = varying
    ? [offset, offset + 1, offset + 2, offset + 3]
    : [offset, offset, offset, offset]
  const lanes = new Uint8Array(Int32Array.from(start).buffer)
  if (!variable) return constantLanes(context, lanes)
  const steps = constantLanes(context, lanes)
  return build.value(`i${variable.local}+${start.join()}`, v128, [variable], () => {
    const base = module.i32x4.splat(build.get(variable))
    return start.every((x) => x === 0) ? base : module.i32x4.add(base, build.get(steps))
  })
}

function unaryVector(op: UnaryOp, type: DType, operand: Scalar, context: Context): Value {
  const { build, math } = context.kernel
  const { module } = build
  const value = vector(operand, context)
  const make = (): Ref => {
    const x = build.get(value)
    const lanes = type === 'f32' ? module.f32x4 : module.i32x4
    switch (op) {
      case 'neg':
        return lanes.neg(x)
      case 'abs':
        return lanes.abs(x)
      case 'sqrt':
        return module.f32x4.sqrt(x)
      case 'floor':
        return type === 'f32' ? module.f32x4.floor(x) : x
      case 'ceil':
        return type === 'f32' ? module.f32x4.ceil(x) : x
      case 'not':
        return module.v128.not(x)
      case 'sign':
        return signVector(context, type, () => build.get(value))
      default:
        if (!transcendental.has(op)) throw new InternalError(`no code for ${op}`)
        return module.call(math(op), [x], v128)
    }
  }
  return build.value(`${op} ${type} ${value.local}`, v128, [value], make)
}

/** 1, -1, or the zero (or NaN) itself. */
function signVector(context: Context, type: DType, x: () => Ref): Ref {
  const { build } = context.kernel
  const { module } = build
  const zero = module.v128.const(new Uint8Array(16))
  if (type === 'i32') {
    // (0 > x) is -1 where x is negative; (x > 0) is -1 where positive.
    return module.i32x4.sub(
      module.i32x4.lt_s(x(), zero),
      module.i32x4.gt_s(x(), module.v128.const(new Uint8Array(16))),
    )
  }
  const one = build.get(constantVector(context, 1, 'f32'))
  const signBit = build.get(constantVector(context, -0, 'f32'))
  const magnitude = module.v128.and(
    one,
    module.v128.or(
      module.f32x4.lt(x(), zero),
      module.f32x4.gt(x(), module.v128.const(new Uint8Array(16))),
    ),
  )
  const signed = module.v128.or(magnitude, module.v128.and(x(), signBit))
  return module.v128.bitselect(signed, x(), module.f32x4.eq(x(), x()))
}

type Binary = Extract<Scalar, { kind: 'binary' }>

function binaryVector(e: Binary, context: Context): Value {
  const { build, target } = context.kernel
  const { module } = build
  const operands = typeOf(e.left)
  if (operands === 'i32' && (e.op === 'div' || e.op === 'mod' || e.op === 'pow')) {
    return integerLanes(e, context)
  }
  if (target === 'relaxed' && operands === 'f32' && e.op === 'add') {
    const fused = fusedVector(e, context)
    if (fused) return fused
  }
  const left = vector(e.left, context)
  const right = vector(e.right, context)
  const key = `${e.op} ${operands} ${left.local} ${right.local}`
  return build.value(key, v128, [left, right], () =>
    operands === 'f32'
      ? floatBinary(e.op, left, right, context)
      : integerBinary(e.op, build.get(left), build.get(right), module),
  )
}

function floatBinary(op: BinaryOp, left: Value, right: Value, context: Context): Ref {
  const { build, math } = context.kernel
  const { module } = build
  const a = build.get(left)
  const b = build.get(right)
  switch (op) {
    case 'add':
      return module.f32x4.add(a, b)
    case 'sub':
      return module.f32x4.sub(a, b)
    case 'mul':
      return module.f32x4.mul(a, b)
    case 'div':
      return module.f32x4.div(a, b)
    case 'mod':
      return module.f32x4.sub(
        a,
        module.f32x4.mul(
          module.f32x4.floor(module.f32x4.div(build.get(left), build.get(right))),
          b,
        ),
      )
    case 'pow':
      return module.call(math('pow'), [a, b], v128)
    case 'min':
      return module.f32x4.pmin(a, b)
    case 'max':
      return module.f32x4.pmax(a, b)
    case 'lt':
      return module.f32x4.lt(a, b)
    case 'le':
      return module.f32x4.le(a, b)
    case 'gt':
      return module.f32x4.gt(a, b)
    case 'ge':
      return module.f32x4.ge(a, b)
    case 'eq':
      return module.f32x4.eq(a, b)
    case 'ne':
      return module.f32x4.ne(a, b)
    case 'and':
    case 'or':
      throw new InternalError(`${op} of numbers`)
    default:
      return assertNever(op)
  }
}

function integerBinary(op: BinaryOp, a: Ref, b: Ref, module: Module): Ref {
  switch (op) {
    case 'add':
      return module.i32x4.add(a, b)
    case 'sub':
      return module.i32x4.sub(a, b)
    case 'mul':
      return module.i32x4.mul(a, b)
    case 'min':
      return module.i32x4.min_s(a, b)
    case 'max':
      return module.i32x4.max_s(a, b)
    case 'lt':
      return module.i32x4.lt_s(a, b)
    case 'le':
      return module.i32x4.le_s(a, b)
    case 'gt':
      return module.i32x4.gt_s(a, b)
    case 'ge':
      return module.i32x4.ge_s(a, b)
    case 'eq':
      return module.i32x4.eq(a, b)
    case 'ne':
      return module.i32x4.ne(a, b)
    case 'and':
      return module.v128.and(a, b)
    case 'or':
      return module.v128.or(a, b)
    default:
      throw new InternalError(`no code for ${op} of integers`)
  }
}

/** a * b + c as one multiply-add. */
function fusedVector(e: Binary, context: Context): Value | undefined {
  const product = [e.left, e.right].find(
    (side): side is Binary => side.kind === 'binary' && side.op === 'mul',
  )
  if (!product || product === context.reduced?.node) return undefined
  const addend = product === e.left ? e.right : e.left
  const { build } = context.kernel
  const a = vector(product.left, context)
  const b = vector(product.right, context)
  const c = vector(addend, context)
  return build.value(`madd ${a.local} ${b.local} ${c.local}`, v128, [a, b, c], () =>
    relaxedMadd(build.module, build.get(a), build.get(b), build.get(c)),
  )
}

function castVector(type: DType, operand: Scalar, context: Context): Value {
  const { build } = context.kernel
  const { module } = build
  const from = typeOf(operand)
  const value = vector(operand, context)
  return build.value(`cast ${from} ${type} ${value.local}`, v128, [value], () => {
    const x = build.get(value)
    if (type === 'bool') {
      const zero = module.v128.const(new Uint8Array(16))
      return from === 'f32' ? module.f32x4.ne(x, zero) : module.i32x4.ne(x, zero)
    }
    if (from === 'bool') return module.v128.and(x, build.get(constantVector(context, 1, type)))
    return type === 'f32' ? module.f32x4.convert_i32x4_s(x) : module.i32x4.trunc_sat_f32x4_s(x)
  })
}

function randomVector(site: number, element: Scalar, context: Context): Value {
  const { build, math, slots, sites, stream } = context.kernel
  const { module } = build
  const cells = [stream.seed, stream.step].map((name) => {
    const { address } = slots.get(name)!
    return build.value(`cell ${name}`, v128, [address], () =>
      module.v128.load32_splat(0, 4, build.get(address)),
    )
  })
  const number = sites.get(site)!
  const at = build.value(`site ${site}`, v128, [number], () =>
    module.i32x4.splat(build.get(number)),
  )
  const position = vector(element, context)
  return build.value(`random ${site} ${position.local}`, v128, [...cells, at, position], () =>
    module.call(
      math('uniform'),
      [...cells, at, position].map((v) => build.get(v)),
      v128,
    ),
  )
}

/** Integer operations that have no vector form, lane by lane. */
function integerLanes(e: Scalar, context: Context): Value {
  const { build } = context.kernel
  const { module } = build
  const lanes = varyingIndex(context) === undefined ? 1 : context.width
  const values = Array.from({ length: lanes }, (_, lane) =>
    integer(
      e,
      lanes === 1 && varyingIndex(context) === undefined ? context : inLane(context, lane),
    ),
  )
  const key = `lanes ${values.map((v) => (typeof v === 'number' ? `=${v}` : v.local)).join()}`
  return build.value(key, v128, values, () => {
    let result = module.i32x4.splat(build.int(values[0]!))
    for (let lane = 1; lane < lanes; lane++) {
      result = module.i32x4.replace_lane(result, lane, build.int(values[lane]!))
    }
    return result
  })
}
