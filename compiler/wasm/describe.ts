/** The manifest of a scheduled program: see manifest.ts for what it says. */
import { type Entry, isTotal, type Output, type Program, type Tensor } from '../ir/types.ts'
import { readsOf } from '../schedule/dependence.ts'
import { kernelsOf, numbered, type ScheduledEntry } from '../schedule/kernels.ts'
import { bytesOf, bytesUnfused, flopsOf } from '../schedule/work.ts'
import { showPlace } from '../support/span.ts'
import type { Target } from './assembler.ts'
import {
  abiVersion,
  type EntrySpec,
  type InputSpec,
  type Manifest,
  type StateSpec,
  type TensorSpec,
} from './manifest.ts'
import { bytesOfTensor, intactAfter, type MemoryPlan } from './memory.ts'
import { countsOf } from './module.ts'
import type { Teamwork } from './teamwork.ts'

export interface DescribeInput {
  readonly program: Program
  readonly entries: readonly ScheduledEntry[]
  readonly plan: MemoryPlan
  readonly tensorsOf: (entry: ScheduledEntry) => ReadonlyMap<string, Tensor>
  readonly version: string
  readonly sourceText: string
  readonly teamwork?: ReadonlyMap<string, Teamwork> | undefined
}

export function describe(input: DescribeInput, target: Target): Manifest {
  const { program, plan } = input
  const spec = (tensor: Tensor): TensorSpec => specOf(tensor, plan.persistent.get(tensor.name)!)
  const kept = keepers(program)
  const cell = (role: 'step' | 'seed'): TensorSpec =>
    spec(program.tensors.find((t) => t.role === role)!)
  return {
    abi: abiVersion,
    netc: input.version,
    target,
    model: program.file.replace(/^.*[\\/]/, ''),
    source: fnv1a64(input.sourceText),
    dims: program.dims,
    params: program.tensors.filter((t) => t.role === 'param').map(spec),
    state: program.tensors
      .filter((t) => t.role === 'state')
      .map((t) => ({ ...spec(t), kept: kept(t.name) })),
    hyper: program.tensors
      .filter((t) => t.role === 'hyper')
      .map((t) => ({ ...spec(t), initial: t.initial ?? 0 })),
    step: cell('step'),
    seed: cell('seed'),
    entries: input.entries.filter((e) => e.entry.kind !== 'init').map((e) => entrySpec(input, e)),
    data: program.data.map((d) => ({
      name: d.name,
      reader: d.reader,
      args: d.args.map((a) => ({ name: a.name ?? null, value: a.value })),
    })),
    ...(program.vocabularies.length > 0 && {
      vocabularies: program.vocabularies.map((v) => ({ ...v, unknown: v.unknown ?? null })),
    }),
    memory: plan.total,
    ...(input.teamwork && {
      // Of pages only the emitter knows the number.
      threads: { pages: 0, most: Math.max(1, ...[...input.teamwork.values()].map((w) => w.most)) },
    }),
  }
}

function specOf(tensor: Tensor, offset: number, name = tensor.name): TensorSpec {
  return {
    name,
    dtype: tensor.dtype,
    shape: tensor.shape.map((x) => x.size),
    bounds: tensor.shape.map((x) => x.bound ?? null),
    offset,
  }
}

const ofVocabulary = ({ vocabulary }: Tensor | Output): { vocabulary?: string } =>
  vocabulary === undefined ? {} : { vocabulary }

function entrySpec(input: DescribeInput, scheduled: ScheduledEntry): EntrySpec {
  const { entry } = scheduled
  const plan = input.plan.entries.get(entry.name)!
  const tensors = input.tensorsOf(scheduled)
  const at = (name: string): TensorSpec => specOf(tensors.get(name)!, plan.addresses.get(name)!)
  const whole = (name: string): number => bytesOfTensor(tensors.get(name)!)
  const kernels = scheduled.stages.flatMap((s) => s.steps.flatMap(kernelsOf))
  const kind = entry.kind === 'init' ? 'predict' : entry.kind
  const outputs = entry.outputs.map((o) => ({ ...at(o.tensor), name: o.name, ...ofVocabulary(o) }))
  const totals = outputs.filter((o) => isTotal(o.name))
  const carries = kind === 'predict' ? carriedBy(entry) : []
  return {
    name: entry.name,
    kind,
    of: /^(eval|combine|reset)$/.test(kind)
      ? entry.name.slice(0, entry.name.lastIndexOf('_'))
      : entry.name,
    counts: countsOf(input.program, scheduled),
    inputs: entry.inputs.map(
      (name): InputSpec => ({
        ...at(name),
        range: tensors.get(name)!.range ?? null,
        ...ofVocabulary(tensors.get(name)!),
      }),
    ),
    outputs: outputs.filter((o) => !isTotal(o.name)),
    ...(totals.length > 0 && { totals }),
    ...(carries.length > 0 && { carries }),
    flops: kernels.reduce((n, k) => n + k.equations.reduce((m, e) => m + flopsOf(e), 0), 0),
    bytes: kernels.reduce((n, k) => n + bytesOf(k), 0),
    unfused: kernels.reduce((n, k) => n + bytesUnfused(k, whole), 0),
    peak: plan.peak,
    trace: trace(scheduled, input),
  }
}

const updatedBy = (entry: Entry): string[] =>
  entry.stages.flatMap((stage) => stage.updates.map((u) => u.target))

function carriedBy(entry: Entry): string[] {
  const { seed, step } = entry.stream ?? { seed: '', step: '' }
  return updatedBy(entry).filter((name) => name !== seed && name !== step)
}

/** Whose each state is: see `StateSpec`. */
function keepers(program: Program): (state: string) => StateSpec['kept'] {
  const of = (test: (entry: Entry) => boolean, names: (entry: Entry) => Iterable<string>) =>
    new Set(program.entries.filter(test).flatMap((entry) => [...names(entry)]))
  const trained = of((e) => e.kind === 'train', updatedBy)
  const called = of((e) => e.kind === 'predict' || e.kind === 'reset', updatedBy)
  const read = of(
    (e) => e.kind === 'predict' || e.kind === 'eval',
    (e) => e.stages.flatMap((s) => s.equations).flatMap((eq) => readsOf(eq).map((r) => r.tensor)),
  )
  return (name) => {
    if (called.has(name) && !trained.has(name)) return 'calls'
    return read.has(name) || called.has(name) ? 'weights' : 'training'
  }
}

/** The named intermediates that still stand when the last loss is known. */
function trace(scheduled: ScheduledEntry, input: DescribeInput): EntrySpec['trace'] {
  const tensors = input.tensorsOf(scheduled)
  const plan = input.plan.entries.get(scheduled.entry.name)!
  const losses = new Set(scheduled.stages.map((stage) => stage.loss))
  const places = new Map<string, string>()
  let lossAt: number | undefined
  let last = -1
  for (const { kernel, number } of numbered(scheduled)) {
    last = number
    for (const e of kernel.equations) {
      if (losses.has(e.target)) lossAt = number
      if (e.origin.span) places.set(e.target, showPlace(e.origin.span))
    }
  }
  const at = lossAt ?? last
  const bytes = (name: string): number =>
    bytesOfTensor(tensors.get(name)!, scheduled.folded.get(name))
  return (
    intactAfter(plan, at, bytes)
      .filter((name) => tensors.get(name)!.role === 'temp' && tensors.get(name)!.dtype === 'f32')
      // Of what a loop does not keep, only the last step is there.
      .filter((name) => !scheduled.folded.has(name))
      .map((name) => ({
        ...specOf(tensors.get(name)!, plan.addresses.get(name)!),
        place: places.get(name) ?? '',
      }))
  )
}

/** FNV-1a, 64 bits, over UTF-8, in hexadecimal. */
function fnv1a64(text: string): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  }
  return hash.toString(16).padStart(16, '0')
}
