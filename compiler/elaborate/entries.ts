/** Entries of the program: the inputs of train and predict blocks, predictions and their outputs, and total size. */

import { sameExtent } from '../ir/build.ts'
import type { Span } from '../support/span.ts'
import type { Expr, Param, Predict, Train } from '../syntax/ast.ts'
import { type Context, childScope } from './context.ts'
import { evalShape, textOf } from './dims.ts'
import { checkShape, store } from './store.ts'
import { elaborateTrain, outputName } from './train.ts'
import {
  asTensor,
  describe,
  errorValue,
  indexNames,
  lazy,
  showShape,
  storedTensor,
  type TensorValue,
} from './values.ts'

export function elaborateTrainEntries(train: Train, ctx: Context): void {
  const within = declareInputs(train.params, 'train', train.name.text, ctx)
  elaborateTrain(train, within)
}

/** Inputs are tensors with declared dims; `label: int[batch]`. */
function declareInputs(
  params: readonly Param[],
  kind: string,
  owner: string,
  ctx: Context,
): Context {
  const { world, entry } = ctx
  const within = childScope(ctx)
  for (const param of params) {
    const name = param.name.text
    if (within.scope.names.has(name)) {
      world.report('NET2003', param.name.span, { name })
      continue
    }
    const span = param.type?.span ?? param.span
    if (param.type?.kind !== 'tensor') {
      const given = param.type === undefined ? 'left out' : `a ${param.type.kind}`
      world.report('NET3014', span, {
        wanted: `a shape for the input of ${kind} \`${owner}\``,
        given,
      })
      within.scope.define(name, errorValue, param.name.span)
      continue
    }
    const { dims, dtype, vocab } = param.type
    const unknown = dims.find(
      (d): d is Extract<Expr, { readonly kind: 'name' }> =>
        d.kind === 'name' && world.globals.find(d.name) === undefined,
    )
    if (unknown !== undefined) {
      world.report('NET3015', unknown.span, { name: unknown.name })
      within.scope.define(name, errorValue, param.name.span)
      continue
    }
    const shape = evalShape(dims, ctx)
    if (shape === undefined || !checkShape(shape, name, ctx, span)) {
      within.scope.define(name, errorValue, param.name.span)
      continue
    }
    const stored = entry.freshName(name)
    entry.addTensor({
      name: stored,
      dtype,
      shape,
      role: 'input',
      span: param.span,
      initial: undefined,
      range: vocab && world.vocabularies.get(vocab.text)?.tokens.length,
      vocabulary: vocab?.text,
    })
    entry.inputs.push(stored)
    within.scope.define(
      name,
      storedTensor(stored, dtype, shape, indexNames(shape)),
      param.name.span,
    )
  }
  return within
}

/** The value of the block is the output; a tuple gives several. */
export function elaboratePredict(predict: Predict, ctx: Context): void {
  const { world, entry } = ctx
  const within = declareInputs(predict.params, 'predict', predict.name.text, ctx)
  const value = world.evaluator.block(predict.body, within)
  const last = predict.body.statements.at(-1)
  const name = last?.kind === 'bind' || last?.kind === 'equation' ? nameOfTarget(last) : undefined
  const expr = last?.kind === 'value' ? last.value : undefined
  const values = value.kind === 'tuple' ? value.parts : [value]
  const vocabularies = declaredVocabularies(predict)
  values.forEach((part, k) => {
    const source = value.kind === 'tuple' && expr?.kind === 'tuple' ? expr.parts[k] : expr
    const wish = name ?? (source?.kind === 'name' ? source.name : 'out')
    const tensor = asTensor(part)
    if (part.kind === 'error') return
    const span = source?.span ?? last?.span ?? predict.span
    if (tensor === undefined) {
      world.report('NET3014', span, { wanted: 'a tensor', given: describe(part) }, within)
      return
    }
    const stored = ownTensor(tensor, wish, span, within)
    if (stored.stored === undefined) return
    entry.outputs.push({
      name: outputName(wish, entry.outputs),
      tensor: stored.stored,
      vocabulary: stored.dtype === 'i32' ? vocabularies(wish) : undefined,
    })
    checkResult(predict, stored, span, within)
  })
}

/** The vocabulary that the text gives an output: as the type of a binding, of an input, or of the block's result. */
function declaredVocabularies({ params, body, result }: Predict) {
  const types = new Map(params.map((p) => [p.name.text, p.type]))
  for (const s of body.statements) {
    if (s.kind === 'bind' && s.type !== undefined) {
      for (const target of s.targets) types.set(target.name.text, s.type)
    }
  }
  return (name: string): string | undefined => {
    const type = types.get(name) ?? result
    return type?.kind === 'tensor' ? type.vocab?.text : undefined
  }
}

const nameOfTarget = (s: { readonly kind: string }): string | undefined =>
  'targets' in s
    ? (s as { targets: readonly { name: { text: string } }[] }).targets[0]?.name.text
    : (s as unknown as { target: { name: { text: string } } }).target.name.text

/** An output is a temporary of its own: inputs and parameters are copied. */
function ownTensor(value: TensorValue, name: string, span: Span, ctx: Context): TensorValue {
  const at = { ...ctx, origin: { span, note: '' } }
  if (value.stored === undefined) return store({ ...value, hint: undefined }, name, at, span)
  if (ctx.entry.tensors.get(value.stored)?.role === 'temp') return value
  return store(lazy(value.dtype, value.shape, value.body, value.indices), name, at, span)
}

function checkResult(predict: Predict, value: TensorValue, span: Span, ctx: Context): void {
  if (predict.result?.kind !== 'tensor') return
  const shape = evalShape(predict.result.dims, ctx)
  if (shape === undefined) return
  const fits =
    shape.length === value.shape.length && shape.every((e, k) => sameExtent(e, value.shape[k]!))
  if (fits && predict.result.dtype === value.dtype) return
  const wanted = predict.result.dtype === 'f32' ? showShape(shape) : textOf(predict.result)
  const of = `the result of \`${predict.name.text}\``
  ctx.world.report('NET3003', span, { wanted, given: describe(value), of }, ctx)
}
