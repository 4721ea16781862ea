import type { CatalogueEntry } from '../catalogue.ts'

export const nameErrors = {} as const satisfies Record<string, CatalogueEntry>
