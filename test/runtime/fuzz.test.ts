/** Damaged manifests and weights, at random: always a typed error or a model that runs, never anything else. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { load, NetcError } from '../../runtime/index.ts'
import { manifest, moduleWith } from './fixture.ts'

/** Every place in a JSON value, as a path. */
function paths(
  value: unknown,
  at: readonly (string | number)[] = [],
): (readonly (string | number)[])[] {
  if (value === null || typeof value !== 'object') return [at]
  return [at, ...Object.entries(value).flatMap(([key, item]) => paths(item, [...at, key]))]
}

const places = paths(manifest)

/** A copy with the value at `path` replaced, or removed. */
function replaced(value: unknown, path: readonly (string | number)[], by: unknown): unknown {
  const [key, ...rest] = path
  if (key === undefined) return by
  const copy: Record<string, unknown> | unknown[] = Array.isArray(value)
    ? [...value]
    : { ...(value as object) }
  const next = replaced((value as Record<string, unknown>)[key], rest, by)
  ;(copy as Record<string, unknown>)[key] = next
  return copy
}

const junk = fc.oneof(
  fc.constantFrom<unknown>(
    undefined,
    null,
    true,
    -1,
    0.5,
    1e300,
    65_535,
    2 ** 31,
    '',
    'batch',
    [],
    {},
    [null],
    [[]],
    { toString: null },
  ),
  fc.json({ maxDepth: 2 }).map((text): unknown => JSON.parse(text)),
)

test('a manifest with anything anywhere', async () => {
  const property = fc.asyncProperty(fc.constantFrom(...places), junk, async (path, by) => {
    const text = JSON.stringify(replaced(manifest, path, by)) ?? ''
    try {
      const model = await load((await moduleWith(text)) as Uint8Array<ArrayBuffer>)
      model.init(1)
      model.save({ training: true })
    } catch (error) {
      if (error instanceof NetcError) return
      throw error
    }
  })
  await fc.assert(property, { numRuns: 2000 })
})

test('weights with any byte changed, or cut anywhere', async () => {
  const model = await load((await moduleWith(JSON.stringify(manifest))) as Uint8Array<ArrayBuffer>)
  model.init(3)
  const file = model.save({ training: true })
  const before = model.save({ training: true })
  const property = fc.property(
    fc.nat(file.length - 1),
    fc.nat(255),
    fc.boolean(),
    (at, byte, isCut) => {
      const bad = isCut ? file.slice(0, at) : file.slice()
      if (!isCut) bad[at] = byte
      try {
        model.restore(bad)
      } catch (error) {
        if (!(error instanceof NetcError) || error.code !== 'weights') throw error
        expect(model.save({ training: true })).toEqual(before)
      }
      model.restore(file)
    },
  )
  fc.assert(property, { numRuns: 2000 })
})
