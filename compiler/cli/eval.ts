/** `netc eval`: the metrics of a trained model over a data source. */
import { type Call, type Command, common } from './command.ts'
import { showTensors, tensorsAsJson } from './confusion.ts'
import { exit, UsageError } from './errors.ts'
import { type Io, json } from './io.ts'
import { showMetrics } from './progress.ts'
import { chooseEntry, loadWeights, open, sessionOptions } from './session.ts'

export const evaluate: Command = {
  name: 'eval',
  usage: 'MODEL.net --weights FILE [options]',
  summary: 'Evaluate a trained model on its data.',
  details: `The loss and every metric of the train block over all rows. What \`report confusion(logits, label)\`
counts is shown as a matrix, with precision, recall and F1 of each class and their means.`,
  positionals: [1, 1],
  options: {
    weights: common.weights,
    data: {
      value: 'NAME',
      text: 'the source of the data block (default BLOCK_test or test, else what is trained on)',
    },
    threads: common.threads,
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
    const source = call.text('data') ?? session.data.usualOf(entry.of)
    const feeds = entry.inputs.length > 0 ? await session.data.feeds(source, entry.inputs) : {}
    const evaluation = await session.model.measure(entry.of, feeds)
    session.close()
    const { metrics } = evaluation
    const classes = entry.inputs.length > 0 ? await session.data.classes(source) : []
    if (options.json) {
      const tensors = tensorsAsJson(evaluation, entry, classes)
      json(io, {
        event: 'done',
        model: file,
        data: source,
        metrics: { [source]: metrics },
        ...(Object.keys(tensors).length > 0 && { tensors }),
      })
    } else {
      io.out(`${source.padEnd(10)} ${showMetrics(metrics)}\n`)
      io.out(showTensors(evaluation, entry, classes))
    }
    return exit.done
  },
}
