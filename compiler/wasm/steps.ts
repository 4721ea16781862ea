/** What an entry does, in order: calls of kernels and what stands between them. In: a scheduled entry. Out: its steps. */
import type { Index } from '../ir/types.ts'
import { kernelsOf, type ScheduledEntry, type ScheduledStep } from '../schedule/kernels.ts'
import type { Kernel, Slot } from '../schedule/types.ts'

export type Action =
  | { readonly kind: 'kernel'; readonly kernel: Kernel }
  /** Sets to zeros what the kernel adds to. */
  | { readonly kind: 'zero'; readonly kernel: Kernel; readonly slot: Slot }
  /** An update that could not be written in place. */
  | { readonly kind: 'copy'; readonly target: string; readonly value: string }
  /** Ends the entry where its loss is not finite, before anything is updated. */
  | { readonly kind: 'check'; readonly loss: string }

export type Step =
  | Action
  | {
      readonly kind: 'loop'
      readonly time: Index
      readonly down: boolean
      readonly steps: readonly Step[]
    }

export function stepsOf({ entry, stages }: ScheduledEntry): Step[] {
  return stages.flatMap((stage) => [
    ...stage.steps.flatMap((step): Step[] => {
      const equations = step.kind === 'kernel' ? step.kernel.equations : []
      const makesLoss = equations.some((e) => e.target === stage.loss)
      return [
        ...kernelsOf(step).flatMap((kernel) => zeroed(kernel, false)),
        ...inside(step),
        ...(entry.kind === 'train' && stage.loss !== undefined && makesLoss
          ? [{ kind: 'check' as const, loss: stage.loss }]
          : []),
      ]
    }),
    ...stage.updates
      .filter((u) => !u.inPlace)
      .map(({ target, value }): Step => ({ kind: 'copy', target, value })),
  ])
}

function inside(step: ScheduledStep): Step[] {
  if (step.kind === 'kernel') return [...zeroed(step.kernel, true), step]
  const { time, down } = step
  return [{ kind: 'loop', time, down, steps: step.steps.flatMap(inside) }]
}

/** What is added to starts as zeros: once before all loops, and where a loop keeps one step, in each (`folded`). */
function zeroed(kernel: Kernel, folded: boolean): Step[] {
  return kernel.zeroed.flatMap((name): Step[] => {
    const slot = kernel.slots.find((s) => s.tensor === name)!
    return slot.folded.includes(true) === folded ? [{ kind: 'zero', kernel, slot }] : []
  })
}

/** How deep loops are nested. */
export function depthOf(steps: readonly Step[]): number {
  return Math.max(0, ...steps.map((s) => (s.kind === 'loop' ? 1 + depthOf(s.steps) : 0)))
}
