/**
 * Text → syntax tree: lex, lay out, parse. Never throws on any text. What is wrong goes into `diagnostics` in the
 * order of the text, and the tree holds what could be read. Linear in the length of the text; nesting is bounded.
 */
import { diagnostic } from '../support/catalogue.ts'
import { Diagnostics } from '../support/diagnostic.ts'
import type { Source } from '../support/span.ts'
import type { File, Item } from './ast.ts'
import { Parser } from './declarations.ts'
import { maxDepth, tooDeep } from './depth.ts'
import { layout } from './layout.ts'
import { lex } from './lex.ts'

/** Made at the first use: chevrotain analyses the grammar then. */
let parser: Parser | undefined

export function parse(source: Source, diagnostics: Diagnostics): File {
  const found = new Diagnostics()
  const { tokens: raw, comments } = lex(source, found)
  const tokens = layout(raw, source, found)
  const items: Item[] = []
  if (tokens !== undefined) {
    parser ??= new Parser()
    for (const item of parser.parseFile(source, tokens, found)) {
      const deep = tooDeep(item)
      if (deep === undefined) items.push(item)
      else found.add(diagnostic('NET1013', deep, { limit: maxDepth, what: 'this is' }))
    }
  }
  for (const d of found.all.sort((a, b) => a.span.start - b.span.start)) diagnostics.add(d)
  return { source, items, comments }
}
