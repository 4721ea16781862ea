/** netc itself: the module and the runtime as a page has them, by the raw way that a training loop uses. */
import { readFileSync } from 'node:fs'
import { load, type Model } from '../../runtime/index.ts'
import type { Engine, Job, Run } from './types.ts'

/** A model as the benchmark runs it, with the parameters that prepare.ts gave to the others. */
export function runOf(model: Model, { entry, rows }: Pick<Job, 'entry' | 'rows'>): Run {
  model.init(1)
  const { inputs, outputs, run, spec } = model.entry(entry)
  const names = Object.keys(inputs)
  const results = Object.values(outputs)
  const losses = results.slice(0, spec.outputs.filter((o) => /^loss(_\d+)?$/.test(o.name)).length)
  const counts = spec.counts.map(() => rows)
  return {
    feed(feeds) {
      for (const name of names) inputs[name]!.set(feeds[name]!)
    },
    step() {
      run(...counts)
    },
    read: () => (losses.length === 0 ? results[0]! : losses.map((l) => l[0]!)),
  }
}

const engine: Engine = {
  async create(job) {
    return runOf(await load(readFileSync(`${job.folder}/${job.build}.wasm`)), job)
  },
}

export default engine
