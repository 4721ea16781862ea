/**
 * From bytes to an instance: compiles a module, picks the relaxed build where the engine has it, reads the manifest
 * and instantiates with no imports (threads aside). `fetch` is the only way out to the network, used for URLs alone.
 */
import type { Manifest } from '../compiler/wasm/manifest.ts'
import { fail, NetcError } from './errors.ts'
import { checkManifest } from './manifest.ts'

/** One build of a model. */
export type ModuleSource = string | URL | BufferSource | WebAssembly.Module

/**
 * One build, both builds, or a base URL that does not end in `.wasm`: then `<base>.relaxed.wasm` or `<base>.wasm` is
 * fetched.
 */
export type Source = ModuleSource | { readonly simd: ModuleSource; readonly relaxed?: ModuleSource }

export interface Instance {
  readonly manifest: Manifest
  readonly memory: ArrayBuffer
  readonly call: (name: string) => (...counts: number[]) => void
}

// (module (func (result v128) … f32x4.relaxed_madd))
const relaxedProbe = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0, 65, 0, 253, 17,
  65, 0, 253, 17, 65, 0, 253, 17, 253, 133, 2, 11,
]

/** Whether this engine takes relaxed SIMD. */
export function hasRelaxed(): boolean {
  return WebAssembly.validate(new Uint8Array(relaxedProbe))
}

const isUrl = (source: unknown): source is string | URL =>
  typeof source === 'string' || source instanceof URL

/** What is given, or the bytes behind a URL; in Node also those of a file, by path or `file:` URL. */
export async function fetched<T>(url: T | string | URL): Promise<T | BufferSource> {
  if (!isUrl(url)) return url
  // Asked of the engine, not imported: bundlers for pages must find no module of Node here.
  const fs = globalThis.process?.getBuiltinModule?.('node:fs')
  try {
    if (fs && !/^(https?|data|blob):/.test(String(url))) {
      return fs.readFileSync(/^file:/.test(String(url)) ? new URL(url) : url)
    }
    const response = await fetch(url)
    if (response.ok) return await response.arrayBuffer()
    return fail('module', `cannot fetch ${url}: HTTP ${response.status}`)
  } catch (error) {
    if (error instanceof NetcError) throw error
    return fail('module', `cannot fetch ${url}: ${(error as Error).message}`)
  }
}

function choose(source: Source, target: 'simd' | 'relaxed' | undefined): ModuleSource {
  const relaxed = target === undefined ? hasRelaxed() : target === 'relaxed'
  if (isUrl(source)) {
    const url = String(source)
    return /\.wasm($|[?#])/.test(url) ? source : `${url}${relaxed ? '.relaxed' : ''}.wasm`
  }
  if (!('simd' in source)) return source
  return (relaxed && source.relaxed) || source.simd
}

/** Compiles and instantiates the build of `source` that suits this engine, or the one of `target`. */
export async function instantiate(
  source: Source,
  target: 'simd' | 'relaxed' | undefined,
  imports?: (module: WebAssembly.Module) => WebAssembly.Imports,
): Promise<Instance> {
  const chosen = await fetched(choose(source, target))
  let module: WebAssembly.Module
  let exports: WebAssembly.Exports
  try {
    module = chosen instanceof WebAssembly.Module ? chosen : await WebAssembly.compile(chosen)
    exports = (await WebAssembly.instantiate(module, imports?.(module))).exports
  } catch (error) {
    return fail('module', `this is no module of netc: ${(error as Error).message}`)
  }
  const section = WebAssembly.Module.customSections(module, 'netc')[0]
  if (!section) return fail('manifest', 'this module has no manifest: it was not made by netc')
  const memory = exports.memory
  if (!(memory instanceof WebAssembly.Memory)) return fail('module', 'this module has no memory')
  const manifest = checkManifest(new TextDecoder().decode(section), memory.buffer.byteLength)
  const call = (name: string): ((...counts: number[]) => void) => {
    const f = exports[name]
    return typeof f === 'function'
      ? (f as (...counts: number[]) => void)
      : fail('module', `this module has no function ${name}`)
  }
  return { manifest, memory: memory.buffer as ArrayBuffer, call }
}
