/**
 * The IR as a JSON value, for tools (`netc ir --format json`). In: a program. Out: a value that `JSON.stringify` takes
 * as it is. One way only: the text form is the one that is read back.
 *
 * The value mirrors types.ts, with these differences: an absent field is null; a number that JSON lacks is one of the
 * strings "nan", "inf", "-inf", "-0"; a span is `{file, line, column, start, end}`; and each equation has, beside its
 * `body` as a tree (a select has `chosen` for `then`), its `text` as printed and `reads`, the tensors it depends on.
 */
import { positionAt, type Span } from '../support/span.ts'
import { printEquation } from './print.ts'
import { numberText } from './text.ts'
import { readsOf } from './traverse.ts'
import type {
  Entry,
  Equation,
  Extent,
  Index,
  Program,
  RuleCall,
  Scalar,
  Stage,
  Tensor,
} from './types.ts'

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json }

export function programToJson(program: Program): Json {
  return {
    format: 'netc-ir',
    version: 1,
    file: program.file,
    dims: program.dims.map((d) => ({ name: d.name, max: d.max })),
    tensors: program.tensors.map(tensorJson),
    entries: program.entries.map((e) => entryJson(e, program)),
    data: program.data.map((d) => ({
      name: d.name,
      reader: d.reader,
      args: d.args.map(({ name, value }) => ({
        name: name ?? null,
        value: typeof value === 'number' ? numberJson(value) : value,
      })),
      span: spanJson(d.span),
    })),
    vocabularies: program.vocabularies.map((v) => ({ ...v, unknown: v.unknown ?? null })),
  }
}

function numberJson(value: number): number | string {
  return Number.isFinite(value) && !Object.is(value, -0) ? value : numberText(value)
}

function spanJson(span: Span | undefined): Json {
  if (!span) return null
  const { line, column } = positionAt(span.source, span.start)
  return { file: span.source.file, line, column, start: span.start, end: span.end }
}

function extentJson(extent: Extent): { readonly [key: string]: Json } {
  return { size: extent.size, bound: extent.bound ?? null, name: extent.name ?? null }
}

const indexJson = (i: Index): Json => ({ name: i.name, extent: extentJson(i.extent) })

function tensorJson(t: Tensor): Json {
  return {
    name: t.name,
    role: t.role,
    dtype: t.dtype,
    shape: t.shape.map(extentJson),
    initial: t.initial === undefined ? null : numberJson(t.initial),
    range: t.range ?? null,
    checkpoint: t.checkpoint ?? null,
    vocabulary: t.vocabulary ?? null,
    span: spanJson(t.span),
  }
}

function entryJson(entry: Entry, program: Program): Json {
  return {
    name: entry.name,
    kind: entry.kind,
    inputs: entry.inputs,
    outputs: entry.outputs.map((o) => ({
      name: o.name,
      tensor: o.tensor,
      vocabulary: o.vocabulary ?? null,
    })),
    stream: entry.stream ? { seed: entry.stream.seed, step: entry.stream.step } : null,
    tensors: entry.tensors.map(tensorJson),
    stages: entry.stages.map((s) => stageJson(s, program)),
  }
}

function stageJson(stage: Stage, program: Program): Json {
  const { objective } = stage
  return {
    objective: objective
      ? {
          loss: objective.loss,
          gradients: objective.gradients.map(({ param, gradient }) => ({ param, gradient })),
        }
      : null,
    equations: stage.equations.map((e) => equationJson(e, program)),
    updates: stage.updates.map(({ target, value }) => ({ target, value })),
    rules: stage.rules.map((r) => ruleJson(r, program)),
  }
}

function ruleJson(rule: RuleCall, program: Program): Json {
  return {
    fn: rule.fn,
    result: rule.result,
    args: rule.args,
    cotangent: tensorJson(rule.cotangent),
    tensors: rule.tensors.map(tensorJson),
    equations: rule.equations.map((e) => equationJson(e, program)),
    cotangents: rule.cotangents.map((c) => c ?? null),
  }
}

function equationJson(equation: Equation, program: Program): Json {
  return {
    target: equation.target,
    outs: equation.outs.map(indexJson),
    at: equation.at?.map(scalarJson) ?? null,
    body: scalarJson(equation.body),
    after: equation.after
      ? { tensor: equation.after.tensor, at: equation.after.at.map((i) => i ?? null) }
      : null,
    text: printEquation({ ...equation, origin: { span: undefined, note: '' } }, program),
    reads: [...readsOf(equation)],
    origin: { span: spanJson(equation.origin.span), note: equation.origin.note },
  }
}

/** The node's own fields, with the parts that are scalars or indices converted. */
function scalarJson(e: Scalar): Json {
  switch (e.kind) {
    case 'const':
      return { kind: e.kind, type: e.type, value: numberJson(e.value) }
    case 'index':
    case 'count':
      return { ...e }
    case 'read':
      return { ...e, at: e.at.map(scalarJson) }
    case 'unary':
    case 'cast':
    case 'stopgrad':
      return { ...e, value: scalarJson(e.value) }
    case 'binary':
      return { ...e, left: scalarJson(e.left), right: scalarJson(e.right) }
    case 'select': {
      const { test, then, otherwise, ...own } = e
      const parts = [test, then, otherwise].map(scalarJson)
      return { ...own, test: parts[0]!, chosen: parts[1]!, otherwise: parts[2]! }
    }
    case 'reduce':
      return { ...e, over: e.over.map(indexJson), body: scalarJson(e.body) }
    case 'random':
      return { ...e, element: scalarJson(e.element) }
  }
}
