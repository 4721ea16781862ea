/** What an entry of the catalogue is: see ../catalogue.ts. */

/** What an entry says for given arguments. */
export interface Text {
  readonly message: string
  /** Beside the underline. */
  readonly label?: string
  readonly help: string
}

export interface CatalogueEntry {
  readonly severity?: 'warning'
  // biome-ignore lint/suspicious/noExplicitAny: each entry has arguments of its own, checked at `diagnostic`.
  readonly text: (args: any) => Text
}
