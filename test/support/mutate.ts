/**
 * Seeded mutations of texts, for fuzzing: bytes, tokens and lines deleted, doubled, moved, exchanged and replaced;
 * pieces of another text put in; brackets and operators piled up. The same seed gives the same text.
 */
import { randomFrom } from './random.ts'

const tokens = [
  ...'(){}[],:;=+-*/%^<>.?!@#$&|\'"`\\~',
  '..',
  '|>',
  '->',
  '=>',
  '==',
  '!=',
  '<=',
  '>=',
  '+=',
  '?[',
  '&&',
  '||',
  '**',
  '//',
  '///',
  '/*',
  '*/',
  "x'",
  'fn',
  'layer',
  'net',
  'train',
  'predict',
  'optimizer',
  'rule',
  'data',
  'dim',
  'const',
  'import',
  'param',
  'state',
  'step',
  'minimize',
  'over',
  'using',
  'with',
  'every',
  'report',
  'if',
  'else',
  'for',
  'in',
  'and',
  'or',
  'not',
  'sum',
  'max',
  'argmin',
  'mean',
  'scan',
  'fixpoint',
  'yield',
  'vjp',
  'true',
  'x',
  'N',
  'batch',
  'int',
  'params',
  '0',
  '1',
  '1e-3',
  '1e999',
  '.5',
  '1.',
  '12a',
  '0x1',
  '-1',
  '999999999999',
  '"a"',
  '"',
  '"\\q"',
  '\n',
  '\n\n',
  '\t',
  '\r\n',
  ' ',
  '\0',
  '\u001b',
  'é',
  '日本',
  '😀',
  '\ud800',
  '\u2028',
  '\u202e',
  '\ufeff',
]

const bombs = [
  '(',
  '[',
  '{',
  'x[',
  'f(',
  'if a {',
  '-',
  'not ',
  '^x',
  ' + x',
  ' |> f',
  ')',
  '}',
  ']',
  'else {',
  '"',
  '/*',
  '\n',
  ';',
  'fn f() {',
  'x?[',
]

/** A text made from `texts`; most are small changes, some are heaps. */
export function mutate(texts: readonly string[], seed: number, maxLength = 20_000): string {
  const next = randomFrom(seed)
  const below = (n: number): number => Math.floor(next() * n)
  const pick = <T>(items: readonly T[]): T => items[below(items.length)]!
  let text = pick(texts)
  const times = 1 + below(next() < 0.2 ? 12 : 3)
  for (let i = 0; i < times; i++) text = change(text)
  return text.slice(0, maxLength)

  function change(text: string): string {
    const at = below(text.length + 1)
    const length = below(next() < 0.8 ? 8 : 200)
    const end = Math.min(text.length, at + length)
    const cut = (insert: string): string => text.slice(0, at) + insert + text.slice(end)
    switch (below(14)) {
      case 0:
        return cut('')
      case 1:
        return cut(pick(tokens))
      case 2:
        return text.slice(0, at) + pick(tokens) + text.slice(at)
      case 3:
        return text.slice(0, at) + String.fromCharCode(below(256)) + text.slice(at + 1)
      case 4:
        return cut(text.slice(at, end).repeat(2))
      case 5: {
        const other = pick(texts)
        const from = below(other.length)
        return text.slice(0, at) + other.slice(from, from + below(300)) + text.slice(at)
      }
      case 6: {
        const other = pick(texts)
        return text.slice(0, at) + other.slice(below(other.length))
      }
      case 7:
        return text.slice(0, at)
      case 8:
        return onLines(text, (lines) => lines.splice(below(lines.length), 1 + below(3)))
      case 9:
        return onLines(text, (lines) => {
          const line = below(lines.length)
          lines.splice(below(lines.length), 0, lines[line]!)
        })
      case 10:
        return onLines(text, (lines) => {
          const a = below(lines.length)
          const b = below(lines.length)
          const kept = lines[a]!
          lines[a] = lines[b]!
          lines[b] = kept
        })
      case 11: {
        // One word for another, everywhere or once.
        const words = text.match(/\w+|[^\s\w]/g) ?? ['x']
        const [word, by] = [pick(words), next() < 0.5 ? pick(words) : pick(tokens)]
        return next() < 0.5 ? text.replace(word, () => by) : text.replaceAll(word, by)
      }
      case 12:
        return text.slice(0, at) + pick(tokens) + pick(tokens) + pick(tokens) + text.slice(end)
      default:
        if (next() < 0.9) return text.slice(0, at) + pick(tokens) + text.slice(at)
        return text.slice(0, at) + pick(bombs).repeat(1 + below(3000)) + text.slice(at)
    }
  }
}

function onLines(text: string, edit: (lines: string[]) => void): string {
  const lines = text.split('\n')
  edit(lines)
  return lines.join('\n')
}
