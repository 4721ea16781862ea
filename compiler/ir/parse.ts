/**
 * Reads the IR's text form (described in print.ts). In: text, and the sources that its spans point into. Out: a
 * program equal to the one printed; `IrSyntaxError` where the text is malformed. It checks the grammar and that
 * tensors are declared, the rest is verify's business.
 */
import type { Source, Span } from '../support/span.ts'
import { Cursor } from './lexer.ts'
import { parseExtent, parseIndices, parseScalar, type Scope } from './parse-scalar.ts'
import { isDType, isEntryKind, isRole } from './text.ts'
import type {
  After,
  BoundedDim,
  DataSource,
  Entry,
  Equation,
  Objective,
  Origin,
  Output,
  Program,
  RuleCall,
  Stage,
  Stream,
  Tensor,
  Vocabulary,
} from './types.ts'

/** `sources`: text by file name; a span into a file it lacks gets a source with empty text. */
export function parseProgram(text: string, sources?: ReadonlyMap<string, Source>): Program {
  return new Parser(text, sources ?? new Map()).program()
}

class Parser implements Scope {
  readonly #in: Cursor
  readonly #sources: Map<string, Source>
  #file = ''
  readonly #dims: BoundedDim[] = []
  readonly #persistent = new Map<string, Tensor>()
  #local = new Map<string, Tensor>()

  constructor(text: string, sources: ReadonlyMap<string, Source>) {
    this.#in = new Cursor({ file: 'ir', text })
    this.#sources = new Map(sources)
  }

  dtype(name: string): Tensor['dtype'] | undefined {
    return (this.#local.get(name) ?? this.#persistent.get(name))?.dtype
  }

  dimension(name: string): number | undefined {
    return this.#dims.find((d) => d.name === name)?.max
  }

  program(): Program {
    const input = this.#in
    const tensors: Tensor[] = []
    const entries: Entry[] = []
    const data: DataSource[] = []
    const vocabularies: Vocabulary[] = []
    input.expect('program')
    this.#file = input.string()
    while (input.peek().kind !== 'end') {
      if (input.take('dim')) {
        const name = input.name()
        input.expect('<=')
        this.#dims.push({ name, max: input.number() })
      } else if (input.take('data')) {
        data.push(this.#data())
      } else if (input.take('vocab')) {
        vocabularies.push(this.#vocabulary())
      } else if (input.take('entry')) {
        entries.push(this.#entry())
      } else {
        const tensor = this.#tensor()
        tensors.push(tensor)
        this.#persistent.set(tensor.name, tensor)
      }
    }
    return { file: this.#file, dims: this.#dims, tensors, entries, data, vocabularies }
  }

  #vocabulary(): Vocabulary {
    const input = this.#in
    const name = input.name()
    input.expect('=')
    const separator = input.string() === '' ? '' : ' '
    const lower = input.take('lower')
    const unknown = input.take('unknown') ? input.number() : undefined
    return { name, separator, lower, unknown, tokens: input.list('[', ']', () => input.string()) }
  }

  /** The vocabulary of a tensor or an output, where one is said. */
  #ofVocabulary(): { vocabulary?: string } {
    return this.#in.take('vocab') ? { vocabulary: this.#in.name() } : {}
  }

  #data(): DataSource {
    const input = this.#in
    const name = input.name()
    input.expect('=')
    const reader = input.name()
    const args = input.list('(', ')', () => {
      const named = input.at('=', 1)
      const argName = named ? input.name() : undefined
      if (named) input.next()
      return { name: argName, value: this.#dataValue() }
    })
    return { name, reader, args, span: this.#span() }
  }

  #dataValue(): string | number | boolean {
    const input = this.#in
    if (input.peek().kind === 'string') return input.string()
    if (input.take('true')) return true
    return input.take('false') ? false : input.number()
  }

  #tensor(): Tensor {
    const input = this.#in
    const start = input.peek()
    const role = input.word()
    if (!isRole(role)) return input.fail(`${role} is not a role`, start)
    const name = input.name()
    input.expect(':')
    const type = input.peek()
    const dtype = input.word()
    if (!isDType(dtype)) return input.fail(`${dtype} is not a dtype`, type)
    const shape = input.list('[', ']', () => parseExtent(input, this))
    const initial = input.take('=') ? input.number() : undefined
    const range = input.take('range') ? input.number() : undefined
    // Without a string it is the first equation's target of that name.
    const again = input.peek(1).kind === 'string' && input.take('checkpoint')
    const checkpoint = again ? { checkpoint: input.string() } : {}
    const vocabulary = this.#ofVocabulary()
    return {
      name,
      dtype,
      shape,
      role,
      span: this.#span(),
      initial,
      range,
      ...checkpoint,
      ...vocabulary,
    }
  }

  #localTensor(): Tensor {
    const tensor = this.#tensor()
    this.#local.set(tensor.name, tensor)
    return tensor
  }

  /** Tensor declarations; a role followed by a bracket is an equation's target of that name. */
  #tensors(): Tensor[] {
    const input = this.#in
    const tensors: Tensor[] = []
    while (input.peek().kind === 'word' && isRole(input.peek().text) && !input.at('[', 1)) {
      tensors.push(this.#localTensor())
    }
    return tensors
  }

  #entry(): Entry {
    const input = this.#in
    const start = input.peek()
    const kind = input.word()
    if (!isEntryKind(kind)) return input.fail(`${kind} is not a kind of entry`, start)
    const name = input.name()
    const inputs = input.list('(', ')', () => input.name())
    const outputs: Output[] = []
    if (input.take('->')) {
      do {
        const output = input.name()
        input.expect('=')
        outputs.push({ name: output, tensor: input.name(), ...this.#ofVocabulary() })
      } while (input.take(','))
    }
    this.#local = new Map()
    input.expect('{')
    const stream = input.take('stream') ? this.#stream() : undefined
    const tensors = this.#tensors()
    const stages: Stage[] = []
    while (input.take('stage')) stages.push(this.#stage())
    input.expect('}')
    const entry: Entry = { name, kind, inputs, outputs, tensors, stages }
    return stream ? { ...entry, stream } : entry
  }

  #stream(): Stream {
    const seed = this.#in.name()
    this.#in.expect(',')
    return { seed, step: this.#in.name() }
  }

  #stage(): Stage {
    const input = this.#in
    const equations: Equation[] = []
    const rules: RuleCall[] = []
    const updates: { target: string; value: string }[] = []
    input.expect('{')
    const objective = input.take('minimize') ? this.#objective() : undefined
    while (!input.take('}')) {
      if (input.take('rule')) {
        rules.push(this.#rule())
      } else if (input.take('update')) {
        const target = input.name()
        input.expect(':=')
        updates.push({ target, value: input.name() })
      } else {
        equations.push(this.#equation())
      }
    }
    return { equations, updates, objective, rules }
  }

  #objective(): Objective {
    const input = this.#in
    const loss = input.name()
    const gradients = input.list('{', '}', () => {
      const param = input.name()
      input.expect(':')
      return { param, gradient: input.name() }
    })
    return { loss, gradients }
  }

  #rule(): RuleCall {
    const input = this.#in
    const result = input.name()
    input.expect('=')
    const fn = input.name()
    const args = input.list('(', ')', () => input.name())
    input.expect('{')
    input.expect('cotangent')
    const cotangent = this.#localTensor()
    const tensors = this.#tensors()
    const equations: Equation[] = []
    while (!input.at('give')) equations.push(this.#equation())
    input.expect('give')
    const cotangents = input.list('(', ')', () => (input.take('_') ? undefined : input.name()))
    input.expect('}')
    return { fn, result, args, cotangent, tensors, equations, cotangents }
  }

  #equation(): Equation {
    const input = this.#in
    if (input.take('scatter')) {
      const outs = parseIndices(input, this)
      const target = input.name()
      const at = input.list('[', ']', () => parseScalar(input, this))
      input.expect('+=')
      const body = parseScalar(input, this)
      return { target, outs, at, body, ...this.#after(), origin: this.#origin() }
    }
    const target = input.name()
    const outs = parseIndices(input, this)
    input.expect('=')
    const body = parseScalar(input, this)
    return { target, outs, at: undefined, body, ...this.#after(), origin: this.#origin() }
  }

  #after(): { readonly after?: After } {
    const input = this.#in
    // With a bracket it is the next equation's target of that name.
    if (input.at('[', 1) || !input.take('after')) return {}
    const tensor = input.name()
    const at = input.list('[', ']', () => (input.take('_') ? undefined : input.name()))
    return { after: { tensor, at } }
  }

  #origin(): Origin {
    const span = this.#span()
    return { span, note: this.#in.take('--') ? this.#in.string() : '' }
  }

  /** `@12..40` or `@"file" 12..40`; nothing is no span. */
  #span(): Span | undefined {
    const input = this.#in
    if (!input.take('@')) return undefined
    const file = input.peek().kind === 'string' ? input.string() : this.#file
    const start = input.number()
    input.expect('..')
    const end = input.number()
    let source = this.#sources.get(file)
    if (!source) {
      source = { file, text: '' }
      this.#sources.set(file, source)
    }
    return { source, start, end }
  }
}
