/**
 * The parts of an entry's shared steps that a thread does. In: how the entry is shared and where its locals begin. Out: per step
 * two locals with the begin and the end of this thread's part, known once at the start of the entry for each kind of range.
 */
import type { Share } from '../schedule/types.ts'
import { i32, type Module, type Ref } from './assembler.ts'
import type { Step } from './steps.ts'
import type { Team } from './team.ts'
import type { Teamwork } from './teamwork.ts'

export interface Part {
  readonly begin: () => Ref
  readonly end: () => Ref
}

export class Parts {
  readonly work: Teamwork
  readonly team: Team
  readonly #module: Module
  readonly #firstLocal: number
  readonly #known = new Map<string, { readonly local: number; readonly share: Share }>()

  constructor(module: Module, team: Team, work: Teamwork, firstLocal: number) {
    this.#module = module
    this.team = team
    this.work = work
    this.#firstLocal = firstLocal
  }

  /** How many locals all parts take that were asked for. */
  get locals(): number {
    return 2 * this.#known.size
  }

  /** This thread's part of a step that is shared. */
  of(step: Step): Part | undefined {
    if (!this.work.shared.has(step) || (step.kind !== 'kernel' && step.kind !== 'zero')) {
      return undefined
    }
    const share = step.kernel.share!
    const { size, bound } = share.index.extent
    const key = `${bound ?? size} ${share.grain}`
    const local = this.#known.get(key)?.local ?? this.#firstLocal + this.locals
    this.#known.set(key, { local, share })
    const get = (k: number) => (): Ref => this.#module.local.get(k, i32)
    return { begin: get(local), end: get(local + 1) }
  }

  /** Computes the parts that were asked for. `counts` are the bounded dims of the entry's parameters. */
  known(counts: readonly string[]): Ref[] {
    const { local: locals, i32: op } = this.#module
    return [...this.#known.values()].flatMap(({ local, share: { index, grain } }) => {
      const { size, bound } = index.extent
      const extent = (): Ref =>
        bound === undefined ? op.const(size) : locals.get(counts.indexOf(bound), i32)
      const end = local + 1
      const beyond = op.gt_s(locals.get(end, i32), op.const(size))
      return [
        locals.set(local, this.team.part(extent, size, grain, 0)),
        locals.set(end, this.team.part(extent, size, grain, 1)),
        // The last grain may be a smaller one.
        ...(size % grain > 0 ? [this.#module.if(beyond, locals.set(end, op.const(size)))] : []),
      ]
    })
  }
}
