// How reads move through memory: strides of affine positions, and positions that are the digits of one number.
import { expect, test } from 'vitest'
import { parseProgram } from '../../compiler/ir/parse.ts'
import { accessOf } from '../../compiler/schedule/access.ts'

/** Strides by index, and how many positions are left to be computed, of a read of x: [6, 4, 3]. */
function strides(positions: string): readonly [Record<string, number>, number] {
  const program = parseProgram(
    [
      'program "access"',
      'entry predict p(x, k) -> y = y {',
      'input x: f32[6, 4, 3]',
      'input k: i32[12] range 72',
      'temp y: f32[12, 6]',
      'stage {',
      `y[i: 12, j: 6] = x?[${positions}]`,
      '}',
      '}',
      '',
    ].join('\n'),
  )
  const { body } = program.entries[0]!.stages[0]!.equations[0]!
  if (body.kind !== 'read') throw new Error('no read')
  const access = accessOf(body.at, [6, 4, 3])
  return [Object.fromEntries(access.strides), access.computed.length]
}

test.each([
  ['j, 1, i', { j: 12, i: 1 }, 0],
  ['i / 12, i / 3 % 4, i % 3', { i: 1 }, 0],
  ['j, i / 3, i % 3', { j: 12, i: 1 }, 0],
  ['(i + 6 * j) / 12, (i + 6 * j) / 3 % 4, (i + 6 * j) % 3', { i: 1, j: 6 }, 0],
  ['i / 12, i % 12 / 3, i % 3', { i: 1 }, 0],
  ['i / 4, i % 4, j', { i: 3, j: 1 }, 0],
  ['i / 3, j, i % 3', { j: 3 }, 2],
  ['i % 6, i / 6, j', { j: 1 }, 2],
  ['j, i / 3, (i + 1) % 3', { j: 12 }, 2],
  ['j, k[i] / 3, k[i] % 3', { j: 12 }, 2],
])('x[%s]', (positions, expected, computed) => {
  expect(strides(positions)).toEqual([expected, computed])
})
