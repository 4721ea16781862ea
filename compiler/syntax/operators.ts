/**
 * Precedence of operators, and how a flat list of operands and operators becomes a tree. The list is folded with an
 * explicit stack, so a long chain costs no recursion. The formatter uses the same table to place parentheses.
 */
import type { BinaryOp, Expr } from './ast.ts'

/** Higher binds tighter. */
export const precedence = {
  '|>': 1,
  or: 2,
  and: 3,
  not: 4,
  '==': 5,
  '!=': 5,
  '<': 5,
  '<=': 5,
  '>': 5,
  '>=': 5,
  '+': 6,
  '-': 6,
  '*': 7,
  '/': 7,
  '%': 7,
  negate: 8,
  '^': 9,
  postfix: 10,
} as const

export type Infix = BinaryOp | '|>'

export type Piece =
  | { readonly kind: 'operand'; readonly value: Expr }
  | { readonly kind: 'infix'; readonly op: Infix }
  | { readonly kind: 'prefix'; readonly op: '-' | 'not'; readonly start: number }

type Operator = Exclude<Piece, { readonly kind: 'operand' }>

export const isComparison = (op: string): boolean => precedence[op as Infix] === precedence['==']

const strength = (operator: Operator): number =>
  operator.kind === 'infix'
    ? precedence[operator.op]
    : operator.op === '-'
      ? precedence.negate
      : precedence.not

export interface FoldChecks {
  /** `a < b < c` was met; gets the whole. */
  readonly chained: (whole: Expr) => void
  /** The right side of a pipeline, to be checked or replaced. */
  readonly stage: (right: Expr) => Expr
}

/** Shunting-yard. */
export function fold(pieces: readonly Piece[], { chained, stage }: FoldChecks): Expr {
  const values: Expr[] = []
  const operators: Operator[] = []

  const reduce = (): void => {
    const operator = operators.pop()!
    const right = values.pop()!
    if (operator.kind === 'prefix') {
      const span = { ...right.span, start: operator.start }
      values.push({ kind: 'unary', span, op: operator.op, value: right })
      return
    }
    const left = values.pop()!
    const span = { source: left.span.source, start: left.span.start, end: right.span.end }
    values.push(
      operator.op === '|>'
        ? { kind: 'pipe', span, left, right: stage(right) }
        : { kind: 'binary', span, op: operator.op, left, right },
    )
  }

  for (const piece of pieces) {
    if (piece.kind === 'operand') {
      values.push(piece.value)
      continue
    }
    if (piece.kind === 'infix') {
      const own = precedence[piece.op]
      const rightAssociative = piece.op === '^'
      while (operators.length > 0) {
        const top = operators.at(-1)!
        const other = strength(top)
        if (other < own || (other === own && rightAssociative)) break
        reduce()
        if (top.kind === 'infix' && isComparison(top.op) && isComparison(piece.op)) {
          chained(values.at(-1)!)
        }
      }
    }
    operators.push(piece)
  }
  while (operators.length > 0) reduce()
  return values[0]!
}
