/**
 * `scan t in T { h[n: batch, t, j: 8] = … h?[n, t - 1, k] … }`: a system of recurrence equations as it stands in the
 * program. The targets are known before the bodies, from their left sides, so the equations may read each other in any
 * order; at other times than t only so that all circles of reads go one way.
 */

import { dimensionOf, type Step, Unordered } from '../ir/recurrence.ts'
import type { Extent } from '../ir/types.ts'
import type { Expr, IndexArg, Rest, Statement, Target } from '../syntax/ast.ts'
import { type Context, inner, join } from './context.ts'
import { evalDim, textOf } from './dims.ts'
import { evaluateEquation } from './equations.ts'
import { directionOf, isInsideEquation, type Scan, timeOf } from './scan.ts'
import { checkShape } from './store.ts'
import { inferTypes } from './types.ts'
import { errorValue, storedTensor, type Value } from './values.ts'

type Equation = Extract<Statement, { readonly kind: 'equation' }>

interface Member {
  /** With the time's extent stated. */
  readonly equation: Equation
  readonly shape: readonly Extent[]
  readonly name: string
}

/** Whether a scan carries and yields nothing: then its body is a system of equations. */
export const isSystem = (e: Scan): boolean =>
  e.carries.length === 0 && !e.body.statements.some((s) => s.kind === 'yield')

/** Defines the targets in the scope around; the value is the last. */
export function evaluateSystem(
  e: Scan,
  define: (target: Target, value: Value) => void,
  ctx: Context,
): Value {
  const { world, entry } = ctx
  if (isInsideEquation(ctx) || ctx.times.length > 0) {
    world.report('NET3060', e.span, { what: 'a system of equations' }, ctx)
    return errorValue
  }
  const equations = equationsOf(e, ctx)
  const time = timeOf(e, ctx)
  const down = directionOf(e, ctx)
  if (equations === undefined || time === undefined || down === undefined) {
    for (const s of e.body.statements) if (s.kind === 'equation') define(s.target, errorValue)
    return errorValue
  }
  const members: Member[] = []
  for (const equation of equations) {
    const member = declare(equation, e, ctx)
    if (member === undefined) define(equation.target, errorValue)
    else members.push(member)
  }
  if (members.length < equations.length) return errorValue
  const types = inferTypes(
    members.map((m) => m.equation),
    ctx.scope,
  )
  const values = members.map(({ equation, name, shape }) => {
    entry.reserve(name)
    const dtype = types.get(equation.target.name.text) ?? 'f32'
    const value = storedTensor(name, dtype, shape, namesOf(equation))
    define(equation.target, value)
    return value
  })
  const place = entry.stage.equations.length
  const made = members.map(({ equation, name }, k) => {
    const { dtype } = values[k]!
    const origin = ctx.frame.std ? ctx.origin : { span: equation.span, note: ctx.origin.note }
    return evaluateEquation(equation, { reserved: name, dtype }, undefined, { ...ctx, origin })
  })
  if (made.some((value) => value.kind === 'error') || world.stopped) return errorValue
  checkOrder(e, down, members, place, ctx)
  return values.at(-1) ?? errorValue
}

/** The statements of the body, all equations; undefined after a report. */
function equationsOf(e: Scan, ctx: Context): Equation[] | undefined {
  const { statements } = e.body
  const other = statements.find((s) => s.kind !== 'equation')
  if (other === undefined && statements.length > 0) return statements as Equation[]
  if (other === undefined) ctx.world.report('NET2072', e.index.span, { index: e.index.text }, ctx)
  else ctx.world.report('NET2075', other.span, { statement: describeStatement(other) }, ctx)
  return undefined
}

function describeStatement(s: Statement): string {
  if (s.kind === 'bind') return 'a binding'
  return s.kind === 'value' ? 'a value' : `\`${s.kind}\``
}

/** An equation whose shape follows from its left side; undefined after a report. */
function declare(equation: Equation, e: Scan, ctx: Context): Member | undefined {
  const { world, entry } = ctx
  const { target, at } = equation
  const text = target.name.text
  const time = e.index.text
  if (target.primed) {
    world.report('NET2074', target.name.span, { name: text, carried: [] }, ctx)
    return undefined
  }
  if (!at.some((p) => nameOf(p) === time)) {
    world.report('NET3064', target.name.span, { target: text, index: time }, ctx)
    return undefined
  }
  const shape: Extent[] = []
  const stated: IndexArg[] = []
  for (const p of at) {
    const extent = p.kind === 'rest' ? undefined : (p.extent ?? timeExtent(p, e))
    if (p.kind === 'rest' || extent === undefined) {
      world.report('NET3065', p.span, { target: text, position: textOf(p) }, ctx)
      return undefined
    }
    const size = evalDim(extent, inner(ctx))
    if (size === undefined) return undefined
    shape.push(size)
    stated.push({ ...p, extent })
  }
  const name = entry.freshName(join(ctx.frame.path, text))
  if (!checkShape(shape, name, ctx, equation.span)) return undefined
  return { equation: { ...equation, at: stated }, shape, name }
}

const nameOf = (p: IndexArg | Rest): string | undefined =>
  p.kind === 'at' && p.value.kind === 'name' && !p.value.primed ? p.value.name : undefined

const timeExtent = (p: IndexArg, e: Scan): Expr | undefined =>
  nameOf(p) === e.index.text ? e.extent : undefined

const namesOf = (equation: Equation): string[] => equation.at.map((p) => nameOf(p) ?? '')

/** Reports reads in a circle that no time puts in order, and a time that goes the other way than stated. */
function checkOrder(
  e: Scan,
  down: boolean,
  members: readonly Member[],
  place: number,
  ctx: Context,
): void {
  const { world, entry } = ctx
  let steps: readonly Step[]
  try {
    steps = entry.order(place)
  } catch (error) {
    if (!(error instanceof Unordered)) throw error
    const circle = members.filter((m) => error.targets.includes(m.name))
    const targets = circle.map((m) => m.equation.target.name.text)
    const span = circle[0]?.equation.span ?? e.span
    world.report('NET3066', span, { targets }, ctx)
    return
  }
  const { equations } = entry.stage
  for (const step of steps) {
    if (step.kind !== 'loop' || step.down === down) continue
    const isOverTime = members.some(({ equation, name }) => {
      const k = namesOf(equation).indexOf(e.index.text)
      const own = equations.find((x) => x.target === name)
      const index = step.time.get(name)
      return own !== undefined && index !== undefined && dimensionOf(own, index) === k
    })
    if (!isOverTime) continue
    world.report('NET3067', e.index.span, { index: e.index.text, down }, ctx)
  }
}
