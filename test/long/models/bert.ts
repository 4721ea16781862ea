/**
 * A Transformer encoder that learns from text without labels, and what that is worth where labels are few: the same network
 * on the same labelled words, fine-tuned and from scratch, three seeds each.
 */
import { writeFileSync } from 'node:fs'
import { atLeast, resultOf, type Task, type Tools, type Trained } from './task.ts'

const seeds = [1, 2, 3]

export const bert: Task = {
  name: 'bert',
  summary:
    'masked characters of Moby Dick, then syllables from few words: fine-tuned beats from scratch by at least 2 %',
  *run(tools) {
    const fast = ['--target', 'relaxed', '--epochs']
    const read = tools.train('bert', ['--block', 'masked', ...fast, '1'])
    for (const figure of ['bits_per_label', 'accuracy']) {
      yield resultOf('bert, masked', 'Moby Dick', read, figure, undefined)
    }
    writeFileSync(tools.path('bert.txt'), filled(tools, read))
    tools.say(`${tools.path('bert.txt')}: what it fills in`)

    const runs = (name: string, ...more: readonly string[]): Trained =>
      median(
        seeds.map((seed) => {
          const args = ['--block', 'syllables', ...fast, '16', '--seed', `${seed}`, ...more]
          return tools.train('bert', args, `bert-${name}-${seed}`)
        }),
      )
    const tuned = runs('tuned', '--weights', read.weights)
    const scratch = runs('scratch')
    const [above, below] = [accuracyOf(tuned), accuracyOf(scratch)]
    const data = 'CMU dictionary, 1,082 words'
    yield resultOf('bert, fine-tuned', data, tuned, 'accuracy', undefined)
    yield resultOf('bert, from scratch', data, scratch, 'accuracy', undefined)
    yield resultOf('bert, fine-tuned', data, tuned, 'lead', atLeast(0.02), above - below)
  },
}

const accuracyOf = ({ metrics }: Trained): number => metrics.test!.accuracy!

/** The training of median accuracy. */
function median(trained: readonly Trained[]): Trained {
  const sorted = [...trained].sort((a, b) => accuracyOf(a) - accuracyOf(b))
  return sorted[Math.floor(sorted.length / 2)]!
}

/** Texts with holes and what the network puts there; the book has none of them. */
function filled(tools: Tools, { weights }: Trained): string {
  const texts = [
    'the old c_ptain looked over the s_a and shou_ed to his m_n.',
    'a wh_le w_s seen from the mast-h_ad in the m_rning.',
    'he had nev_r be_n to Nant_cket bef_re.',
  ]
  const asked = texts.flatMap((text) => ['--in', `text=${text.replaceAll('_', '<mask>')}`])
  const args = ['--block', 'filled', '--weights', weights, ...asked]
  return tools
    .netc('predict', 'models/bert.net', ...args)
    .map(({ best }, k) => {
      const found = [...String(best).replaceAll('<pad>', '_')]
      return `${texts[k]}\n${[...texts[k]!].map((c, n) => (c === '_' ? found[n] : c)).join('')}\n`
    })
    .join('\n')
}
