/**
 * The end of a WebAssembly memory. In: a program and its memory plan. Out: the error that says how much it needs, which tensors take
 * most of it and what would take less; undefined where it fits. Where the memory ends is only known when everything is scheduled, for most
 * of what a training keeps are values between the layers.
 */
import type { Entry, Extent, Program, Tensor } from '../ir/types.ts'
import { diagnostic } from '../support/catalogue.ts'
import { type Diagnostic, InternalError } from '../support/diagnostic.ts'
import type { EntryPlan, MemoryPlan } from './memory.ts'

/** 65,536 pages, less what lies behind the tensors: constants, and the cells of threads. */
const mostBytes = 2 ** 32 - 2 ** 20

/** How many tensors are named, each with those like it. */
const shown = 4

interface Kept {
  readonly entry: Entry
  readonly tensorOf: (name: string) => Tensor | undefined
  readonly bytesOf: (tensor: Tensor) => number
}

export function tooLarge(
  program: Program,
  plan: MemoryPlan,
  entries: readonly Kept[],
): Diagnostic | undefined {
  if (plan.total <= mostBytes) return undefined
  const peakOf = ({ entry }: Kept): number => plan.entries.get(entry.name)!.end
  const largest = entries.reduce((a, b) => (peakOf(b) > peakOf(a) ? b : a))
  const { entry, tensorOf, bytesOf } = largest
  const sum = (all: readonly Tensor[]): number => all.reduce((n, t) => n + bytesOf(t), 0)
  const inputs = entry.inputs.map((name) => tensorOf(name)!)
  const temps = aliveAtMost(plan.entries.get(entry.name)!, plan, (name) => bytesOf(tensorOf(name)!))
  const candidates = [...program.tensors, ...inputs, ...temps.map((name) => tensorOf(name)!)]
  const related = alike(candidates)
    .map((tensors) => ({ tensors, bytes: sum(tensors) }))
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, shown)
    .filter(({ bytes }, k) => k === 0 || bytes > plan.total / 50)
    .map(({ tensors, bytes }) => {
      const [first] = tensors as [Tensor]
      const one = `\`${first.name}\` ${shapeText(first.shape)} takes ${sizeText(bytesOf(first))}`
      const all = tensors.length > 1 ? `; ${tensors.length} like it take ${sizeText(bytes)}` : ''
      return { span: first.span!, text: `${one}, ${roleText(first, entry)}${all}` }
    })
  const parts = [
    { what: 'stored' as const, bytes: sum(program.tensors) },
    { what: 'inputs' as const, bytes: sum(inputs) },
    { what: 'values' as const, bytes: plan.entries.get(entry.name)!.peak },
  ]
  const { what, bytes } = parts.reduce((a, b) => (b.bytes > a.bytes ? b : a))
  const [main, ...others] = related
  if (!main) throw new InternalError('a program that is too large has no tensor with a place')
  const args = { need: sizeText(plan.total), entry: entry.name, most: what, bytes: sizeText(bytes) }
  return diagnostic('NET5010', main.span, args, { related: others, label: main.text })
}

/** The temps with a place of their own at the moment when they take most. */
function aliveAtMost(
  { addresses, lifetimes }: EntryPlan,
  { persistent }: MemoryPlan,
  bytes: (name: string) => number,
): readonly string[] {
  const places = new Set(persistent.values())
  const temps = [...lifetimes].filter(([name]) => !places.has(addresses.get(name)!))
  const grows = new Map<number, number>()
  const add = (at: number, by: number): void => void grows.set(at, (grows.get(at) ?? 0) + by)
  for (const [name, { first, last }] of temps) {
    add(first, bytes(name))
    add(last + 1, -bytes(name))
  }
  let [now, most, when] = [0, 0, 0]
  for (const [at, by] of [...grows].sort(([a], [b]) => a - b)) {
    now += by
    if (now > most) [most, when] = [now, at]
  }
  return temps.filter(([, life]) => life.first <= when && when <= life.last).map(([name]) => name)
}

/** Those of one place in the text and one shape, as the layers of a loop are. */
function alike(tensors: readonly Tensor[]): readonly (readonly Tensor[])[] {
  const groups = new Map<string, Tensor[]>()
  for (const tensor of tensors) {
    if (!tensor.span) continue
    const { source, start } = tensor.span
    const key = `${source.file} ${start} ${shapeText(tensor.shape)} ${tensor.role}`
    const known = groups.get(key)
    if (known) known.push(tensor)
    else groups.set(key, [tensor])
  }
  return [...groups.values()]
}

function roleText({ role, shape }: Tensor, entry: Entry): string {
  switch (role) {
    case 'param':
      return 'a parameter'
    case 'state':
      return 'a state'
    case 'input':
      return `an input of \`${entry.name}\``
    default: {
      const bound = shape.find((x) => x.bound !== undefined)?.bound
      return `a value of \`${entry.name}\`${bound === undefined ? '' : ` for all of \`${bound}\``}`
    }
  }
}

const shapeText = (shape: readonly Extent[]): string =>
  `[${shape.map((x) => `${x.bound === undefined ? (x.name === undefined ? '' : `${x.name}=`) : `${x.bound}<=`}${x.size}`).join(', ')}]`

function sizeText(bytes: number): string {
  const [unit, name] = bytes >= 2 ** 29 ? [2 ** 30, 'GiB'] : [2 ** 20, 'MiB']
  return `${(bytes / unit).toFixed(1)} ${name}`
}
