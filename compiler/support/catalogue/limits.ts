import type { CatalogueEntry } from '../catalogue.ts'

export const limitErrors = {} as const satisfies Record<string, CatalogueEntry>
