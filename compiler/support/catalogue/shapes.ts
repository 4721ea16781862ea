import type { CatalogueEntry } from '../catalogue.ts'

export const shapeErrors = {} as const satisfies Record<string, CatalogueEntry>
