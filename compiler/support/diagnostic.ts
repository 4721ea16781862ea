/**
 * User errors as values. A diagnostic says where, what and what to do about it; it is made from one entry of the
 * catalogue (catalogue.ts), collected in a `Diagnostics` bag and rendered by render.ts. Defects of netc itself are
 * `InternalError`s, never diagnostics.
 */
import type { Span } from './span.ts'

export interface Label {
  readonly span: Span
  readonly text: string
}

export interface Diagnostic {
  /** A key of the catalogue: `NET1001`. */
  readonly code: string
  readonly severity: 'error' | 'warning'
  /** One sentence, no final period, shapes in the user's own dim names. */
  readonly message: string
  /** The main place. */
  readonly span: Span
  /** What the underline says beside the main place; may be empty. */
  readonly label: string
  /** Further places, each with its own text. */
  readonly related: readonly Label[]
  /** What to do about it, a full sentence. */
  readonly help: string
  /** The calls through layers and functions that led here, outermost first. */
  readonly callPath: readonly CallFrame[]
}

export interface CallFrame {
  /** `dense`, as the user wrote it. */
  readonly callee: string
  readonly span: Span
}

/** Collects what is wrong; at most `limit` are kept so that broken input cannot flood. */
export class Diagnostics {
  readonly all: Diagnostic[] = []
  readonly #limit: number

  constructor(limit = 50) {
    this.#limit = limit
  }

  add(diagnostic: Diagnostic): void {
    if (this.all.length < this.#limit) this.all.push(diagnostic)
  }

  get hasErrors(): boolean {
    return this.all.some((d) => d.severity === 'error')
  }
}

/** A user error that a pass finds: it cannot go on, and `compile` adds the diagnostic to the others. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly diagnostic: Diagnostic

  constructor(diagnostic: Diagnostic) {
    super(diagnostic.message)
    this.diagnostic = diagnostic
  }
}

/** A broken invariant of netc: a defect, never the user's fault. The command line exits with 70. */
export class InternalError extends Error {
  override readonly name = 'InternalError'
}

/** For the default branch of an exhaustive switch. */
export function assertNever(value: never): never {
  throw new InternalError(`unexpected value ${JSON.stringify(value)}`)
}
