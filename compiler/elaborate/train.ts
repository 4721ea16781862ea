/**
 * `train` blocks: the forward equations, the objective that differentiation consumes, reports, and for each trained
 * parameter the optimizer's equations. Elaborated twice, as the entry that trains and as its evaluation.
 */

import { visit } from '../ir/traverse.ts'
import type { Span } from '../support/span.ts'
import { suggest } from '../support/suggest.ts'
import type { Block, Expr, Name, Statement, Train } from '../syntax/ast.ts'
import { averageParameters } from './average.ts'
import { type Context, childScope, inner, join } from './context.ts'
import { converted } from './elementwise.ts'
import { isDefault, type Using } from './groups.ts'
import { applyOptimizers } from './optimize.ts'
import { store } from './store.ts'
import { asTensor, describe, type TensorValue, typeNames } from './values.ts'

type Average = Extract<Statement, { readonly kind: 'average' }>
type Minimize = Extract<Statement, { readonly kind: 'minimize' }>

/** What the statements of one step say, collected until its end. */
interface Step {
  minimize: Minimize | undefined
  loss: TensorValue | undefined
  over: readonly Name[] | undefined
  readonly usings: Using[]
  average: Average | undefined
}

const emptyStep = (): Step => ({
  minimize: undefined,
  loss: undefined,
  over: undefined,
  usings: [],
  average: undefined,
})

export function elaborateTrain(train: Train, ctx: Context): void {
  const { world, entry } = ctx
  const hasSteps = containsStep(train.body)
  let steps = 0
  let losses = 0
  const outer = emptyStep()
  let current = outer
  const finish = (step: Step, span: Span, at: Context): void => {
    if (step.minimize === undefined) {
      world.report('NET4001', span, { name: train.name.text }, at)
      return
    }
    if (step.loss !== undefined) {
      entry.outputs.splice(losses++, 0, {
        name: outputName('loss', entry.outputs),
        tensor: step.loss.stored ?? '',
      })
    }
    if (step.usings.length === 0) {
      const name = hasSteps ? 'this step' : train.name.text
      world.report('NET4003', step.minimize.span, { name }, at)
      return
    }
    if (entry.training) update(train, step, at)
  }
  const hook = (s: Statement, at: Context): boolean => {
    switch (s.kind) {
      case 'minimize':
      case 'over':
      case 'using':
      case 'average':
        if (hasSteps && current === outer) {
          world.report('NET4017', s.span, { name: s.kind }, at)
        } else collect(s, current, at)
        return true
      case 'report':
        for (const metric of s.metrics) report(metric.name, metric.value, at)
        return true
      case 'step': {
        if (current !== outer) return false
        current = emptyStep()
        if (steps++ > 0) entry.startStep()
        const within = childScope(at)
        world.evaluator.block(s.body, within, { hook })
        finish(current, s.span, within)
        current = outer
        return true
      }
      default:
        return false
    }
  }
  world.evaluator.block(train.body, ctx, { hook })
  if (!hasSteps) finish(outer, train.name.span, ctx)
}

const containsStep = (block: Block): boolean =>
  block.statements.some(
    (s) =>
      s.kind === 'step' ||
      (s.kind === 'for' && containsStep(s.body)) ||
      (s.kind === 'if' && (containsStep(s.then) || (s.otherwise && containsStep(s.otherwise)))),
  )

function collect(
  s: Extract<Statement, { readonly kind: 'minimize' | 'over' | 'using' | 'average' }>,
  step: Step,
  ctx: Context,
): void {
  const { world } = ctx
  const isSecond =
    s.kind === 'using' ? isDefault(s) && step.usings.some(isDefault) : step[s.kind] !== undefined
  if (isSecond) {
    world.report('NET4005', s.span, { statement: s.kind }, ctx)
    return
  }
  if (s.kind === 'over') step.over = s.nets
  else if (s.kind === 'using') step.usings.push(s)
  else if (s.kind === 'average') step.average = s
  else {
    step.minimize = s
    step.loss = evaluateLoss(s, ctx)
  }
}

function evaluateLoss(s: Minimize, ctx: Context): TensorValue | undefined {
  const value = ctx.world.evaluator.expr(s.loss, { ...ctx, want: join(ctx.frame.path, 'loss') })
  if (value.kind === 'error') return undefined
  const tensor = asTensor(value)
  if (tensor === undefined || tensor.shape.length > 0) {
    ctx.world.report('NET4002', s.loss.span, { shape: describe(value) }, ctx)
    return undefined
  }
  if (tensor.dtype !== 'f32' && value.kind === 'tensor') {
    const type = tensor.dtype === 'i32' ? 'an int' : `a ${typeNames[tensor.dtype]}`
    ctx.world.report('NET4018', s.loss.span, { type }, ctx)
    return undefined
  }
  const floats = converted(tensor, 'f32')
  const stored = store(unhinted(floats), 'loss', ctx, s.loss.span)
  return stored.stored === undefined ? undefined : stored
}

const unhinted = (value: TensorValue): TensorValue => ({ ...value, hint: undefined })

function report(name: Name | undefined, e: Expr, ctx: Context): void {
  const label = name?.text ?? calleeName(e)
  const at: Context = { ...inner(ctx), origin: { span: e.span, note: '' } }
  const value = ctx.world.evaluator.expr(e, { ...at, want: join(ctx.frame.path, label) })
  if (value.kind === 'error') return
  const tensor = asTensor(value)
  const isMatrix = tensor !== undefined && tensor.shape.length > 0
  const isPooled = isMatrix && ctx.entry.totals.length > 0
  if (tensor === undefined || (isMatrix && !isPooled) || tensor.shape.some((x) => x.bound)) {
    ctx.world.report('NET4006', e.span, { name: label, shape: describe(value) }, ctx)
    return
  }
  const floats = converted(tensor, 'f32')
  const stored = floats.stored === undefined ? store(unhinted(floats), label, at, e.span) : floats
  if (stored.stored === undefined) return
  const output = outputName(label, ctx.entry.outputs)
  ctx.entry.places.set(output, e.span)
  ctx.entry.outputs.push({ name: output, tensor: stored.stored })
}

function calleeName(e: Expr): string {
  if (e.kind === 'call') return e.callee.text
  if (e.kind === 'name') return e.name
  if (e.kind === 'pipe') return calleeName(e.right)
  if (e.kind === 'reduce') return e.op
  return 'value'
}

export function outputName(wish: string, outputs: readonly { readonly name: string }[]): string {
  const taken = new Set(outputs.map((o) => o.name))
  if (!taken.has(wish)) return wish
  for (let k = 2; ; k++) if (!taken.has(`${wish}_${k}`)) return `${wish}_${k}`
}

/** The gradients that differentiation must define, and the optimizer's updates from them. */
function update(train: Train, step: Step, ctx: Context): void {
  const { world, entry } = ctx
  const nets = step.over === undefined ? [...entry.nets] : namedNets(step.over, ctx)
  const params = nets.flatMap((net) => world.parameters(net).members)
  const place = step.minimize?.span ?? train.span
  if (params.length === 0) {
    if (world.known.size > 0 && nets.length === (step.over?.length ?? nets.length)) {
      world.report('NET4004', place, { name: train.name.text }, ctx)
    }
    return
  }
  if (step.loss?.stored === undefined) return
  if (!flowsThrough(step.loss.stored, new Set(params.map((p) => p.stored ?? '')), ctx, place))
    return
  const gradients = params.map((param) => {
    const name = entry.freshName(`d_${param.stored}`)
    entry.addTensor({
      name,
      dtype: 'f32',
      shape: param.shape,
      role: 'gradient',
      span: place,
      initial: undefined,
      range: undefined,
    })
    return { param: param.stored ?? '', gradient: name }
  })
  entry.stage.objective = { loss: step.loss.stored, gradients }
  const gathered = applyOptimizers(
    train,
    step.usings,
    params,
    gradients.map((g) => g.gradient),
    ctx,
  )
  if (step.average !== undefined && gathered !== undefined) {
    averageParameters(train.name.text, step.average.decay, params, gathered, ctx)
  }
}

function namedNets(names: readonly Name[], ctx: Context): string[] {
  const { world } = ctx
  const found: string[] = []
  for (const { text, span } of names) {
    if (world.definition(text, false)?.item.kind === 'net') {
      if (world.known.size > 0 && world.parameters(text).members.length === 0) {
        world.report('NET3025', span, { name: text }, ctx)
      } else found.push(text)
      continue
    }
    const nets = [...world.definitions].filter(([, d]) => d.item.kind === 'net').map(([n]) => n)
    world.report('NET2022', span, { name: text, suggestion: suggest(text, nets) }, ctx)
  }
  return [...new Set(found)]
}

/**
 * A value of an earlier stage is a constant to this one. If it was computed from what this step trains, its gradient
 * would silently be lost, so that is refused.
 */
function flowsThrough(
  loss: string,
  trained: ReadonlySet<string>,
  ctx: Context,
  span: Span,
): boolean {
  const { entry, world } = ctx
  const earlier = entry.stages.filter((s) => s !== entry.stage).flatMap((s) => s.equations)
  if (earlier.length === 0) return true
  const tainted = new Set<string>()
  for (const e of earlier) {
    const parts = [e.body, ...(e.at ?? [])]
    let depends = false
    for (const part of parts) {
      visit(part, (n) => {
        if (n.kind === 'read' && (trained.has(n.tensor) || tainted.has(n.tensor))) depends = true
      })
    }
    if (depends) tainted.add(e.target)
  }
  const needed = new Set([loss])
  for (const e of [...entry.stage.equations].reverse()) {
    if (!needed.has(e.target)) continue
    visit(e.body, (n) => {
      if (n.kind === 'read') needed.add(n.tensor)
    })
  }
  const lost = [...needed].find((name) => tainted.has(name))
  if (lost === undefined) return true
  const net = [...trained][0]?.split('.')[0] ?? ''
  world.report('NET4015', span, { name: lost, net }, ctx)
  return false
}
