/** The wrapper that `netc compile` writes: it loads and runs, and its types accept what is right and nothing else. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { folder, netc } from './support.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const runtime = join(root, 'runtime', 'index.ts')

const texts = join(root, 'runtime', 'text', 'index.ts')

const model = `dim batch <= 4
vocab letter = chars(text = "abcde")
net guess(x: [batch, 2], k: int[batch]) -> [batch, 3] {
  param E: [5, 3] = 0
  z = x |> dense(3)
  out[n, j] = z[n, j] + E[k[n], j]
}
train fit(x: [batch, 2], k: int[batch], y: int[batch]) {
  z = guess(x, k)
  minimize cross_entropy(z, y)
  using sgd(lr = 0.1)
}
predict spell(k: letter[batch]) -> letter[batch] { k }
predict scores(x: [batch, 2], k: int[batch]) { z = guess(x, k) }
`

async function compiled(): Promise<string> {
  const at = folder({ 'guess.net': model })
  const ran = await netc(['compile', join(at, 'guess.net'), '-o', at])
  expect(ran.err).toContain('compiled in')
  expect(ran.code).toBe(0)
  return at
}

test('it loads the build that the engine takes, and runs', async () => {
  const at = await compiled()
  const file = join(at, 'guess.js')
  const text = readFileSync(file, 'utf8')
    .replace("'netc/runtime'", `'${pathToFileURL(runtime)}'`)
    .replace("'netc/runtime/text'", `'${pathToFileURL(texts)}'`)
  writeFileSync(file, text)
  const script = `
    const { load } = await import(${JSON.stringify(pathToFileURL(file).href)})
    for (const target of ['simd', 'relaxed', undefined]) {
      const model = await load({ target })
      model.init(1)
      const { loss } = model.train.fit({ x: [1, 2, 3, 4], k: [0, 4], y: [1, 2] })
      const { z } = model.predict.scores({ x: new Float32Array(20), k: new Int32Array(10) })
      const { k } = model.predict.spell({ k: 'bead' })
      if (model.vocabularies.letter.decode(k) !== 'bead') throw k
      console.log(model.manifest.target, Number.isFinite(loss), z.length)
    }`
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', script])
  expect(String(out)).toBe('simd true 30\nrelaxed true 30\nrelaxed true 30\n')
})

test('its types name what the model has', async () => {
  const at = await compiled()
  writeFileSync(
    join(at, 'use.ts'),
    `import { load } from './guess.js'

const model = await load({ target: 'simd' })
const { loss } = model.train.fit({ x: [1, 2], k: [0], y: [1] })
const rate: number = model.hyper['fit.lr'] * loss
const weights: Float32Array = model.params['guess.E']
const { z } = model.predict.scores({ x: new Float32Array(2), k: [1] })
const { k } = model.predict.spell({ k: ['a', 'b'] })
const spelt: string = model.vocabularies.letter.decode(k)
const first: number | undefined = z[0]
for await (const report of model.fit('fit', { x: [1, 2], k: [0], y: [1] })) report.metrics
// @ts-expect-error there is no such vocabulary
model.vocabularies.word
// @ts-expect-error this input has no vocabulary
model.predict.scores({ x: [1, 2], k: 'ab' })
// @ts-expect-error there is no such block
model.train.fitted({})
// @ts-expect-error an input is missing
model.train.fit({ x: [1, 2], k: [0] })
// @ts-expect-error there is no such output
model.predict.scores({ x: [1, 2], k: [1] }).probs
// @ts-expect-error there is no such hyper-parameter
model.hyper['fit.momentum'] = 1
export { first, rate, spelt, weights }
`,
  )
  const options = {
    compilerOptions: {
      target: 'ES2023',
      module: 'esnext',
      moduleResolution: 'bundler',
      lib: ['ES2023', 'DOM', 'DOM.AsyncIterable'],
      types: ['node'],
      typeRoots: [join(root, 'node_modules', '@types')],
      strict: true,
      noEmit: true,
      allowImportingTsExtensions: true,
      paths: { 'netc/runtime': [runtime], 'netc/runtime/text': [texts] },
    },
    files: ['use.ts'],
  }
  writeFileSync(join(at, 'tsconfig.json'), JSON.stringify(options))
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const { stdout } = spawnSync(process.execPath, [tsc, '-p', at], { encoding: 'utf8' })
  expect(stdout).toBe('')
})
