/**
 * Inlining: fusion of equations by substitution. The body of a temp takes the place of a read of it:
 *
 *   d_e[n, c] = d_s[n]                       d_x[n, c] = d_s[n] * e[n, c]
 *   d_x[n, c] = d_e[n, c] * e[n, c]
 *
 * A constant, a copy and a single scalar operation of the module's cells is substituted everywhere; another
 * elementwise temp into its only read, when that read is evaluated no more often than the temp has elements; one made
 * of random numbers alone (a mask) wherever that holds, because it is meant to be computed again and not stored. A
 * body with a reduction never moves, nor the value that a loop carries (a guarded read, `h?[n, t - 1, k]`) into a
 * reduction: products over it read it plainly. Equations that took something in are simplified.
 *
 * Substitution goes forward in the list, so in a loop it never goes around the cycle; the steps that a cycle takes in
 * time stay what they are.
 */
import { targetsInLoops } from '../ir/recurrence.ts'
import {
  boundIndices,
  children,
  mapChildren,
  size,
  some,
  substitute,
  visit,
} from '../ir/traverse.ts'
import type { Entry, Equation, Extent, Index, Program, Scalar, Tensor } from '../ir/types.ts'
import { mapEntries, type Pass } from './pass.ts'
import { protectedTensors, type ReadNode, versionsBefore } from './reads.ts'
import { addIndices, type Context, isProven, readInRange } from './rules/rule.ts'
import { simplifyEquation, tensorsOf } from './simplify.ts'

/** Bodies do not grow beyond this many nodes. */
const largestBody = 160
const readableBody = 24

export const inline: Pass = {
  name: 'inline',
  description: 'substitute elementwise values into their only reader',
  run: (program) => mapEntries(program, (entry) => inlineEntry(program, entry)),
}

interface Definition {
  readonly equation: Equation
  readonly stage: number
  /** Substituted into every read, whatever it is evaluated. */
  readonly free: boolean
  /** Computed in a loop from an earlier step. */
  readonly carried: boolean
}

/**
 * `readable`: for a text that is read rather than run, a value with one read goes there even if it is evaluated more
 * often.
 */
export function inlineEntry(program: Program, entry: Entry, readable = false): Entry {
  const tensor = tensorsOf(program, entry)
  const fixed = new Set([...protectedTensors(entry), ...awaited(entry)])
  const uses = countReads(entry)
  const copied = copiedTensors(entry)
  const definitions = new Map<string, Definition>()
  const stages = entry.stages.map((stage, at) => {
    const versions = versionsBefore(entry.stages, at)
    const inLoops = targetsInLoops(stage.equations)
    const equations = stage.equations.map((before) => {
      const context: Context = { extents: new Map(), tensor }
      addIndices(context, [...before.outs, ...boundIndices(before.body)])
      const counts = evaluations(before)
      const after = replaceInBody(before, (read, reduced) => {
        const definition = definitions.get(read.tensor)
        if (!definition || (reduced && definition.carried)) return undefined
        const { after } = definition.equation
        if (after && after.tensor !== before.after?.tensor) return undefined
        if (!definition.free) {
          if (read.at.some(isDigit)) return undefined
          const own = volume(definition.equation.outs.map((i) => i.extent))
          const often = counts.get(read.tensor)
          if (often === undefined || often > own) return undefined
        }
        if (isStale(definition, at, versions, entry)) return undefined
        return expand(definition.equation, read, context)
      })
      const eq = after === before ? before : simplifyEquation(after, tensor)
      const free = !eq.at && !fixed.has(eq.target)
      const mayMove = free && (readable || !isSmallPart(eq, tensor))
      // A value that only a copy reads goes there whatever its size: the copy has the better name.
      const largest = copied.has(eq.target) ? Infinity : readable ? readableBody : largestBody
      const kind = mayMove ? kindOf(eq, uses.get(eq.target) ?? 0, tensor, largest) : undefined
      if (kind)
        definitions.set(eq.target, {
          equation: eq,
          stage: at,
          free: kind === 'free' || (readable && isShort(eq.body)),
          carried: inLoops.has(eq.target) && some(eq.body, isGuarded),
        })
      return eq
    })
    return { ...stage, equations }
  })
  return dropUnread({ ...entry, stages }, new Set(definitions.keys()))
}

/**
 * Positions keep what they read: a position that holds data is clamped, and the same value without the read would have
 * to be proven in range.
 */
function replaceInBody(
  eq: Equation,
  by: (read: ReadNode, reduced: boolean) => Scalar | undefined,
): Equation {
  const replace = (e: Scalar, reduced: boolean): Scalar =>
    e.kind === 'read'
      ? (by(e, reduced) ?? e)
      : mapChildren(e, (child) => replace(child, reduced || e.kind === 'reduce'))
  const body = replace(eq.body, false)
  return body === eq.body ? eq : { ...eq, body }
}

const isGuarded = (e: Scalar): boolean => e.kind === 'read' && e.guarded

/** Tensors that equations wait for. */
function awaited(entry: Entry): string[] {
  const equations = entry.stages.flatMap((stage) => stage.equations)
  return equations.flatMap((eq) => (eq.after ? [eq.after.tensor] : []))
}

/** Tensors that an equation copies element by element. */
function copiedTensors(entry: Entry): Set<string> {
  const copied = new Set<string>()
  for (const { body, outs, at } of entry.stages.flatMap((stage) => stage.equations)) {
    if (at || body.kind !== 'read' || body.guarded || body.at.length !== outs.length) continue
    const same = body.at.every((p, d) => p.kind === 'index' && p.name === outs[d]!.name)
    if (same) copied.add(body.tensor)
  }
  return copied
}

/** What a person would write in place rather than name. */
const isShort = (e: Scalar): boolean =>
  size(e, 16) < 16 &&
  !some(e, (node) => node.kind === 'random' || (node.kind === 'unary' && node.op !== 'neg'))

/** Whether and where a body may go: everywhere, or only where it is not evaluated more often than now. */
function kindOf(
  eq: Equation,
  uses: number,
  tensor: (name: string) => Tensor | undefined,
  largest: number,
): 'free' | 'once' | undefined {
  if (uses === 0 || some(eq.body, (e) => e.kind === 'reduce')) return undefined
  if (isTrivial(eq.body, tensor)) return 'free'
  if (size(eq.body, largest) >= largest) return undefined
  return uses === 1 || isRandom(eq.body, tensor) ? 'once' : undefined
}

function isTrivial(e: Scalar, tensor: (name: string) => Tensor | undefined): boolean {
  switch (e.kind) {
    case 'const':
    case 'count':
    case 'index':
      return true
    case 'cast':
      return e.value.kind === 'count' || e.value.kind === 'index'
    case 'read':
      return !e.guarded && e.at.every((p) => !holdsRead(p))
    case 'binary':
    case 'unary':
      return size(e, 6) < 6 && isOfCells(e, tensor)
    default:
      return false
  }
}

/** A copy of a small part of a temp: read in its place, the whole would have to live as long. */
function isSmallPart(
  { outs, body }: Equation,
  tensor: (name: string) => Tensor | undefined,
): boolean {
  const whole = body.kind === 'read' ? tensor(body.tensor) : undefined
  return whole?.role === 'temp' && volume(whole.shape) >= 4 * volume(outs.map((i) => i.extent))
}

/** Arithmetic on values of rank 0: loops keep it in a register, evaluated before they start. */
function isOfCells(e: Scalar, tensor: (name: string) => Tensor | undefined): boolean {
  switch (e.kind) {
    case 'const':
      return true
    case 'cast':
      return e.value.kind === 'count'
    case 'read':
      return tensor(e.tensor)?.shape.length === 0
    case 'unary':
      return e.op === 'neg' && isOfCells(e.value, tensor)
    case 'binary':
      return (
        (e.op === 'add' || e.op === 'sub' || e.op === 'mul' || e.op === 'div') &&
        isOfCells(e.left, tensor) &&
        isOfCells(e.right, tensor)
      )
    default:
      return false
  }
}

/**
 * `i / 4` or `i % 4`: such positions come in pairs, which together are as cheap as `i`. In a body with other reads they would
 * not be; left alone, the copy they make goes into its readers, where it costs nothing.
 */
const isDigit = (p: Scalar): boolean =>
  p.kind === 'binary' && (p.op === 'div' || p.op === 'mod') && p.right.kind === 'const'

const holdsRead = (e: Scalar): boolean => some(e, (node) => node.kind === 'read')

/** Random numbers and constants, no stored tensor beside cells. */
function isRandom(e: Scalar, tensor: (name: string) => Tensor | undefined): boolean {
  if (!some(e, (node) => node.kind === 'random')) return false
  return !some(e, (node) => node.kind === 'read' && tensor(node.tensor)?.shape.length !== 0)
}

const volume = (extents: readonly Extent[]): number => extents.reduce((n, x) => n * x.size, 1)

/** Per tensor, how many points its most evaluated read in the equation is evaluated at. */
function evaluations(eq: Equation): Map<string, number> {
  const most = new Map<string, number>()
  const walk = (e: Scalar, points: number): void => {
    if (e.kind === 'read') most.set(e.tensor, Math.max(points, most.get(e.tensor) ?? 0))
    if (e.kind === 'reduce') walk(e.body, points * volume(e.over.map((i: Index) => i.extent)))
    else for (const child of children(e)) walk(child, points)
  }
  const points = volume(eq.outs.map((i) => i.extent))
  for (const e of [eq.body, ...(eq.at ?? [])]) walk(e, points)
  return most
}

function countReads(entry: Entry): Map<string, number> {
  const counts = new Map<string, number>()
  const add = (e: Scalar): void =>
    visit(e, (node) => {
      if (node.kind === 'read') counts.set(node.tensor, (counts.get(node.tensor) ?? 0) + 1)
    })
  for (const stage of entry.stages) {
    for (const eq of [...stage.equations, ...stage.rules.flatMap((r) => r.equations)]) {
      add(eq.body)
      eq.at?.forEach(add)
    }
  }
  return counts
}

/** A persistent tensor that the body reads has changed since: the value must be the old one. */
function isStale(
  { equation, stage }: Definition,
  at: number,
  versions: ReadonlyMap<string, number>,
  entry: Entry,
): boolean {
  if (stage === at) return false
  const before = versionsBefore(entry.stages, stage)
  return some(
    equation.body,
    (e) => e.kind === 'read' && before.get(e.tensor) !== versions.get(e.tensor),
  )
}

/** The body at the positions of a read; undefined where those, or reads in the body, are not provably in range. */
function expand(eq: Equation, read: ReadNode, context: Context): Scalar | undefined {
  if (read.guarded) return undefined
  const proven = eq.outs.every(({ extent }, k) => isProven(read.at[k]!, extent, context))
  if (!proven) return undefined
  const by = new Map(eq.outs.map((i, k) => [i.name, read.at[k]!]))
  const body = substitute(eq.body, by)
  const broken = some(body, (e) => e.kind === 'read' && !e.guarded && !readInRange(e, context))
  return broken ? undefined : body
}

/** Drops substituted definitions that nothing reads any more. */
function dropUnread(entry: Entry, candidates: ReadonlySet<string>): Entry {
  let current = entry
  for (;;) {
    const uses = countReads(current)
    const gone = new Set([...candidates].filter((name) => !uses.has(name)))
    const stages = current.stages.map((stage) => ({
      ...stage,
      equations: stage.equations.filter((eq) => !gone.has(eq.target)),
    }))
    const before = current.stages.reduce((n, s) => n + s.equations.length, 0)
    const after = stages.reduce((n, s) => n + s.equations.length, 0)
    current = { ...current, stages, tensors: current.tensors.filter((t) => !gone.has(t.name)) }
    if (after === before) return current
  }
}
