/** The page of `--plot` in Chromium: its script runs, and shows the values under the pointer. */
import { expect, test } from 'vitest'
import { lineChart } from '../../compiler/cli/pictures/line-chart.ts'
import { page } from '../../compiler/cli/pictures/page.ts'
import { inBrowser, skipBrowser } from './browser.ts'

test.skipIf(skipBrowser)('a pointer over a chart shows each curve’s value there', async () => {
  const points = (...values: number[]) => values.map((y, x) => ({ x, y }))
  const chart = lineChart({
    title: 'loss',
    x: 'epoch',
    series: [
      { name: 'training', points: points(100, 10, 1) },
      { name: 'validation', points: points(90, 20, 8) },
    ],
  })
  const html = page([chart], { title: 'model.net' })
  const result = await inBrowser(
    { 'plot.html': html },
    `const frame = document.createElement('iframe')
     frame.width = 1000
     frame.height = 800
     frame.src = '/plot.html'
     document.body.append(frame)
     await new Promise(done => { frame.onload = done })
     const page = frame.contentDocument
     const svg = page.querySelector('svg')
     const tip = page.querySelector('.tip')
     const before = tip.hidden
     const box = svg.getBoundingClientRect()
     const middle = { clientX: box.left + (${(chart.left + chart.right) / 2} + 20) * box.width / ${chart.width}, clientY: box.top + 100 }
     svg.dispatchEvent(new frame.contentWindow.PointerEvent('pointermove', middle))
     const text = tip.textContent
     const dots = [...svg.querySelectorAll('g circle')].map(c => [c.getAttribute('class'), Number(c.getAttribute('cy'))])
     svg.dispatchEvent(new frame.contentWindow.PointerEvent('pointerleave'))
     return { before, text, dots, after: tip.hidden, left: svg.querySelectorAll('g circle').length }`,
  )
  // Values from 1 to 100 have a logarithmic axis: 10 stands in its middle.
  expect(result).toEqual({
    before: true,
    text: 'epoch 1\ntraining  10\nvalidation  20',
    dots: [
      ['f0', expect.closeTo((chart.top + chart.bottom) / 2, 3)],
      ['f1', expect.any(Number)],
    ],
    after: true,
    left: 0,
  })
})
