/** What `--scale` measures: one dimension of a network grows, the others stay. */

export interface ScaleLine {
  readonly id: string
  readonly title: string
  /** The file in models, without its ending. */
  readonly network: string
  /** The dim that grows, and its sizes. */
  readonly dim: string
  readonly sizes: readonly number[]
  /** The first size that is not small: from here on GFLOP/s should hold. */
  readonly settled: number
  readonly dims: Readonly<Record<string, number>>
  readonly threads: number
}

const powers = (from: number, to: number): number[] =>
  from > to ? [] : [from, ...powers(2 * from, to)]

const gpt = { batch: 8, context: 64, vocab: 64 }

export const scaleLines: readonly ScaleLine[] = [
  {
    id: 'width',
    title: 'five dense layers, batch 64, by their width',
    network: 'mlp',
    dim: 'width',
    sizes: powers(64, 2048),
    // Below, all weights are in the cache.
    settled: 256,
    dims: { batch: 64, depth: 4 },
    threads: 1,
  },
  {
    id: 'batch',
    title: 'five dense layers of width 512, by the batch',
    network: 'mlp',
    dim: 'batch',
    sizes: powers(1, 1024),
    settled: 16,
    dims: { width: 512, depth: 4 },
    threads: 1,
  },
  {
    id: 'depth',
    title: 'GPT of width 128, batch 8, context 64, by its layers',
    network: 'w5',
    dim: 'depth',
    sizes: powers(1, 64),
    settled: 1,
    dims: gpt,
    threads: 1,
  },
  {
    id: 'sequence',
    title: 'GPT of width 128, 2 layers, batch 8, by the length of the sequence',
    network: 'w5',
    dim: 'context',
    sizes: powers(16, 1024),
    settled: 32,
    dims: { ...gpt, depth: 2 },
    threads: 1,
  },
  {
    id: 'large',
    title: 'GPT of width 768, 8 layers, 57 million parameters, on two threads',
    network: 'w5',
    dim: 'depth',
    sizes: [8],
    settled: 8,
    dims: { ...gpt, width: 768, heads: 12 },
    threads: 2,
  },
]
