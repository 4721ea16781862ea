/**
 * The lexical side of the IR's text form, shared by the printer and the parser: which names need quotes, how
 * constants are written, and the operator tables. The grammar itself is described in print.ts.
 */
import type { BinaryOp, DType, Entry, ReduceOp, Role, UnaryOp } from './types.ts'

/** Infix operators and their binding strength, loosest first; the other binary operators are written as calls. */
export const infix = {
  or: { text: 'or', level: 1 },
  and: { text: 'and', level: 2 },
  lt: { text: '<', level: 3 },
  le: { text: '<=', level: 3 },
  gt: { text: '>', level: 3 },
  ge: { text: '>=', level: 3 },
  eq: { text: '==', level: 3 },
  ne: { text: '!=', level: 3 },
  add: { text: '+', level: 4 },
  sub: { text: '-', level: 4 },
  mul: { text: '*', level: 5 },
  div: { text: '/', level: 5 },
  mod: { text: '%', level: 5 },
  pow: undefined,
  min: undefined,
  max: undefined,
} satisfies Record<BinaryOp, { readonly text: string; readonly level: number } | undefined>

/** The level of prefix minus; everything tighter is an atom. */
export const prefixLevel = 6

export const comparisons: ReadonlySet<BinaryOp> = new Set(['lt', 'le', 'gt', 'ge', 'eq', 'ne'])

const unaryOps = {
  neg: true,
  abs: true,
  sign: true,
  sqrt: true,
  exp: true,
  log: true,
  tanh: true,
  sigmoid: true,
  erf: true,
  sin: true,
  cos: true,
  floor: true,
  ceil: true,
  not: true,
} satisfies Record<UnaryOp, true>

const reduceOps = {
  sum: true,
  max: true,
  min: true,
  prod: true,
  argmax: true,
  argmin: true,
} satisfies Record<ReduceOp, true>

const roles = {
  param: true,
  state: true,
  hyper: true,
  step: true,
  seed: true,
  input: true,
  temp: true,
  gradient: true,
} satisfies Record<Role, true>

const entryKinds = {
  init: true,
  train: true,
  eval: true,
  combine: true,
  predict: true,
  reset: true,
} satisfies Record<Entry['kind'], true>

const dtypes = { f32: true, i32: true, bool: true } satisfies Record<DType, true>

export const isUnaryOp = (text: string): text is UnaryOp => Object.hasOwn(unaryOps, text)
export const isReduceOp = (text: string): text is ReduceOp => Object.hasOwn(reduceOps, text)
export const isRole = (text: string): text is Role => Object.hasOwn(roles, text)
export const isEntryKind = (text: string): text is Entry['kind'] => Object.hasOwn(entryKinds, text)
export const isDType = (text: string): text is DType => Object.hasOwn(dtypes, text)
export const isCallOp = (text: string): text is 'pow' | 'min' | 'max' =>
  text === 'pow' || text === 'min' || text === 'max'

/** Words that would be read as something else where a name can stand. */
const reserved: ReadonlySet<string> = new Set([
  ...[
    'after',
    'checkpoint',
    'minimize',
    'scatter',
    'update',
    'rule',
    'give',
    '_',
    'true',
    'false',
    'nan',
    'inf',
  ],
  ...['count', 'where', 'stopgrad', 'random', 'pow', 'and', 'or'],
  ...Object.keys(unaryOps),
  ...Object.keys(reduceOps),
  ...Object.keys(dtypes),
])

const plain = /^[A-Za-z_$][\w$]*'*(?:\.[\w$]+'*)*$/

/** A tensor, index, dim or entry name: bare where it can be, else as a JSON string. */
export function nameText(name: string): string {
  return plain.test(name) && !reserved.has(name) ? name : JSON.stringify(name)
}

/** Finds the next token; groups: space or comment, string, number with its suffix, word, punctuation. */
export const tokenPattern =
  /(\s+|\/\/[^\n]*)|("(?:[^"\\]|\\.)*")|(\d+(?:\.\d+)?(?:e[+-]?\d+)?f?)|([A-Za-z_$][\w$]*'*(?:\.[\w$]+'*)*)|(->|:=|--|\.\.|<=|>=|==|!=|\+=|[-+*/%<>=()[\]{}?,:@#])/y

/**
 * A constant so that reading it gives the same bits: i32 as digits, f32 with a point or an exponent, bool as a word.
 * An `f` after a number means "rounded to f32", which is shorter for values that arithmetic on f32 made. Values that a
 * type cannot hold (a bool of 1, say) are written `type:value`.
 */
export function constantText(type: DType, value: number): string {
  switch (type) {
    case 'bool':
      if (value === -1) return 'true'
      if (Object.is(value, 0)) return 'false'
      return `bool:${numberText(value)}`
    case 'i32':
      return Object.is(value, value | 0) ? String(value) : `i32:${numberText(value)}`
    case 'f32':
      return floatText(value)
  }
}

/** Any double, exactly. */
export function numberText(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (value === Number.POSITIVE_INFINITY) return 'inf'
  if (value === Number.NEGATIVE_INFINITY) return '-inf'
  if (Object.is(value, -0)) return '-0'
  return String(value)
}

function floatText(value: number): string {
  if (!Number.isFinite(value)) return numberText(value)
  const exact = withPoint(numberText(value))
  if (Math.fround(value) !== value || exact.length < 10) return exact
  for (let digits = 1; digits <= 9; digits++) {
    const short = String(Number(value.toPrecision(digits)))
    if (Math.fround(Number(short)) === value) {
      const text = `${withPoint(short)}f`
      return text.length < exact.length ? text : exact
    }
  }
  return exact
}

const withPoint = (digits: string): string => (/[.e]/.test(digits) ? digits : `${digits}.0`)
