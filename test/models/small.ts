/**
 * The models of models/, small enough for the quick suite. Per file: dims that replace its own, and how many steps its loss
 * has to fall in. Inputs are random; that a model reaches its figure on real data is `npm run models`.
 */
import { readFileSync } from 'node:fs'
import { readDataFile } from '../../compiler/cli/model-file.ts'
import { analyze, type CompileOptions } from '../../compiler/compile.ts'
import type { Program } from '../../compiler/ir/types.ts'
import { renderAll } from '../../compiler/support/render.ts'

export interface Small {
  readonly dims: Readonly<Record<string, number>>
  /** Steps on one batch; 30 when left out. */
  readonly steps?: number
  /** Values of hyper-parameters, for models whose schedule starts slowly. */
  readonly set?: Readonly<Record<string, number>>
  /** Elements of each parameter whose gradient is compared; 3 when left out. */
  readonly samples?: number
  /** Train blocks whose loss need not fall: of two networks that play against each other. */
  readonly adversarial?: readonly string[]
}

export const small: Readonly<Record<string, Small>> = {
  autoencoder: { dims: { batch: 3, pixels: 12, hidden: 8, codes: 3 } },
  bert: {
    dims: {
      batch: 2,
      length: 24,
      letters: 3,
      width: 4,
      heads: 2,
      blocks: 1,
      steps: 30,
      tuning: 30,
    },
    set: { 'masked.lr': 0.2, 'masked.lr_2': 0.3, 'syllables.lr': 0.05 },
    samples: 1,
  },
  cnn: { dims: { batch: 2, side: 8, width: 4 } },
  denoising: { dims: { batch: 3, pixels: 12, hidden: 8, codes: 3 } },
  fashion: { dims: { batch: 2, side: 8, width: 4 } },
  gan: { dims: { batch: 2, side: 8, latent: 3, width: 2 }, adversarial: ['adversarial'] },
  iris: { dims: { batch: 5 } },
  gpt: { dims: { batch: 2, length: 6, width: 8, heads: 2, depth: 1, steps: 30 } },
  lstm: { dims: { batch: 2, length: 5, width: 8 } },
  mnist: { dims: { batch: 2, hidden: 6 } },
  pronounce: {
    dims: { batch: 2, letters: 3, phones: 4, width: 4, heads: 2, blocks: 1 },
    set: { 'spelling.lr': 0.3 },
    samples: 1,
  },
  regression: { dims: { batch: 9 } },
  rows: { dims: { batch: 3, side: 4, width: 5 } },
  vae: { dims: { batch: 3, pixels: 12, hidden: 8, codes: 3 } },
  xor: { dims: { batch: 4 } },
}

const root = new URL('../../', import.meta.url).pathname

export const textOf = (name: string): string => readFileSync(`${root}models/${name}.net`, 'utf8')

/** What compiles it small. */
export const optionsOf = (name: string): CompileOptions => ({
  file: `${root}models/${name}.net`,
  dims: { ...small[name]!.dims },
  readFile: readDataFile,
})

/** As elaborated. */
export function programOf(name: string): Program {
  const { program, diagnostics } = analyze(textOf(name), optionsOf(name))
  if (!program || diagnostics.length > 0) throw new Error(renderAll(diagnostics))
  return program
}
