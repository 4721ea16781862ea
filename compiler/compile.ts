/**
 * The pipeline, as a table of contents: `.net` text → syntax tree → program of equations → passes → modules.
 * A pass is a pure function with a name; `lower` runs them up to any one, and with `verify` each is checked and the
 * guilty one named.
 */
import { differentiate } from './differentiate/index.ts'
import { elaborate } from './elaborate/index.ts'
import { type CompiledModule, generate } from './generate.ts'
import type { Program } from './ir/types.ts'
import { verify } from './ir/verify.ts'
import { cse } from './passes/cse.ts'
import { dce } from './passes/dce.ts'
import { expose } from './passes/expose.ts'
import { factors } from './passes/factors.ts'
import { inline } from './passes/inline.ts'
import { masks } from './passes/masks.ts'
import { monitor } from './passes/monitor.ts'
import type { Pass } from './passes/pass.ts'
import { simplify } from './passes/simplify.ts'
import { type Diagnostic, Diagnostics, Refusal } from './support/diagnostic.ts'
import type { Source } from './support/span.ts'
import { parse } from './syntax/parse.ts'
import { version } from './version.ts'
import type { Target } from './wasm/assembler.ts'
import { defaultThreads, type ThreadOptions } from './wasm/teamwork.ts'

/** In the order they run. Simplification meets what differentiation wrote; sharing then finds more that is equal. */
export const passes: readonly Pass[] = [differentiate, simplify, masks, cse, inline, factors, dce]

/** Where `netc ir --after` can stop; `elaborate` is before every pass. */
export const passNames: readonly string[] = ['elaborate', ...passes.map((p) => p.name)]

export interface CompileOptions {
  /** The name shown in messages and kept in the manifest. */
  readonly file?: string
  /** Values for declared dims and consts, `--dim width=128`; a truth value is 0 or 1. */
  readonly dims?: Readonly<Record<string, number>>
  /** Which builds to make; both when left out, none for an empty list. */
  readonly targets?: readonly Target[]
  /** Finds the text of an imported file; without it nothing can be imported. */
  readonly resolve?: (path: string, from: Source) => Source | undefined
  /** Gives the bytes of a file that a vocabulary is made of; without it a vocabulary has to list its tokens. */
  readonly readFile?: (path: string, from: Source) => Uint8Array | undefined
  /**
   * Intermediate tensors that become outputs of each entry that computes them, by path (`classify.relu_1`) or the end of
   * one; gradients too (`d_classify.relu_1`, in train entries). An unknown name is an error, NET6080.
   */
  readonly expose?: readonly string[]
  /** Train entries report the health of the training too: passes/monitor.ts. */
  readonly monitor?: boolean
  /**
   * Makes modules that several threads run together, with shared memory that they import; see netc/runtime/threads. `true`
   * leaves to the compiler's estimate what is worth it.
   */
  readonly threads?: boolean | ThreadOptions
  /** False keeps every equation a kernel of its own. */
  readonly fuse?: boolean
  /** Checks the program after each pass. */
  readonly verify?: boolean
}

export interface Compiled {
  readonly diagnostics: readonly Diagnostic[]
  /** As elaborated, before any pass; undefined when there are errors. */
  readonly program: Program | undefined
  readonly modules: { readonly [target in Target]?: CompiledModule } | undefined
}

/** Compiles the text of a `.net` file. User errors are in `diagnostics`; it throws only on a defect of netc. */
export function compile(text: string, options: CompileOptions = {}): Compiled {
  const { diagnostics, program } = analyze(text, options)
  if (!program) return { diagnostics, program, modules: undefined }
  const { threads } = options
  try {
    const modules = generate(lower(program, options), {
      targets: options.targets ?? ['simd', 'relaxed'],
      threads: threads === true ? defaultThreads : threads || undefined,
      fuse: options.fuse ?? true,
      sourceText: text,
      version,
    })
    return { diagnostics, program, modules }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const refused = [...diagnostics, error.diagnostic]
    return { diagnostics: refused, program: undefined, modules: undefined }
  }
}

/** The front half: parses and elaborates, without a pass and without code. */
export function analyze(
  text: string,
  options: Pick<CompileOptions, 'file' | 'dims' | 'resolve' | 'readFile'> = {},
): { readonly diagnostics: readonly Diagnostic[]; readonly program: Program | undefined } {
  const diagnostics = new Diagnostics()
  const file = parse({ file: options.file ?? 'model.net', text }, diagnostics)
  const program = diagnostics.hasErrors
    ? undefined
    : elaborate(
        file,
        {
          dims: options.dims ?? {},
          resolve: options.resolve ?? (() => undefined),
          readFile: options.readFile ?? (() => undefined),
        },
        diagnostics,
      )
  return { diagnostics: diagnostics.all, program: diagnostics.hasErrors ? undefined : program }
}

/** Runs the passes, all of them or up to and with `after`. Throws a `Refusal` where one finds a user error. */
export function lower(
  program: Program,
  options: {
    readonly after?: string
    readonly verify?: boolean
    readonly expose?: readonly string[]
    readonly monitor?: boolean
  } = {},
): Program {
  let lowered = program
  if (options.verify) verify(lowered, 'elaborate')
  if (options.after === 'elaborate') return lowered
  if (options.monitor) lowered = monitor(lowered)
  for (const pass of passes) {
    lowered = pass.run(lowered)
    if (pass === differentiate) lowered = expose(lowered, options.expose ?? [])
    if (options.verify) verify(lowered, pass.name)
    if (pass.name === options.after) break
  }
  return lowered
}
