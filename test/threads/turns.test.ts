/**
 * Threads wait for each other wherever it matters: they take turns, upwards and downwards, and what comes out is to the
 * bit what one thread computes. Were there no barrier where one is needed, one of the two orders would show it.
 */
import { afterAll, expect, test } from 'vitest'
import { type CompileOptions, compile } from '../../compiler/compile.ts'
import { renderAll } from '../../compiler/support/render.ts'
import { moduleOf } from '../codegen/module.ts'
import { optionsOf, small, textOf } from '../models/small.ts'
import { programFromSeed } from '../support/arbitrary.ts'
import { lowered, recurrent, optionsOf as seedOptions } from '../support/differential.ts'
import { alone, type Built, bitsOf, Team } from './team.ts'

const team = new Team(3)
afterAll(() => team.end())

const threads = { least: 0, meet: true }

function built(text: string, options: CompileOptions): Built {
  const result = compile(text, { ...options, targets: ['simd'] })
  if (!result.modules) throw new Error(renderAll(result.diagnostics))
  return result.modules.simd!
}

async function expectSame(plain: Built, shared: Built): Promise<void> {
  const expected = bitsOf(alone(plain))
  for (const order of ['up', 'down'] as const) {
    expect(await team.run(shared, order, bitsOf)).toEqual(expected)
  }
}

test.each(Object.keys(small))('models/%s.net', async (name) => {
  const options = optionsOf(name)
  await expectSame(built(textOf(name), options), built(textOf(name), { ...options, threads }))
})

/** Every other one with sums in blocks. */
test('random programs, those with recurrences too', async () => {
  let compared = 0
  const seeds = [...Array(16).keys()].flatMap((k) => [k, recurrent + k])
  for (const seed of seeds) {
    const program = lowered(programFromSeed(seed, seedOptions(seed)))
    if (!program) continue
    const build = { target: 'simd', fuse: true, ...(seed % 2 === 0 && { cache: 0 }) } as const
    const shared = moduleOf(program, { ...build, threads })
    if (shared.manifest.threads!.most === 1) continue
    await expectSame(moduleOf(program, build), shared)
    compared++
  }
  expect(compared).toBeGreaterThan(12)
})
