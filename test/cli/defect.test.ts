/** A defect of netc is told as one: briefly, with the way to report it, and exit code 70. */
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { folder, netc } from './support.ts'

vi.mock('../../compiler/cli/compiler.ts', () => ({
  loadCompiler: async () => {
    throw new TypeError('x is not a function\nat some place')
  },
}))

test('exit 70', async () => {
  const file = join(folder({ 'a.net': '' }), 'a.net')
  const ran = await netc(['check', file])
  expect(ran).toMatchObject({ code: 70, out: '' })
  expect(ran.err).toBe(`netc: a defect of netc, not of your model: x is not a function
Please report it with the .net file and the command line. NETC_DEBUG=1 shows where.
`)
  const json = await netc(['check', file, '--json'])
  expect(json.events()[0]).toMatchObject({ event: 'error', kind: 'defect' })
  vi.stubEnv('NETC_DEBUG', '1')
  expect((await netc(['check', file])).err).toContain('at loadCompiler')
  vi.unstubAllEnvs()
})
