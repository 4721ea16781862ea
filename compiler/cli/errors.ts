/** Ways a command ends early. Anything else that is thrown is a defect of netc. */

/** Exit codes of every command. */
export const exit = { done: 0, input: 1, usage: 2, defect: 70, interrupted: 130 } as const

/** The call is wrong: exit 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What was given to work on is wrong: exit 1. */
export class InputError extends Error {
  override readonly name = 'InputError'
}

/** The input is wrong and its diagnostics are already printed: exit 1. */
export class Reported extends Error {
  override readonly name = 'Reported'
}
