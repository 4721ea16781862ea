/**
 * Threads that take turns: between two meetings only one runs at a time, in the order asked for. What a thread reads of
 * another one before they have met is then as it was, or already too new, in every run, whichever order has it so.
 */

export type Order = 'up' | 'down'

/** What a thread is told. `turns` counts them, in shared memory. */
export interface Job {
  readonly module: WebAssembly.Module
  readonly memory: WebAssembly.Memory
  readonly size: number
  readonly order: Order
  readonly turns: Int32Array
}

/** `env.meet` of a thread: 0 before an entry, 1 within it, 2 behind it. */
export function meeting(
  turns: Int32Array,
  number: number,
  size: number,
  order: Order,
): (where: number) => void {
  const place = order === 'up' ? number : size - 1 - number
  let round = 0
  const until = (turn: number): void => {
    for (;;) {
      const now = Atomics.load(turns, 0)
      if (now >= turn) return
      if (Atomics.wait(turns, 0, now, 10_000) === 'timed-out')
        throw new Error('threads do not meet')
    }
  }
  return (where) => {
    if (where > 0) {
      Atomics.add(turns, 0, 1)
      Atomics.notify(turns, 0)
      round++
    }
    until(where === 2 ? round * size : round * size + place)
  }
}
