/**
 * `npm run bench -- --tiles FILE.net [--entry NAME] [--target simd|relaxed] [--dim NAME=SIZE] [--rounds N] [--json]`: holds the cost
 * model of register tiles (compiler/schedule/registers.ts) against measurement. Every product of the entry is made with every
 * tile that fits the registers, and timed; for each it prints the tile that the model chooses and the fastest one, their times, and
 * how well costs and times agree in their order.
 *
 * Left out are sums with a reduced index along the lanes, whose tile is always the same, and those in blocks, whose blocks
 * follow the tile.
 */
import { parseArgs } from 'node:util'
import { visit } from '../../compiler/ir/traverse.ts'
import type { Index } from '../../compiler/ir/types.ts'
import { accessOf } from '../../compiler/schedule/access.ts'
import {
  kernelKey,
  kernelsOf,
  type ScheduledEntry,
  type ScheduledStep,
} from '../../compiler/schedule/kernels.ts'
import { isFar, plainTiles, type Tile } from '../../compiler/schedule/registers.ts'
import type { Kernel, LoopNest } from '../../compiler/schedule/types.ts'
import type { Target } from '../../compiler/wasm/assembler.ts'
import { dimsOf, Kernels, type Model, scheduledModel, typical } from './kernels.ts'
import { ranksAgree } from './report.ts'

const { values: options } = parseArgs({
  options: {
    tiles: { type: 'string' },
    entry: { type: 'string' },
    target: { type: 'string', default: 'relaxed' },
    dim: { type: 'string', multiple: true, default: [] },
    rounds: { type: 'string', default: '40' },
    json: { type: 'boolean', default: false },
  },
})
const target = options.target as Target
const model = scheduledModel(options.tiles!, dimsOf(options.dim))

/** A sum of products whose tile the model chooses, with the two indices it is a tile of. */
type Tiled = LoopNest & { readonly rows: Index; readonly lanes: Index }

function tiledOf({ nest }: Kernel): Tiled | undefined {
  if (nest.kind !== 'loops' || !nest.reduction || nest.reduction.lane) return undefined
  const { rows, lanes, blocks, rowBlock } = nest
  return rows && lanes && !blocks && !rowBlock ? { ...nest, rows, lanes } : undefined
}

const nameOf = ({ rowTile, laneTile }: Pick<Tile, 'rowTile' | 'laneTile'>): string =>
  `${rowTile}×${4 * laneTile}`

/** Every tile of a nest by its name, with the cost that the model gives it. */
function tilesOf(entry: ScheduledEntry, nest: Tiled): ReadonlyMap<string, Tile> {
  const tensors = model.scheduled.tensorsOf(entry)
  const loads = { rows: new Map<string, number>(), lanes: new Map<string, number>() }
  visit(nest.reduction!.body, (e) => {
    if (e.kind !== 'read') return
    const { shape } = tensors.get(entry.aliases.get(e.tensor)?.tensor ?? e.tensor)!
    const { strides, computedBy } = accessOf(
      e.at,
      shape.map((x) => x.size),
    )
    const key = JSON.stringify(e)
    const elements = shape.reduce((n, x) => n * x.size, 1)
    for (const side of ['rows', 'lanes'] as const) {
      const { name } = nest[side]
      if (strides.has(name) || computedBy.has(name)) loads[side].set(key, elements)
    }
  })
  const tiles = plainTiles(
    nest.rows.extent.size,
    Math.ceil(nest.lanes.extent.size / 4),
    Math.max(loads.lanes.size, 1),
    loads.rows.size,
    isFar([...loads.lanes.values()]),
  )
  return new Map(tiles.map((tile) => [nameOf(tile), tile]))
}

const ofEntry = ({ entry: { name, kind } }: ScheduledEntry): boolean =>
  options.entry === undefined ? kind === 'train' : name === options.entry
const entry = model.scheduled.entries.find(ofEntry)
if (!entry) throw new Error('no such entry: --entry NAME')
const candidates = new Map(
  entry.stages
    .flatMap((stage) => stage.steps.flatMap(kernelsOf))
    .flatMap((kernel) => {
      const nest = tiledOf(kernel)
      return nest ? [[kernel, tilesOf(entry, nest)] as const] : []
    }),
)

/** The model with this tile wherever it fits. */
function withTile(name: string): Model {
  const changed = (kernel: Kernel): Kernel => {
    const tile = candidates.get(kernel)?.get(name)
    if (!tile || kernel.nest.kind !== 'loops') return kernel
    const { rowTile, laneTile } = tile
    return { ...kernel, nest: { ...kernel.nest, rowTile, laneTile } }
  }
  const step = (s: ScheduledStep): ScheduledStep =>
    s.kind === 'loop' ? { ...s, steps: s.steps.map(step) } : { ...s, kernel: changed(s.kernel) }
  const stages = entry!.stages.map((stage) => ({ ...stage, steps: stage.steps.map(step) }))
  const own = { ...entry!, stages }
  const { scheduled } = model
  const entries = scheduled.entries.map((e) => (e === entry ? own : e))
  const tensorsOf: typeof scheduled.tensorsOf = (e) => scheduled.tensorsOf(e === own ? entry! : e)
  return { ...model, scheduled: { ...scheduled, entries, tensorsOf } }
}

const names = [...new Set([...candidates.values()].flatMap((tiles) => [...tiles.keys()]))]
const made = new Map(
  names.map((name) => [name, new Kernels(withTile(name), options.entry, target)]),
)
for (let round = -3; round < Number(options.rounds); round++) {
  for (const kernels of made.values()) kernels.turn(round >= 0)
}

interface Found {
  readonly what: string
  readonly count: number
  readonly chosen: string
  readonly best: string
  /** Milliseconds with the tile chosen, and with the fastest. */
  readonly ms: number
  readonly least: number
  /** Spearman's rank correlation of costs and times over all tiles. */
  readonly agreement: number
}

const kernels = entry.stages.flatMap((stage) => stage.steps.flatMap(kernelsOf))
const byCode = new Map<string, readonly Kernel[]>()
for (const kernel of candidates.keys()) {
  const key = kernelKey(kernel)
  byCode.set(key, [...(byCode.get(key) ?? []), kernel])
}
const found = [...byCode.values()].map((same): Found => {
  const [kernel] = same as [Kernel]
  const nest = tiledOf(kernel)!
  const tiles = [...candidates.get(kernel)!]
  const times = tiles.map(([name]) =>
    same.reduce((n, k) => n + typical(made.get(name)!.calls[kernels.indexOf(k)]!.times), 0),
  )
  const at = tiles.findIndex(([name]) => name === nameOf(nest))
  const least = Math.min(...times)
  const over = nest.reduction!.over.map((i) => `${i.name}:${i.extent.size}`).join(' ')
  const side = (i: Index): string => `${i.name}:${i.extent.size}`
  return {
    what: `${kernel.equations[0]!.target} (${side(nest.rows)} × ${side(nest.lanes)} sum ${over})`,
    count: same.length,
    chosen: nameOf(nest),
    best: tiles[times.indexOf(least)]![0],
    ms: times[at]!,
    least,
    agreement: ranksAgree(
      tiles.map(([, tile]) => tile.cost),
      times,
    ),
  }
})
found.sort((a, b) => b.ms - b.least - (a.ms - a.least))
const sum = (of: (f: Found) => number): number => found.reduce((n, f) => n + of(f), 0)
const [chosen, least] = [sum((f) => f.ms), sum((f) => f.least)]
if (options.json) {
  for (const f of found) console.log(JSON.stringify(f))
  console.log(JSON.stringify({ event: 'total', chosen, least }))
} else {
  for (const f of found) {
    console.log(
      `${f.ms.toFixed(3).padStart(8)} ms with ${f.chosen.padEnd(5)} ${f.least.toFixed(3).padStart(8)} with ${f.best.padEnd(5)}` +
        `${(f.ms / f.least).toFixed(2).padStart(5)} ×  order ${f.agreement.toFixed(2).padStart(5)}  ${`×${f.count}`.padEnd(4)}${f.what}`,
    )
  }
  console.log(
    `${chosen.toFixed(3)} ms with the tiles chosen, ${least.toFixed(3)} with the fastest of each: ${(chosen / least).toFixed(3)} ×`,
  )
}
