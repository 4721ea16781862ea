/**
 * Derivatives written by hand (`rule`). A call's equations are instantiated with the cotangent of its result in place
 * of their placeholder and with temps of their own; what they say flows to each argument becomes a contribution.
 */
import { index, read } from '../ir/build.ts'
import type { Equation, RuleCall, Scalar } from '../ir/types.ts'
import { type ReadNode, replaceInEquation } from '../passes/reads.ts'
import type { Adjoint } from './reverse.ts'
import type { Scope } from './scope.ts'

export function adjointOfRule(
  rule: RuleCall,
  cotangent: (at: readonly Scalar[]) => Scalar,
  isActive: (tensor: string) => boolean,
  scope: Scope,
): Adjoint {
  const renamed = new Map<string, string>()
  for (const t of rule.tensors) {
    renamed.set(t.name, scope.temp(t.name, t.shape, t, t.dtype).name)
  }
  const replace = ({ tensor, at, guarded }: ReadNode): Scalar | undefined => {
    if (tensor === rule.cotangent.name) {
      const value = cotangent(at)
      return value.kind === 'read' ? { ...value, guarded } : value
    }
    const name = renamed.get(tensor)
    return name === undefined ? undefined : read(scope.get(name), at, guarded)
  }
  const helpers = rule.equations.map(
    (eq): Equation => ({
      ...replaceInEquation(eq, replace),
      target: renamed.get(eq.target) ?? eq.target,
      origin: { ...eq.origin, note: eq.origin.note || `rule of ${rule.fn}` },
    }),
  )
  const contributions = rule.args.flatMap((arg, k) => {
    const from = rule.cotangents[k]
    if (from === undefined || !isActive(arg)) return []
    const name = renamed.get(from) ?? from
    const made = helpers.find((eq) => eq.target === name)
    const tensor = from === rule.cotangent.name ? undefined : scope.get(name)
    const shape = scope.get(arg).shape
    const domain = shape.map((extent, d) => {
      const given = made && !made.at ? made.outs[d] : undefined
      return { name: given?.name ?? `i${d + 1}`, extent }
    })
    const at = domain.map((i) => index(i))
    const value = tensor ? read(tensor, at) : cotangent(at)
    const origin = { span: made?.origin.span, note: `rule of ${rule.fn}` }
    return [{ tensor: arg, to: { domain, at, guarded: false, value, origin } }]
  })
  return { helpers, contributions }
}
