/** NET2070 to NET2079 and NET3060 to NET3079: scans and systems of recurrence equations. */
import type { CatalogueEntry } from './entry.ts'

export const scanErrors = {
  NET2070: {
    text: (a: { name: string }) => ({
      message: `the scan carries \`${a.name}\` and never gives it a next value`,
      label: 'stays without a next value',
      help: `Write \`${a.name}' = …\` in the body, or use \`${a.name}\` from outside if it never changes.`,
    }),
  },
  NET2071: {
    text: (a: { name: string }) => ({
      message: `\`${a.name}'\` gets two next values in one step`,
      label: 'a second time',
      help: `Give every step its own name and bind \`${a.name}'\` once, to the last.`,
    }),
  },
  NET2072: {
    text: (a: { index: string }) => ({
      message: `the scan over \`${a.index}\` yields nothing`,
      label: 'no `yield`',
      help: "End the body with `yield h'` or `yield a, b`: what is yielded is collected over all steps.",
    }),
  },
  NET2073: {
    text: (_: undefined) => ({
      message: 'a scan yields in one place only',
      label: 'a second `yield`',
      help: 'Yield several values at once: `yield a, b`.',
    }),
  },
  NET2074: {
    text: (a: { name: string; carried: readonly string[] }) => ({
      message: `\`${a.name}'\` is the next value of nothing that this scan carries`,
      label: 'not carried',
      help:
        a.carried.length === 0
          ? `Carry it: \`scan t in T with ${a.name} = 0 { … }\`; a prime marks next values.`
          : `It carries ${a.carried.map((n) => `\`${n}\``).join(', ')}; add \`${a.name} = …\` behind \`with\`, or drop the prime.`,
    }),
  },
  NET2075: {
    text: (a: { statement: string }) => ({
      message: `${a.statement} cannot stand in a system of recurrence equations`,
      label: 'not an equation',
      help: 'A `scan` without `with` and `yield` holds equations only: `h[n: batch, t, j: 8] = …`. Carry values with `with` to write steps.',
    }),
  },
  NET3060: {
    text: (a: { what: string }) => ({
      message: `${a.what} cannot stand inside an equation`,
      label: 'inside an equation',
      help: 'Bind it to a name on a line of its own, for all indices at once, and read that name here.',
    }),
  },
  NET3061: {
    text: (a: { dim: string }) => ({
      message: `a scan runs a fixed number of steps, and \`${a.dim}\` is bounded`,
      label: 'bounded',
      help: 'Scan over a static dim, and keep what is behind the end of a shorter sequence with `where(t < length[n], new, old)`.',
    }),
  },
  NET3062: {
    text: (a: { name: string; wanted: string; given: string }) => ({
      message: `the scan carries \`${a.name}\` as ${a.wanted}, and its next value is ${a.given}`,
      label: a.given,
      help: `Make the next value ${a.wanted}, or state the type of the carry: \`with ${a.name}: [N, H] = …\`.`,
    }),
  },
  NET3063: {
    text: (a: { name: string; index: string }) => ({
      message: `the first value of the parameter \`${a.name}\` depends on the step \`${a.index}\` of a scan`,
      label: 'not known when the model is initialised',
      help: 'A parameter exists once for all steps: compute its first value from sizes and constants.',
    }),
  },
  NET3064: {
    text: (a: { target: string; index: string }) => ({
      message: `the left side \`${a.target}\` does not have the time \`${a.index}\` as an index`,
      label: `no \`${a.index}\``,
      help: `Without \`with\` and \`yield\` a scan is a system of equations for all times: write \`${a.target}[n: batch, ${a.index}, …] = …\`. Otherwise carry values with \`with\` and end with \`yield\`.`,
    }),
  },
  NET3065: {
    text: (a: { target: string; position: string }) => ({
      message: `the extent of \`${a.position}\` is not stated on the left side \`${a.target}\``,
      label: 'how far?',
      help: `Equations that read each other state all extents but that of the time: \`${a.position}: 8\`.`,
    }),
  },
  NET3066: {
    text: (a: { targets: readonly string[] }) => ({
      message: `there is no order in which ${a.targets.map((t) => `\`${t}\``).join(', ')} can be computed`,
      label: 'read each other in a circle',
      help: 'In every circle of reads the time must go one way: read `h?[n, t - 1, j]` (or t + 1 with `down`), at the same time only what does not need the result.',
    }),
  },
  NET3067: {
    text: (a: { index: string; down: boolean }) => ({
      message: a.down
        ? `these equations read the time before, and the scan runs \`${a.index}\` down`
        : `these equations read the time after, and the scan runs \`${a.index}\` up`,
      label: 'the other way',
      help: a.down ? 'Leave out `down`.' : `Write \`scan ${a.index} in … down { … }\`.`,
    }),
  },
  NET3068: {
    text: (a: { target: string; wanted: string; given: string }) => ({
      message: `\`${a.target}\` is ${a.wanted} where it is read and ${a.given} by its equation`,
      label: a.given,
      help: 'Convert with `float(…)` or `int(…)`.',
    }),
  },
} as const satisfies Record<string, CatalogueEntry>
