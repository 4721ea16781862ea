/**
 * Scalar expressions as JavaScript closures over double-precision buffers, the inner half of the reference evaluator.
 * In: an expression and the memory it reads. Out: a function of no arguments that gives its value for the current
 * index values. f32 is computed in f64, i32 exactly with wrapping, bool is 0 or -1. Plain on purpose: this is what
 * compiled code is compared with.
 */
import { assertNever, InternalError } from '../support/diagnostic.ts'
import { affineOf } from './affine.ts'
import { typeOf } from './build.ts'
import { bool, compileBinary, compileUnary, type Thunk } from './operators.ts'
import { uniform } from './random.ts'
import { truncate } from './special.ts'
import type { Extent, Index, Scalar, Tensor } from './types.ts'

/** What equations run against. Buffers are packed row-major for maximum extents and stay the same arrays. */
export interface Memory {
  readonly tensors: ReadonlyMap<string, Tensor>
  readonly buffers: ReadonlyMap<string, Float64Array>
  /** Actual counts of bounded dims; a dim without one runs at its maximum. */
  readonly counts: Readonly<Record<string, number>>
  readonly seed: Float64Array
  readonly step: Float64Array
  readonly tape: Tape
}

/**
 * Lets a finite difference hold `stopgrad` values still: `record` notes the values of a run in order, `replay` gives
 * them again whatever the operands have become.
 */
export interface Tape {
  mode: 'off' | 'record' | 'replay'
  values: number[]
  next: number
}

/** One equation's frame: the current value of each index in scope. */
export class Frame {
  readonly memory: Memory
  readonly values: Int32Array
  readonly #slots: ReadonlyMap<string, number>

  constructor(memory: Memory, indices: readonly Index[]) {
    this.memory = memory
    this.#slots = new Map(indices.map((i, slot) => [i.name, slot]))
    this.values = new Int32Array(indices.length)
  }

  slot(name: string): number {
    const slot = this.#slots.get(name)
    if (slot === undefined) throw new InternalError(`index ${name} is not in scope`)
    return slot
  }

  buffer(name: string): Float64Array {
    const buffer = this.memory.buffers.get(name)
    if (!buffer) throw new InternalError(`no tensor ${name}`)
    return buffer
  }

  shape(name: string): readonly Extent[] {
    const tensor = this.memory.tensors.get(name)
    if (!tensor) throw new InternalError(`no tensor ${name}`)
    return tensor.shape
  }

  /** How many elements there are now. */
  count(extent: Extent): number {
    if (extent.bound === undefined) return extent.size
    return this.memory.counts[extent.bound] ?? extent.size
  }

  /** Runs `inside` for every point of `over`, in row-major order. */
  loop(over: readonly Index[], inside: () => void): () => void {
    return over.reduceRight((inner, i) => {
      const { values } = this
      const slot = this.slot(i.name)
      const count = this.count(i.extent)
      return () => {
        for (let k = 0; k < count; k++) {
          values[slot] = k
          inner()
        }
      }
    }, inside)
  }
}

/** Elements from one position to the next, per dimension. */
export function stridesOf(shape: readonly Extent[]): number[] {
  const strides = shape.map(() => 1)
  for (let k = shape.length - 2; k >= 0; k--) strides[k] = strides[k + 1]! * shape[k + 1]!.size
  return strides
}

/** The buffer offset of an element. Positions that are not affine are clamped; guarded ones outside give -1. */
export function compileOffset(
  frame: Frame,
  shape: readonly Extent[],
  at: readonly Scalar[],
  guarded: boolean,
): Thunk {
  const strides = stridesOf(shape)
  const affine = at.map(affineOf)
  if (!guarded && affine.every((a) => a !== undefined)) {
    const coefficients = new Float64Array(frame.values.length)
    let start = 0
    affine.forEach((a, k) => {
      start += a.constant * strides[k]!
      for (const [name, c] of a.terms) coefficients[frame.slot(name)]! += c * strides[k]!
    })
    return affineOffset(frame.values, coefficients, start)
  }
  const positions = at.map((p) => compileScalar(frame, p))
  const limits = shape.map((extent) => frame.count(extent) - 1)
  return () => {
    let offset = 0
    for (let k = 0; k < positions.length; k++) {
      let p = positions[k]!()
      const limit = limits[k]!
      if (p < 0 || p > limit) {
        if (guarded) return -1
        p = p < 0 ? 0 : limit
      }
      offset += p * strides[k]!
    }
    return offset
  }
}

function affineOffset(values: Int32Array, coefficients: Float64Array, start: number): Thunk {
  const terms = [...coefficients].flatMap((c, slot) => (c === 0 ? [] : [{ slot, c }]))
  const [first, second] = terms
  if (!first) return () => start
  if (!second) return () => start + first.c * values[first.slot]!
  if (terms.length === 2) {
    return () => start + first.c * values[first.slot]! + second.c * values[second.slot]!
  }
  return () => {
    let offset = start
    for (const { slot, c } of terms) offset += c * values[slot]!
    return offset
  }
}

export function compileScalar(frame: Frame, e: Scalar): Thunk {
  switch (e.kind) {
    case 'const': {
      const value = e.type === 'bool' ? bool(e.value !== 0) : e.value
      return () => value
    }
    case 'index': {
      const { values } = frame
      const slot = frame.slot(e.name)
      return () => values[slot]!
    }
    case 'count': {
      const shapes = [...frame.memory.tensors.values()].flatMap((t) => t.shape)
      const count =
        frame.memory.counts[e.dim] ?? shapes.find((extent) => extent.bound === e.dim)?.size
      if (count === undefined) throw new InternalError(`no count for ${e.dim}`)
      return () => count
    }
    case 'read': {
      const buffer = frame.buffer(e.tensor)
      const offset = compileOffset(frame, frame.shape(e.tensor), e.at, e.guarded)
      if (!e.guarded) return () => buffer[offset()]!
      return () => {
        const k = offset()
        return k < 0 ? 0 : buffer[k]!
      }
    }
    case 'unary':
      return compileUnary(e.op, e.type, compileScalar(frame, e.value))
    case 'binary': {
      const left = compileScalar(frame, e.left)
      return compileBinary(e.op, typeOf(e.left), left, compileScalar(frame, e.right))
    }
    case 'select': {
      const test = compileScalar(frame, e.test)
      const then = compileScalar(frame, e.then)
      const otherwise = compileScalar(frame, e.otherwise)
      const { tape } = frame.memory
      return () => {
        if (tape.mode === 'off') return test() !== 0 ? then() : otherwise()
        // Both, so that the tape's order does not depend on values.
        const chosen = test() !== 0
        const values = [then(), otherwise()] as const
        return chosen ? values[0] : values[1]
      }
    }
    case 'cast': {
      const value = compileScalar(frame, e.value)
      const from = typeOf(e.value)
      if (e.type === from) return value
      if (e.type === 'bool') return () => bool(value() !== 0)
      if (from === 'bool') return () => (value() !== 0 ? 1 : 0)
      return e.type === 'i32' ? () => truncate(value()) : value
    }
    case 'stopgrad':
      return taped(frame.memory.tape, compileScalar(frame, e.value))
    case 'reduce':
      return compileReduce(frame, e)
    case 'random': {
      const { seed, step } = frame.memory
      const element = compileScalar(frame, e.element)
      return () => uniform(seed[0]!, step[0]!, e.site, element())
    }
    default:
      return assertNever(e)
  }
}

function taped(tape: Tape, value: Thunk): Thunk {
  return () => {
    switch (tape.mode) {
      case 'off':
        return value()
      case 'replay':
        return tape.values[tape.next++]!
      case 'record': {
        // A stopgrad inside a stopgrad is not recorded: replay does not get there.
        tape.mode = 'off'
        const result = value()
        tape.mode = 'record'
        tape.values.push(result)
        return result
      }
    }
  }
}

function compileReduce(frame: Frame, e: Extract<Scalar, { kind: 'reduce' }>): Thunk {
  const body = compileScalar(frame, e.body)
  let result = 0
  const run = (start: number, loop: () => void): Thunk => {
    return () => {
      result = start
      loop()
      return result
    }
  }
  const int = e.type === 'i32'
  switch (e.op) {
    case 'sum':
      if (int)
        return run(
          0,
          frame.loop(e.over, () => {
            result = (result + body()) | 0
          }),
        )
      return run(
        0,
        frame.loop(e.over, () => {
          result += body()
        }),
      )
    case 'prod':
      if (int)
        return run(
          1,
          frame.loop(e.over, () => {
            result = Math.imul(result, body())
          }),
        )
      return run(
        1,
        frame.loop(e.over, () => {
          result *= body()
        }),
      )
    case 'max':
    case 'min':
    case 'argmax':
    case 'argmin':
      return compileExtreme(frame, e, body)
    default:
      return assertNever(e.op)
  }
}

/** The position of the first element that none is strictly beyond, and the extreme itself, NaN if any element is. */
function compileExtreme(frame: Frame, e: Extract<Scalar, { kind: 'reduce' }>, body: Thunk): Thunk {
  const greatest = e.op === 'max' || e.op === 'argmax'
  const position = compileOffset(
    frame,
    e.over.map((i) => i.extent),
    e.over.map((i) => ({ kind: 'index', name: i.name })),
    false,
  )
  const worst = greatest ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  const extreme = greatest ? Math.max : Math.min
  let best = worst
  let at = 0
  const wantsPosition = e.op === 'argmax' || e.op === 'argmin'
  const loop = frame.loop(e.over, () => {
    const value = body()
    if (wantsPosition) {
      if (greatest ? value <= best : value >= best) return
      if (Number.isNaN(value)) return
      best = value
      at = position()
    } else {
      best = extreme(best, value)
    }
  })
  return () => {
    best = worst
    at = 0
    loop()
    return wantsPosition ? at : best
  }
}
