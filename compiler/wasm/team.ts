/**
 * The code with which threads work together, in a module with shared memory. Each thread is an instance of the module with the
 * same memory; it knows its number and how many they are. A call of an entry by thread 0 wakes the others, which wait in
 * `.work`; then all run the same code, each doing its part of every shared kernel, and meet at barriers, the last of
 * which ends the call.
 *
 * Waiting is looking a while, then sleeping (`memory.atomic.wait32`). Thread 0 never waits where there is only one thread, so
 * that a page's main thread, which must not, can run such a module too.
 *
 * Exports, whose names no entry can have: `.team(size, looks)` says to thread 0 how many threads there are, `.work(number, size,
 * looks)` is the life of another thread, `.stop()` ends them.
 */
import { type Data, i32, type Module, neverInlined, none, params, type Ref } from './assembler.ts'

/** Words in shared memory, on cache lines of their own where different threads write them. */
const cells = {
  /** 1 once the first instance has written the constants. */
  ready: 0,
  /** Counts the calls. */
  calls: 64,
  /** Threads asleep until the next call. */
  idle: 68,
  /** Counts arrivals at barriers. */
  arrived: 128,
  /** Arrivals with which the last barrier was complete. */
  released: 192,
  /** Threads asleep at a barrier. */
  waiting: 196,
  /** What is called, then its arguments. */
  entry: 256,
  arguments: 260,
} as const

/** Bytes that they take, with `most` arguments. */
export const cellBytes = (most: number): number => Math.ceil((cells.arguments + 4 * most) / 64) * 64

const barrierName = `${neverInlined}barrier`
/** The number of this thread. */
const thread = 'thread'
/** How many threads run the current call. */
const team = 'team'
/** How many there are. */
const size = 'size'
/** How often to look before sleeping. */
const looks = 'looks'
/** Arrivals that complete the next barrier. */
const goal = 'goal'

export interface SharedEntry {
  readonly name: string
  readonly parameters: number
}

/** Where threads meet, as `env.meet` is told: before an entry, within it, behind it. */
const meetings = { before: 0, within: 1, behind: 2 } as const

export class Team {
  readonly #module: Module
  readonly #at: number
  readonly #isMet: boolean
  readonly #entries: SharedEntry[] = []
  #labels = 0

  /** `at` is where the cells lie; `isMet` is `meet` of `ThreadOptions`. */
  constructor(module: Module, at: number, isMet: boolean) {
    this.#module = module
    this.#at = at
    this.#isMet = isMet
    for (const [name, value] of [
      [thread, 0],
      [team, 1],
      [size, 1],
      [looks, 0],
      [goal, 0],
    ] as const) {
      module.addGlobal(name, i32, true, module.i32.const(value))
    }
    if (isMet) module.addFunctionImport(barrierName, 'env', 'meet', i32, none)
    else this.#addBarrier()
  }

  #get(name: string): Ref {
    return this.#module.global.get(name, i32)
  }

  #load(offset: number): Ref {
    return this.#module.i32.atomic.load(0, this.#module.i32.const(this.#at + offset))
  }

  #store(offset: number, value: Ref): Ref {
    return this.#module.i32.atomic.store(0, this.#module.i32.const(this.#at + offset), value)
  }

  /** Adds atomically; the value is that before. */
  #add(offset: number, by: number): Ref {
    const { i32: op } = this.#module
    return op.atomic.rmw.add(0, op.const(this.#at + offset), op.const(by))
  }

  /** Wakes who sleeps on a cell; `sleepers` is the cell that counts them. */
  #wake(offset: number, sleepers: number): Ref {
    const module = this.#module
    const all = module.memory.atomic.notify(
      module.i32.const(this.#at + offset),
      module.i32.const(-1),
    )
    return module.if(this.#load(sleepers), module.drop(all))
  }

  /**
   * Until `done` of the cell's value: looks for a while, then sleeps. `value` and `turns` are i32 locals. Who wakes has
   * changed the cell before it looks for sleepers, and who sleeps is counted before the engine compares: none is missed.
   */
  #await(
    offset: number,
    sleepers: number,
    done: (value: Ref) => Ref,
    local: { value: number; turns: number },
  ): Ref {
    const module = this.#module
    const id = this.#labels++
    const [look, asleep, end] = [`look${id}`, `asleep${id}`, `awake${id}`]
    const now = (): Ref => module.local.get(local.value, i32)
    const turns = (): Ref => module.local.get(local.turns, i32)
    const fetch = (): Ref => module.local.set(local.value, this.#load(offset))
    const address = module.i32.const(this.#at + offset)
    return module.block(end, [
      module.local.set(local.turns, this.#get(looks)),
      module.loop(
        look,
        module.block(null, [
          fetch(),
          module.br(end, done(now())),
          module.local.set(local.turns, module.i32.sub(turns(), module.i32.const(1))),
          module.br(look, module.i32.gt_s(turns(), module.i32.const(0))),
        ]),
      ),
      module.drop(this.#add(sleepers, 1)),
      module.loop(
        asleep,
        module.block(null, [
          module.drop(module.memory.atomic.wait32(address, now(), module.i64.const(-1n))),
          fetch(),
          module.br(asleep, module.i32.eqz(done(now()))),
        ]),
      ),
      module.drop(this.#add(sleepers, -1)),
    ])
  }

  #addBarrier(): void {
    const module = this.#module
    const last = module.i32.eq(
      module.i32.add(this.#add(cells.arrived, 1), module.i32.const(1)),
      this.#get(goal),
    )
    const passed = (released: Ref): Ref =>
      module.i32.ge_s(module.i32.sub(released, this.#get(goal)), module.i32.const(0))
    const body = module.if(
      module.i32.gt_s(this.#get(team), module.i32.const(1)),
      module.block(null, [
        module.global.set(goal, module.i32.add(this.#get(goal), this.#get(team))),
        module.if(
          last,
          module.block(null, [
            this.#store(cells.released, this.#get(goal)),
            this.#wake(cells.released, cells.waiting),
          ]),
          this.#await(cells.released, cells.waiting, passed, { value: 0, turns: 1 }),
        ),
      ]),
    )
    module.addFunction(barrierName, none, none, [i32, i32], body)
  }

  /** Before the steps of an entry. */
  enter(): Ref[] {
    return this.#isMet ? [this.#meet('before')] : []
  }

  barrier(): Ref {
    return this.#meet('within')
  }

  /** Behind the steps of an entry: thread 0 returns when all are done. */
  leave(): Ref {
    return this.#meet('behind')
  }

  #meet(where: keyof typeof meetings): Ref {
    const module = this.#module
    if (!this.#isMet) return module.call(barrierName, [], none)
    const several = module.i32.gt_s(this.#get(team), module.i32.const(1))
    const call = module.call(barrierName, [module.i32.const(meetings[where])], none)
    return module.if(several, call)
  }

  /** Only thread 0 does it. */
  first(statement: Ref): Ref {
    return this.#module.if(this.#module.i32.eqz(this.#get(thread)), statement)
  }

  /** Where the part of thread `number + after` begins: parts of `extent` differ by at most one grain. */
  part(extent: () => Ref, most: number, grain: number, after: 0 | 1): Ref {
    const { i32: op } = this.#module
    const number = after === 0 ? this.#get(thread) : op.add(this.#get(thread), op.const(1))
    const units = grain === 1 ? extent() : op.const(Math.ceil(most / grain))
    const begin = op.div_u(op.mul(units, number), this.#get(team))
    return grain === 1 ? begin : op.mul(begin, op.const(grain))
  }

  /** The body of an entry that the team runs: every thread runs it. */
  share(entry: SharedEntry): void {
    this.#entries.push(entry)
  }

  /** Runs such an entry with the parameters of the function at hand; alone where there are fewer than `fewest` rows. */
  call(entry: SharedEntry, fewest: number): Ref {
    const module = this.#module
    const given = Array.from({ length: entry.parameters }, (_, k) => k)
    const run = (): Ref =>
      module.call(
        entry.name,
        given.map((k) => module.local.get(k, i32)),
        none,
      )
    const several = module.i32.gt_s(this.#get(size), module.i32.const(1))
    const enough =
      fewest > 1
        ? module.i32.and(
            several,
            module.i32.ge_s(module.local.get(0, i32), module.i32.const(fewest)),
          )
        : several
    return module.if(
      enough,
      module.block(null, [
        module.global.set(team, this.#get(size)),
        ...given.map((k) => this.#store(cells.arguments + 4 * k, module.local.get(k, i32))),
        ...this.#announce(module.i32.const(this.#entries.indexOf(entry))),
        run(),
        module.global.set(team, module.i32.const(1)),
      ]),
      run(),
    )
  }

  #announce(what: Ref): Ref[] {
    return [
      this.#store(cells.entry, what),
      this.#module.drop(this.#add(cells.calls, 1)),
      this.#wake(cells.calls, cells.idle),
    ]
  }

  /** The functions that threads begin and end with; the first instance writes the segments. */
  finish(segments: readonly Data[]): void {
    const module = this.#module
    const ready = module.i32.const(this.#at + cells.ready)
    const isFirst = module.i32.eqz(
      module.i32.atomic.rmw.cmpxchg(0, ready, module.i32.const(0), module.i32.const(1)),
    )
    const writes = segments.map(({ address, data }, k) =>
      module.memory.init(
        `${k}`,
        module.i32.const(address),
        module.i32.const(0),
        module.i32.const(data.length),
      ),
    )
    const start = module.if(isFirst, module.block(null, writes))
    module.setStart(module.addFunction('.start', none, none, [], start))

    const set = (name: string, local: number): Ref =>
      module.global.set(name, module.local.get(local, i32))
    const exported = (name: string, parameters: number, locals: number, body: Ref[]): void => {
      const types = (n: number) => new Array(n).fill(i32)
      module.addFunction(
        name,
        params(types(parameters)),
        none,
        types(locals),
        module.block(null, body),
      )
      module.addFunctionExport(name, name)
    }
    exported('.team', 2, 0, [set(size, 0), set(looks, 1)])
    exported('.stop', 0, 0, [
      ...this.#announce(module.i32.const(-1)),
      module.global.set(size, module.i32.const(1)),
    ])
    // Locals behind the parameters: calls seen, the value looked at, turns.
    const [seen, value, turns] = [3, 4, 5]
    const calls = this.#entries.map((entry, k) =>
      module.if(
        module.i32.eq(this.#load(cells.entry), module.i32.const(k)),
        module.block(null, [
          module.call(
            entry.name,
            Array.from({ length: entry.parameters }, (_, p) => this.#load(cells.arguments + 4 * p)),
            none,
          ),
          module.br('next'),
        ]),
      ),
    )
    const isNew = (now: Ref): Ref => module.i32.ne(now, module.local.get(seen, i32))
    exported('.work', 3, 3, [
      set(thread, 0),
      set(team, 1),
      set(looks, 2),
      module.loop(
        'next',
        module.block(null, [
          this.#await(cells.calls, cells.idle, isNew, { value, turns }),
          module.local.set(seen, module.local.get(value, i32)),
          ...calls,
        ]),
      ),
    ])
  }
}
