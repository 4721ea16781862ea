/** Lexical scopes of values and the suggestions for misspelt names. */

import type { Index } from '../ir/types.ts'
import type { Span } from '../support/span.ts'
import type { TensorValue, Value } from './values.ts'

export interface Binding {
  readonly value: Value
  readonly span: Span | undefined
  /** Set for index variables. */
  readonly index: Index | undefined
  used: boolean
  /** Set for running state: what a primed target of this name is the next value of. */
  state: StateBinding | undefined
}

export interface StateBinding {
  /** Undefined after a report. */
  readonly cell: TensorValue | undefined
  /** The scope of the declaration, where the next value is bound too. */
  readonly home: Scope
}

export class Scope {
  readonly parent: Scope | undefined
  /** Bodies of `for` and `if` may bind the names of the scope around them again. */
  readonly rebinds: boolean
  readonly names = new Map<string, Binding>()

  constructor(parent: Scope | undefined, rebinds = false) {
    this.parent = parent
    this.rebinds = rebinds
  }

  find(name: string): Binding | undefined {
    return this.names.get(name) ?? this.parent?.find(name)
  }

  define(name: string, value: Value, span?: Span, index?: Index): void {
    this.names.set(name, { value, span, index, used: false, state: undefined })
  }

  defineState(name: string, value: Value, span: Span, cell: TensorValue | undefined): void {
    const state = { cell, home: this }
    this.names.set(name, { value, span, index: undefined, used: false, state })
  }

  /** Where a new binding of `name` belongs; undefined when it would change an immutable value. */
  homeOf(name: string): Scope | undefined {
    if (this.names.has(name)) return this.rebinds ? this : undefined
    for (let scope: Scope = this; scope.rebinds && scope.parent !== undefined; ) {
      scope = scope.parent
      if (scope.names.has(name)) return scope
    }
    return this
  }

  *visible(): Iterable<string> {
    yield* this.names.keys()
    if (this.parent !== undefined) yield* this.parent.visible()
  }
}
