/** Calls that are right and wrong, without a model. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { libraryEntries } from '../../compiler/cli/library.ts'
import { commands } from '../../compiler/cli/run.ts'
import { folder, netc } from './support.ts'

test('help for everything', async () => {
  const all = await netc(['--help'])
  expect(all.code).toBe(0)
  for (const { name } of commands) {
    expect(all.out).toContain(`  ${name}`)
    const own = await netc([name, '--help'])
    expect(own.code).toBe(0)
    expect(own.out).toContain(`usage: netc ${name} `)
    expect((await netc(['help', name])).out).toBe(own.out)
  }
  expect((await netc(['help', 'json'])).out).toContain('"event"')
  expect((await netc(['help', 'data'])).out).toContain('standardize')
})

test('help for the library: every name has its sentence, signature and comment', async () => {
  const { out } = await netc(['help', 'library'])
  for (const { name, doc } of libraryEntries()) {
    expect(out).toMatch(new RegExp(`^  ${name} +\\S.*\\.$`, 'm'))
    const own = (await netc(['help', name])).out
    expect(own).toMatch(new RegExp(`^(fn|layer|optimizer|const) ${name}\\b`))
    expect(doc.join(), name).not.toBe('')
    expect(own).toContain(doc.join('\n'))
  }
  const dense = await netc(['help', 'dense'])
  expect(dense.out).toContain('layer dense(x: [.., I], O: dim) -> [.., O]\n\ny = x·W + b')
  expect((await netc(['help', 'conv2s'])).err).toContain('did you mean conv2d?')
})

test('the version is that of the package', async () => {
  const { version } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  )
  expect(await netc(['--version'])).toMatchObject({ code: 0, out: `${version}\n` })
})

test('no command is a wrong call', async () => {
  const ran = await netc([])
  expect([ran.code, ran.out]).toEqual([2, ''])
  expect(ran.err).toContain('usage: netc COMMAND')
})

test.each([
  [
    ['trian'],
    'there is no command trian: the commands are train, eval, predict, show, compile, check, grad, ir, fmt; did you mean train?',
  ],
  [['--jsn'], 'there is no option --jsn before a command'],
  [['train'], 'usage: netc train MODEL.net [options]'],
  [['train', 'a.net', 'b.net'], 'netc train has no use for b.net'],
  [['train', 'a.net', '--epoch', '3'], 'netc train has no option --epoch; did you mean --epochs?'],
  [['train', 'a.net', '--epochs'], '--epochs needs a value: N'],
  [['train', 'a.net', '--out', '--resume'], '--out needs a value: FILE'],
  [['train', 'a.net', '--epochs=2', '--epochs=3'], '--epochs is given twice'],
  [['train', 'a.net', '--resume=yes'], '--resume takes no value'],
  [
    ['train', 'a.net', '--target', 'sind'],
    '--target sind: it takes simd, relaxed; did you mean simd?',
  ],
  [['train', 'a.net', '--dim', 'batch'], '--dim batch: it takes NAME=NUMBER'],
  [['eval', 'a.net'], 'netc eval needs --weights FILE'],
  [['predict', 'a.net', '-w', 'w', '--limit', '0'], '--limit 0: it takes a whole number from 1 up'],
  [['predict', 'a.net', '-w', 'w', '-i', 'x', '--data', 'y'], 'either --input or --data'],
])('%j is refused', async (args, message) => {
  expect(await netc(args)).toMatchObject({ code: 2, out: '', err: `netc: ${message}\n` })
})

test('with --json an error is an object', async () => {
  const ran = await netc(['train', 'a.net', '--epoch', '3', '--json'])
  expect(ran.code).toBe(2)
  expect(ran.events()).toEqual([
    {
      event: 'error',
      kind: 'usage',
      message: 'netc train has no option --epoch; did you mean --epochs?',
    },
  ])
})

test('files that cannot be read', async () => {
  const at = folder({ 'bytes.net': Uint8Array.of(255, 254) })
  const none = await netc(['fmt', join(at, 'none.net')])
  expect(none).toMatchObject({
    code: 1,
    err: `netc: cannot read ${join(at, 'none.net')}: there is no such file\n`,
  })
  expect((await netc(['fmt', at])).err).toBe(`netc: cannot read ${at}: it is a folder\n`)
  expect((await netc(['fmt', join(at, 'bytes.net')])).err).toContain('it is no text in UTF-8')
})

test('fmt', async () => {
  const at = folder({ 'a.net': 'dim   batch<=64\n', 'bad.net': 'dim <= \n' })
  const file = join(at, 'a.net')
  expect(await netc(['fmt', '--check', file])).toMatchObject({
    code: 1,
    err: `${file}: is not formatted\n`,
  })
  expect(await netc(['fmt', '--stdout', file])).toMatchObject({ code: 0, out: 'dim batch <= 64\n' })
  expect((await netc(['fmt', file])).code).toBe(0)
  expect(readFileSync(file, 'utf8')).toBe('dim batch <= 64\n')
  expect((await netc(['fmt', '--check', file])).code).toBe(0)
  expect(await netc(['fmt', '-'], { stdin: 'dim  a=1' })).toMatchObject({
    code: 0,
    out: 'dim a = 1\n',
  })
  const bad = await netc(['fmt', join(at, 'bad.net')])
  expect(bad.code).toBe(1)
  expect(bad.err).toContain('bad.net:1:')
  expect(readFileSync(join(at, 'bad.net'), 'utf8')).toBe('dim <= \n')
})
