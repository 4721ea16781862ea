import type { CatalogueEntry } from '../catalogue.ts'

export const syntaxErrors = {} as const satisfies Record<string, CatalogueEntry>
