import type { Expr, Statement } from './ast.ts'

/** Visits every node below, the node itself first; `false` keeps out of it. */
export function walk(node: unknown, visit: (node: Expr | Statement) => boolean | undefined): void {
  if (typeof node !== 'object' || node === null) return
  if (Array.isArray(node)) {
    for (const child of node) walk(child, visit)
    return
  }
  if ('kind' in node && visit(node as Expr | Statement) === false) return
  for (const [key, child] of Object.entries(node)) {
    if (key !== 'span' && typeof child === 'object') walk(child, visit)
  }
}
