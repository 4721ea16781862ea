/**
 * i32 expressions as plain integers: positions in tensors, where nothing varies along the lanes. In: an expression and a
 * context without a varying index. Out: a constant or a local.
 */
import { int as constant, binary as fold } from '../ir/build.ts'
import type { BinaryOp, Scalar } from '../ir/types.ts'
import { InternalError } from '../support/diagnostic.ts'
import { i32, type Module, params, type Ref } from './assembler.ts'
import type { Context } from './context.ts'
import type { Int } from './function.ts'

export function integer(e: Scalar, context: Context): Int {
  const { build, counts } = context.kernel
  const { module } = build
  switch (e.kind) {
    case 'const':
      return e.value
    case 'index': {
      const binding = context.indices.get(e.name)
      if (!binding || binding.varying)
        throw new InternalError(`index ${e.name} is not a scalar here`)
      const { variable, offset } = binding
      if (!variable) return offset
      if (offset === 0) return variable
      return build.value(`${variable.local}+${offset}`, i32, [variable], () =>
        module.i32.add(build.get(variable), module.i32.const(offset)),
      )
    }
    case 'count':
      return counts.get(e.dim)!
    case 'binary': {
      if (e.type !== 'i32') return lane(e, context)
      return integerOf(e.op, integer(e.left, context), integer(e.right, context), context)
    }
    default:
      return lane(e, context)
  }
}

/** The first lane of the vector form. */
function lane(e: Scalar, context: Context): Int {
  const { build } = context.kernel
  const value = context.kernel.vector(e, context)
  return build.value(`lane ${value.local}`, i32, [value], () =>
    build.module.i32x4.extract_lane(build.get(value), 0),
  )
}

export function integerOf(op: BinaryOp, left: Int, right: Int, context: Context): Int {
  const { build } = context.kernel
  const { module } = build
  if (typeof left === 'number' && typeof right === 'number') {
    const folded = fold(op, constant(left), constant(right))
    if (folded.kind === 'const') return folded.value
  }
  const name = (value: Int): string => (typeof value === 'number' ? `=${value}` : `${value.local}`)
  return build.value(`${op} i32 ${name(left)} ${name(right)}`, i32, [left, right], () =>
    scalarBinary(
      op,
      () => build.int(left),
      () => build.int(right),
      module,
    ),
  )
}

function scalarBinary(op: BinaryOp, a: () => Ref, b: () => Ref, module: Module): Ref {
  const { i32: ops } = module
  switch (op) {
    case 'add':
      return ops.add(a(), b())
    case 'sub':
      return ops.sub(a(), b())
    case 'mul':
      return ops.mul(a(), b())
    case 'min':
      return module.select(ops.lt_s(b(), a()), b(), a())
    case 'max':
      return module.select(ops.lt_s(a(), b()), b(), a())
    case 'div':
      return floorDiv(module, a, b)
    case 'mod':
      return module.select(
        ops.eqz(b()),
        ops.const(0),
        ops.sub(a(), ops.mul(floorDiv(module, a, b), b())),
      )
    case 'pow':
      return module.call(powerFunction(module), [a(), b()], i32)
    default:
      throw new InternalError(`no scalar code for ${op}`)
  }
}

/** Rounds down. By zero it is 0: no trap may end a run. */
function floorDiv(module: Module, a: () => Ref, b: () => Ref): Ref {
  const { i32: ops } = module
  const divisor = (): Ref => ops.or(b(), ops.eqz(b()))
  // -2^31 / -1 traps too; -1 divides by negation.
  const quotient = ops.div_s(
    module.select(ops.eq(b(), ops.const(-1)), ops.const(0), a()),
    divisor(),
  )
  const down = ops.and(
    ops.ne(ops.rem_s(a(), divisor()), ops.const(0)),
    ops.lt_s(ops.xor(a(), b()), ops.const(0)),
  )
  const floored = ops.sub(quotient, down)
  return module.select(
    ops.eqz(b()),
    ops.const(0),
    module.select(ops.eq(b(), ops.const(-1)), ops.sub(ops.const(0), a()), floored),
  )
}

const power = 'i32.pow'

/** x^n by squaring, wrapping; a negative exponent gives what integer division of 1 leaves. Made at its first use. */
function powerFunction(module: Module): string {
  if (module.getFunction(power) !== 0) return power
  const { i32: ops, local } = module
  const [x, n, result] = [0, 1, 2]
  const get = (k: number): Ref => local.get(k, i32)
  const odd = (): Ref => ops.and(get(n), ops.const(1))
  const isOne = ops.eq(get(x), ops.const(1))
  const ofMinusOne = module.select(odd(), ops.const(-1), ops.const(1))
  const negative = module.select(
    isOne,
    ops.const(1),
    module.select(ops.eq(get(x), ops.const(-1)), ofMinusOne, ops.const(0)),
  )
  const turn = module.block(null, [
    module.if(odd(), local.set(result, ops.mul(get(result), get(x)))),
    local.set(x, ops.mul(get(x), get(x))),
    local.set(n, ops.shr_u(get(n), ops.const(1))),
    module.br('turn', get(n)),
  ])
  const body = module.block(null, [
    module.if(ops.lt_s(get(n), ops.const(0)), module.return(negative)),
    local.set(result, ops.const(1)),
    module.if(get(n), module.loop('turn', turn)),
    module.return(get(result)),
  ])
  module.addFunction(power, params([i32, i32]), i32, [i32], body)
  return power
}
