/**
 * Short names for a printed program. In: the dotted names of its tensors and what is taken. Out: per tensor an
 * identifier of the language: as many last parts of the path as make it unique, for a parameter with its layer even so,
 * `classify.dense_1.W` → `dense_1_W`; a cotangent is `d_` before the name of its tensor.
 */

/** Words that a value cannot be called. */
const reserved: ReadonlySet<string> = new Set(
  (
    'fn layer net if else for in true false and or not minimize over using with report yield sum max min mean prod ' +
    'argmax argmin import dim const vocab data optimizer rule train predict param state step every average scan fixpoint training exp log ' +
    'tanh sigmoid erf sqrt sin cos abs sign floor ceil where float int stopgrad rank onehot shape full random grad jvp ' +
    'checkpoint bool'
  ).split(' '),
)

const cotangent = /^d_/

/** `avoid`: names of indices, dims and definitions. */
export function shortNames(
  tensors: readonly string[],
  avoid: ReadonlySet<string>,
  params: ReadonlySet<string> = new Set(),
): ReadonlyMap<string, string> {
  const primal = [...new Set(tensors.map((name) => name.replace(cotangent, '')))]
  const names = new Map<string, string>()
  const used = new Set<string>()
  const isFree = (name: string): boolean =>
    !used.has(name) && !used.has(`d_${name}`) && !reserved.has(name) && !avoid.has(name)
  const claim = (full: string, short: string): void => {
    used.add(short)
    used.add(`d_${short}`)
    names.set(full, short)
    names.set(`d_${full}`, `d_${short}`)
  }
  // Names that are one word already keep it: they are the user's own.
  for (const full of primal) if (!full.includes('.') && isFree(full)) claim(full, full)
  for (const full of primal) {
    if (names.has(full)) continue
    const parts = full.split('.')
    const layered = params.has(full) && parts.length > 2
    const short = suffixes(parts).find(
      (name, k) =>
        !(layered && k === 0) &&
        isFree(name) &&
        !cotangent.test(name) &&
        !primal.some((other) => other !== full && endsAlike(other, name)),
    )
    claim(full, short ?? numbered(parts.join('_'), isFree))
  }
  return names
}

/** `W`, `dense_1_W`, `classify_dense_1_W`. */
function suffixes(parts: readonly string[]): string[] {
  return parts.map((_, k) => parts.slice(parts.length - 1 - k).join('_'))
}

/** Whether another path ends in the same parts, so that the short name would be ambiguous. */
const endsAlike = (full: string, short: string): boolean =>
  suffixes(full.split('.')).includes(short)

function numbered(base: string, isFree: (name: string) => boolean): string {
  const word = /^[A-Za-z_]/.test(base) ? base : `t_${base}`
  if (isFree(word)) return word
  for (let k = 2; ; k++) if (isFree(`${word}_${k}`)) return `${word}_${k}`
}
