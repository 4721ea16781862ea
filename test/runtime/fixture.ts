/**
 * A small model written by hand, as a module with a manifest: a line y = w x + b fitted by gradient descent with
 * momentum, a lookup and a sum of a matrix. It stands in for a compiled model in the runtime's tests.
 */
import wabt from 'wabt'
import type { EntrySpec, Manifest, TensorSpec } from '../../compiler/wasm/manifest.ts'

const wat = `(module
  (memory (export "memory") 1)
  (func $i (param i32) (result i32) (i32.shl (local.get 0) (i32.const 2)))
  (func (export "init") (param $seed i32)
    (f32.store (i32.const 16) (f32.mul (f32.convert_i32_s (local.get $seed)) (f32.const 0.125)))
    (f32.store (i32.const 20) (f32.const 0))
    (f32.store (i32.const 24) (f32.const 0))
    (i32.store (i32.const 32) (i32.const 0))
    (i32.store (i32.const 36) (local.get $seed)))
  (func $forward (param $n i32) (result f32)
    (local $k i32) (local $err f32) (local $sum f32) (local $abs f32) (local $gw f32)
    (loop $rows
      (local.set $err (f32.sub
        (f32.add (f32.mul (f32.load (i32.const 16)) (f32.load offset=64 (call $i (local.get $k))))
          (f32.load (i32.const 20)))
        (f32.load offset=80 (call $i (local.get $k)))))
      (f32.store offset=224 (call $i (local.get $k)) (local.get $err))
      (local.set $sum (f32.add (local.get $sum) (f32.mul (local.get $err) (local.get $err))))
      (local.set $abs (f32.add (local.get $abs) (f32.abs (local.get $err))))
      (local.set $gw (f32.add (local.get $gw)
        (f32.mul (local.get $err) (f32.load offset=64 (call $i (local.get $k))))))
      (local.set $k (i32.add (local.get $k) (i32.const 1)))
      (br_if $rows (i32.lt_u (local.get $k) (local.get $n))))
    (f32.store (i32.const 96) (f32.div (local.get $sum) (f32.convert_i32_s (local.get $n))))
    (f32.store (i32.const 100) (f32.div (local.get $abs) (f32.convert_i32_s (local.get $n))))
    (f32.div (local.get $gw) (f32.convert_i32_s (local.get $n))))
  (func (export "reg_eval") (param $n i32) (drop (call $forward (local.get $n))))
  (func (export "reg") (param $n i32)
    (local $g f32)
    (i32.store (i32.const 32) (i32.add (i32.load (i32.const 32)) (i32.const 1)))
    (local.set $g (call $forward (local.get $n)))
    (f32.store (i32.const 24) (f32.add (f32.mul (f32.const 0.5) (f32.load (i32.const 24))) (local.get $g)))
    (f32.store (i32.const 16) (f32.sub (f32.load (i32.const 16))
      (f32.mul (f32.load (i32.const 28)) (f32.load (i32.const 24))))))
  (func (export "line") (param $n i32)
    (local $k i32)
    (loop $rows
      (f32.store offset=192 (i32.shl (local.get $k) (i32.const 3))
        (f32.mul (f32.load (i32.const 16)) (f32.load offset=64 (call $i (local.get $k)))))
      (f32.store offset=196 (i32.shl (local.get $k) (i32.const 3)) (f32.load (i32.const 20)))
      (local.set $k (i32.add (local.get $k) (i32.const 1)))
      (br_if $rows (i32.lt_u (local.get $k) (local.get $n)))))
  (func (export "look") (param $n i32)
    (i32.store (i32.const 160) (i32.load (i32.const 128))))
)`

const tensor = (
  name: string,
  offset: number,
  shape: readonly number[] = [],
  dtype: TensorSpec['dtype'] = 'f32',
): TensorSpec => ({
  name,
  dtype,
  shape,
  bounds: shape.map((_, k) => (k === 0 && shape[0] === 4 ? 'batch' : null)),
  offset,
})

const input = (spec: TensorSpec, range: number | null = null) => ({ ...spec, range })

const entry = (
  name: string,
  kind: EntrySpec['kind'],
  of: string,
  inputs: EntrySpec['inputs'],
  outputs: readonly TensorSpec[],
): EntrySpec => ({
  name,
  kind,
  of,
  counts: ['batch'],
  inputs,
  outputs,
  flops: 10,
  bytes: 10,
  unfused: 20,
  peak: 10,
  trace: kind === 'predict' ? [] : [{ ...tensor('err', 224, [4]), place: 'line.net:5:3' }],
})

const xy = [input(tensor('x', 64, [4])), input(tensor('y', 80, [4]))]
const losses = [tensor('loss', 96), tensor('mae', 100)]

export const manifest: Manifest = {
  abi: 1,
  netc: '0.1.0',
  target: 'simd',
  model: 'line.net',
  source: '00',
  dims: [{ name: 'batch', max: 4 }],
  params: [tensor('line.w', 16, [1]), tensor('line.b', 20)],
  state: [{ ...tensor('reg.line.w.m', 24, [1]), kept: 'training' }],
  hyper: [{ ...tensor('reg.lr', 28), initial: 0.05 }],
  step: tensor('step', 32, [], 'i32'),
  seed: tensor('seed', 36, [], 'i32'),
  entries: [
    entry('reg', 'train', 'reg', xy, losses),
    entry('reg_eval', 'eval', 'reg', xy, losses),
    entry('line', 'predict', 'line', [xy[0]!], [tensor('out', 192, [4, 2])]),
    entry(
      'look',
      'predict',
      'look',
      [input(tensor('ids', 128, [4], 'i32'), 10), input(tensor('flag', 144, [4], 'bool'))],
      [tensor('found', 160, [], 'i32')],
    ),
  ],
  data: [],
  memory: 65536,
}

const assembled = new Map<string, Uint8Array>()

async function assemble(source: string): Promise<Uint8Array> {
  const known = assembled.get(source)
  if (known) return known
  const { parseWat } = await wabt()
  const buffer = new Uint8Array(parseWat('line.wat', source).toBinary({}).buffer)
  assembled.set(source, buffer)
  return buffer
}

/** The module with `text` as its custom section `netc`. */
export async function moduleWith(text: string | undefined, source = wat): Promise<Uint8Array> {
  const buffer = await assemble(source)
  if (text === undefined) return buffer
  const body = new TextEncoder().encode(`\u0004netc${text}`)
  return Uint8Array.from([...buffer, 0, ...leb(body.length), ...body])
}

function leb(value: number): number[] {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return [...bytes, rest]
    bytes.push((rest & 127) | 128)
  }
}

export const lineModule = (): Promise<Uint8Array> => moduleWith(JSON.stringify(manifest))
