/** The `data` block: reader calls with constant arguments, passed on uninterpreted. */

import type { DataSource } from '../ir/types.ts'
import type { Data } from '../syntax/ast.ts'
import type { Context } from './context.ts'

export function dataSources(blocks: readonly Data[], ctx: Context): DataSource[] {
  const { world } = ctx
  const sources: DataSource[] = []
  const seen = new Set<string>()
  for (const { name, value, span } of blocks.flatMap((b) => b.sources)) {
    if (value.kind === 'error') continue
    if (seen.has(name.text)) {
      world.report('NET2003', name.span, { name: name.text })
      continue
    }
    seen.add(name.text)
    if (value.kind !== 'call') {
      world.report('NET2030', value.span, { reader: name.text })
      continue
    }
    const args: DataSource['args'][number][] = []
    for (const arg of value.args) {
      const constant = world.evaluator.expr(arg.value, ctx)
      if (constant.kind === 'string' || constant.kind === 'bool' || constant.kind === 'number') {
        args.push({ name: arg.name?.text, value: constant.value })
      } else if (constant.kind !== 'error') {
        world.report('NET2030', arg.span, { reader: name.text })
      }
    }
    sources.push({ name: name.text, reader: value.callee.text, args, span })
  }
  return sources
}
