/** The `with` of an optimizer: functions that change gradients before the optimizer sees them. */
import type { Train } from '../syntax/ast.ts'
import { bindArguments, type Given } from './arguments.ts'
import type { Context } from './context.ts'
import { asCall, type Using } from './groups.ts'
import { store } from './store.ts'
import { asTensor, describe, showShape, type TensorValue, type Value } from './values.ts'

/** The gradients after the `with` transforms; each sees the set of all of them. */
export function transform(
  train: Train,
  using: Using,
  gradients: readonly TensorValue[],
  ctx: Context,
): readonly TensorValue[] | undefined {
  const { world } = ctx
  const at = (name: string): Context => ({
    ...ctx,
    origin: { span: ctx.origin.span, note: `in ${name}` },
    frame: { ...ctx.frame, shared: `${train.name.text}.${name}` },
  })
  let all = gradients
  for (const e of using.transforms) {
    const call = asCall(e)
    const def = call === undefined ? undefined : world.definition(call.callee.text, false)
    if (call === undefined || def?.item.kind !== 'fn') {
      const name = call?.callee.text ?? 'this'
      if (e.kind !== 'error') world.report('NET4016', e.span, { name }, ctx)
      return undefined
    }
    const { item } = def
    const set: Value = { kind: 'params', name: 'all', members: all }
    const next: TensorValue[] = []
    for (const gradient of all) {
      const given: Given = { value: gradient, span: e.span, name: undefined }
      const rest = { ...item, params: item.params.filter((p) => p.type?.kind !== 'params') }
      const args = bindArguments(rest, call, given, ctx)
      if (args === undefined) return undefined
      for (const p of item.params) if (p.type?.kind === 'params') args.set(p.name.text, set)
      const value = world.evaluator.apply(def, args, e.span, at(call.callee.text))
      const tensor = asTensor(value)
      if (value.kind === 'error') return undefined
      if (tensor === undefined || tensor.shape.length !== gradient.shape.length) {
        const args = {
          name: gradient.stored ?? 'g',
          wanted: showShape(gradient.shape),
          given: describe(value),
        }
        world.report('NET4009', e.span, args, ctx)
        return undefined
      }
      next.push({ ...tensor, hint: undefined })
    }
    all = next.map((t, k) =>
      store(t, `${gradients[k]!.stored}.${call.callee.text}`, at(call.callee.text), e.span),
    )
  }
  return all
}
