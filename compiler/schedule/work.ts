/** What a kernel has to do, at maximum extents: floating-point operations, and bytes moved. In: equations and kernels. */
import { children, freeIndices } from '../ir/traverse.ts'
import type { Equation, Scalar } from '../ir/types.ts'
import { readsOf } from './dependence.ts'
import type { Kernel, Slot } from './types.ts'

/** Floating-point operations of an equation at maximum extents; every scalar function counts as one. */
export function flopsOf(equation: Equation): number {
  const ops = (e: Scalar): number => {
    const below = children(e).reduce((sum, child) => sum + ops(child), 0)
    switch (e.kind) {
      case 'unary':
      case 'binary':
      case 'select':
        return below + (e.type === 'i32' ? 0 : 1)
      case 'random':
        return 1
      case 'read':
        return 0
      case 'reduce':
        return e.over.reduce((n, i) => n * i.extent.size, 1) * (below + 1)
      default:
        return below
    }
  }
  return (
    equation.outs.reduce((n, i) => n * i.extent.size, 1) *
    (ops(equation.body) + (equation.at ? 1 : 0))
  )
}

/** In memory, at maximum extents. */
export const bytesOfSlot = ({ shape, folded }: Slot): number =>
  shape.reduce((n, size, d) => (folded[d] ? n : n * size), 4)

/**
 * Bytes a kernel moves at maximum extents if each tensor it touches goes through once; in a loop over time once a step,
 * unless it is the step's part of the tensor.
 */
export function bytesOf(kernel: Kernel): number {
  const turns = turnsOf(kernel)
  return kernel.slots.reduce((sum, slot) => sum + bytesOfSlot(slot) * turns(slot.tensor), 0)
}

/** The same if each equation were a kernel of its own, so that all it makes went through memory. `bytes` is of a whole tensor. */
export function bytesUnfused(kernel: Kernel, bytes: (tensor: string) => number): number {
  const turns = turnsOf(kernel)
  return kernel.equations.reduce((sum, e) => {
    const touched = new Set([e.target, ...readsOf(e).map((r) => r.tensor)])
    return [...touched].reduce((n, name) => n + bytes(name.split('@')[0]!) * turns(name), sum)
  }, 0)
}

/** How often a tensor goes through a kernel. */
function turnsOf(kernel: Kernel): (tensor: string) => number {
  const steps = kernel.times.reduce((n, i) => n * i.extent.size, 1)
  const times = new Set(kernel.times.map((i) => i.name))
  const parted = new Set(kernel.equations.map((e) => e.target))
  if (steps > 1) {
    for (const r of kernel.equations.flatMap(readsOf)) {
      if (r.at.some((p) => [...freeIndices(p)].some((i) => times.has(i)))) parted.add(r.tensor)
    }
  }
  return (tensor) => (parted.has(tensor) ? 1 : steps)
}
