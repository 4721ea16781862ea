import type { CatalogueEntry } from '../catalogue.ts'

export const trainingErrors = {} as const satisfies Record<string, CatalogueEntry>
