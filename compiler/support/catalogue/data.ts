import type { CatalogueEntry } from '../catalogue.ts'

export const dataErrors = {} as const satisfies Record<string, CatalogueEntry>
