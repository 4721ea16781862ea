/** Who takes part: netc in both builds, on one thread and on several, and the rivals, each in one file. */
export interface Contestant {
  /** As `--rivals` and the JSON lines name it. */
  readonly name: string
  readonly build: string
  /** How many run it; 1 when left out. */
  readonly threads?: number
  /** The head of its column in the tables; contestants of one title share it. */
  readonly title: string
  /** Its module beside this file: TypeScript that is bundled, or a Python script. */
  readonly file: string
  /** What else a page has to fetch, from the packages of test/bench. */
  readonly fetched?: readonly string[]
  readonly kinds: readonly ('train' | 'predict' | 'matmul')[]
}

const everything = ['train', 'predict', 'matmul'] as const

export const own: readonly Contestant[] = [
  { name: 'netc', build: 'relaxed', title: 'netc `relaxed`', file: 'netc.ts', kinds: everything },
  { name: 'netc', build: 'simd', title: 'netc `simd`', file: 'netc.ts', kinds: everything },
]

/** netc with threads that share a call. */
export const together = (threads: number): Contestant => ({
  name: 'netc',
  build: 'relaxed',
  threads,
  title: `netc \`relaxed\`, ${threads} threads`,
  file: 'netc-threads.ts',
  kinds: everything,
})

export const threadsOf = ({ threads = 1 }: { readonly threads?: number }): number => threads

export const rivals: readonly Contestant[] = [
  {
    name: 'tfjs',
    build: 'wasm',
    title: 'TensorFlow.js (wasm)',
    file: 'rivals/tfjs.ts',
    fetched: ['@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-simd.wasm'],
    kinds: everything,
  },
  { name: 'jax', build: 'wasm', title: 'jax-js (wasm)', file: 'rivals/jax.ts', kinds: everything },
  {
    name: 'ort',
    build: 'wasm',
    title: 'ONNX Runtime Web (wasm)',
    file: 'rivals/ort.ts',
    fetched: ['onnxruntime-web/dist/ort-wasm-simd-threaded.wasm'],
    kinds: ['predict', 'matmul'],
  },
  {
    name: 'ort-training',
    build: 'wasm',
    title: 'ONNX Runtime Web (wasm)',
    file: 'rivals/ort-training.ts',
    fetched: [
      'onnxruntime-web-training/dist/ort.training.wasm.min.mjs',
      'onnxruntime-web-training/dist/ort-training-wasm-simd-threaded.mjs',
      'onnxruntime-web-training/dist/ort-training-wasm-simd-threaded.wasm',
    ],
    kinds: ['train'],
  },
  {
    name: 'torch',
    build: 'native',
    title: 'PyTorch (native, one thread)',
    file: 'rivals/torch_rival.py',
    kinds: everything,
  },
]
