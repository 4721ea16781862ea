import type { CatalogueEntry } from './entry.ts'

export const dataErrors = {} as const satisfies Record<string, CatalogueEntry>
