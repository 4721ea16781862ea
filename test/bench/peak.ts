/**
 * The arithmetic peak of this machine, one thread: a loop of multiply-adds over twelve accumulators in registers, without
 * memory. In: a target. Out: GFLOP/s, the best of several runs.
 */
import {
  f32,
  i32,
  newModule,
  params,
  type Ref,
  relaxedMadd,
  type Target,
  v128,
} from '../../compiler/wasm/assembler.ts'

const accumulators = 12
const turns = 2_000_000

function peakModule(target: Target): Uint8Array {
  const module = newModule(target)
  const { local } = module
  const [count, start, factor, first] = [0, 1, 2, 3]
  const get = (k: number): Ref => local.get(k, v128)
  const step = (k: number): Ref => {
    const a = get(first + k)
    if (target === 'relaxed') return relaxedMadd(module, a, get(factor), get(factor))
    return module.f32x4.add(module.f32x4.mul(a, get(factor)), get(factor))
  }
  const all = Array.from({ length: accumulators }, (_, k) => k)
  const body = module.block(null, [
    // An argument, so that the engine knows nothing about it.
    local.set(factor, module.f32x4.splat(local.get(start, f32))),
    ...all.map((k) => local.set(first + k, get(factor))),
    module.loop(
      'turn',
      module.block(null, [
        ...all.map((k) => local.set(first + k, step(k))),
        local.set(count, module.i32.sub(local.get(count, i32), module.i32.const(1))),
        module.br('turn', local.get(count, i32)),
      ]),
    ),
    module.return(
      module.f32x4.extract_lane(
        all.map((k) => get(first + k)).reduce((a, b) => module.f32x4.add(a, b)),
        0,
      ),
    ),
  ])
  const locals = new Array<number>(accumulators + 1).fill(v128)
  module.addFunction('loop', params([i32, f32]), f32, locals, body)
  module.addFunctionExport('loop', 'loop')
  const binary = module.emitBinary()
  module.dispose()
  return binary
}

export function peak(target: Target): number {
  const { exports } = new WebAssembly.Instance(
    new WebAssembly.Module(peakModule(target) as BufferSource),
  )
  const loop = exports.loop as (turns: number, factor: number) => number
  let best = Number.POSITIVE_INFINITY
  for (let run = 0; run < 12; run++) {
    const start = performance.now()
    loop(turns, 0.5)
    best = Math.min(best, performance.now() - start)
  }
  return (turns * accumulators * 8) / best / 1e6
}
