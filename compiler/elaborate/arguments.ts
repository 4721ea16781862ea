/** Binds the arguments of a call to the parameters of a definition, by position and by name, with defaults. */
import type { Span } from '../support/span.ts'
import { suggest } from '../support/suggest.ts'
import type { Expr, Fn, Layer, Net, Optimizer, Param } from '../syntax/ast.ts'
import { type Context, inner } from './context.ts'
import { textOf } from './dims.ts'
import { errorValue, type Value } from './values.ts'

type Call = Extract<Expr, { readonly kind: 'call' }>

/** An argument whose value is there already: the left side of `|>`, or the gradient for a transform. */
export interface Given {
  readonly value: Value
  readonly span: Span
  readonly name: string | undefined
}

/** Evaluates one argument; the optimizer call makes cells of some. */
export type EvaluateArgument = (e: Expr, param: Param, ctx: Context) => Value

export const evaluateArgument: EvaluateArgument = (e, param, ctx) =>
  ctx.world.evaluator.expr(e, { ...inner(ctx), whole: param.type?.kind === 'dim' })

/** Where the arguments of a call stand, for messages. */
export const argumentSpans = new WeakMap<object, ReadonlyMap<string, Span>>()

/** `dense(x, O)` for messages. */
export const signatureOf = (item: { name: { text: string }; params: readonly Param[] }): string =>
  `${item.name.text}(${item.params.map((p) => textOf(p)).join(', ')})`

/** The arguments by parameter name; undefined after a report. */
export function bindArguments(
  item: Fn | Layer | Net | Optimizer,
  call: Call,
  piped: Given | undefined,
  ctx: Context,
  evaluate: EvaluateArgument = evaluateArgument,
): Map<string, Value> | undefined {
  const { world } = ctx
  const callee = item.name.text
  const bound = new Map<string, Value>()
  const spans = new Map<string, Span>()
  argumentSpans.set(bound, spans)
  const open = [...item.params]
  const given = (value: Value, param: Param): void => {
    bound.set(param.name.text, value)
    open.splice(open.indexOf(param), 1)
  }
  let failed = false
  const positional: { value: (param: Param) => Value; span: Span; isShape: boolean }[] = []
  if (piped !== undefined) {
    positional.push({
      value: () => piped.value,
      span: piped.span,
      isShape: piped.value.kind === 'shape',
    })
  }
  for (const arg of call.args) {
    if (arg.name !== undefined) continue
    const isShape = looksLikeShape(arg.value, ctx)
    positional.push({
      value: (param) => evaluate(arg.value, param, ctx),
      span: arg.span,
      isShape,
    })
  }
  const names = new Set(call.args.flatMap((a) => (a.name === undefined ? [] : [a.name.text])))
  // `shape` is filled in: an initializer has the shape of its parameter, elsewhere one number.
  const [first] = item.params
  if (first?.name.text === 'shape' && !positional[0]?.isShape && !names.has('shape')) {
    given({ kind: 'shape', shape: ctx.filling ?? [] }, first)
  }
  for (const arg of positional) {
    const param = open[0]
    if (param === undefined) {
      const signature = signatureOf(item)
      const args = { callee, signature, given: positional.length, most: item.params.length }
      world.report('NET2006', arg.span, args, ctx)
      failed = true
      break
    }
    spans.set(param.name.text, arg.span)
    given(arg.value(param), param)
  }
  for (const arg of call.args) {
    if (arg.name === undefined) continue
    const name = arg.name.text
    const param = item.params.find((p) => p.name.text === name)
    if (param === undefined) {
      const known = item.params.map((p) => p.name.text)
      const suggestion = suggest(name, known)
      const signature = signatureOf(item)
      world.report('NET2005', arg.name.span, { callee, name, suggestion, signature }, ctx)
      failed = true
    } else if (bound.has(name)) {
      world.report('NET2008', arg.name.span, { callee, name }, ctx)
      failed = true
    } else {
      spans.set(name, arg.value.span)
      given(evaluate(arg.value, param, ctx), param)
    }
  }
  for (const param of [...open]) {
    if (param.initial !== undefined) continue
    if (!failed) {
      const args = { callee, name: param.name.text, signature: signatureOf(item) }
      world.report('NET2007', call.span, args, ctx)
    }
    bound.set(param.name.text, errorValue)
    failed = true
  }
  return failed ? undefined : bound
}

function looksLikeShape(e: Expr, ctx: Context): boolean {
  if (e.kind === 'shape') return true
  if (e.kind === 'call') return e.callee.text === 'shape'
  return e.kind === 'name' && ctx.scope.find(e.name)?.value.kind === 'shape'
}
