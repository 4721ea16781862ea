/**
 * `npm run bench [-- --json]`: the figures that netc states, on this machine, in one process and thread: the arithmetic
 * peak, the time of a training step of models/mnist.net and of a small network, compile time, and sizes. Nothing here is
 * a test. With --json one object a line.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { compile } from '../../compiler/compile.ts'
import type { Target } from '../../compiler/wasm/assembler.ts'
import { peak } from './peak.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const json = process.argv.includes('--json')
const targets = ['simd', 'relaxed'] as const
const gzipped = (bytes: Uint8Array): number => gzipSync(bytes, { level: 9 }).length

function say(event: string, values: Readonly<Record<string, string | number>>, line: string): void {
  console.log(json ? JSON.stringify({ event, ...values }) : line)
}

const small = `dim batch <= 32
net f(x: [batch, 2]) -> [batch, 1] { x |> dense(16) |> tanh |> dense(16) |> tanh |> dense(1) }
train t(x: [batch, 2], y: [batch, 1]) { minimize mse(f(x), y) using adam() }`

interface Measured {
  /** Median, in milliseconds. */
  readonly step: number
  readonly flops: number
}

/** Steps in rounds of at least 2 ms, for one second after half a second of warming up. */
function measure(wasm: Uint8Array, batch: number): Measured {
  const module = new WebAssembly.Module(wasm as BufferSource)
  const { exports } = new WebAssembly.Instance(module, {})
  const [section] = WebAssembly.Module.customSections(module, 'netc')
  const manifest = JSON.parse(new TextDecoder().decode(section))
  const { buffer } = exports.memory as WebAssembly.Memory
  const entry = manifest.entries.find((e: { kind: string }) => e.kind === 'train')
  for (const { dtype, shape, offset } of entry.inputs) {
    const length = shape.reduce((a: number, b: number) => a * b, 1)
    const view = new (dtype === 'f32' ? Float32Array : Int32Array)(buffer, offset, length)
    // Pixels are 0 to 255, what the small network takes is around 0, labels are digits.
    const [range, scale, shift] =
      dtype !== 'f32' ? [10, 1, 0] : length < 9999 ? [256, 1 / 256, 0.5] : [256, 1, 0]
    for (let k = 0; k < length; k++) view[k] = ((k * 7919) % range) * scale - shift
  }
  const init = exports.init as (seed: number) => void
  const step = exports[entry.name] as (batch: number) => void
  init(1)
  const round = (steps: number): number => {
    const start = performance.now()
    for (let k = 0; k < steps; k++) step(batch)
    return (performance.now() - start) / steps
  }
  let steps = 1
  for (const until = performance.now() + 500; performance.now() < until; ) {
    if (round(steps) * steps < 2) steps *= 2
  }
  const times: number[] = []
  for (const until = performance.now() + 1000; performance.now() < until; ) times.push(round(steps))
  times.sort((a, b) => a - b)
  const max = manifest.dims[0].max as number
  return { step: times[times.length >> 1]!, flops: (entry.flops * batch) / max }
}

const best: Record<Target, number> = { simd: peak('simd'), relaxed: peak('relaxed') }
for (const target of targets) {
  say(
    'peak',
    { target, gflops: best[target] },
    `peak, ${target}: ${best[target].toFixed(1)} GFLOP/s`,
  )
}

const mnist = readFileSync(`${root}/models/mnist.net`, 'utf8')
const cases = [
  { name: 'mnist.net', text: mnist, batch: 32 },
  { name: 'mnist.net', text: mnist, batch: 128 },
  { name: '2-16-16-1 tanh', text: small, batch: 32 },
]
for (const { name, text, batch } of cases) {
  const { modules } = compile(text, { dims: { batch } })
  for (const target of targets) {
    const { step, flops } = measure(modules![target]!.wasm, batch)
    const gflops = flops / step / 1e6
    const share = gflops / best[target]
    say(
      'step',
      { model: name, batch, target, milliseconds: step, gflops, share },
      `${name}, batch ${batch}, ${target}: ${step < 0.1 ? `${(step * 1000).toFixed(1)} µs` : `${step.toFixed(2)} ms`} a step, ` +
        `${gflops.toFixed(1)} GFLOP/s, ${(share * 100).toFixed(0)} % of the peak`,
    )
  }
}

/** Both builds, in a process that has done nothing but import the compiler. */
const script = `
  import { readFileSync } from 'node:fs'
  import { compile } from './compiler/compile.ts'
  const text = readFileSync('models/mnist.net', 'utf8')
  const start = performance.now()
  compile(text)
  console.log(performance.now() - start)`
const compileTime = Number(
  execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: root,
    encoding: 'utf8',
  }),
)
say(
  'compile',
  { milliseconds: compileTime },
  `mnist.net, both builds compiled in ${compileTime.toFixed(0)} ms`,
)

const { modules } = compile(mnist)
for (const target of targets) {
  const { wasm } = modules![target]!
  const bytes = gzipped(wasm)
  say(
    'module',
    { target, bytes: wasm.length, gzip: bytes },
    `mnist.net, ${target}: ${wasm.length} bytes, ${bytes} gzipped`,
  )
}
const { outputFiles } = await build({
  entryPoints: [`${root}/runtime/index.ts`],
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'browser',
  write: false,
})
const runtime = outputFiles[0]!.contents
say(
  'runtime',
  { bytes: runtime.length, gzip: gzipped(runtime) },
  `netc/runtime: ${runtime.length} bytes minified, ${gzipped(runtime)} gzipped`,
)
