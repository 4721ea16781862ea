/**
 * The IR as text, one equation a line. In: a program, equation or scalar. Out: text that `parseProgram` reads back to
 * an equal value.
 *
 *     program "models/mnist.net"
 *     dim batch <= 64
 *     data train = idx("images", "labels") @61..90
 *     vocab char = "" lower unknown 2 ["a", "b", "?"]     separator, options and tokens
 *     param dense.W: f32[I=784, O=10] @120..131          extents: size, name=size, or a bounded dim
 *     hyper lr: f32[] = 0.001
 *     entry predict digit(x) -> probs = p {              the caller's name = the tensor
 *       stream next.seed, next.calls                     what random numbers read in place of seed and step
 *       input x: f32[batch, 784]
 *       input t: i32[batch] range 3 vocab char           (an output: `probs = p vocab char`)
 *       temp h: f32[batch, O=10] checkpoint "1/2"
 *       stage {
 *         h[n: batch, o: O=10] = sum[i: 784](x[n, i] * dense.W[i, o]) @140..170 -- "a note"
 *         scatter [n: batch, d: 8] table_d[ids[n], d] += g[n, d]
 *         e[n: batch] = h[n, 0] after d_h[n, _]            waits for it; per dimension an index, or all
 *         update table := table_new
 *       }
 *     }
 *
 * Scalars: `x[n, i]` reads, `x?[n, i - 1]` guarded; a bare name is an index; `3` is i32, `3.0` f32, `true` bool;
 * `f32(e)` casts; `where(test, a, b)`, `stopgrad(e)`, `count(batch)`, `random#site(element)`. A `minimize` line in a
 * stage is its objective, a `rule` block a call with a derivative by hand. `@12..40` is a span of the program's own
 * file, `@"std/nn.net" 12..40` of another. Names that are not plain words, or are words of the grammar, are quoted.
 * Not written: the dtypes of inner nodes, which follow from those of the tensors.
 */
import { assertNever } from '../support/diagnostic.ts'
import type { Span } from '../support/span.ts'
import { constantText, infix, nameText, numberText, prefixLevel } from './text.ts'
import type {
  BoundedDim,
  DataSource,
  Entry,
  Equation,
  Extent,
  Index,
  Output,
  Program,
  RuleCall,
  Scalar,
  Stage,
  Tensor,
  Vocabulary,
} from './types.ts'

/** What a line may leave out: the program's own file in spans, and the sizes of the declared dims. */
export interface PrintContext {
  readonly file: string
  /** Undefined: bounded extents never show their size. */
  readonly dims: readonly BoundedDim[] | undefined
}

const anywhere: PrintContext = { file: '', dims: undefined }

export function printProgram(program: Program): string {
  const context: PrintContext = program
  const lines = [`program ${JSON.stringify(program.file)}`]
  for (const dim of program.dims) lines.push(`dim ${nameText(dim.name)} <= ${dim.max}`)
  for (const source of program.data) lines.push(dataText(source, context))
  for (const vocabulary of program.vocabularies) lines.push(vocabularyText(vocabulary))
  for (const tensor of program.tensors) lines.push(printTensor(tensor, context))
  for (const entry of program.entries) lines.push('', ...entryLines(entry, context))
  return `${lines.join('\n')}\n`
}

/** `h[n: batch, o: 10] = … @12..40` */
export function printEquation(equation: Equation, context = anywhere): string {
  const outs = indicesText(equation.outs, context)
  const target = nameText(equation.target)
  const body = printScalar(equation.body, context)
  const origin = originText(equation.origin.span, equation.origin.note, context)
  const end = `${afterText(equation)}${origin}`
  if (equation.at === undefined) return `${target}${outs} = ${body}${end}`
  const at = equation.at.map((p) => printScalar(p, context)).join(', ')
  return `scatter ${outs} ${target}[${at}] += ${body}${end}`
}

/** ` after d_h[_, t, _]` */
function afterText({ after }: Equation): string {
  if (!after) return ''
  const at = after.at.map((i) => (i === undefined ? '_' : nameText(i))).join(', ')
  return ` after ${nameText(after.tensor)}[${at}]`
}

/** `param W: f32[I=784, O=10]` */
export function printTensor(tensor: Tensor, context = anywhere): string {
  const shape = tensor.shape.map((x) => printExtent(x, context)).join(', ')
  const initial = tensor.initial === undefined ? '' : ` = ${constantText('f32', tensor.initial)}`
  const range = tensor.range === undefined ? '' : ` range ${numberText(tensor.range)}`
  const type = `${tensor.dtype}[${shape}]`
  const { checkpoint } = tensor
  const again = checkpoint === undefined ? '' : ` checkpoint ${JSON.stringify(checkpoint)}`
  const options = `${initial}${range}${again}${ofVocabulary(tensor)}`
  return `${tensor.role} ${nameText(tensor.name)}: ${type}${options}${spanText(tensor.span, context)}`
}

/** `784`, `O=10`, `batch`, and `name=batch <= 64` in full. */
export function printExtent(extent: Extent, context = anywhere): string {
  if (extent.bound === undefined) {
    return extent.name === undefined ? `${extent.size}` : `${nameText(extent.name)}=${extent.size}`
  }
  const own = extent.name === undefined ? '_' : nameText(extent.name)
  const name = extent.name === extent.bound ? '' : `${own}=`
  const declared = context.dims?.find((d) => d.name === extent.bound)
  const known = context.dims === undefined || declared?.max === extent.size
  return `${name}${nameText(extent.bound)}${known ? '' : ` <= ${extent.size}`}`
}

function indicesText(indices: readonly Index[], context: PrintContext): string {
  const parts = indices.map((i) => `${nameText(i.name)}: ${printExtent(i.extent, context)}`)
  return `[${parts.join(', ')}]`
}

function spanText(span: Span | undefined, context: PrintContext): string {
  if (!span) return ''
  const other = span.source.file === context.file ? '' : `${JSON.stringify(span.source.file)} `
  return ` @${other}${span.start}..${span.end}`
}

function originText(span: Span | undefined, note: string, context: PrintContext): string {
  return spanText(span, context) + (note === '' ? '' : ` -- ${JSON.stringify(note)}`)
}

function dataText(source: DataSource, context: PrintContext): string {
  const args = source.args.map(({ name, value }) => {
    const text = typeof value === 'number' ? numberText(value) : JSON.stringify(value)
    return name === undefined ? text : `${nameText(name)} = ${text}`
  })
  const call = `${nameText(source.reader)}(${args.join(', ')})`
  return `data ${nameText(source.name)} = ${call}${spanText(source.span, context)}`
}

function vocabularyText({ name, separator, lower, unknown, tokens }: Vocabulary): string {
  const options = `${lower ? ' lower' : ''}${unknown === undefined ? '' : ` unknown ${unknown}`}`
  const list = tokens.map((token) => JSON.stringify(token)).join(', ')
  return `vocab ${nameText(name)} = ${JSON.stringify(separator)}${options} [${list}]`
}

const ofVocabulary = ({ vocabulary }: Tensor | Output): string =>
  vocabulary === undefined ? '' : ` vocab ${nameText(vocabulary)}`

function entryLines(entry: Entry, context: PrintContext): string[] {
  const inputs = entry.inputs.map(nameText).join(', ')
  const outputs = entry.outputs
    .map((o) => `${nameText(o.name)} = ${nameText(o.tensor)}${ofVocabulary(o)}`)
    .join(', ')
  const result = outputs === '' ? '' : ` -> ${outputs}`
  return [
    `entry ${entry.kind} ${nameText(entry.name)}(${inputs})${result} {`,
    ...(entry.stream
      ? [`  stream ${nameText(entry.stream.seed)}, ${nameText(entry.stream.step)}`]
      : []),
    ...entry.tensors.map((t) => `  ${printTensor(t, context)}`),
    ...entry.stages.flatMap((stage) => stageLines(stage, context).map((line) => `  ${line}`)),
    '}',
  ]
}

function stageLines(stage: Stage, context: PrintContext): string[] {
  const lines = ['stage {']
  if (stage.objective) {
    const gradients = stage.objective.gradients
      .map(({ param, gradient }) => `${nameText(param)}: ${nameText(gradient)}`)
      .join(', ')
    lines.push(`  minimize ${nameText(stage.objective.loss)} {${gradients}}`)
  }
  for (const equation of stage.equations) lines.push(`  ${printEquation(equation, context)}`)
  for (const rule of stage.rules) lines.push(...ruleLines(rule, context).map((line) => `  ${line}`))
  for (const { target, value } of stage.updates) {
    lines.push(`  update ${nameText(target)} := ${nameText(value)}`)
  }
  lines.push('}')
  return lines
}

function ruleLines(rule: RuleCall, context: PrintContext): string[] {
  const args = rule.args.map(nameText).join(', ')
  const given = rule.cotangents.map((c) => (c === undefined ? '_' : nameText(c))).join(', ')
  return [
    `rule ${nameText(rule.result)} = ${nameText(rule.fn)}(${args}) {`,
    `  cotangent ${printTensor(rule.cotangent, context)}`,
    ...rule.tensors.map((t) => `  ${printTensor(t, context)}`),
    ...rule.equations.map((e) => `  ${printEquation(e, context)}`),
    `  give (${given})`,
    '}',
  ]
}

/** A scalar with as few parentheses as the tree needs; `level` is how tightly its surroundings bind. */
export function printScalar(e: Scalar, context = anywhere, level = 0): string {
  const print = (part: Scalar, inside = 0): string => printScalar(part, context, inside)
  const list = (parts: readonly Scalar[]): string => parts.map((part) => print(part)).join(', ')
  switch (e.kind) {
    case 'const':
      return constantText(e.type, e.value)
    case 'index':
      return nameText(e.name)
    case 'count':
      return `count(${nameText(e.dim)})`
    case 'read':
      return `${nameText(e.tensor)}${e.guarded ? '?' : ''}[${list(e.at)}]`
    case 'unary': {
      if (e.op !== 'neg') return `${e.op}(${print(e.value)})`
      // `-3` is a constant, so the negation of one keeps its parentheses.
      const value = print(e.value, prefixLevel + 1)
      const negation = e.value.kind === 'const' ? `-(${value})` : `-${value}`
      return parenthesize(negation, level > prefixLevel)
    }
    case 'binary': {
      const operator = infix[e.op]
      if (!operator) return `${e.op}(${list([e.left, e.right])})`
      const left = print(e.left, operator.level)
      const right = print(e.right, operator.level + 1)
      return parenthesize(`${left} ${operator.text} ${right}`, level > operator.level)
    }
    case 'select':
      return `where(${list([e.test, e.then, e.otherwise])})`
    case 'cast':
      return `${e.type}(${print(e.value)})`
    case 'stopgrad':
      return `stopgrad(${print(e.value)})`
    case 'reduce':
      return `${e.op}${indicesText(e.over, context)}(${print(e.body)})`
    case 'random':
      return `random#${e.site}(${print(e.element)})`
    default:
      return assertNever(e)
  }
}

const parenthesize = (text: string, needed: boolean): string => (needed ? `(${text})` : text)
