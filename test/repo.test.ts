// The repository keeps its own rules: which Node runs it, and imports that go one way only.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { version } from '../compiler/version.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** What may import what: a part of the compiler imports only parts of a lower rank, or of its own. */
const ranks: Readonly<Record<string, number>> = {
  generated: 0,
  'version.ts': 0,
  support: 1,
  syntax: 2,
  ir: 3,
  elaborate: 4,
  differentiate: 4,
  passes: 4,
  schedule: 4,
  wasm: 5,
  notation: 4,
  'generate.ts': 6,
  'compile.ts': 7,
  'index.ts': 8,
  cli: 9,
}

interface Import {
  readonly from: string
  /** A path relative to the root, or the name of a package as it is written. */
  readonly to: string
  readonly typeOnly: boolean
}

/** The compiler's own TypeScript, without what only looks like it (AssemblyScript) or makes it. */
function sources(folder: string): string[] {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter((file) => file !== 'compiler/build.ts' && !file.startsWith('compiler/wasm/math/'))
    .sort()
}

/** Every import, export from and dynamic import of a file; formatted code starts them on a line. */
function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8')
  const statements = /^(?:import|export)\s+(type\s)?(?:[^'"`;=()]*?\sfrom\s+)?'([^']+)'/gm
  const dynamic = /\b(import)\(\s*'([^']+)'/g
  return [...text.matchAll(statements), ...text.matchAll(dynamic)].map(([, kind, target = '']) => ({
    from: file,
    to: target.startsWith('.') ? posix.join(posix.dirname(file), target) : target,
    typeOnly: kind?.trim() === 'type',
  }))
}

const compiler = sources('compiler').flatMap(importsOf)
const runtime = sources('runtime').flatMap(importsOf)

/** The part of the compiler that a file belongs to: `ir/graph.ts` is of `ir`. */
function part(file: string): string {
  return file.split('/')[1] ?? ''
}

function show({ from, to }: Import): string {
  return `${from} imports ${to}`
}

/** The first cycle that is reachable, as the names on it; undefined if there is none. */
function findCycle(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] | undefined {
  const done = new Set<string>()
  const visit = (node: string, trail: readonly string[]): string[] | undefined => {
    if (trail.includes(node)) return [...trail.slice(trail.indexOf(node)), node]
    if (done.has(node)) return undefined
    for (const next of edges.get(node) ?? []) {
      const cycle = visit(next, [...trail, node])
      if (cycle) return cycle
    }
    done.add(node)
    return undefined
  }
  for (const node of edges.keys()) {
    const cycle = visit(node, [])
    if (cycle) return cycle
  }
  return undefined
}

function edgesOf(imports: readonly Import[], name: (file: string) => string) {
  const edges = new Map<string, Set<string>>()
  for (const { from, to } of imports) {
    if (!to.startsWith('compiler/') && !to.startsWith('runtime/')) continue
    if (name(from) === name(to) && from !== to) continue
    edges.set(name(from), (edges.get(name(from)) ?? new Set()).add(name(to)))
  }
  return edges
}

test('the tests run under the pinned Node', () => {
  expect(process.versions.node.split('.')[0]).toBe('24')
})

test('the version that modules carry is that of the package', () => {
  const { version: published } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  expect(version).toBe(published)
})

test('relative imports name a file that exists', () => {
  const generated = (file: string) => file.startsWith('compiler/generated/')
  const broken = [...compiler, ...runtime].filter(
    ({ to }) => to.includes('/') && /^(compiler|runtime)\//.test(to) && !generated(to),
  )
  expect(broken.filter(({ to }) => !existsSync(join(root, to))).map(show)).toEqual([])
})

test('no file imports itself through others', () => {
  expect(findCycle(edgesOf([...compiler, ...runtime], (file) => file))).toBeUndefined()
})

test('the parts of the compiler import one way', () => {
  const inside = compiler.filter(({ to }) => to.startsWith('compiler/'))
  const unknown = sources('compiler').filter((file) => ranks[part(file)] === undefined)
  expect(unknown, 'a new part needs a rank in this file').toEqual([])
  const upward = inside.filter(({ from, to }) => ranks[part(to)]! > ranks[part(from)]!)
  expect(upward.map(show)).toEqual([])
  expect(findCycle(edgesOf(inside, part))).toBeUndefined()
})

test('the compiler does no IO and does not know the runtime, except in cli', () => {
  const wrong = compiler.filter(
    ({ from, to }) => part(from) !== 'cli' && (to.startsWith('node:') || to.startsWith('runtime/')),
  )
  expect(wrong.map(show)).toEqual([])
})

test('the runtime stands alone but for the types of the manifest', () => {
  const wrong = runtime.filter(({ to, typeOnly }) => {
    if (to.startsWith('runtime/') || to.startsWith('node:')) return false
    return !(typeOnly && to === 'compiler/wasm/manifest.ts')
  })
  expect(wrong.map(show)).toEqual([])
})
