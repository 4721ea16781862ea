/** README.md shows what is really there: the model, a layer of the library, the derived gradient, the commands. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { analyze } from '../compiler/compile.ts'
import { std } from '../compiler/generated/std.ts'
import { gradientText } from '../compiler/notation/net.ts'

const readme = readFileSync('README.md', 'utf8')
const model = readFileSync('models/mnist.net', 'utf8')

test('the model is models/mnist.net', () => {
  expect(readme).toContain(`\`\`\`net\n${model}\`\`\``)
})

test('the layer is the library’s', () => {
  const layer = /^layer dense[\s\S]*?^}$/m.exec(readme)![0]
  expect(std['layers.net']).toContain(layer)
})

test('the gradient is the one that netc prints', () => {
  const { program } = analyze(model, { file: 'models/mnist.net' })
  const text = gradientText(program!, 'digits', {})
  const backward = /\/\/ backward\n([\s\S]*?)\n\n/.exec(text)![1]!
  expect(readme).toContain(`\`\`\`net\n${backward}\n\`\`\``)
})

test('its scripts exist', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: object }
  for (const [, script] of readme.matchAll(/npm run ([\w:]+)/g))
    expect(scripts).toHaveProperty([script!])
})
