/** A Transformer decoder that writes: its bits per character on text held out, and what it writes. */
import { writeFileSync } from 'node:fs'
import { atMost, resultOf, type Task } from './task.ts'

export const gpt: Task = {
  name: 'gpt',
  summary: 'Moby Dick by character with a GPT of at most 2 M parameters: at most 2.15 bits; writes',
  *run(tools) {
    const trained = tools.train('gpt', ['--epochs', '1', '--target', 'relaxed'])
    yield resultOf('gpt', 'Moby Dick', trained, 'bits_per_label', atMost(2.15))
    const { parameters } = trained
    yield resultOf('gpt', 'Moby Dick', trained, 'parameters', atMost(2e6), parameters)
    const settings = ['temperature=0.8', 'top_k=0', 'top_p=0.95'].flatMap((s) => ['--in', s])
    const [written] = tools.netc(
      'predict',
      'models/gpt.net',
      '--weights',
      trained.weights,
      '--in',
      'text=Call me Ishmael.',
      ...settings,
      '--generate',
      '800',
      '--seed',
      '1',
    )
    writeFileSync(tools.path('gpt.txt'), `Call me Ishmael.${String(written!.next)}\n`)
    tools.say(`${tools.path('gpt.txt')}: what it writes`)
  },
}
