/**
 * A bound on the depth of the tree, so that everything after the parser may recurse. Brackets are bounded before
 * parsing; this catches what is deep without them: a sum of ten thousand terms, a tower of minus signs.
 */

import type { Span } from '../support/span.ts'
import type { Item } from './ast.ts'

export const maxDepth = 500

interface Node {
  readonly kind?: string
  readonly span?: Span
}

/** The first node found deeper than `maxDepth`. Walks with a stack of its own. */
export function tooDeep(item: Item): Span | undefined {
  const stack: { readonly node: Node; readonly depth: number }[] = [{ node: item, depth: 1 }]
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { node, depth } = top
    if (depth > maxDepth) return node.span ?? item.span
    for (const [key, child] of Object.entries(node)) {
      if (typeof child !== 'object' || child === null || key === 'span') continue
      stack.push({ node: child, depth: 'kind' in node || 'statements' in node ? depth + 1 : depth })
    }
  }
  return undefined
}
