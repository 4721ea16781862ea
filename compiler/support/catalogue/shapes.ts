/** NET3xxx: shapes, types and indices. Shapes arrive as text in the user's own dim names. */
import type { CatalogueEntry } from './entry.ts'

export const shapeErrors = {
  NET3001: {
    text: (a: { op: string; left: string; right: string }) => ({
      message: `\`${a.op}\` of the shapes ${a.left} and ${a.right}, which differ`,
      label: `${a.left} against ${a.right}`,
      help: 'Elementwise operators need equal shapes. Say by index what is meant, such as `y[n, o] = x[n, o] + b[o]`.',
    }),
  },
  NET3002: {
    text: (a: { callee: string; param: string; wanted: string; given: string; why: string }) => ({
      message: `\`${a.callee}\` wants \`${a.param}: ${a.wanted}\` and is given ${a.given}`,
      label: a.why,
      help: 'Change the argument or its sizes so that the shapes agree.',
    }),
  },
  NET3003: {
    text: (a: { wanted: string; given: string; of: string }) => ({
      message: `${a.of} is declared ${a.wanted} and its value is ${a.given}`,
      label: `this is ${a.given}`,
      help: 'Change the declaration or the value so that the shapes agree.',
    }),
  },
  NET3004: {
    text: (a: { rank: number; given: number; shape: string }) => ({
      message: `a tensor of shape ${a.shape} is read with ${a.given} position${a.given === 1 ? '' : 's'}`,
      label: `${a.rank} position${a.rank === 1 ? ' is' : 's are'} needed`,
      help: 'Give one position per dimension; `..` stands for the leading ones.',
    }),
  },
  NET3005: {
    text: (a: { position: string; lo: number; hi: number; extent: string; size: number }) => ({
      message: `\`${a.position}\` runs from ${a.lo} to ${a.hi}, and the dimension ${a.extent} has the positions 0 to ${a.size - 1}`,
      label: 'may be out of range',
      help: 'Change the extent of an index, or read with `x?[…]`, which gives 0 outside.',
    }),
  },
  NET3006: {
    text: (a: { index: string }) => ({
      message: `the extent of the index \`${a.index}\` does not follow from its uses`,
      label: 'how far does it run?',
      help: `State it: \`${a.index}: 10\` or \`${a.index}: N\`; or use \`${a.index}\` alone as a position of an unguarded read.`,
    }),
  },
  NET3007: {
    text: (a: { index: string; first: string; second: string }) => ({
      message: `the index \`${a.index}\` runs over ${a.first} and over ${a.second}, which differ`,
      label: 'two extents',
      help: 'Use two indices, or make the dimensions equal.',
    }),
  },
  NET3008: {
    text: (a: { dim: string; position: string }) => ({
      message: `the bounded dim \`${a.dim}\` is read at \`${a.position}\``,
      label: 'not the plain index',
      help: `The count of \`${a.dim}\` is known only at run time: read it with a bare index over \`${a.dim}\`, or guarded with \`?[…]\`.`,
    }),
  },
  NET3009: {
    text: (a: { dim: string; shape: string }) => ({
      message: `the bounded dim \`${a.dim}\` is not the outermost in ${a.shape}`,
      label: 'must come first',
      help: `Put \`${a.dim}\` first, once, or make it static: \`dim ${a.dim} = …\`.`,
    }),
  },
  NET3010: {
    text: (a: { index: string; suggestion: string | undefined }) => ({
      message: `the index \`${a.index}\` is not bound here`,
      label: 'no such index',
      help: `${a.suggestion === undefined ? '' : `Did you mean \`${a.suggestion}\`? `}Put \`${a.index}\` on the left side of the equation, or reduce over it: \`sum[${a.index}](…)\`.`,
    }),
  },
  NET3011: {
    text: (a: { shape: string }) => ({
      message: `a single number is needed here and this is a tensor of shape ${a.shape}`,
      label: a.shape,
      help: 'Read an element by index, such as `x[n, i]`, or reduce it.',
    }),
  },
  NET3012: {
    text: (a: { op: string; type: string }) => ({
      message: `\`${a.op}\` cannot be applied to ${a.type}`,
      label: a.type,
      help: 'Convert first: `float(x)`, `int(x)`, or a comparison for a bool.',
    }),
  },
  NET3013: {
    text: (a: { what: string }) => ({
      message: `a position must be an int and this is ${a.what}`,
      label: 'not an int',
      help: 'Use index variables, ints and int tensors; `int(x)` converts.',
    }),
  },
  NET3014: {
    text: (a: { wanted: string; given: string }) => ({
      message: `${a.wanted} is needed here and this is ${a.given}`,
      label: a.given,
      help: `Pass ${a.wanted}.`,
    }),
  },
  NET3015: {
    text: (a: { name: string }) => ({
      message: `the dim \`${a.name}\` of an input is not declared`,
      label: 'unknown dim',
      help: `Declare it: \`dim ${a.name} = 16\`, or \`dim ${a.name} <= 64\` for a size that varies.`,
    }),
  },
  NET3016: {
    text: (a: { name: string; value: string }) => ({
      message: `${a.name} is ${a.value}, and a dimension has at least 1 element`,
      label: 'not a size',
      help: 'Use a whole number from 1.',
    }),
  },
  NET3017: {
    text: (a: { dim: string }) => ({
      message: `the bounded dim \`${a.dim}\` cannot be computed with`,
      label: 'known only at run time',
      help: `Make it static: \`dim ${a.dim} = …\`.`,
    }),
  },
  NET3018: {
    text: (a: { name: string }) => ({
      message: `the dim variable \`${a.name}\` does not follow from the arguments`,
      label: 'not determined',
      help: `Use \`${a.name}\` alone in the shape of a parameter, or pass it: \`${a.name}: dim\`.`,
    }),
  },
  NET3019: {
    text: (a: { place: string }) => ({
      message: `\`..\` has no meaning ${a.place}`,
      label: 'no leading dims here',
      help: 'Use `..` once per shape, in a function or layer whose signature has it.',
    }),
  },
  NET3020: {
    text: (a: { target: string }) => ({
      message: `the left side of \`${a.target}\` has a position that is not a plain index`,
      label: 'not an index name',
      help: 'Write `y[i, j] = …` with different index names, or `+=` to add into computed positions.',
    }),
  },
  NET3021: {
    text: (a: { target: string }) => ({
      message: `the shape of the scatter \`${a.target}\` does not follow from its left side`,
      label: 'how many positions?',
      help: 'State the extent of the position: `y[ids[t]: V, d] += …`.',
    }),
  },
  NET3022: {
    text: (a: { wanted: string; given: number }) => ({
      message: `the result is declared ${a.wanted} and has ${a.given} ${a.given === 1 ? 'index' : 'indices'}`,
      label: 'does not match',
      help: 'Let the indices that are not reduced over be those of the declared result, in its order.',
    }),
  },
  NET3023: {
    text: (a: { name: string; first: string; second: string }) => ({
      message: `the parameter \`${a.name}\` has the shape ${a.first} in one use of its net and ${a.second} in another`,
      label: 'a net is one instance',
      help: 'Use the net with equal sizes everywhere, or define two nets.',
    }),
  },
  NET3024: {
    text: (a: { op: string }) => ({
      message: `\`${a.op}\` without indices needs a tensor`,
      label: 'not a tensor',
      help: `Write \`${a.op}(x)\` with a tensor, or \`${a.op}[i](…)\` over an index.`,
    }),
  },
  NET3025: {
    text: (a: { name: string }) => ({
      message: `the parameter set \`${a.name}\` is empty`,
      label: 'no parameters',
      help: 'Use the net in a train or predict block, and give it layers with parameters.',
    }),
  },
  NET3026: {
    text: (a: { dim: string; other: string }) => ({
      message: `this equation would have the bounded dims \`${a.dim}\` and \`${a.other}\``,
      label: 'two bounded dims',
      help: 'Reduce over one of them, or make it static.',
    }),
  },
  NET3027: {
    text: (a: { given: string }) => ({
      message: `only reads have positions, and this is ${a.given}`,
      label: a.given,
      help: 'Put the positions behind a tensor.',
    }),
  },
  NET3028: {
    text: (a: { name: string }) => ({
      message: `the index \`${a.name}\` appears twice`,
      label: 'again',
      help: 'Give every index of a left side or a reduction its own name.',
    }),
  },
} as const satisfies Record<string, CatalogueEntry>
