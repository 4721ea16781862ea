/**
 * Every user error netc can give, one code each. The texts live in catalogue/*.ts by area; a message is a function of
 * typed arguments, and the help says what to do. Codes are never reused.
 *
 * NET1xxx text and syntax · NET2xxx names and structure · NET3xxx shapes, types and indices · NET4xxx training,
 * differentiation and rules · NET5xxx limits of compilation · NET6xxx data, weights and command line
 */
import { dataErrors } from './catalogue/data.ts'
import type { CatalogueEntry } from './catalogue/entry.ts'
import { limitErrors } from './catalogue/limits.ts'
import { nameErrors } from './catalogue/names.ts'
import { pictureErrors } from './catalogue/pictures.ts'
import { scanErrors } from './catalogue/scan.ts'
import { shapeErrors } from './catalogue/shapes.ts'
import { stateErrors } from './catalogue/state.ts'
import { syntaxErrors } from './catalogue/syntax.ts'
import { trainingErrors } from './catalogue/training.ts'
import { vocabularyErrors } from './catalogue/vocabularies.ts'
import type { CallFrame, Diagnostic, Label } from './diagnostic.ts'
import type { Span } from './span.ts'

export const catalogue = {
  ...syntaxErrors,
  ...nameErrors,
  ...vocabularyErrors,
  ...shapeErrors,
  ...scanErrors,
  ...stateErrors,
  ...trainingErrors,
  ...limitErrors,
  ...dataErrors,
  ...pictureErrors,
} as const

export type Code = keyof typeof catalogue

type Args<C extends Code> = Parameters<(typeof catalogue)[C]['text']>[0]

/** Makes the diagnostic `code` at `span`. */
export function diagnostic<C extends Code>(
  code: C,
  span: Span,
  args: Args<C>,
  more: { related?: readonly Label[]; callPath?: readonly CallFrame[]; label?: string } = {},
): Diagnostic {
  const entry: CatalogueEntry = catalogue[code]
  const text = entry.text(args)
  return {
    code,
    severity: entry.severity ?? 'error',
    message: shorten(text.message),
    span,
    label: shorten(more.label ?? text.label ?? ''),
    related: (more.related ?? []).map((label) => ({ ...label, text: shorten(label.text) })),
    help: shorten(text.help),
    callPath: more.callPath ?? [],
  }
}

/** Words of broken input can be any length; those of a message are not. */
function shorten(text: string): string {
  return text.replace(/\S{160,}/g, (word) => `${word.slice(0, 80)}…${word.slice(-20)}`)
}
