/** NET1xxx: text and syntax. Each is made in compiler/syntax and shown whole in test/cases/syntax. */
import { meant } from '../suggest.ts'
import type { CatalogueEntry } from './entry.ts'

/** How a construct of another language is written here. */
const instead: Readonly<Record<string, string>> = {
  def: 'Write `fn name(x) { … }`, or `layer name(x: […]) -> […] { … }` if it has parameters to train.',
  function: 'Write `fn name(x) { … }`.',
  func: 'Write `fn name(x) { … }`.',
  class: 'Write `layer name(x: […]) -> […] { … }` for something with parameters to train.',
  model: 'Write `net name(x: […]) -> […] { … }`.',
  module: 'Write `net name(x: […]) -> […] { … }`.',
  return: 'Leave out `return`: the last expression of a block is its value.',
  let: 'Leave out the keyword: `name = value` binds a name.',
  var: 'Leave out the keyword: `name = value` binds a name.',
  while: 'Only the compile-time `for i in 0..n { … }` repeats.',
  elif: 'Write `else if`.',
  lambda: 'Declare the function: `fn name(x) = value`.',
  from: 'Write `import "path/to/file.net"`; every declaration of that file becomes visible.',
}

export const isForeignWord = (word: string): boolean => Object.hasOwn(instead, word)

export const syntaxErrors = {
  NET1001: {
    text: (a: { text: string }) => ({
      message: `\`${a.text}\` has no meaning in a .net file`,
      help: 'Remove it. Names are made of the letters A to Z, digits and `_`.',
    }),
  },
  NET1002: {
    text: () => ({
      message: 'this string has no end',
      label: 'starts here and runs to the end of the line',
      help: 'Close it with `"` on the same line.',
    }),
  },
  NET1003: {
    text: (a: { text: string; why: string; fix: string }) => ({
      message: `\`${a.text}\` is not a number`,
      label: a.why,
      help: a.fix,
    }),
  },
  NET1004: {
    text: (a: { escape: string }) => ({
      message: `unknown escape \`${a.escape}\` in a string`,
      help: 'Escapes are `\\"`, `\\\\`, `\\n` and `\\t`; write a path with `/`.',
    }),
  },
  NET1005: {
    text: (a: { text: string }) => ({
      message: `\`${a.text}\` does not start a comment`,
      help: 'Comments start with `//` and run to the end of the line.',
    }),
  },
  NET1006: {
    text: (a: { text: string; right: string }) => ({
      message: `\`${a.text}\` is not an operator`,
      label: `write \`${a.right}\``,
      help: `Write \`${a.right}\` instead of \`${a.text}\`.`,
    }),
  },
  NET1007: {
    text: () => ({
      message: 'strings stand in double quotes',
      help: 'Write "…". A single quote marks the next value of a state, as in `m\' = …`.',
    }),
  },
  NET1008: {
    text: (a: { text: string }) => ({
      message: `\`${a.text}\` would change a value, and values never change`,
      help: 'Bind a new name with `=`. Only `name[indices] += …` exists: a new tensor into which elements are added.',
    }),
  },
  NET1009: {
    text: () => ({
      message: '`@` is not an operator',
      label: 'a product of tensors is written with indices',
      help: 'Write the sum: `y[n, o] = sum[i](x[n, i] * W[i, o])`.',
    }),
  },
  NET1010: {
    text: (a: { closer: string }) => ({
      message: `\`${a.closer}\` closes nothing`,
      help: `Remove it, or add what it should close before it.`,
    }),
  },
  NET1011: {
    text: (a: { opener: string; closer: string }) => ({
      message: `\`${a.opener}\` is never closed`,
      label: `\`${a.closer}\` is missing for this`,
      help: `Add \`${a.closer}\`.`,
    }),
  },
  NET1012: {
    text: (a: { opener: string; closer: string; found: string }) => ({
      message: `\`${a.opener}\` is closed by \`${a.found}\``,
      label: `must be \`${a.closer}\``,
      help: `Write \`${a.closer}\` here, or close the inner bracket first.`,
    }),
  },
  NET1013: {
    text: (a: { limit: number; what: string }) => ({
      message: `${a.what} nested too deeply`,
      label: `more than ${a.limit} levels`,
      help: 'Bind parts of it to names, or move them into functions.',
    }),
  },
  NET1020: {
    text: (a: { found: string; suggestion: string | undefined }) => ({
      message: `expected a declaration, found ${a.found}`,
      help:
        meant(a.suggestion) +
        'At the top of a file stand `import`, `dim`, `const`, `data`, `fn`, `layer`, `net`, `optimizer`, `rule`, `train` and `predict`; put computations inside one of them.',
    }),
  },
  NET1021: {
    text: (a: { word: string }) => ({
      message: `\`${a.word}\` is not part of the language`,
      help: instead[a.word] ?? '',
    }),
  },
  NET1022: {
    text: () => ({
      message: '`import` takes the path of a file as a string',
      help: 'Write `import "path/to/file.net"`; every declaration of that file becomes visible.',
    }),
  },
  NET1023: {
    text: () => ({
      message: 'a block stands in braces, not behind `:`',
      label: 'expected `{`',
      help: 'Write `{ … }`; indentation has no meaning.',
    }),
  },
  NET1024: {
    text: (a: { owner: string; found: string }) => ({
      message: `expected the body of ${a.owner}, found ${a.found}`,
      help: 'Write the body in braces: `{ … }`.',
    }),
  },
  NET1025: {
    text: (a: { what: string; found: string }) => ({
      message: `expected ${a.what}, found ${a.found}`,
      help: `Write ${a.what} here.`,
    }),
  },
  NET1026: {
    text: (a: { word: string }) => ({
      message: `\`${a.word}\` is a reserved word and cannot be a name`,
      help: `Choose another name, such as \`${a.word}_\`.`,
    }),
  },
  NET1027: {
    text: (a: { owner: string; found: string }) => ({
      message: `expected the parameters of ${a.owner} in parentheses, found ${a.found}`,
      help: 'Write `(x: [batch, 4])`, or `()` when there are none.',
    }),
  },
  NET1028: {
    text: (a: { found: string }) => ({
      message: `expected a type, found ${a.found}`,
      help: 'Types are shapes such as `[batch, 784]`, `int[batch]`, `bool[N]`, `[]` for one number, and `dim` or `params`.',
    }),
  },
  NET1029: {
    text: (a: { name: string }) => ({
      message: `\`dim ${a.name}\` has no size`,
      help: `Write \`dim ${a.name} = 256\` for a fixed size or \`dim ${a.name} <= 64\` for one that varies up to a bound.`,
    }),
  },
  NET1030: {
    text: (a: { found: string }) => ({
      message: `expected \`vjp(…)\` or \`jvp(…)\` in a rule, found ${a.found}`,
      help: 'Write `rule f(x) vjp(dy) = …`, the derivative with respect to each parameter of `f`.',
    }),
  },
  NET1031: {
    text: (a: { found: string }) => ({
      message: `expected a data source, found ${a.found}`,
      help: 'Write one `name: reader("path", …)` a line, for example `train: csv("iris.csv")`.',
    }),
  },
  NET1040: {
    text: (a: { found: string }) => ({
      message: `expected an expression, found ${a.found}`,
      help: 'Something is missing before this place: a name, a number or a call.',
    }),
  },
  NET1041: {
    text: () => ({
      message: '`=` binds a name and cannot stand inside an expression',
      help: 'Write `==` to compare.',
    }),
  },
  NET1042: {
    text: (a: { what: string }) => ({
      message: `\`==\` compares, but ${a.what} is given its value with \`=\``,
      help: 'Write `=`.',
    }),
  },
  NET1043: {
    text: (a: { found: string; suggestion: string | undefined }) => ({
      message: `expected the end of the statement, found ${a.found}`,
      help:
        meant(a.suggestion) +
        'Start a new line, write `;` between two statements, or add the missing operator.',
    }),
  },
  NET1044: {
    text: () => ({
      message: 'comparisons cannot be chained',
      help: 'Join two comparisons with `and`: `a < b and b < c`.',
    }),
  },
  NET1045: {
    text: (a: { op: string }) => ({
      message: `what \`${a.op}\` runs over must stand in parentheses`,
      help: `Write \`${a.op}[i](…)\` with indices, or \`${a.op}(…)\` over all elements.`,
    }),
  },
  NET1046: {
    text: (a: { name: string }) => ({
      message: `the parameter \`${a.name}\` has no shape`,
      help: `Write \`param ${a.name}: [I, O] = …\`.`,
    }),
  },
  NET1047: {
    text: (a: { what: string; name: string }) => ({
      message: `${a.what} \`${a.name}\` has no start value`,
      help: 'Add `= 0` or an initializer such as `= glorot_uniform(I, O)`.',
    }),
  },
  NET1048: {
    text: () => ({
      message: 'an extent stands only on the left of an equation',
      help: 'Write `y[n: batch] = …` on the left and `x[n]` where it is read.',
    }),
  },
  NET1049: {
    text: () => ({
      message: '`..` stands for leading dims and must come first, once',
      help: 'Write `x[.., i]`.',
    }),
  },
  NET1050: {
    text: () => ({
      message: 'the right side of `|>` must be a call',
      help: 'Write `x |> f` or `x |> f(a)`; put the pipeline in parentheses to compute further: `(x |> f) + 1`.',
    }),
  },
  NET1051: {
    text: () => ({
      message: 'an argument without a name follows one with a name',
      help: 'Put the arguments without names first.',
    }),
  },
  NET1052: {
    text: () => ({
      message: 'this cannot be given a value',
      help: 'On the left of `=` stands a name, `name[indices]`, or `(a, b)`.',
    }),
  },
  NET1053: {
    text: () => ({
      message: '`for` runs over a range',
      help: 'Write `for i in 0..3 { … }`; the end is not included.',
    }),
  },
  NET1054: {
    text: () => ({
      message: 'there is no `? :` operator',
      help: 'Write `where(condition, a, b)`, or `if condition { a } else { b }` for a compile-time choice.',
    }),
  },
  NET1055: {
    text: (a: { found: string; closer: string }) => ({
      message: `expected \`,\` or \`${a.closer}\`, found ${a.found}`,
      help: 'A comma is missing, or a bracket is closed in the wrong place.',
    }),
  },
  NET1056: {
    text: (a: { name: string; call: boolean }) => ({
      message: 'values have no fields and no methods',
      help: a.call
        ? `Write \`x |> ${a.name}(…)\` or \`${a.name}(x)\`.`
        : `A shape is named where it is declared: \`x: [N, D]\` makes \`N\` and \`D\` known.`,
    }),
  },
  NET1057: {
    text: (a: { word: string }) => ({
      message: `\`${a.word}\` cannot be declared inside a block`,
      help: 'Declarations stand at the top of the file; move it out. If a `}` is missing above, add it.',
    }),
  },
  NET1058: {
    text: (a: { what: string }) => ({
      message: `${a.what} needs at least one index`,
      help: 'Write the indices in the brackets: `x[n, i]`, `sum[i](…)`.',
    }),
  },
  NET1059: {
    text: (a: { op: string; count: number }) => ({
      message: `\`${a.op}\` takes ${a.op === 'max' || a.op === 'min' ? 'one or two values' : 'one value'}, not ${a.count}`,
      help: `Write \`${a.op}(x)\` over all elements or \`${a.op}[i](x[i])\` over an index.`,
    }),
  },
  NET1060: {
    text: () => ({
      message: 'only a name can be called',
      help: 'Bind the value to a name, or put an operator between the two.',
    }),
  },
  NET1061: {
    text: () => ({
      message: '`if` used as a value needs an `else`',
      help: 'Write `if condition { a } else { b }`.',
    }),
  },
  NET1062: {
    text: () => ({
      message: '`else` without `if`',
      help: 'It follows the closing brace of an `if`: `if c { … } else { … }`.',
    }),
  },
  NET1063: {
    text: () => ({
      message: 'a target of an equation has one name and one list of indices',
      help: 'Write `y[n, o] = …`.',
    }),
  },
  NET1064: {
    text: (a: { operator: string }) => ({
      message: `\`${a.operator}\` at the end of the line has no right side`,
      label: 'so the next line is taken for it',
      help: 'Complete the expression, or remove the operator.',
    }),
  },
} as const satisfies Record<string, CatalogueEntry>
