/** NET4xxx: training, optimizers and derivative rules. */
import { meant } from '../suggest.ts'
import type { CatalogueEntry } from './entry.ts'

export const trainingErrors = {
  NET4001: {
    text: (a: { name: string }) => ({
      message: `the train block \`${a.name}\` minimizes nothing`,
      label: 'no loss',
      help: 'Add `minimize` with the loss, such as `minimize mse(prediction, target)`.',
    }),
  },
  NET4002: {
    text: (a: { shape: string }) => ({
      message: `the loss has the shape ${a.shape} and must be a single number`,
      label: a.shape,
      help: 'Reduce it: `minimize mean(…)`.',
    }),
  },
  NET4003: {
    text: (a: { name: string }) => ({
      message: `\`${a.name}\` minimizes a loss and has no optimizer`,
      label: 'how is it trained?',
      help: 'Add `using adam(lr = 1e-3)` or another optimizer.',
    }),
  },
  NET4004: {
    text: (a: { name: string }) => ({
      message: `\`${a.name}\` trains no parameters`,
      label: 'no net with parameters is used',
      help: 'Compute the loss with a net that has parameters, or name one with `over`.',
    }),
  },
  NET4005: {
    text: (a: { statement: string }) => ({
      message: `a second \`${a.statement}\` in one step`,
      label: 'again',
      help:
        a.statement === 'using'
          ? 'Keep one, or say which parameters the other is for: `using sgd(0.1) for "*.b"`.'
          : 'Keep one; put independent updates into `step { … }` blocks of their own.',
    }),
  },
  NET4006: {
    text: (a: { name: string; shape: string }) => ({
      message: `the report \`${a.name}\` has the shape ${a.shape} and must be a single number`,
      label: a.shape,
      help: 'Reduce it, such as with `mean(…)`, or sum it over all batches: `total(…)`.',
    }),
  },
  NET4007: {
    text: (a: { name: string }) => ({
      message: `the optimizer \`${a.name}\` never says what \`p'\` is`,
      label: 'no next value of the parameter',
      help: "Bind it: `p' = p - lr * g`.",
    }),
  },
  NET4008: {
    text: (a: { name: string; optimizer: string }) => ({
      message: `the state \`${a.name}\` of \`${a.optimizer}\` never gets a next value`,
      label: 'never changes',
      help: `Bind \`${a.name}' = …\`, or make it a parameter of the optimizer.`,
    }),
  },
  NET4009: {
    text: (a: { name: string; wanted: string; given: string }) => ({
      message: `the next value of \`${a.name}\` has the shape ${a.given} and \`${a.name}\` has ${a.wanted}`,
      label: a.given,
      help: 'A next value has the shape of what it replaces.',
    }),
  },
  NET4010: {
    text: (a: { name: string; wanted: number; given: number }) => ({
      message: `\`rule ${a.name}\` names ${a.given} parameter${a.given === 1 ? '' : 's'} and the function has ${a.wanted}`,
      label: 'does not match',
      help: 'Name the same parameters, in the same order.',
    }),
  },
  NET4011: {
    text: (a: { name: string; wanted: number; given: number }) => ({
      message: `\`rule ${a.name}\` gives ${a.given} cotangent${a.given === 1 ? '' : 's'} for ${a.wanted} parameter${a.wanted === 1 ? '' : 's'}`,
      label: 'does not match',
      help: 'Give one cotangent per parameter, in parentheses: `(dx, dy)`; 0 where none flows.',
    }),
  },
  NET4012: {
    text: (a: { name: string; param: string; wanted: string; given: string }) => ({
      message: `the cotangent of \`${a.param}\` in \`rule ${a.name}\` has the shape ${a.given} and \`${a.param}\` has ${a.wanted}`,
      label: a.given,
      help: 'A cotangent has the shape of its parameter.',
    }),
  },
  NET4013: {
    text: (a: { name: string }) => ({
      message: `\`rule ${a.name}\` is given twice`,
      label: 'again',
      help: 'Keep one rule of each mode per function.',
    }),
  },
  NET4014: {
    text: (a: { name: string; given: number }) => ({
      message: `\`rule ${a.name}\` has ${a.given} cotangents in \`vjp(…)\``,
      label: 'one is needed',
      help: 'A function has one result, so `vjp(dy)` names one cotangent.',
    }),
  },
  NET4015: {
    text: (a: { name: string; net: string }) => ({
      message: `the loss of this step needs \`${a.name}\`, which is computed from \`${a.net}\` before an earlier step changed it`,
      label: 'the gradient would stop there',
      help: `Compute \`${a.name}\` inside this step.`,
    }),
  },
  NET4016: {
    text: (a: { name: string }) => ({
      message: `the gradient transform \`${a.name}\` is not a call of a function`,
      label: 'not a transform',
      help: 'Use a function of the gradient, such as `with clip_norm(1.0)`.',
    }),
  },
  NET4017: {
    text: (a: { name: string }) => ({
      message: `\`${a.name}\` stands outside the steps of its train block`,
      label: 'outside a step',
      help: 'With `step` blocks, put `minimize`, `over` and `using` into them.',
    }),
  },
  NET4080: {
    text: (a: { given: string }) => ({
      message: `\`for\` takes patterns of parameter names as strings, not ${a.given}`,
      label: 'not a string',
      help: 'Quote it, such as `for "*.b"`; `*` stands for any text.',
    }),
  },
  NET4081: {
    text: (a: {
      pattern: string
      suggestion: string | undefined
      names: readonly string[]
      count: number
    }) => ({
      message: `no parameter of this step fits the pattern "${a.pattern}"`,
      label: 'fits nothing',
      help: `${meant(a.suggestion)}\`*\` stands for any text. The parameters are ${a.names.join(', ')}${a.count > a.names.length ? ` and ${a.count - a.names.length} more` : ''}.`,
    }),
  },
  NET4082: {
    text: (a: { name: string; others: number }) => ({
      message: `no \`using\` clause of this step fits the parameter \`${a.name}\`${a.others > 0 ? ` and ${a.others} more` : ''}`,
      label: 'for some parameters only',
      help: 'Add a clause without `for`, such as `using adam(1e-3)`: it takes all other parameters.',
    }),
  },
  NET4083: {
    text: (_: Record<never, never>) => ({
      message: 'this `using` clause is left without parameters',
      label: 'later clauses fit them all',
      help: 'A parameter takes the last clause that fits: write the special patterns below the general ones.',
    }),
  },
  NET4084: {
    text: (a: { given: string }) => ({
      message: `\`every\` takes a whole number of calls from 1 up, not ${a.given}`,
      label: 'not a count',
      help: '`every 4` averages the gradients of 4 calls for one update.',
    }),
  },
  NET4085: {
    text: (_: Record<never, never>) => ({
      message: 'a second `every` in one step',
      label: 'again',
      help: 'Keep one: it holds for all parameters of the step.',
    }),
  },
  NET4086: {
    text: (a: { given: string }) => ({
      message: `\`total\` takes a number or tensor, not ${a.given}`,
      label: a.given,
      help: 'Bind what is to be summed first, `hits = sum(float(guess == label))`, then `total(hits)`.',
    }),
  },
  NET4087: {
    text: (a: { shape: string; dim: string }) => ({
      message: `\`total\` sums over batches and ${a.shape} still has a row for each of \`${a.dim}\``,
      label: a.shape,
      help: `Sum over \`${a.dim}\` first: \`total(sum(…))\`, or \`counts[label[n], k: 10] += …\`.`,
    }),
  },
  NET4088: {
    text: (a: { name: string }) => ({
      message: `the report \`${a.name}\` mixes totals over all batches with values of one batch`,
      label: 'made of both',
      help: 'Put `total(…)` around every part that comes from the batch: `total(sum(wrong)) / total(sum(all))`.',
    }),
  },
  NET4089: {
    text: (_: Record<never, never>) => ({
      message: 'this `total` is there in training only, or has another shape then',
      label: 'differs in evaluation',
      help: 'Take it out of `if training`: a metric is the same in both.',
    }),
  },
  NET4019: {
    text: (a: { op: string; dims: readonly string[] }) => ({
      message: `the gradient of this \`${a.op}\` would need a tensor over ${a.dims.map((d) => `\`${d}\``).join(' and ')}`,
      label: 'two bounded dims at once',
      help: `Make one of the dims static (\`dim ${a.dims[0]} = 32\`), or give the inner \`${a.op}\` an equation without one of them.`,
    }),
  },
  NET4018: {
    text: (a: { type: string }) => ({
      message: `the loss is ${a.type} and must be a float`,
      label: a.type,
      help: 'Convert with `float(x)`; note that ints and bools have no gradient.',
    }),
  },
} as const satisfies Record<string, CatalogueEntry>
