/** The cost model of register tiles, fitted to what `npm run bench -- --tiles` measures. */
import { expect, test } from 'vitest'
import { plainTiles } from '../../compiler/schedule/registers.ts'

function best(extent: number, columns: number, far: boolean): string {
  const tiles = plainTiles(extent, Math.ceil(columns / 4), 1, 1, far)
  const least = tiles.reduce((a, b) => (b.cost < a.cost - 1e-9 ? b : a))
  return `${least.rowTile}×${4 * least.laneTile}`
}

test.each([
  ['what four divides', 64, 128, false, '4×8'],
  ['the same, of a matrix that no cache nearby holds', 64, 128, true, '6×8'],
  ['the columns of a convolution of 14 × 14', 14, 16, false, '5×8'],
  ['one column of vectors', 32, 4, false, '8×4'],
  ['one row', 1, 784, false, '1×28'],
] as const)('%s', (_, rows, columns, far, tile) => {
  expect(best(rows, columns, far)).toBe(tile)
})

test('accumulators, what the columns load and one factor of a row fit fifteen registers', () => {
  for (const laneLoads of [1, 2]) {
    for (const { rowTile, laneTile } of plainTiles(100, 25, laneLoads, 1, false)) {
      expect(rowTile * laneTile + laneTile * laneLoads + 1).toBeLessThanOrEqual(15)
    }
  }
})
