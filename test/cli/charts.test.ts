/** Learning curves: gathered from reports, as SVG, as a page, and in the characters of a terminal. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { Io } from '../../compiler/cli/io.ts'
import { Curves, smooth } from '../../compiler/cli/pictures/curves.ts'
import { lineChart } from '../../compiler/cli/pictures/line-chart.ts'
import { page } from '../../compiler/cli/pictures/page.ts'
import { linearScale, logScale, scaleOf, tickText } from '../../compiler/cli/pictures/scale.ts'
import { element, escapeXml, fit, stack } from '../../compiler/cli/pictures/svg.ts'
import { terminalChart } from '../../compiler/cli/pictures/terminal-chart.ts'
import { Progress } from '../../compiler/cli/progress.ts'
import type { Report } from '../../runtime/index.ts'
import { folder, netc } from './support.ts'

describe('axes', () => {
  test('ticks are 1, 2 or 5 times powers of ten and hold the values', () => {
    expect(linearScale(0.03, 0.97).ticks).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1])
    expect(linearScale(-7, 12).ticks).toEqual([-10, -5, 0, 5, 10, 15])
    expect(linearScale(0, 12, 6, true)).toMatchObject({ ticks: [0, 2, 4, 6, 8, 10, 12], most: 12 })
    expect(linearScale(0, 11.5, 6, true)).toMatchObject({ ticks: [0, 2, 4, 6, 8, 10], most: 11.5 })
    expect(linearScale(5, 5)).toMatchObject({ least: 4.4, most: 5.6 })
    const { at } = linearScale(0, 1)
    expect([at(0), at(0.5), at(1)]).toEqual([0, 0.5, 1])
  })

  test('a loss that falls far has a logarithmic axis', () => {
    expect(logScale(0.02, 3)).toMatchObject({ least: 0.02, most: 5, ticks: [0.1, 1] })
    expect(logScale(0.1, 3).ticks).toEqual([0.1, 0.2, 0.5, 1, 2, 5])
    expect(logScale(1e-12, 1).ticks).toEqual([1e-12, 1e-9, 1e-6, 1e-3, 1])
    const { at } = logScale(0.01, 100)
    expect([at(0.01), at(1), at(100)]).toEqual([0, 0.5, 1])
    expect([[0.001, 1], [0.1, 1], [-1, 50], []].map((v) => scaleOf(v).isLog)).toEqual([
      true,
      false,
      false,
      false,
    ])
    expect(scaleOf([1, Number.NaN, Number.POSITIVE_INFINITY, 2]).most).toBe(2)
  })

  test('the text of ticks tells them apart', () => {
    const texts = (scale: ReturnType<typeof linearScale>) =>
      scale.ticks.map((t) => tickText(t, scale))
    expect(texts(linearScale(0, 1))).toEqual(['0.0', '0.2', '0.4', '0.6', '0.8', '1.0'])
    expect(texts(linearScale(0, 3e6, 3))).toEqual(['0', '1e6', '2e6', '3e6'])
    expect(texts(logScale(0.001, 1))).toEqual(['0.001', '0.01', '0.1', '1'])
  })
})

const report = (
  epoch: number,
  row: number,
  metrics: Record<string, number>,
  validation?: Record<string, number>,
) =>
  ({ kind: row === 100 ? 'epoch' : 'progress', epoch, row, of: 100, metrics, validation }) as const

describe('curves from reports', () => {
  test('within an epoch they show what was new, after it the mean of the epoch', () => {
    const curves = new Curves()
    curves.add(report(1, 50, { loss: 4 }))
    // The mean over all 100 rows is 3, so that over the second half is 2.
    curves.add(report(1, 100, { loss: 3 }, { loss: 2.5 }))
    curves.add(report(2, 100, { loss: 1 }, { loss: 1.5 }))
    expect(curves.toJSON().curves.loss).toMatchObject({
      within: [
        { x: 0.25, y: 4 },
        { x: 0.75, y: 2 },
        { x: 1.5, y: 1 },
      ],
      epochs: [
        { x: 1, y: 3 },
        { x: 2, y: 1 },
      ],
      validation: [
        { x: 1, y: 2.5 },
        { x: 2, y: 1.5 },
      ],
    })
    const [chart] = curves.charts()
    expect(chart!.series.map((s) => [s.name, s.look, s.points.length])).toEqual([
      ['training, within epochs', 'faint', 3],
      ['training', 'marks', 2],
      ['validation', 'marks', 2],
    ])
    expect(curves.charts(true)[0]!.series.map((s) => s.name)).toEqual(['training', 'validation'])
  })

  test('they go on after an interrupt as if there had been none', () => {
    const [whole, first] = [new Curves(), new Curves()]
    const reports = [1, 2].flatMap((e) =>
      [25, 60, 100].map((r) => report(e, r, { loss: e + 9 / r })),
    )
    for (const each of reports) whole.add(each)
    for (const each of reports.slice(0, 2)) first.add(each)
    const second = new Curves(JSON.parse(JSON.stringify(first)))
    for (const each of reports.slice(2)) second.add(each)
    expect(second.toJSON()).toEqual(whole.toJSON())
  })

  test('a long training keeps some thousand points that span it', () => {
    const curves = new Curves()
    for (let k = 1; k <= 9000; k++) {
      curves.add({ ...report(1, k, { loss: 1 }), kind: 'progress', of: 9000 })
    }
    const { within } = curves.toJSON().curves.loss!
    expect(within).toHaveLength(1125)
    // Eight reports a point, from the first to the last, evenly.
    within.forEach(({ x }, k) => {
      expect(x).toBeCloseTo((8 * k + 4) / 9000, 9)
    })
  })

  test('smoothing keeps a constant and steps over what is not finite', () => {
    const points = [3, 3, Number.NaN, 3, 3].map((y, x) => ({ x, y }))
    expect(smooth(points, 3).map((p) => p.y)).toEqual([3, 3, Number.NaN, 3, 3])
    const step = smooth(
      [0, 0, 0, 1, 1, 1].map((y, x) => ({ x, y })),
      2,
    ).map((p) => p.y)
    expect(step.slice(0, 3)).toEqual([0, 0, 0])
    expect(step[3]).toBeGreaterThan(0.5)
    expect(step[5]).toBeGreaterThan(step[4]!)
  })
})

const chart = {
  title: 'loss & more',
  x: 'epoch',
  series: [
    { name: 'training', points: [1, 0.5, Number.NaN, 0.25, 0.2].map((y, x) => ({ x, y })) },
    { name: 'validation', points: [{ x: 1, y: 0.6 }] },
    { name: 'batches', points: [0.9, 0.8].map((y, x) => ({ x, y })), look: 'faint' },
  ],
} as const

describe('SVG', () => {
  const plot = lineChart(chart, 400, 200)
  const paths = [...plot.body.matchAll(/<path class="([^"]+)" d="([^"]+)"/g)]

  test('a path for each series, lifted where a value is missing; faint ones behind', () => {
    expect(paths.map((p) => p[1])).toEqual(['line s2 faint', 'line s0', 'line s1'])
    expect(paths[1]![2]!.match(/[ML]/g)!.join('')).toBe('MLML')
    // The first point stands at the left end, at the height of the tick 1.0.
    const [x, y] = /M([\d.]+) ([\d.]+)/.exec(paths[1]![2]!)!.slice(1).map(Number)
    expect(x).toBe(plot.left)
    const tick = plot.body.match(/y="([\d.]+)">1\.0</)!
    expect(y).toBeCloseTo(Number(tick[1]) - 4, -0.5)
    expect(plot.body.match(/<circle/g)).toHaveLength(1)
  })

  test('a legend of the lines that does not overlap, in rows where it is narrow', () => {
    const names = [...plot.body.matchAll(/<text x="([\d.]+)" y="([\d.]+)">([^<]+)</g)]
    expect(names.map((m) => m[3])).toEqual(['training', 'validation'])
    const many = Array.from({ length: 9 }, (_, k) => ({ name: `a long name ${k}`, points: [] }))
    const narrow = lineChart({ ...chart, series: many }, 300)
    const rows = [...narrow.body.matchAll(/y="([\d.]+)">a long/g)].map((m) => Number(m[1]))
    expect(new Set(rows).size).toBe(5)
    expect(Math.max(...rows)).toBeLessThan(narrow.top)
  })

  test('documents are well-formed and hold no text unescaped', () => {
    const svg = stack('a < b', [plot, plot])
    expect(svg).toContain('<title>a &lt; b</title>')
    expect(svg).toContain('loss &amp; more')
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" width="432" height="456"/)
    const open = [...svg.matchAll(/<(\w+)(?: [^>]*[^/])?>/g)].map((m) => m[1]).sort()
    const closed = [...svg.matchAll(/<\/(\w+)>/g)].map((m) => m[1]).sort()
    expect(open).toEqual(closed)
    expect(escapeXml('a\u0001"<&>\ud800')).toBe('a□&quot;&lt;&amp;&gt;\ufffd')
    expect(element('a', { x: 1 / 3, y: undefined })).toBe('<a x="0.33"/>')
    expect(fit('x'.repeat(50), 60)).toMatch(/^x{6}…$/)
  })

  test('nothing to draw is an empty chart', () => {
    expect(lineChart({ title: 'loss', x: 'epoch', series: [] }).body).not.toContain('NaN')
  })
})

test('a page asks the network for nothing and holds the values', () => {
  const html = page([lineChart(chart)], { title: 'x</script>', note: 'n', refresh: 2 })
  expect(html).not.toMatch(/(?:src|href)=|@import|url\(/)
  expect(html).toContain('<meta http-equiv="refresh" content="2">')
  expect(html.match(/<\/script>/g)).toHaveLength(1)
  const data = JSON.parse(/const plots = (.*)/.exec(html)![1]!)
  expect(data[0].series[0].points).toEqual([
    [0, 1],
    [1, 0.5],
    [3, 0.25],
    [4, 0.2],
  ])
})

describe('in a terminal', () => {
  const falling = {
    title: 'loss',
    x: 'epoch',
    series: [
      { name: 'training', points: [4, 3, 2, 1, 0].map((y, x) => ({ x, y })) },
      { name: 'validation', points: [{ x: 2, y: 3 }] },
    ],
  }

  test('braille, ticks and marks in exactly the room there is', () => {
    expect(terminalChart(falling, { columns: 34, lines: 8, color: false })).toEqual([
      'loss   ⠒⠒ training   × validation',
      ' 4┤⠉⠒⠢⠤⣀⡀',
      '  │     ⠈⠉⠒⠢⠤⣀⡀   ×',
      ' 2┤           ⠈⠉⠑⠒⠤⢄⣀⡀',
      '  │                  ⠈⠉⠑⠒⠢⠤⣀⡀',
      ' 0┤                         ⠈⠉⠒⠢⠤⣀',
      '  └┬──────────────┬──────────────┬',
      '   0              2              4',
    ])
  })

  test('colour tells the series apart and ends with each line', () => {
    const lines = terminalChart(falling, { columns: 50, lines: 10, color: true })
    expect(lines[0]).toContain('\u001b[33m⠒⠒\u001b[39m validation')
    for (const line of lines) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: the codes begin with escape.
      const codes = line.match(/\u001b\[\d+m/g) ?? []
      expect(codes.length === 0 || codes.at(-1) === '\u001b[39m').toBe(true)
    }
  })

  test('no chart where there is no room or nothing to show', () => {
    expect(terminalChart(falling, { columns: 29, lines: 10, color: false })).toEqual([])
    expect(terminalChart(falling, { columns: 80, lines: 6, color: false })).toEqual([])
    const none = { ...falling, series: [{ name: 'a', points: [{ x: 0, y: Number.NaN }] }] }
    expect(terminalChart(none, { columns: 80, lines: 9, color: false })).toEqual([])
  })

  test('it is redrawn in place below the line, and stays at the end', () => {
    let now = 0
    vi.spyOn(performance, 'now').mockImplementation(() => now)
    const written: string[] = []
    const io = { err: (t: string) => written.push(t), isTerminal: true, columns: 20, rows: 24 }
    const line = new Progress(io as unknown as Io, () => ['c'.repeat(19), '\u001b[34md\u001b[39m'])
    const at = (kind: Report['kind'], row: number) =>
      ({ ...report(1, row, {}), kind, epochs: 9, examplesPerSecond: 1, secondsLeft: 1 }) as Report
    const frame = '\u001b[Kccccccccccccccccccc\n\u001b[K\u001b[34md\u001b[39m\u001b[J'
    now = 500
    line.show(at('progress', 10))
    now = 700
    line.show(at('progress', 20))
    now = 2000
    line.show(at('epoch', 100))
    now = 2200
    line.show(at('progress', 20))
    // Half as wide: the line and the chart's first take two lines each.
    io.columns = 10
    now = 2400
    line.show(at('progress', 20))
    line.note('text')
    io.columns = 20
    now = 2600
    line.show(at('progress', 20))
    line.end()
    expect(written).toEqual([
      `\r\u001b[Kepoch 1/9  10%    1\n${frame}`,
      `\r\u001b[2A\u001b[Kepoch 1/9  20%    1\n${frame}`,
      `\r\u001b[2A\u001b[Kepoch 1/9 100%    1\n${frame}`,
      `\r\u001b[1A\u001b[Kepoch 1/9  20%    1\n${frame}`,
      `\r\u001b[4A\u001b[Kepoch 1/9\n${frame}`,
      // The note takes the place of the line, and the chart stays below it.
      `\r\u001b[3A\u001b[Ktext\n${frame}`,
      `\r\u001b[1A\u001b[Kepoch 1/9  20%    1\n${frame}`,
      '\n',
    ])
    vi.restoreAllMocks()
  })
})

test('netc train --plot writes the curves of every metric', async () => {
  const at = folder({})
  const args = ['train', 'models/iris.net', '--epochs', '3', '--validation', '0.2', '--chart']
  const out = ['--out', join(at, 'w.safetensors')]
  const ran = await netc([...args, ...out, '--plot', join(at, 'c.svg')])
  expect(ran.code).toBe(0)
  // Not a terminal: no chart, whatever was asked for.
  expect(ran.err).not.toMatch(/[⠀-⣿┤]/)
  const svg = readFileSync(join(at, 'c.svg'), 'utf8')
  const titles = [...svg.matchAll(/class="title"[^>]*>([^<]+)</g)].map((m) => m[1])
  expect(titles).toEqual(['loss', 'accuracy'])
  // Two metrics, each with the training by epoch and within it and the validation: three dots an epoch line.
  expect(svg.match(/<path/g)).toHaveLength(6)
  expect(svg.match(/<circle/g)).toHaveLength(12)
  const bad = await netc([...args, ...out, '--plot', join(at, 'c.png')])
  expect(bad).toMatchObject({ code: 2, out: '' })
  expect(bad.err).toContain('c.png: the name ends in .svg or .html')
})
