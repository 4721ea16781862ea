/** NET4060 to NET4079: running state and averaged weights. */
import type { CatalogueEntry } from './entry.ts'

export const stateErrors = {
  NET4060: {
    text: (a: { name: string }) => ({
      message: `the state \`${a.name}\` has no shape`,
      label: 'which shape?',
      help: `Write it after the name: \`state ${a.name}: [] = 0\` for one number, \`int[]\` for a whole one, \`[S]\` for a row.`,
    }),
  },
  NET4061: {
    text: (a: { name: string; dim: string }) => ({
      message: `the state \`${a.name}\` has the bounded dim \`${a.dim}\` in its shape`,
      label: 'of which no two calls need have the same number',
      help: `A state stays from call to call, so its shape is fixed. Reduce over \`${a.dim}\`, or make it static: \`dim ${a.dim} = 8\`.`,
    }),
  },
  NET4062: {
    text: (a: { name: string }) => ({
      message: `\`${a.name}'\` is given a value and \`${a.name}\` is not a state`,
      label: 'the next value of what?',
      help: `Declare it in this block, \`state ${a.name}: […] = 0\`, or bind a name without the prime.`,
    }),
  },
  NET4063: {
    text: (a: { name: string }) => ({
      message: `the state \`${a.name}\` gets two next values in one block`,
      label: 'again',
      help: 'Give the first another name, without a prime, and compute with that.',
    }),
  },
  NET4064: {
    text: (a: { name: string; wanted: string; given: string }) => ({
      message: `the next value of \`${a.name}\` is ${a.given} and the state is ${a.wanted}`,
      label: a.given,
      help: a.wanted.startsWith('int')
        ? 'A next value has the shape and type of its state; `int(x)` cuts a float, and a state without `int` holds floats.'
        : 'A next value has the shape and type of its state; one number fills any shape.',
    }),
  },
  NET4065: {
    text: (a: { name: string }) => ({
      message: `the next value of \`${a.name}\` differs from element to element of the equation around`,
      label: 'which of them is to stay?',
      help: 'Call the layer on the whole tensor instead of inside an equation, or reduce over its indices.',
    }),
  },
  NET4066: {
    text: (a: { decay: string }) => ({
      message: `the decay of an average is ${a.decay} and must be a number from 0 up to, not including, 1`,
      label: 'not a decay',
      help: 'Larger is slower: `average 0.999` looks back about 1,000 steps.',
    }),
  },
  NET4067: {
    text: (a: { name: string; first: string; second: string }) => ({
      message: `\`${a.name}\` is a ${a.second} here and a ${a.first} elsewhere`,
      label: 'declared twice',
      help: 'Give the two different names: what persists has one shape, type and place.',
    }),
  },
  NET4068: {
    text: (a: { name: string; value: string }) => ({
      message: `the start value of \`${a.name}\` depends on \`${a.value}\`, which is known only in a call`,
      label: 'not known when the model is initialised',
      help: 'Use numbers, sizes and random numbers only.',
    }),
  },
  NET4069: {
    text: (a: { name: string }) => ({
      message: `the state \`${a.name}\` gets its next value inside a scan`,
      label: 'which time is to stay?',
      help: 'Carry the value through the scan (`with h = …`), and assign the state behind it; or call the layer outside.',
    }),
  },
} as const satisfies Record<string, CatalogueEntry>
