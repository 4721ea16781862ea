/** NET2060–2069: vocabularies. */
import { meant } from '../suggest.ts'
import type { CatalogueEntry } from './entry.ts'

export const vocabularyErrors = {
  NET2060: {
    text: (a: { name: string; suggestion: string | undefined }) => ({
      message: `there is no vocabulary or element type called \`${a.name}\``,
      label: 'unknown type',
      help: `${meant(a.suggestion)}The element types are \`int\` and \`bool\`, floats have none: \`[batch, 4]\`. Or declare \`vocab ${a.name} = chars("file")\`.`,
    }),
  },
  NET2061: {
    text: (a: { name: string; suggestion: string | undefined }) => ({
      message: `the vocabulary \`${a.name}\` is not read by \`chars\`, \`words\` or \`tokens\``,
      label: 'no reader of tokens',
      help: `${meant(a.suggestion)}Write \`chars("file")\`, \`chars(text = "abc")\`, \`words("file", size = 5000)\` or \`tokens("a, b, c")\`.`,
    }),
  },
  NET2062: {
    text: (a: { path: string }) => ({
      message: `there is no file \`${a.path}\``,
      label: 'its tokens are wanted here',
      help: 'A path is relative to the .net file, or begins with the name of an installed package. Without files, as in a page, list them: `chars(text = "abc")`, `tokens("a, b, c")`.',
    }),
  },
  NET2063: {
    text: (a: { what: string }) => ({
      message: `the vocabulary has no tokens: ${a.what}`,
      label: 'read here',
      help: 'Name a text in UTF-8 that holds what the model is to know.',
    }),
  },
  NET2064: {
    text: (a: { name: string; size: number; limit: number }) => ({
      message: `the vocabulary \`${a.name}\` has ${a.size} tokens, and at most ${a.limit} are taken`,
      label: 'too many tokens',
      help: 'Take the most frequent words only, `words("file", size = 5000, unknown = "<unk>")`, or characters.',
    }),
  },
  NET2065: {
    text: (a: { reader: string; what: string; options: string }) => ({
      message: `\`${a.reader}\` does not take this: ${a.what}`,
      label: 'not taken',
      help: `Its options are ${a.options}.`,
    }),
  },
  NET2066: {
    text: (a: { token: string }) => ({
      message: `the token ${JSON.stringify(a.token)} is named twice`,
      label: 'twice in this vocabulary',
      help: 'Name each token once: its place in the list is its number.',
    }),
  },
  NET2067: {
    text: (a: { vocab: string; size: number; extent: string }) => ({
      message: `ids of \`${a.vocab}\` go up to ${a.size - 1}, and this dimension is ${a.extent}`,
      label: 'some ids lie outside',
      help: `Give the dimension the size of the vocabulary: \`${a.vocab}\` in a shape or a call is that number.`,
    }),
  },
} as const satisfies Record<string, CatalogueEntry>
