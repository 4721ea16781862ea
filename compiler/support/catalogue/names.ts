/** NET2xxx: names, definitions, calls and the structure of a program. */
import { meant } from '../suggest.ts'
import type { CatalogueEntry } from './entry.ts'

export const nameErrors = {
  NET2001: {
    text: (a: { name: string; suggestion: string | undefined }) => ({
      message: `the name \`${a.name}\` is not defined`,
      label: 'not defined here',
      help: `${meant(a.suggestion)}Bind it first: \`${a.name} = …\`, or declare it as a parameter, const or dim.`,
    }),
  },
  NET2002: {
    text: (a: { name: string; suggestion: string | undefined }) => ({
      message: `there is no function, layer or net called \`${a.name}\``,
      label: 'unknown callee',
      help: `${meant(a.suggestion)}Define it with \`fn ${a.name}(…)\` or \`layer ${a.name}(…)\`, or import the file that has it.`,
    }),
  },
  NET2003: {
    text: (a: { name: string }) => ({
      message: `\`${a.name}\` is defined twice`,
      label: 'defined again',
      help: 'Rename one of the two; a name has one meaning in a program.',
    }),
  },
  NET2004: {
    text: (a: { name: string }) => ({
      message: `\`${a.name}\` is already bound and values are immutable`,
      label: 'bound again',
      help: `Choose another name for the new value. Only the body of a \`for\` or \`if\` may bind an outer name again.`,
    }),
  },
  NET2005: {
    text: (a: {
      callee: string
      name: string
      suggestion: string | undefined
      signature: string | undefined
    }) => ({
      message: `\`${a.callee}\` has no parameter \`${a.name}\``,
      label: 'no such parameter',
      help:
        meant(a.suggestion) +
        (a.signature === undefined
          ? `\`${a.callee}\` takes its values by position.`
          : `Its signature is \`${a.signature}\`.`),
    }),
  },
  NET2006: {
    text: (a: { callee: string; signature: string; given: number; most: number }) => ({
      message: `\`${a.callee}\` takes at most ${a.most} argument${a.most === 1 ? '' : 's'}, and ${a.given} are given`,
      label: 'one too many',
      help: `Its signature is \`${a.signature}\`.`,
    }),
  },
  NET2007: {
    text: (a: { callee: string; name: string; signature: string }) => ({
      message: `the call of \`${a.callee}\` leaves out \`${a.name}\``,
      label: `\`${a.name}\` is missing`,
      help: `Its signature is \`${a.signature}\`.`,
    }),
  },
  NET2008: {
    text: (a: { callee: string; name: string }) => ({
      message: `the call of \`${a.callee}\` gives \`${a.name}\` twice`,
      label: 'given again',
      help: 'Give each parameter once, by position or by name.',
    }),
  },
  NET2009: {
    text: (a: { name: string; what: string }) => ({
      message: `\`${a.name}\` is ${a.what} and cannot be called`,
      label: 'not callable',
      help: 'Only functions, layers and nets are called; read an element of a tensor with `x[…]`.',
    }),
  },
  NET2010: {
    text: (a: { name: string; kind: string }) => ({
      message: `${a.kind} \`${a.name}\` calls itself`,
      label: 'recursive call',
      help: 'Recursion is not part of the language. Repeat with a compile-time `for`.',
    }),
  },
  NET2011: {
    text: (a: { name: string }) => ({
      message: `layer \`${a.name}\` is called outside a net`,
      label: 'its parameters would have no owner',
      help: 'Call it in a `net`, which owns the parameters, and call that net here.',
    }),
  },
  NET2012: {
    text: (a: { path: string }) => ({
      message: `the file "${a.path}" cannot be found`,
      label: 'imported here',
      help: 'Write the path relative to the importing file.',
    }),
  },
  NET2013: {
    text: (a: { path: string; chain: string }) => ({
      message: `the import of "${a.path}" closes a circle`,
      label: 'imports a file that imports this one',
      help: `Break the circle ${a.chain}: move what both need into a third file.`,
    }),
  },
  NET2014: {
    text: (a: { name: string; construct: string }) => ({
      message: `${a.construct} comes in a later version of netc`,
      label: 'not available yet',
      help: `Write the program without \`${a.name}\` for now; its place in the grammar is reserved.`,
    }),
  },
  NET2015: {
    text: (a: { name: string }) => ({
      message: `the value of \`${a.name}\` depends on itself`,
      label: 'circular definition',
      help: 'Give one of the names in the circle a value of its own.',
    }),
  },
  NET2016: {
    text: (a: { name: string; kind: string }) => ({
      message: `the value of ${a.kind} \`${a.name}\` is not a compile-time number`,
      label: 'must be known when compiling',
      help: 'Use numbers, consts, static dims and arithmetic on them only.',
    }),
  },
  NET2017: {
    text: (a: { statement: string; where: string }) => ({
      message: `\`${a.statement}\` does not belong in ${a.where}`,
      label: 'not allowed here',
      help:
        {
          param: 'Declare parameters in a `layer` or a `net`.',
          state:
            'Declare state in a `layer`, a `net`, a `train` or a `predict` block, or an `optimizer`.',
          minimize: 'Move it into a `train` block.',
          over: 'Move it into a `train` block.',
          using: 'Move it into a `train` block.',
          average: 'Move it into a `train` block, after `using`.',
          report: 'Move it into a `train` block.',
          step: 'Put steps directly into a `train` block, not into each other.',
        }[a.statement] ?? 'Move it to where it belongs.',
    }),
  },
  NET2018: {
    text: (a: { name: string }) => ({
      message: `\`${a.name}\` has no value: its block is empty or does not end in an expression`,
      label: 'no result',
      help: 'End the block with the value, a binding or an equation.',
    }),
  },
  NET2019: {
    severity: 'warning',
    text: (a: { name: string }) => ({
      message: `\`${a.name}\` is never used`,
      label: 'unused',
      help: 'Remove it, or use it.',
    }),
  },
  NET2020: {
    severity: 'warning',
    text: (a: { name: string; kind: string; owner: string }) => ({
      message: `the parameter \`${a.name}\` of ${a.kind} \`${a.owner}\` is never used`,
      label: 'unused',
      help: 'Remove it, or use it.',
    }),
  },
  NET2021: {
    severity: 'warning',
    text: (a: { name: string; file: string }) => ({
      message: `\`${a.name}\` hides the definition of the standard library`,
      label: 'defined again',
      help: `Rename it if you meant the one of std/${a.file}.`,
    }),
  },
  NET2022: {
    text: (a: { name: string; suggestion: string | undefined }) => ({
      message: `there is no net called \`${a.name}\``,
      label: 'not a net',
      help: `${meant(a.suggestion)}Name a \`net\` of the program: only nets have parameters.`,
    }),
  },
  NET2023: {
    text: (a: { name: string; suggestion: string | undefined }) => ({
      message: `\`rule ${a.name}\` is for a function that does not exist`,
      label: 'no such function',
      help: `${meant(a.suggestion)}Define \`fn ${a.name}(…)\` beside it.`,
    }),
  },
  NET2024: {
    text: (a: { name: string; suggestion: string | undefined }) => ({
      message: `there is no optimizer called \`${a.name}\``,
      label: 'unknown optimizer',
      help: `${meant(a.suggestion)}The standard library has sgd, momentum, nesterov, rmsprop, adagrad, adam and adamw.`,
    }),
  },
  NET2025: {
    text: (a: { wanted: number; given: string }) => ({
      message: `${a.wanted} names are bound to ${a.given}`,
      label: 'does not match',
      help: 'Give as many names as the value has parts.',
    }),
  },
  NET2026: {
    text: (a: { what: string }) => ({
      message: `the condition of a compile-time \`if\` is ${a.what}`,
      label: 'must be known when compiling',
      help: 'Use `where(test, a, b)` to choose between values at run time.',
    }),
  },
  NET2027: {
    text: (a: { name: string }) => ({
      message: `\`${a.name}\` is an optimizer and cannot be called here`,
      label: 'not a function',
      help: `Use it in a train block: \`using ${a.name}(…)\`.`,
    }),
  },
  NET2028: {
    text: (a: { name: string }) => ({
      message: `the primed name \`${a.name}'\` has no next value here`,
      label: 'not bound',
      help: `Bind it first with \`${a.name}' = …\`; a prime marks the next value of a state or parameter.`,
    }),
  },
  NET2029: {
    text: (a: { name: string }) => ({
      message: `\`${a.name}\` is a name of the language and cannot be defined`,
      label: 'reserved',
      help: 'Choose another name.',
    }),
  },
  NET2030: {
    text: (a: { reader: string }) => ({
      message: `the data source \`${a.reader}\` is not a reader call with constant arguments`,
      label: 'not a reader call',
      help: 'Write a call such as `csv("data.csv", x = "width")`, with strings, numbers and bools only.',
    }),
  },
  NET2031: {
    text: (a: { name: string }) => ({
      message: `\`${a.name}\` is also the name of another entry`,
      label: 'taken',
      help: 'Rename it: a train block `t` also makes the entries `t_eval` and `t_combine`, a predict block `p` may make `p_reset`, and `init` is taken.',
    }),
  },
} as const satisfies Record<string, CatalogueEntry>
