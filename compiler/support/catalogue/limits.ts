/** NET5xxx: limits of compilation, so that every input is answered in bounded time and memory. */
import type { CatalogueEntry } from './entry.ts'

export const limitErrors = {
  NET5002: {
    text: (a: { count: number; limit: number }) => ({
      message: `this \`for\` runs ${a.count} times, and ${a.limit} is the limit`,
      label: 'too many rounds',
      help: 'A compile-time `for` is written out; use an index and a reduction for long loops.',
    }),
  },
  NET5003: {
    text: (a: { limit: number }) => ({
      message: `the program makes more than ${a.limit} equations`,
      label: 'too large',
      help: 'Use fewer or smaller compile-time loops and calls.',
    }),
  },
  NET5004: {
    text: (a: { limit: number }) => ({
      message: `the program makes more than ${a.limit} calls`,
      label: 'too many calls',
      help: 'Functions that call each other several times grow exponentially; bind a result and use it again.',
    }),
  },
  NET5005: {
    text: (a: { limit: number }) => ({
      message: `calls are nested more than ${a.limit} deep`,
      label: 'too deep',
      help: 'Flatten the chain of functions that call each other.',
    }),
  },
  NET5006: {
    text: (a: { name: string; shape: string }) => ({
      message: `\`${a.name}\` with the shape ${a.shape} is larger than 2 GiB`,
      label: 'too large',
      help: 'Use smaller dims; a WebAssembly memory ends at 4 GiB.',
    }),
  },
  NET5007: {
    text: (a: { name: string; suggestion: string | undefined }) => ({
      message: `\`--dim ${a.name}=…\` names no dim and no const of the program`,
      label: 'in this program',
      help: `${a.suggestion === undefined ? '' : `Did you mean \`${a.suggestion}\`? `}Override a name that is declared with \`dim\` or \`const\`.`,
    }),
  },
  NET5008: {
    text: (a: { name: string; value: string; wanted: string; good: string }) => ({
      message: `\`--dim ${a.name}=${a.value}\` is not ${a.wanted}`,
      label: 'its declaration',
      help:
        a.wanted === 'a text'
          ? 'Change the declaration: an override is a number.'
          : `Give ${a.wanted}, such as \`--dim ${a.name}=${a.good}\`.`,
    }),
  },
  NET5009: {
    text: (a: { limit: number }) => ({
      message: `compile-time loops run more than ${a.limit} statements`,
      label: 'too many rounds',
      help: 'Use fewer nested `for` loops.',
    }),
  },
  NET5010: {
    text: (a: {
      need: string
      entry: string
      most: 'stored' | 'inputs' | 'values'
      bytes: string
    }) => ({
      message: `\`${a.entry}\` needs ${a.need} of memory, and a WebAssembly memory ends at 4 GiB`,
      label: 'too large',
      help: {
        stored: `Parameters and states take ${a.bytes}: use smaller or fewer layers, or an optimizer that keeps less (sgd keeps nothing, momentum one number a parameter, adam two).`,
        inputs: `Inputs take ${a.bytes}: use a smaller bound of the batch, or smaller dims.`,
        values: `Values between the layers take ${a.bytes}: use a smaller bound of the batch or shorter sequences, or \`checkpoint\` layers so that they are computed again in the backward pass.`,
      }[a.most],
    }),
  },
} as const satisfies Record<string, CatalogueEntry>
