/**
 * Runs a check on many mutated texts. A check throws when something is wrong; the failure names the seed, which alone
 * makes the text again: `mutate(texts, seed)`.
 */
import { mutate } from './mutate.ts'

export interface Fuzz {
  readonly texts: readonly string[]
  readonly count: number
  readonly firstSeed: number
  readonly check: (text: string) => void
}

export function fuzz({ texts, count, firstSeed, check }: Fuzz): void {
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    const text = mutate(texts, seed)
    try {
      check(text)
    } catch (error) {
      const what = error instanceof Error ? (error.stack ?? error.message) : String(error)
      throw new Error(`seed ${seed}: ${what}\n--- the text\n${text.slice(0, 4000)}`)
    }
  }
}

/** Cuts texts into their declarations: small texts make many different ones in the same time. */
export function pieces(texts: readonly string[]): readonly string[] {
  return texts.flatMap((text) => text.split(/\n(?=\n)/)).filter((piece) => piece.trim().length > 20)
}
