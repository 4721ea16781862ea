/** NET6080 to NET6099: what `netc show` and the compiler's option `expose` are asked for. Shown whole in test/passes/expose.test.ts. */
import type { CatalogueEntry } from './entry.ts'

export const pictureErrors = {
  NET6080: {
    text: (a: { name: string; suggestion: string | undefined }) => ({
      message: `no block of this program computes a tensor \`${a.name}\``,
      label: 'in this program',
      help: `${a.suggestion === undefined ? '' : `Did you mean \`${a.suggestion}\`? `}\`netc show MODEL.net --list\` lists every tensor by its path; the end of a path is enough.`,
    }),
  },
} as const satisfies Record<string, CatalogueEntry>
