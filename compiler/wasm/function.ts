/**
 * Building one function with its loops: values live in locals, are computed once in the outermost loop where
 * everything they need is known, and are found again by what they are (value numbering). So whoever emits an
 * expression need not think about hoisting or sharing.
 */
import { i32, type Module, none, params, type Ref, type Type } from './assembler.ts'

/** A value in a local, set once per run of its scope. */
export interface Value {
  readonly local: number
  readonly type: Type
  readonly scope: Scope
}

/** An i32 known at compile time or held in a local. */
export type Int = number | Value

/** A local that is set again and again: an accumulator. */
export interface Variable {
  readonly local: number
  readonly set: (scope: Scope, ref: Ref) => void
  readonly get: () => Ref
}

/** The body of a loop, or of the function. */
export class Scope {
  readonly parent: Scope | undefined
  readonly depth: number
  readonly statements: Ref[] = []
  /** Run at the end of each turn: the steps of induction pointers. */
  readonly steps: Ref[] = []
  readonly known = new Map<string, Value>()
  /** The loop's variable and its step per turn, where pointers should follow it by addition. */
  readonly induction: { readonly variable: number; readonly step: number } | undefined

  constructor(parent: Scope | undefined, induction?: { variable: number; step: number }) {
    this.parent = parent
    this.depth = parent ? parent.depth + 1 : 0
    this.induction = induction
  }
}

export class FunctionBuilder {
  readonly module: Module
  readonly root = new Scope(undefined)
  readonly #params: Type[]
  readonly #locals: Type[] = []
  #labels = 0

  constructor(module: Module, parameters: readonly Type[]) {
    this.module = module
    this.#params = [...parameters]
  }

  parameter(k: number): Value {
    return { local: k, type: this.#params[k]!, scope: this.root }
  }

  newLocal(type: Type): number {
    this.#locals.push(type)
    return this.#params.length + this.#locals.length - 1
  }

  get(value: Value): Ref {
    return this.module.local.get(value.local, value.type)
  }

  int(value: Int): Ref {
    return typeof value === 'number' ? this.module.i32.const(value) : this.get(value)
  }

  /** The value called `key`, computed by `make` in the innermost scope of `needs` if it is not yet known there. */
  value(key: string, type: Type, needs: readonly (Int | undefined)[], make: () => Ref): Value {
    let scope = this.root
    for (const need of needs) {
      if (typeof need === 'object' && need.scope.depth > scope.depth) scope = need.scope
    }
    const known = scope.known.get(key)
    if (known) return known
    const ref = make()
    const value = this.assign(scope, type, ref)
    scope.known.set(key, value)
    return value
  }

  /** A fresh value that nothing else shares. */
  assign(scope: Scope, type: Type, ref: Ref): Value {
    const local = this.newLocal(type)
    scope.statements.push(this.module.local.set(local, ref))
    return { local, type, scope }
  }

  /** pointer + index * bytes. In a loop with induction it becomes a pointer of its own that steps along. */
  advance(pointer: Value, index: Value, bytes: number): Value {
    const { module } = this
    const key = `${pointer.local}+${index.local}*${bytes}`
    const { induction, parent } = index.scope
    const moved = (): Ref =>
      module.i32.add(this.get(pointer), module.i32.mul(this.get(index), module.i32.const(bytes)))
    const follows =
      induction?.variable === index.local && parent && pointer.scope.depth < index.scope.depth
    if (!follows) return this.value(key, i32, [pointer, index], moved)
    const known = index.scope.known.get(key)
    if (known) return known
    const local = this.newLocal(i32)
    parent.statements.push(module.local.set(local, moved()))
    const step = module.i32.const(bytes * induction.step)
    index.scope.steps.push(
      module.local.set(local, module.i32.add(module.local.get(local, i32), step)),
    )
    const value: Value = { local, type: i32, scope: index.scope }
    index.scope.known.set(key, value)
    return value
  }

  /**
   * for (i = from; i + step <= to; i += step) body. Gives i, which afterwards holds where it stopped. With `from`
   * undefined it goes on from where `again` stopped.
   */
  loop(
    scope: Scope,
    from: Int | undefined,
    to: Int,
    step: number,
    body: (inner: Scope, index: Value) => void,
    options: { induction?: boolean; again?: Value } = {},
  ): Value {
    const { module } = this
    const local = options.again?.local ?? this.newLocal(i32)
    if (from !== undefined) scope.statements.push(module.local.set(local, this.int(from)))
    const inner = new Scope(scope, options.induction ? { variable: local, step } : undefined)
    body(inner, { local, type: i32, scope: inner })
    const now = (): Ref => module.local.get(local, i32)
    // i <= to - step, so that the bound is computed once.
    const last: Int =
      typeof to === 'number'
        ? to - step
        : step === 1
          ? to
          : this.value(`${to.local}-${step}`, i32, [to], () =>
              module.i32.sub(this.get(to), module.i32.const(step)),
            )
    const inside = (): Ref =>
      step === 1 && typeof to !== 'number'
        ? module.i32.lt_s(now(), this.int(last))
        : module.i32.le_s(now(), this.int(last))
    const label = `l${this.#labels++}`
    const turn = module.loop(
      label,
      module.block(null, [
        ...inner.statements,
        ...inner.steps,
        module.local.set(local, module.i32.add(now(), module.i32.const(step))),
        module.br(label, inside()),
      ]),
    )
    const runs = typeof from === 'number' && typeof to === 'number' && from + step <= to
    scope.statements.push(runs ? turn : module.if(inside(), turn))
    return { local, type: i32, scope }
  }

  /** Runs `body` where the condition holds. What it makes keeps its local: the value of the last time that it held. */
  when(scope: Scope, condition: Ref, body: (inner: Scope) => readonly Value[]): Value[] {
    const inner = new Scope(scope)
    const values = body(inner)
    const { module } = this
    scope.statements.push(module.if(condition, module.block(null, inner.statements)))
    return values.map((value) => ({ ...value, scope }))
  }

  variable(type: Type): Variable {
    const local = this.newLocal(type)
    return {
      local,
      set: (scope, ref) => scope.statements.push(this.module.local.set(local, ref)),
      get: () => this.module.local.get(local, type),
    }
  }

  finish(name: string): void {
    const body = this.module.block(null, [...this.root.statements])
    this.module.addFunction(name, params(this.#params), none, [...this.#locals], body)
  }
}
