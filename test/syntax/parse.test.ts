import { expect, test } from 'vitest'
import { renderAll } from '../../compiler/support/render.ts'
import { runCases } from '../support/cases.ts'
import { parseText, repositoryFiles, shape } from '../support/net-text.ts'
import { showFile } from '../support/tree.ts'

runCases('syntax/parse.txt', (input) => {
  const { file, diagnostics } = parseText(input)
  return [showFile(file), renderAll(diagnostics)].filter((text) => text !== '').join('\n')
})

test('the standard library and the models have no syntax errors', () => {
  for (const source of repositoryFiles()) {
    expect(renderAll(parseText(source.text, source.file).diagnostics)).toBe('')
  }
})

test('line ends of Windows mean the same', () => {
  const text = 'net f(x: [4]) -> [4] {\n  y = x +\n    1\n  y\n    |> relu\n}\n'
  const { file, diagnostics } = parseText(text.replaceAll('\n', '\r\n'))
  expect(diagnostics).toEqual([])
  expect(shape(file)).toBe(shape(parseText(text).file))
})

test('every node lies within its file and the span of its parent', () => {
  for (const { text, file: name } of repositoryFiles()) {
    const { file } = parseText(text, name)
    const check = (node: object, start: number, end: number): void => {
      const span = (node as { span?: { start: number; end: number } }).span
      if (span !== undefined) {
        expect(span.start).toBeGreaterThanOrEqual(start)
        expect(span.end).toBeLessThanOrEqual(end)
      }
      for (const [key, child] of Object.entries(node)) {
        if (key === 'span' || typeof child !== 'object' || child === null) continue
        check(child, span?.start ?? start, span?.end ?? end)
      }
    }
    for (const item of file.items) check(item, 0, text.length)
  }
})

test('long files take time in proportion', () => {
  const one = 'fn f(x) = x + 1\n'
  const { file, diagnostics } = parseText(one.repeat(20_000))
  expect(diagnostics).toEqual([])
  expect(file.items.length).toBe(20_000)
})
