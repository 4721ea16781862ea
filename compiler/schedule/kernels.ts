/**
 * From stages to kernels. In: a canonical entry and the shapes of its tensors. Out: per stage the kernels in order and the
 * loops around them, each kernel with the tensors it touches as slots, and which updates are written in place.
 */
import { affineOf, extentsIn } from '../ir/affine.ts'
import { visit } from '../ir/traverse.ts'
import type { Entry, Index, Scalar, Stage, Stream, Tensor } from '../ir/types.ts'
import { cacheBytes } from './block.ts'
import { readsOf } from './dependence.ts'
import { foldedRows, foldedTimes } from './fold.ts'
import { type Group, type Grouped, type GroupOptions, groupEquations } from './group.ts'
import { type Alias, equationsOf, type Segment, segmentsOf } from './segments.ts'
import { shareOf } from './share.ts'
import { type TileOptions, tile } from './tile.ts'
import { trianglesOf } from './triangle.ts'
import type { Kernel, Nest, Slot } from './types.ts'

export interface ScheduledLoop {
  readonly kind: 'loop'
  readonly time: Index
  readonly down: boolean
  readonly steps: readonly ScheduledStep[]
}

export type ScheduledStep = { readonly kind: 'kernel'; readonly kernel: Kernel } | ScheduledLoop

export interface ScheduledStage {
  readonly steps: readonly ScheduledStep[]
  readonly updates: readonly {
    readonly target: string
    readonly value: string
    readonly inPlace: boolean
  }[]
  /** The rank-0 tensor whose value must be finite for training to go on. */
  readonly loss: string | undefined
}

export interface ScheduledEntry {
  readonly entry: Entry
  readonly stages: readonly ScheduledStage[]
  /** Every temp that is in memory. */
  readonly stored: ReadonlySet<string>
  /** Names for other times of a tensor, which are in the same place. */
  readonly aliases: ReadonlyMap<string, Alias>
  /** Dimensions of time that a tensor does not keep in memory. */
  readonly folded: ReadonlyMap<string, ReadonlySet<number>>
}

interface Surroundings {
  readonly tensorOf: (name: string) => Tensor
  readonly foldedOf: (name: string) => ReadonlySet<number>
  readonly stream: Stream
  readonly threads: boolean
}

/** Seed and step cells, which random numbers read without an equation saying so. */
const programStream: Stream = { seed: 'seed', step: 'step' }

type GroupedSegment =
  | { readonly kind: 'straight'; readonly grouped: Grouped }
  | {
      readonly kind: 'loop'
      readonly time: Index
      readonly down: boolean
      readonly inside: readonly GroupedSegment[]
    }

export interface ScheduleOptions {
  /** False gives every equation a kernel of its own and packs nothing: for tests and for finding a fault. */
  readonly fuse: boolean
  /** Bytes that operands may have before a sum runs in blocks: tests set it so that small sums do. */
  readonly cache?: number
  /** For a module that several threads run. */
  readonly threads?: boolean
}

export function scheduleEntry(
  entry: Entry,
  tensors: ReadonlyMap<string, Tensor>,
  { fuse, cache = cacheBytes, threads = false }: ScheduleOptions,
): ScheduledEntry {
  const aliases = new Map<string, Alias>()
  const base = (name: string): string => aliases.get(name)?.tensor ?? name
  const tensorOf = (name: string): Tensor => tensors.get(base(name))!
  const shapeOf = (name: string): readonly number[] => tensorOf(name).shape.map((x) => x.size)
  const segmented = entry.stages.map((stage) => {
    const { segments, aliases: own } = segmentsOf(stage.equations)
    for (const [name, alias] of own) aliases.set(name, alias)
    return segments
  })
  const grouped = entry.stages.map((stage, s) => {
    const loss = entry.kind === 'train' ? lossOf(entry, stage) : undefined
    const own = keptValues(entry, s)
    const { updates } = stage
    return groupSegments(segmented[s]!, { fuse, cache, shapeOf, updates, loss, kept: own })
  })
  const groups = grouped.flatMap(groupsOf)
  const parts = groups.flatMap((g) => g.parts)

  // A temp is in memory when somebody outside its own loop group needs it.
  const home = new Map<string, object>()
  for (const part of parts) for (const e of part.equations) home.set(e.target, part)
  const kept = new Set<string>(entry.outputs.map((o) => o.tensor))
  for (const stage of entry.stages) {
    for (const { value } of stage.updates) kept.add(value)
    if (stage.objective) kept.add(stage.objective.loss)
  }
  const folded = new Map(foldedTimes(segmented, aliases, kept))
  const rows = threads ? new Map<string, number>() : foldedRows(groups, aliases, kept)
  for (const [name, dimension] of rows) {
    folded.set(name, new Set([...(folded.get(name) ?? []), dimension]))
  }
  const stored = new Set(kept)
  for (const part of parts) {
    for (const e of part.equations) {
      for (const r of readsOf(e)) if (home.get(r.tensor) !== part) stored.add(base(r.tensor))
    }
  }

  const none: ReadonlySet<number> = new Set()
  const foldedOf = (name: string): ReadonlySet<number> => folded.get(base(name)) ?? none
  const stream = entry.stream ?? programStream
  const triangles = trianglesOf(entry.stages.flatMap((stage) => stage.equations))
  const stages = entry.stages.map((stage, s): ScheduledStage => {
    const inPlace = new Map(grouped[s]!.flatMap(inPlaceOf))
    const over = new Set(inPlace.values())
    const states = new Set(
      stage.updates.filter((u) => tensorOf(u.target).role === 'state').map((u) => u.value),
    )
    const options: TileOptions = {
      shapeOf,
      cache,
      isStored: (name) => stored.has(name),
      isInPlace: (name) => over.has(name),
      isState: (name) => states.has(name),
      triangleOf: (name) => triangles.get(name),
    }
    const build = (all: readonly GroupedSegment[], times: readonly Index[]): ScheduledStep[] =>
      all.flatMap((segment): ScheduledStep[] => {
        if (segment.kind === 'loop') {
          const { time, down, inside } = segment
          return [{ kind: 'loop', time, down, steps: build(inside, [...times, time]) }]
        }
        return segment.grouped.groups.map((group) => ({
          kind: 'kernel',
          kernel: kernelOf(group, times, { tensorOf, foldedOf, stream, threads }, options),
        }))
      })
    return {
      steps: build(grouped[s]!, []),
      updates: stage.updates.map((u) => ({ ...u, inPlace: inPlace.get(u.target) === u.value })),
      loss: lossOf(entry, stage),
    }
  })
  return { entry, stages, stored, aliases, folded }
}

function groupSegments(
  segments: readonly Segment[],
  options: Omit<GroupOptions, 'later' | 'times'>,
  times: ReadonlySet<string> = new Set(),
): GroupedSegment[] {
  return segments.map((segment, k) => {
    if (segment.kind === 'loop') {
      const { time, down } = segment
      // Inside a loop nothing is written in place: the next step reads it again.
      const within = { ...options, updates: [] }
      const inside = groupSegments(segment.segments, within, new Set([...times, time.name]))
      return { kind: 'loop', time, down, inside }
    }
    const after = equationsOf(segments.slice(k + 1))
    const later = new Set(after.flatMap((e) => readsOf(e).map((r) => r.tensor)))
    // Before the loss is known nothing is written in place either.
    const updates = after.some((e) => e.target === options.loss) ? [] : options.updates
    const grouped = groupEquations(segment.equations, { ...options, updates, later, times })
    return { kind: 'straight', grouped }
  })
}

const groupsOf = (segments: readonly GroupedSegment[]): Group[] =>
  segments.flatMap((s) => (s.kind === 'loop' ? groupsOf(s.inside) : s.grouped.groups))

const inPlaceOf = (segment: GroupedSegment): [string, string][] =>
  segment.kind === 'loop' ? [] : [...segment.grouped.inPlace]

/** All kernels of an entry in the order of the code, each with its number; those of one loop share theirs. */
export function numbered(
  scheduled: ScheduledEntry,
): { readonly kernel: Kernel; readonly number: number }[] {
  let number = -1
  return scheduled.stages.flatMap((stage) =>
    stage.steps.flatMap((step) => {
      number++
      return kernelsOf(step).map((kernel) => ({ kernel, number }))
    }),
  )
}

export function kernelsOf(step: ScheduledStep): readonly Kernel[] {
  return step.kind === 'kernel' ? [step.kernel] : step.steps.flatMap(kernelsOf)
}

/**
 * Values of a stage's updates that may not lie where the persistent tensor does: a later stage reads them, or changes
 * the tensor while they are still wanted, or random numbers read the tensor without an equation saying so.
 */
function keptValues(entry: Entry, at: number): Set<string> {
  const later = entry.stages.slice(at + 1)
  const read = new Set<string>(later.length > 0 ? entry.outputs.map((o) => o.tensor) : [])
  for (const e of later.flatMap((s) => s.equations)) for (const r of readsOf(e)) read.add(r.tensor)
  const { seed, step } = entry.stream ?? programStream
  const kept = entry.stages[at]!.updates.filter(
    ({ target, value }) => target === seed || target === step || read.has(value),
  )
  return new Set(kept.map((u) => u.value))
}

/** The output `loss`, `loss_2`, … that the stage computes. */
function lossOf(entry: Entry, stage: Stage): string | undefined {
  const made = new Set(stage.equations.map((e) => e.target))
  return entry.outputs.find((o) => /^loss(_\d+)?$/.test(o.name) && made.has(o.tensor))?.tensor
}

function kernelOf(
  group: Group,
  times: readonly Index[],
  { tensorOf, foldedOf, stream, threads }: Surroundings,
  options: TileOptions,
): Kernel {
  const fixed = new Set([...times, ...(group.row ? [group.row] : [])].map((i) => i.name))
  const nests = group.parts.map((part) => tile(part.equations, fixed, options))
  const nest: Nest = group.row ? { kind: 'rows', row: group.row, nests } : nests[0]!
  const equations = group.parts.flatMap((part) => part.equations)

  const slots = new Map<string, Slot>()
  const counts = new Set<string>()
  const sites = new Set<number>()
  const touch = (name: string): void => {
    if (slots.has(name)) return
    const tensor = tensorOf(name)
    slots.set(name, {
      tensor: name,
      dtype: tensor.dtype,
      shape: options.shapeOf(name),
      folded: tensor.shape.map((_, d) => foldedOf(name).has(d)),
      bounds: tensor.shape.map((x) => x.bound),
    })
  }
  /** Guards and clamps of positions in a bounded dimension ask for its count. */
  const count = (name: string, at: readonly Scalar[], guarded: boolean): void => {
    slots.get(name)!.bounds.forEach((bound, d) => {
      if (bound && (guarded || !affineOf(at[d]!))) counts.add(bound)
    })
  }
  for (const part of group.parts) {
    const local = new Set(part.equations.map((e) => e.target))
    for (const e of part.equations) {
      for (const scalar of [e.body, ...(e.at ?? [])]) {
        visit(scalar, (node) => {
          if (node.kind === 'read' && !local.has(node.tensor)) {
            touch(node.tensor)
            count(node.tensor, node.at, node.guarded)
          }
          if (node.kind === 'random') {
            sites.add(node.site)
            for (const cell of [stream.seed, stream.step]) touch(cell)
          }
          if (node.kind === 'count') counts.add(node.dim)
        })
      }
      for (const extent of extentsIn(e).values()) if (extent.bound) counts.add(extent.bound)
      if (e.at || options.isStored(e.target)) touch(e.target)
      if (e.at) count(e.target, e.at, false)
    }
  }
  const share = threads ? shareOf(nest) : undefined
  return {
    name: equations[0]!.target,
    slots: [...slots.values()],
    counts: [...counts].sort(),
    sites: [...sites],
    times,
    range: threads ? share?.index : rangeIndex(nest),
    share,
    nest,
    equations,
    zeroed: equations.filter((e) => e.at || inBlocks(nest)).map((e) => e.target),
    stream,
  }
}

const inBlocks = (nest: Nest): boolean => nest.kind === 'loops' && nest.blocks !== undefined

/** The outermost loop can be split unless it runs along lanes or there is none. */
function rangeIndex(nest: Nest): Index | undefined {
  if (nest.kind === 'rows') return nest.row
  if (nest.values.some((v) => v.at)) return undefined
  return nest.loops[0] ?? nest.rows
}

/**
 * A text that is the same for kernels that run the same code: tensors become slot numbers, indices are numbered in
 * order of appearance, so are the sites of random numbers, names of dims are dropped.
 */
export function kernelKey(kernel: Kernel): string {
  const known = keys.get(kernel)
  if (known !== undefined) return known
  const key = keyOf(kernel)
  keys.set(kernel, key)
  return key
}

/** Both builds ask for the keys of the same kernels. */
const keys = new WeakMap<Kernel, string>()

function keyOf(kernel: Kernel): string {
  const slot = new Map(kernel.slots.map((s, k) => [s.tensor, `#${k}`]))
  const indices = new Map<string, string>()
  const tensorKey = (name: string): string => {
    if (!slot.has(name)) slot.set(name, `%${slot.size}`)
    return slot.get(name)!
  }
  const indexKey = (name: string): string => {
    if (!indices.has(name)) indices.set(name, `i${indices.size}`)
    return indices.get(name)!
  }
  const nest = JSON.stringify(kernel.nest, function (this: unknown, key: string, value: unknown) {
    if (key === 'node') return undefined
    if (key === 'site') return kernel.sites.indexOf(value as number)
    if (typeof value !== 'string') {
      if (key === 'value' && typeof value === 'number' && !Number.isFinite(value)) return `${value}`
      if (key === 'value' && Object.is(value, -0)) return '-0'
      return value
    }
    if (key === 'tensor' || key === 'target') return tensorKey(value)
    if (key === 'lane') return indexKey(value)
    if (key === 'name') return isExtent(this) ? undefined : indexKey(value)
    return value
  })
  const slots = kernel.slots.map((s) => [s.dtype, s.shape, s.folded, s.bounds])
  const times = kernel.times.map((i) => [indexKey(i.name), i.extent.size])
  const range = kernel.range && indexKey(kernel.range.name)
  return JSON.stringify([slots, kernel.counts, times, range, kernel.share?.grain, nest])
}

const isExtent = (holder: unknown): boolean =>
  typeof holder === 'object' && holder !== null && 'size' in holder
