/**
 * Spelling to pronunciation: the phoneme error rate on words held out, decoded greedily and by beam search, and what the
 * decoder looks at while it writes a word.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { analyze, compile } from '../../../compiler/compile.ts'
import { readSource } from '../../../runtime/data/index.ts'
import { beamSearch, type Following, type Hypothesis } from '../../../runtime/generate/index.ts'
import { type AnyBlocks, load, type Model } from '../../../runtime/index.ts'
import { text } from '../../../runtime/text/index.ts'
import { errorRates } from '../../support/edit-distance.ts'
import { atMost, resultOf, type Task } from './task.ts'

const file = 'models/pronounce.net'

/** Tokens that a word and its pronunciation may have: more than in training, so that no word is left out. */
const longest = 29

export const pronounce: Task = {
  name: 'pronounce',
  summary:
    'a Transformer from spelling to sound: at most 10 % of the phonemes of held-out words wrong',
  async *run(tools) {
    const trained = tools.train('pronounce', ['--epochs', '3', '--target', 'relaxed'])
    const speaker = await Speaker.load(trained.weights)
    const { words, references } = await heldOut(speaker.model)
    const figures = async (beams: number) => errorRates(await speaker.say(words, beams), references)
    const data = 'CMU dictionary'
    const greedy = await figures(1)
    yield resultOf('pronounce', data, trained, 'phoneme errors, greedy', undefined, greedy.tokens)
    const { tokens, sequences } = await figures(4)
    yield resultOf('pronounce', data, trained, 'phoneme errors, beam 4', atMost(0.1), tokens)
    yield resultOf('pronounce', data, trained, 'word errors, beam 4', undefined, sequences)
  },
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
    const options = { file, dims, targets: ['relaxed'], expose } as const
    const { modules, diagnostics } = compile(readFileSync(file, 'utf8'), options)
    if (!modules) throw new Error(diagnostics.map((d) => d.message).join('\n'))
    const wasm = modules.relaxed!.wasm as Uint8Array<ArrayBuffer>
    return new Speaker(await load(wasm, { weights: readFileSync(weights), text }))
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

  async hypotheses(
    words: readonly string[],
    beams: number,
  ): Promise<readonly (readonly Hypothesis[])[]> {
    const { predict, vocabularies } = this.model
    const { phone } = vocabularies
    const [pad, start, end] = ['<pad>', '<start>', '<end>'].map((token) => phone!.id(token)!)
    const { memory, size } = predict.reading!({ word: words }) as Record<string, Float32Array>
    const width = memory!.length / words.length
    const following: Following = (prefixes, rows) => {
      const sound = new Int32Array(prefixes.length * longest).fill(pad!)
      const memories = new Float32Array(prefixes.length * width)
      prefixes.forEach((prefix, k) => {
        sound.set(prefix, k * longest)
        memories.set(memory!.subarray(rows[k]! * width, (rows[k]! + 1) * width), k * width)
      })
      const at = Int32Array.from(prefixes, (prefix) => prefix.length)
      const sizes = Int32Array.from(rows, (row) => size![row]!)
      const feeds = { sound, at, memory: memories, size: sizes }
      return predict.following!(feeds).log_probs as Float32Array
    }
    const options = { start: start!, end: end!, most: longest, beams, rows: words.length }
    return beamSearch(following, options)
  }
}
