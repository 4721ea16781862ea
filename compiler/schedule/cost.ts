/**
 * How long a kernel is expected to take on one thread, in nanoseconds. In: the kernel. Out: a rough figure, within a factor of
 * three of what machines of today do, for deciding what is worth splitting among threads; nothing else may depend on it.
 */
import { children } from '../ir/traverse.ts'
import type { Equation, Scalar } from '../ir/types.ts'
import type { Kernel } from './types.ts'
import { bytesOf } from './work.ts'

/** Operations a nanosecond of vector code on one core: less than half the peak of multiplying and adding. */
const rate = 16
/** Bytes a nanosecond from the caches further out. */
const bandwidth = 10
/** Of a call, in nanoseconds. */
const call = 20

/** What a scalar function or a random number takes, in operations: measured, see compiler/README.md. */
const functions: Readonly<Record<string, number>> = {
  exp: 16,
  log: 24,
  tanh: 24,
  sigmoid: 24,
  erf: 32,
  sin: 40,
  cos: 40,
  sqrt: 4,
}

/** Of all runs of the kernel in one call of its entry, at maximum extents. */
export function costOf(kernel: Kernel): number {
  const operations = kernel.equations.reduce((sum, e) => sum + operationsOf(e), 0)
  const runs = kernel.times.reduce((n, i) => n * i.extent.size, 1)
  return Math.max(operations / rate, bytesOf(kernel) / bandwidth) + call * runs
}

function operationsOf(equation: Equation): number {
  const count = (e: Scalar): number => {
    const below = children(e).reduce((sum, child) => sum + count(child), 0)
    switch (e.kind) {
      case 'reduce':
        return e.over.reduce((n, i) => n * i.extent.size, 1) * (below + 1)
      case 'unary':
        return below + (functions[e.op] ?? 1)
      case 'binary':
        return below + (e.op === 'pow' ? 60 : e.op === 'div' || e.op === 'mod' ? 3 : 1)
      case 'random':
        return below + 60
      case 'select':
        return below + 1
      default:
        return below
    }
  }
  const points = equation.outs.reduce((n, i) => n * i.extent.size, 1)
  // A scatter goes lane by lane.
  return points * (count(equation.body) + (equation.at ? 8 : 0))
}
