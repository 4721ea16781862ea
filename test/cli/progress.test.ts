/** The progress line: redrawn on a terminal, a line in a while elsewhere. */
import { beforeEach, expect, test, vi } from 'vitest'
import type { Io } from '../../compiler/cli/io.ts'
import { duration, figure, Progress, short } from '../../compiler/cli/progress.ts'
import type { Report } from '../../runtime/index.ts'

let now = 0
beforeEach(() => {
  now = 0
  vi.spyOn(performance, 'now').mockImplementation(() => now)
})

function progress(isTerminal: boolean, columns = 120) {
  const written: string[] = []
  const io = { err: (text: string) => written.push(text), isTerminal, columns } as unknown as Io
  return { written, line: new Progress(io) }
}

const report = (kind: Report['kind'], epoch: number, row: number): Report => ({
  kind,
  epoch,
  epochs: 10,
  step: 7,
  row,
  of: 60_000,
  metrics: { loss: 0.081234, accuracy: 0.975 },
  validation: undefined,
  examplesPerSecond: 41_234.5,
  secondsLeft: 125,
  cursor: { epoch: 0, row, sums: [] },
})

const half = 'epoch  3/10  50%  loss 0.08123  accuracy 0.9750  41,235 examples/s  2 min 05 s left'

test('a terminal sees one line, redrawn, and each epoch left standing', () => {
  const { written, line } = progress(true)
  now = 5000
  line.show(report('progress', 3, 30_000))
  now = 5050
  line.show(report('progress', 3, 31_000))
  now = 6000
  line.show(report('epoch', 3, 60_000))
  line.end()
  expect(written).toEqual([`\r\u001b[K${half}`, `\r\u001b[K${half.replace(' 50%', '100%')}\n`])
})

test('a narrow terminal sees what fits, and the cursor ends on a line of its own', () => {
  const { written, line } = progress(true, 20)
  now = 5000
  line.show(report('progress', 3, 30_000))
  line.end()
  line.end()
  expect(written).toEqual([`\r\u001b[K${half.slice(0, 19)}`, '\n'])
})

test('elsewhere a line for each epoch, one a second at most, and in long epochs every ten seconds', () => {
  const { written, line } = progress(false)
  const at: number[] = []
  for (now = 0; now <= 25_000; now += 500) {
    const before = written.length
    line.show(report(now > 22_000 ? 'epoch' : 'progress', 3, 30_000))
    if (written.length > before) at.push(now)
  }
  expect(at).toEqual([10_000, 20_000, 22_500, 23_500, 24_500])
  line.show(report('epoch', 10, 60_000))
  expect(written.at(-1)).toContain('epoch 10/10 100%')
  expect(written.every((text) => text.endsWith('\n'))).toBe(true)
})

test('figures', () => {
  expect([0, 0.5, 1e-5, 123456.7, 1e7, Number.NaN].map(figure)).toEqual([
    '0.000',
    '0.5000',
    '1.000e-5',
    '1.235e+5',
    '1.000e+7',
    'NaN',
  ])
  expect([0, 0.42, 14, 125, 3720].map(duration)).toEqual([
    '0 s',
    '0.4 s',
    '14 s',
    '2 min 05 s',
    '1 h 02 min',
  ])
  expect([0.1, 1 / 3, 1e-45, 3.4028235e38, Number.NaN].map((x) => short(Math.fround(x)))).toEqual([
    0.1,
    0.33333334,
    1.4013e-45,
    3.4028235e38,
    null,
  ])
})
