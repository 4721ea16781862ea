/** `netc eval`: the metrics of a trained model over a data source. */
import { type Call, type Command, common } from './command.ts'
import { exit, UsageError } from './errors.ts'
import { type Io, json } from './io.ts'
import { showMetrics } from './progress.ts'
import { chooseEntry, loadWeights, open, sessionOptions } from './session.ts'

export const evaluate: Command = {
  name: 'eval',
  usage: 'MODEL.net --weights FILE [options]',
  summary: 'Evaluate a trained model on its data.',
  details: 'The loss and every metric of the train block, each the mean over all rows.',
  positionals: [1, 1],
  options: {
    weights: common.weights,
    data: { value: 'NAME', text: 'the source of the data block (default test, else train)' },
    block: common.block,
    dim: common.dim,
    target: common.target,
    json: common.json,
  },
  run: async (call: Call, io: Io): Promise<number> => {
    const options = sessionOptions(call)
    const file = call.positionals[0]!
    if (!call.has('weights')) throw new UsageError('netc eval needs --weights FILE')
    const session = await open(file, options, io)
    const entry = chooseEntry(session, 'eval', call.text('block'))
    loadWeights(session.model, call)
    const source = call.text('data') ?? (session.data.has('test') ? 'test' : 'train')
    const feeds = entry.inputs.length > 0 ? await session.data.feeds(source, entry.inputs) : {}
    const metrics = await session.model.evaluate(entry.of, feeds)
    if (options.json)
      json(io, { event: 'done', model: file, data: source, metrics: { [source]: metrics } })
    else io.out(`${source.padEnd(10)} ${showMetrics(metrics)}\n`)
    return exit.done
  },
}
