/**
 * Spelling to pronunciation: the phoneme error rate on words held out, decoded greedily and by beam search, and what the
 * decoder looks at while it writes a word.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { heatMaps } from '../../../compiler/cli/pictures/heatmap.ts'
import { type Part, stack } from '../../../compiler/cli/pictures/svg.ts'
import { analyze } from '../../../compiler/compile.ts'
import { readSource } from '../../../runtime/data/index.ts'
import { beamSearch, type Following, type Hypothesis } from '../../../runtime/generate/index.ts'
import type { AnyBlocks, Model } from '../../../runtime/index.ts'
import { errorRates } from '../../support/edit-distance.ts'
import { atMost, loadTrained, type Result, resultOf, type Task } from './task.ts'

const file = 'models/pronounce.net'

/** Tokens that a word and its pronunciation may have: more than in training, so that no word is left out. */
const longest = 29

export const pronounce: Task = {
  name: 'pronounce',
  summary:
    'a Transformer from spelling to sound: at most 10 % of the phonemes of held-out words wrong',
  async *run(tools) {
    const trained = tools.train('pronounce', ['--epochs', '4', '--target', 'relaxed'])
    const speaker = await Speaker.load(trained.weights)
    const { words, references } = await heldOut(speaker.model)
    const rates = async (beams: number) => errorRates(await speaker.say(words, beams), references)
    const result = (figure: string, value: number, bound?: Result['bound']) =>
      resultOf('pronounce', 'CMU dictionary', trained, figure, bound, value)
    yield result('phoneme errors, greedy', (await rates(1)).tokens)
    const { tokens, sequences } = await rates(4)
    yield result('phoneme errors, beam 4', tokens, atMost(0.1))
    yield result('word errors, beam 4', sequences)
    const picture = tools.path('pronounce-attention.svg')
    writeFileSync(picture, await attentionPicture(trained.weights, shown(words)))
    tools.say(`what the decoder looks at: ${picture}`)
  },
}

/** Words to look at: of 11 letters, from all of the alphabet. */
export function shown(words: readonly string[]): readonly string[] {
  const long = words.filter((word) => /^[a-z]{11}$/.test(word))
  return [1, 3, 5, 7].map((eighth) => long[Math.floor((eighth * long.length) / 8)]!)
}

/** The words that training has not seen, each once, with all their pronunciations. */
export async function heldOut(model: Model<AnyBlocks>) {
  const { program } = analyze(readFileSync(file, 'utf8'), { file })
  const source = program!.data.find(({ name }) => name === 'test')!
  const args = source.args.map(({ name, value }) => ({
    name,
    value: typeof value === 'string' ? value.replace('[16]', `[${longest}]`) : value,
  }))
  const open = async (path: string) => new Uint8Array(readFileSync(join('node_modules', path)))
  const { vocabularies } = model
  const { rows, columns } = await readSource({ ...source, args }, open, { vocabularies })
  const column = (name: string) => columns.find((c) => c.name === name)!.data
  const row = (name: string, k: number, length: number): number[] =>
    Array.from(column(name).subarray(k * longest, k * longest + length), Number)
  const references = new Map<string, number[][]>()
  for (let k = 0; k < rows; k++) {
    const word = vocabularies.letter!.decode(row('word', k, Number(column('word_length')[k])))
    // Without the <end> behind it.
    const sound = row('next', k, Number(column('sound_length')[k]) - 1)
    references.set(word, [...(references.get(word) ?? []), sound])
  }
  return { words: [...references.keys()], references: [...references.values()] }
}

/** The trained model with room for the longest words. */
export class Speaker {
  readonly model: Model<AnyBlocks>

  constructor(model: Model<AnyBlocks>) {
    this.model = model
  }

  static async load(weights: string, expose: readonly string[] = []): Promise<Speaker> {
    const dims = { letters: longest, phones: longest }
    return new Speaker(await loadTrained('pronounce', weights, { dims, expose }))
  }

  /** The likeliest pronunciation of each word. */
  async say(words: readonly string[], beams: number): Promise<readonly Int32Array[]> {
    const said: Int32Array[] = []
    // In parts, for each prefix goes with a copy of what was read.
    for (let k = 0; k < words.length; k += 256) {
      const found = await this.hypotheses(words.slice(k, k + 256), beams)
      said.push(...found.map(([best]) => best!.tokens))
    }
    return said
  }

  /** Rows of `words` read once; what follows prefixes, each of a row, with everything else that is exposed. */
  reader(words: readonly string[]) {
    const { predict, vocabularies } = this.model
    const { memory, size } = predict.reading!({ word: words }) as Record<string, Float32Array>
    const pad = vocabularies.phone!.id('<pad>')!
    const width = memory!.length / words.length
    return (prefixes: readonly Int32Array[], rows: Int32Array) => {
      const sound = new Int32Array(prefixes.length * longest).fill(pad)
      const memories = new Float32Array(prefixes.length * width)
      prefixes.forEach((prefix, k) => {
        sound.set(prefix, k * longest)
        memories.set(memory!.subarray(rows[k]! * width, (rows[k]! + 1) * width), k * width)
      })
      const at = Int32Array.from(prefixes, (prefix) => prefix.length)
      const sizes = Int32Array.from(rows, (row) => size![row]!)
      const feeds = { sound, at, memory: memories, size: sizes }
      return predict.following!(feeds) as Record<string, Float32Array>
    }
  }

  hypotheses(words: readonly string[], beams: number): Promise<readonly (readonly Hypothesis[])[]> {
    const read = this.reader(words)
    const following: Following = (prefixes, rows) => read(prefixes, rows).log_probs!
    const [start, end] = this.#marks
    return beamSearch(following, { start, end, most: longest, beams, rows: words.length })
  }

  /** How much each head of `name` looks at each letter while it writes each phoneme: [heads, phones, letters] a word. */
  async attention(name: string, words: readonly string[]): Promise<readonly Part[]> {
    const said = await this.say(words, 4)
    const [start, end] = this.#marks
    const { phone } = this.model.vocabularies
    const prefixes = said.map((tokens) => Int32Array.of(start, ...tokens))
    const weights = this.reader(words)(prefixes, Int32Array.from(words.keys()))[name]!
    const square = longest * longest
    const heads = weights.length / words.length / square
    return words.map((word, k) => {
      const tokens = [...said[k]!, end]
      const map = (head: number): number[] =>
        tokens.flatMap((_, t) => {
          const from = (k * heads + head) * square + t * longest
          return Array.from(weights.subarray(from, from + word.length))
        })
      return heatMaps({
        title: `${word}: ${phone!.decode(said[k]!)}`,
        rows: tokens.length,
        columns: word.length,
        maps: Array.from({ length: heads }, (_, head) => ({
          name: `head ${head + 1}`,
          values: map(head),
        })),
        look: 'viridis',
        range: { low: 0, high: 1 },
        rowLabels: tokens.map((id) => phone!.tokens[id]!),
        columnLabels: [...word],
        axes: ['phonemes written', 'letters read'],
      })
    })
  }

  get #marks(): readonly [start: number, end: number] {
    const { phone } = this.model.vocabularies
    return [phone!.id('<start>')!, phone!.id('<end>')!]
  }
}

/** The cross-attention of the last block. */
export const looks = 'write.x_2.cross_attention_1.attention_1.weights'

async function attentionPicture(weights: string, words: readonly string[]): Promise<string> {
  const speaker = await Speaker.load(weights, [looks])
  const title = 'Which letters the decoder looks at for each phoneme'
  return stack(title, await speaker.attention(looks, words))
}
