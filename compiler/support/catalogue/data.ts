/** NET6xxx: data, weights and the command line. Each is made in compiler/cli and shown whole in test/cli. */
import type { CatalogueEntry } from './entry.ts'

export const dataErrors = {
  NET6001: {
    text: (a: { path: string; folders: readonly string[] }) => ({
      message: `there is no file \`${a.path}\``,
      label: 'this source reads it',
      help: `A path is relative to the .net file, or begins with the name of an installed package. Looked in ${a.folders.join(', ')}.`,
    }),
  },
  NET6002: {
    text: (a: { what: string }) => ({
      message: a.what,
      label: 'read here',
      help: 'Correct the file, or the arguments of the reader: `netc help data` describes them.',
    }),
  },
} as const satisfies Record<string, CatalogueEntry>
