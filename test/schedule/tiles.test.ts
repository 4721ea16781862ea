/** The cost model of register tiles, fitted to what `npm run bench -- --tiles` measures. */
import { expect, test } from 'vitest'
import { plainTiles } from '../../compiler/schedule/tile.ts'

function best(extent: number, columns: number): string {
  const tiles = plainTiles(extent, Math.ceil(columns / 4), 1, 1)
  const least = tiles.reduce((a, b) => (b.cost < a.cost - 1e-9 ? b : a))
  return `${least.rowTile}×${4 * least.laneTile}`
}

test.each([
  ['what four divides', 64, 128, '4×8'],
  ['the columns of a convolution of 14 × 14', 14, 16, '5×8'],
  ['one column of vectors', 32, 4, '8×4'],
  ['one row', 1, 784, '1×28'],
])('%s', (_, rows, columns, tile) => {
  expect(best(rows, columns)).toBe(tile)
})

test('accumulators, what the columns load and one factor of a row fit fifteen registers', () => {
  for (const laneLoads of [1, 2]) {
    for (const { rowTile, laneTile } of plainTiles(100, 25, laneLoads, 1)) {
      expect(rowTile * laneTile + laneTile * laneLoads + 1).toBeLessThanOrEqual(15)
    }
  }
})
